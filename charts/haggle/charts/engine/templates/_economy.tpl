{{/* The ConfigMap with the game's items and classes, if it has its own. */}}
{{- define "engine.economy.configMap" -}}
{{- if .Values.economy.existingConfigMap -}}
{{- .Values.economy.existingConfigMap -}}
{{- else if .Values.economy.file -}}
{{- include "haggle.name" (list . "economy") -}}
{{- end -}}
{{- end }}

{{- define "engine.env.economy" -}}
{{- if include "engine.economy.configMap" . -}}
- name: ECONOMY_FILE
  value: /etc/haggle/economy.toml
{{- end -}}
{{- end }}

{{- define "engine.economy.mount" -}}
{{- if include "engine.economy.configMap" . -}}
- name: economy
  mountPath: /etc/haggle
  readOnly: true
{{- end -}}
{{- end }}

{{- define "engine.economy.volume" -}}
{{- with include "engine.economy.configMap" . -}}
- name: economy
  configMap:
    name: {{ . }}
{{- end -}}
{{- end }}
