{{/* The release's name, with `haggle` in it. */}}
{{- define "haggle.fullname" -}}
{{- if contains "haggle" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-haggle" (.Release.Name | trunc 33 | trimSuffix "-") -}}
{{- end -}}
{{- end }}

{{/* Name of an object: (list . "component"). */}}
{{- define "haggle.name" -}}
{{- printf "%s-%s" (include "haggle.fullname" (first .)) (last .) -}}
{{- end }}

{{/* Labels that selectors use: (list . "component"). */}}
{{- define "haggle.selectorLabels" -}}
app.kubernetes.io/name: haggle
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{/* All labels of an object: (list . "component"). */}}
{{- define "haggle.labels" -}}
{{ include "haggle.selectorLabels" . }}
app.kubernetes.io/version: {{ (first .).Chart.AppVersion | quote }}
app.kubernetes.io/part-of: haggle
app.kubernetes.io/managed-by: {{ (first .).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (first .).Chart.Name (first .).Chart.Version }}
{{- with (first .).Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* metadata of an object: (list . "component" "name suffix"); the suffix is the component unless given. */}}
{{- define "haggle.metadata" -}}
{{- $root := first . -}}
name: {{ include "haggle.name" (list $root (last .)) }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "haggle.labels" (list $root (index . 1)) | nindent 2 }}
{{- end }}

{{/* Reference of an image: (list . values of the image). */}}
{{- define "haggle.image" -}}
{{- $global := (first .).Values.global -}}
{{- $image := last . -}}
{{- $registry := $global.imageRegistry | default $image.registry -}}
{{- with $registry }}{{ . }}/{{ end }}{{ $image.repository }}{{ with $image.digest }}@{{ . }}{{ else }}:{{ $image.tag }}{{ end -}}
{{- end }}
