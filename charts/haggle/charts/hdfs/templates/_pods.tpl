{{/* Environment of a Hadoop program: (list . "HDFS_NAMENODE_OPTS" options). */}}
{{- define "hdfs.env" -}}
- name: HADOOP_CONF_DIR
  value: /etc/hadoop
- name: HADOOP_LOG_DIR
  value: /tmp
- name: HADOOP_PID_DIR
  value: /tmp
- name: {{ index . 1 }}
  value: {{ last . | quote }}
{{- with (first .).Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A probe that asks a bean of the program's own /jmx: (dict "port" 9870 "bean" name "pattern" text). bash speaks TCP itself. */}}
{{- define "hdfs.beanProbe" -}}
exec:
  command:
    - bash
    - -c
    - |
      exec 3<>/dev/tcp/127.0.0.1/{{ .port }}
      printf 'GET /jmx?qry={{ .bean }} HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
      grep -q '{{ .pattern }}' <&3
{{- end }}

{{- define "hdfs.volumes" -}}
- name: config
  configMap:
    name: {{ include "haggle.name" (list . "hdfs") }}
- name: tmp
  emptyDir: {}
{{- end }}

{{- define "hdfs.mounts" -}}
- name: config
  mountPath: /etc/hadoop
- name: tmp
  mountPath: /tmp
{{- end }}
