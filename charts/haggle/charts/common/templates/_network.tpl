{{/*
A NetworkPolicy that isolates one component in both directions and opens the edges that it has:
(dict "root" . "component" name "ingress" (list (dict "from" (list component…) "ports" (list number…) | "peers" raw))
      "egress" (list part…)).
*/}}
{{- define "haggle.networkPolicy" -}}
{{- $root := .root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "haggle.metadata" (list $root .component) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "haggle.selectorLabels" (list $root .component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range .ingress }}
    - ports:
        {{- range .ports }}
        - port: {{ . }}
          protocol: TCP
        {{- end }}
      {{- if or .from .peers }}
      from:
        {{- range .from }}
        - podSelector:
            matchLabels:
              {{- include "haggle.selectorLabels" (list $root .) | nindent 14 }}
        {{- end }}
        {{- with .peers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
    {{- else }}
    []
    {{- end }}
  egress:
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    {{- range .egress }}
    {{- include "haggle.egress" (list $root .) | nindent 4 }}
    {{- end }}
{{- end }}

{{/* The egress rule towards a part: its pods, or any address where the part is an existing service. */}}
{{- define "haggle.egress" -}}
{{- $root := first . -}}
{{- $global := $root.Values.global -}}
{{- $part := last . -}}
{{- $ports := dict "redis" (list 6379) "kafka" (list 9092) "kafka-controller" (list 9092 9093) "namenode" (list 8020) "datanode" (list 9866) "catalog" (list 5432) "engine" (list 8000) "trino" (list 8080) "trino-worker" (list 8080) "streams" (list 7078 7079) "executor" (list 7079) -}}
{{- $external := dict
  "redis" $global.redis.existing.host
  "kafka" $global.kafka.existing.bootstrapServers
  "namenode" $global.hdfs.existing.url
  "datanode" $global.hdfs.existing.url
  "catalog" $global.catalog.existing.host
  "engine" $global.engine.existing.url
  "trino" $global.trino.existing.url -}}
{{- if eq $part "api-server" -}}
- ports:
    - {port: 443, protocol: TCP}
    - {port: 6443, protocol: TCP}
  to:
    - ipBlock:
        cidr: {{ $global.networkPolicy.apiServerCidr }}
{{- else if get $external $part -}}
- to:
    - ipBlock:
        cidr: {{ $global.networkPolicy.existingServicesCidr }}
{{- else -}}
- ports:
    {{- range get $ports $part }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to:
    - podSelector:
        matchLabels:
          {{- include "haggle.selectorLabels" (list $root (eq $part "kafka-controller" | ternary "kafka" $part)) | nindent 10 }}
{{- end -}}
{{- end }}
