{{/* How the parts find each other: environment variables of Haggle's own programs, as app/settings.py names them. */}}

{{- define "haggle.env.common" -}}
- name: REALM
  value: {{ .Values.global.realm | quote }}
- name: LOG_LEVEL
  value: {{ .Values.global.logLevel }}
- name: FORGET_WITHIN_DAYS
  value: {{ .Values.global.forgetWithinDays | quote }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "haggle.engine.url" -}}
{{- .Values.global.engine.existing.url | default (printf "http://%s:8000" (include "haggle.name" (list . "engine"))) -}}
{{- end }}

{{/* For callers of the engine, with the scope of key that they need: (list . "trade"). */}}
{{- define "haggle.env.engine" -}}
{{- $root := first . -}}
{{- $global := $root.Values.global.engine -}}
- name: ENGINE_URL
  value: {{ include "haggle.engine.url" $root | quote }}
{{- if or $global.existingSecret.name (not $global.existing.url) }}
{{ include "haggle.env.keys" . | default (include "haggle.env.keys" (list $root "service")) }}
{{- end }}
{{- end }}

{{/* The environment variable with the keys of a kind, if there are any: (list . "service"), "trade", "adjust", "read" or "token". */}}
{{- define "haggle.env.keys" -}}
{{- $root := first . -}}
{{- $kind := last . -}}
{{- $existing := $root.Values.global.engine.existingSecret -}}
{{- $key := $existing.name | empty | ternary (printf "%s-keys" $kind) (get $existing (printf "%sKeys" $kind)) -}}
{{- if $key -}}
- name: {{ printf "%s_KEYS" (upper $kind) }}
  valueFrom:
    secretKeyRef:
      name: {{ $existing.name | default (include "haggle.name" (list $root "engine")) }}
      key: {{ $key }}
{{- end -}}
{{- end }}

{{/* Name and key of a part's Secret, if it has one: (list . "redis"). */}}
{{- define "haggle.secretRef" -}}
{{- $part := index (first .).Values.global (last .) -}}
name: {{ $part.existingSecret.name | default (include "haggle.name" .) }}
key: {{ $part.existingSecret.name | empty | ternary "password" $part.existingSecret.key }}
{{- end }}

{{/* An environment variable with a part's password; nothing for an existing service without one: (list . "redis" "REDIS_PASSWORD"). */}}
{{- define "haggle.env.password" -}}
{{- $part := index (first .).Values.global (index . 1) -}}
{{- if or $part.existingSecret.name (not $part.existing.host) -}}
- name: {{ last . }}
  valueFrom:
    secretKeyRef:
      {{- include "haggle.secretRef" (list (first .) (index . 1)) | nindent 6 }}
{{- end -}}
{{- end }}

{{/* Changes when an existing Secret changes, so that its pods start anew: (list . "redis"). */}}
{{- define "haggle.secretData" -}}
{{- $root := first . -}}
{{- with (index $root.Values.global (last .)).existingSecret.name -}}
{{- with lookup "v1" "Secret" $root.Release.Namespace . }}{{ .data | toJson }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "haggle.env.redis" -}}
{{- $existing := .Values.global.redis.existing -}}
{{- $scheme := ternary "rediss" "redis" $existing.tls -}}
{{- $host := $existing.host | default (include "haggle.name" (list . "redis")) -}}
- name: REDIS_URL
  value: {{ printf "%s://%s:%d/%d" $scheme $host (int $existing.port) (int $existing.database) | quote }}
{{ include "haggle.env.password" (list . "redis" "REDIS_PASSWORD") }}
{{- end }}

{{- define "haggle.kafka.bootstrapServers" -}}
{{- .Values.global.kafka.existing.bootstrapServers | default (printf "%s:9092" (include "haggle.name" (list . "kafka"))) -}}
{{- end }}

{{- define "haggle.env.kafka" -}}
- name: KAFKA_BOOTSTRAP_SERVERS
  value: {{ include "haggle.kafka.bootstrapServers" . | quote }}
- name: KAFKA_TOPIC
  value: {{ .Values.global.kafka.topic | quote }}
- name: KAFKA_PARTITIONS
  value: {{ .Values.global.kafka.partitions | quote }}
- name: KAFKA_REPLICATION
  value: {{ .Values.global.kafka.brokers | quote }}
{{- end }}

{{- define "haggle.hdfs.url" -}}
{{- .Values.global.hdfs.existing.url | default (printf "hdfs://%s:8020" (include "haggle.name" (list . "namenode"))) -}}
{{- end }}

{{- define "haggle.env.hdfs" -}}
- name: HDFS_URL
  value: {{ include "haggle.hdfs.url" . | quote }}
- name: HDFS_REPLICATION
  value: {{ .Values.global.hdfs.replication | quote }}
- name: HADOOP_USER_NAME
  value: {{ .Values.global.hdfs.user }}
{{- end }}

{{- define "haggle.catalog.address" -}}
{{- $catalog := .Values.global.catalog -}}
{{- $host := $catalog.existing.host | default (include "haggle.name" (list . "catalog")) -}}
{{- printf "%s:%d/%s" $host (int $catalog.existing.port) $catalog.database -}}
{{- end }}

{{- define "haggle.env.catalog" -}}
- name: CATALOG_URL
  value: {{ printf "postgresql://%s@%s" .Values.global.catalog.username (include "haggle.catalog.address" .) | quote }}
{{ include "haggle.env.password" (list . "catalog" "CATALOG_PASSWORD") }}
{{- end }}

{{- define "haggle.trino.url" -}}
{{- .Values.global.trino.existing.url | default (printf "http://%s:8080" (include "haggle.name" (list . "trino"))) -}}
{{- end }}

{{/* Where to read how far behind the lake is. */}}
{{- define "haggle.env.lag" -}}
- name: RELAY_HOST
  value: {{ include "haggle.name" (list . "relay") }}
- name: STREAMS_HOST
  value: {{ include "haggle.name" (list . "streams") }}
{{- end }}

{{- define "haggle.env.trino" -}}
- name: TRINO_URL
  value: {{ include "haggle.trino.url" . | quote }}
{{- end }}
