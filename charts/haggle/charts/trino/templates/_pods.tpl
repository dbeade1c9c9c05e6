{{/* config.properties that coordinator and workers share. */}}
{{- define "trino.properties" -}}
http-server.http.port=8080
query.max-memory={{ .Values.queryMaxMemory }}
query.max-memory-per-node={{ .Values.queryMaxMemoryPerNode }}
# what was asked is kept for a minute: plans of hundreds of questions fill a heap of 1 GiB
query.max-history=30
query.min-expire-age=1m
{{- if not .Values.workers }}
# one node: a join's right side is looked up first, and need not be moved to where the left side is
join-distribution-type=BROADCAST
{{- end }}
http-server.log.enabled=false
catalog.config-dir=/etc/trino/catalog
{{- end }}

{{/* Container of a coordinator or worker: (list . "coordinator" or "worker"); probes, lifecycle and resources follow. */}}
{{- define "trino.container" -}}
{{- $root := first . -}}
name: trino
{{ include "haggle.container" (list $root $root.Values.image) }}
command: [/usr/lib/trino/bin/run-trino]
env:
  {{- include "haggle.env.password" (list $root "catalog" "CATALOG_PASSWORD") | nindent 2 }}
  - name: HADOOP_USER_NAME
    value: trino
  {{- with $root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: http
    containerPort: 8080
startupProbe:
  {{- include "trino.probe" . | nindent 2 }}
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: 100
# started, and on its way neither up nor down
readinessProbe:
  {{- include "trino.probe" . | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /v1/info, port: http}
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 6
volumeMounts:
  - name: etc
    mountPath: /etc/trino
  - name: data
    mountPath: /data/trino
  - name: tmp
    mountPath: /tmp
  {{- if $root.Values.global.monitoring.enabled }}
  {{- include "haggle.agent.mount" $root | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "trino.probe" -}}
exec:
  command: [/usr/lib/trino/bin/health-check]
{{- end }}

{{/* Volumes of a coordinator or worker: (list . "coordinator" or "worker"). */}}
{{- define "trino.volumes" -}}
{{- $root := first . -}}
- name: etc
  projected:
    sources:
      - configMap:
          name: {{ include "haggle.name" (list $root "trino") }}
          items:
            - {key: {{ last . }}.properties, path: config.properties}
            {{- range list "node.properties" "jvm.config" "log.properties" "core-site.xml" "hdfs-site.xml" }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
            {{- range list "access-control.properties" "rules.json" "metrics.yaml" }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
      - configMap:
          name: {{ include "haggle.name" (list $root "trino-catalogs") }}
          items:
            - {key: lake.properties, path: catalog/lake.properties}
            - {key: ledger.properties, path: catalog/ledger.properties}
            {{- range $name, $_ := $root.Values.catalogs }}
            - {key: {{ $name }}.properties, path: catalog/{{ $name }}.properties}
            {{- end }}
- name: data
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- if $root.Values.global.monitoring.enabled }}
{{ include "haggle.agent.volume" $root }}
{{- end }}
{{- end }}
