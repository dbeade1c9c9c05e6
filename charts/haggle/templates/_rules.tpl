{{/* The groups of rules that files/alerts.yaml tells of, for the parts that are installed, as YAML. */}}
{{- define "haggle.rules" -}}
{{- $root := . -}}
{{- $release := printf "namespace=%q, app_kubernetes_io_instance=%q" .Release.Namespace .Release.Name -}}
{{- $of := printf "namespace=%q, release=%q" .Release.Namespace .Release.Name -}}
{{- $text := .Files.Get "files/alerts.yaml" | replace "$release" $release | replace "$of" $of -}}
{{- $file := $text | replace "$namespace" .Release.Namespace | replace "$name" (include "haggle.fullname" .) | fromYaml -}}
{{- with $file.Error }}{{ fail . }}{{ end -}}
{{- $labels := dict "namespace" .Release.Namespace "release" .Release.Name -}}
{{- $scraped := include "haggle.metrics" . | fromYaml -}}
{{- $down := list -}}
{{- $alerts := list -}}
{{- range $component, $about := $file.components }}
{{- if and (get $root.Values $about.part).enabled (hasKey $scraped $component) }}
{{- $up := printf "up{%s, app_kubernetes_io_component=%q}" $release $component -}}
{{- $silent := printf "absent(%s == 1) or %s == 0" $up $up -}}
{{- $expression := $silent -}}
{{- with get $about "or" }}
{{- $expression = printf "%s or %s == 0" $silent . -}}
{{- end }}
{{- $down = append $down (dict "record" "haggle:down" "expr" (printf "count(%s)" $expression)
  "labels" (merge (dict "component" $component) $labels)) -}}
{{- $expression = printf "haggle:down{%s, component=%q}" $of $component -}}
{{- with $about.after }}
{{- $expression = printf "%s unless on (namespace) haggle:down{%s, component=~%q}" $expression $of (join "|" .) -}}
{{- end }}
{{- $what := get $file.down $component -}}
{{- $alerts = append $alerts (dict
  "alert" (printf "Haggle%sDown" $about.title) "expr" $expression "for" "1m" "labels" (dict "severity" "critical")
  "annotations" (dict "summary" $what.means "runbook" (printf "docs/runbooks/Haggle%sDown.md" $about.title))) -}}
{{- end }}
{{- end }}
{{- range $file.alerts }}
{{- if or (not .part) (get $root.Values (.part | default "test")).enabled }}
{{- $alerts = append $alerts (dict
  "alert" .alert "expr" .expr "for" (get . "for") "labels" (dict "severity" .severity)
  "annotations" (dict "summary" .summary "runbook" (printf "docs/runbooks/%s.md" .alert))) -}}
{{- end }}
{{- end }}
groups:
  - name: haggle-down
    interval: 15s
    rules:
      {{- toYaml $down | nindent 6 }}
  - name: haggle
    interval: 15s
    rules:
      {{- toYaml $alerts | nindent 6 }}
{{- end }}
