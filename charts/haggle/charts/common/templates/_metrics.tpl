{{/*
Where each component's metrics are, for Prometheus: the one place that says so. Haggle's own programs and HDFS serve
them themselves, Redis and PostgreSQL by an exporter beside them, Kafka and Trino by an agent in their JVM.
*/}}
{{- define "haggle.metrics" -}}
engine: {port: 8001, path: /metrics}
relay: {port: 9100, path: /metrics}
streams: {port: 9101, path: /metrics}
{{- if .Values.global.monitoring.enabled }}
redis: {port: 9121, path: /metrics}
kafka: {port: 9404, path: /metrics}
namenode: {port: 9870, path: /prom}
datanode: {port: 9864, path: /prom}
catalog: {port: 9187, path: /metrics}
trino: {port: 9404, path: /metrics}
trino-worker: {port: 9404, path: /metrics}
{{- end }}
{{- end }}

{{/* The annotations by which a Prometheus without its operator finds a component's metrics: (list . "component"). */}}
{{- define "haggle.metricsAnnotations" -}}
{{- with get (include "haggle.metrics" (first .) | fromYaml) (last .) -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: {{ .path }}
{{- end -}}
{{- end }}

{{/*
The container of an exporter beside a server: (dict "root" . "exporter" values "port" 9121); env follows.
*/}}
{{- define "haggle.exporter" -}}
name: exporter
{{ include "haggle.container" (list .root .exporter.image) }}
ports:
  - name: metrics
    containerPort: {{ .port }}
readinessProbe:
  tcpSocket: {port: metrics}
  periodSeconds: 10
livenessProbe:
  tcpSocket: {port: metrics}
  periodSeconds: 20
  timeoutSeconds: 5
resources:
  {{- toYaml .exporter.resources | nindent 2 }}
{{- end }}

{{/* Hands the agent to a server's container: an init container, its volume, and where that is mounted. */}}
{{- define "haggle.agent.container" -}}
name: metrics-agent
{{ include "haggle.container" (list . .Values.global.images.jobs) }}
command: [sh, -c, cp /opt/metrics/*.jar /agent/agent.jar]
resources:
  {{- toYaml .Values.global.monitoring.agent.resources | nindent 2 }}
volumeMounts:
  - name: agent
    mountPath: /agent
{{- end }}

{{- define "haggle.agent.volume" -}}
- name: agent
  emptyDir:
    sizeLimit: 16Mi
{{- end }}

{{- define "haggle.agent.mount" -}}
- name: agent
  mountPath: /agent
  readOnly: true
{{- end }}

{{/* The option of a JVM that serves its metrics, as the file of the ConfigMap at a path says: "/etc/kafka/metrics.yaml". */}}
{{- define "haggle.agent.option" -}}
-javaagent:/agent/agent.jar=9404:{{ . }}
{{- end }}
