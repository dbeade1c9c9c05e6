{{/* A dashboard as Grafana's JSON: (list . "name of it in files/dashboards.yaml"). */}}
{{- define "haggle.dashboard" -}}
{{- $root := first . -}}
{{- $pods := `namespace="$namespace", app_kubernetes_io_instance="$release"` -}}
{{- $file := $root.Files.Get "files/dashboards.yaml" | replace "$pods" $pods | fromYaml -}}
{{- with $file.Error }}{{ fail . }}{{ end -}}
{{- $source := dict "type" "prometheus" "uid" "${datasource}" -}}
{{- $panels := list -}}
{{- range $place, $panel := (get $file (last .)).panels -}}
{{- $targets := list -}}
{{- range $legend, $expression := $panel.queries -}}
{{- $targets = append $targets (dict "datasource" $source "expr" $expression "legendFormat" $legend
  "refId" (printf "Q%d" (len $targets))) -}}
{{- end -}}
{{- $panels = append $panels (dict "id" (add1 $place) "type" "timeseries" "title" $panel.title "datasource" $source
  "targets" $targets
  "fieldConfig" (dict "defaults" (dict "unit" $panel.unit "min" 0) "overrides" list)
  "gridPos" (dict "h" 8 "w" 12 "x" (mul 12 (mod $place 2)) "y" (mul 8 (div $place 2)))) -}}
{{- end -}}
{{- $variables := list (dict "name" "datasource" "type" "datasource" "query" "prometheus") -}}
{{- range $name, $query := dict "namespace" "label_values(haggle_sequence, namespace)"
  "release" "label_values(haggle_sequence{namespace=\"$namespace\"}, app_kubernetes_io_instance)" -}}
{{- $variables = append $variables (dict "name" $name "type" "query" "datasource" $source "query" $query "refresh" 2) -}}
{{- end -}}
{{- dict "uid" (printf "haggle-%s" (last .)) "title" (get $file (last .)).title "tags" (list "haggle") "schemaVersion" 39
  "time" (dict "from" "now-1h" "to" "now") "refresh" "15s" "panels" $panels
  "templating" (dict "list" $variables) | toPrettyJson -}}
{{- end }}
