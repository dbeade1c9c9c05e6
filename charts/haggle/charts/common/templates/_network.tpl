{{/* Who calls whom, and on which ports: the one place that says so. Of each edge both NetworkPolicies are made. */}}
{{- define "haggle.edges" -}}
engine:
  redis: [6379]
  streams: [9101]
relay:
  redis: [6379]
  kafka: [9092]
kafka:
  kafka: [9092, 9093]
streams:
  executor: [7079]
  kafka: [9092]
  namenode: [8020]
  datanode: [9866]
  catalog: [5432]
  api-server: [443, 6443]
executor:
  streams: [7078, 7079]
  executor: [7079]
  kafka: [9092]
  namenode: [8020]
  datanode: [9866]
maintenance:
  namenode: [8020]
  datanode: [9866]
  catalog: [5432]
hdfs-prepare:
  namenode: [8020]
datanode:
  namenode: [8020]
  datanode: [9866]
trino:
  trino-worker: [8080]
  catalog: [5432]
  namenode: [8020]
  datanode: [9866]
trino-worker:
  trino: [8080]
  trino-worker: [8080]
  catalog: [5432]
  namenode: [8020]
  datanode: [9866]
simulation:
  engine: [8000]
audit:
  engine: [8000]
  kafka: [9092]
  trino: [8080]
  catalog: [5432]
report:
  engine: [8000]
  trino: [8080]
  relay: [9100]
  streams: [9101]
  catalog: [5432]
suspects:
  trino: [8080]
  relay: [9100]
  streams: [9101]
  catalog: [5432]
test:
  engine: [8000]
  trino: [8080]
{{- end }}

{{/*
A NetworkPolicy that isolates one component in both directions, but for its edges, and `open` ports: each for its own
peers, as NetworkPolicies name them; if there are none, for nobody, or for everybody where it says so:
(dict "root" . "component" name "open" (list (dict "port" 8000 "peers" list "everybody" true))).
*/}}
{{- define "haggle.networkPolicy" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $edges := include "haggle.edges" . | fromYaml -}}
{{- $open := .open | default list -}}
{{- with get (include "haggle.metrics" $root | fromYaml) $component -}}
{{- $open = append $open (dict "port" .port "peers" $root.Values.global.monitoring.from) -}}
{{- end -}}
{{- $ingress := include "haggle.ingress" (list $root $component $edges $open) | trim -}}
{{- if $root.Values.global.networkPolicy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "haggle.metadata" (list $root $component) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "haggle.selectorLabels" (list $root $component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: {{- if $ingress }}{{ $ingress | nindent 4 }}{{ else }} []{{ end }}
  egress:
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    {{- range $called, $ports := get $edges $component | default dict }}
    - {{- include "haggle.egress" (list $root $called $ports) | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}

{{/* The ingress rules of a component: (list . name edges open). */}}
{{- define "haggle.ingress" -}}
{{- $root := first . -}}
{{- $component := index . 1 -}}
{{- range $caller, $called := index . 2 }}
{{- with get $called $component }}
- ports: {{- include "haggle.ports" . | nindent 4 }}
  from:
    - podSelector:
        matchLabels:
          {{- include "haggle.selectorLabels" (list $root $caller) | nindent 10 }}
{{- end }}
{{- end }}
{{- range last . }}
{{- if or .peers .everybody }}
- ports: {{- include "haggle.ports" (list .port) | nindent 4 }}
  {{- with .peers }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "haggle.ports" -}}
{{- range . }}
- {port: {{ . }}, protocol: TCP}
{{- end }}
{{- end }}

{{/* The egress rule towards a part: its pods, or any address where it is an existing service: (list . name ports). */}}
{{- define "haggle.egress" -}}
{{- $root := first . -}}
{{- $called := index . 1 -}}
{{- $global := $root.Values.global -}}
{{- $existing := dict
  "redis" $global.redis.existing.host
  "kafka" $global.kafka.existing.bootstrapServers
  "namenode" $global.hdfs.existing.url
  "datanode" $global.hdfs.existing.url
  "catalog" $global.catalog.existing.host
  "engine" $global.engine.existing.url
  "trino" $global.trino.existing.url -}}
{{- if get $existing $called -}}
to:
  - ipBlock:
      cidr: {{ $global.networkPolicy.existingServicesCidr }}
{{- else -}}
ports: {{- include "haggle.ports" (last .) | nindent 2 }}
to:
  {{- if eq $called "api-server" }}
  - ipBlock:
      cidr: {{ $global.networkPolicy.apiServerCidr }}
  {{- else }}
  - podSelector:
      matchLabels:
        {{- include "haggle.selectorLabels" (list $root $called) | nindent 8 }}
  {{- end }}
{{- end -}}
{{- end }}
