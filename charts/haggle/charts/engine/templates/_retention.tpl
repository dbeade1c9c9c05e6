{{/* How long is kept what was decided: the engine promises it, the relay forgets it. */}}
{{- define "engine.env.retention" -}}
- name: DECIDED_KEEP_S
  value: {{ .Values.decidedKeepSeconds | int64 | quote }}
- name: ANSWER_FULL_S
  value: {{ .Values.answerFullSeconds | int64 | quote }}
{{- end }}
