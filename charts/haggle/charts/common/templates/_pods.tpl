{{/*
What every pod has: (dict "root" . "component" "redis" "uid" 999 "part" .Values "serviceAccount" name? "beside"
the component? on whose node it must run, since they share a volume).
Fits Pod Security `restricted`; no token is mounted unless the pod's own template says so.
*/}}
{{- define "haggle.pod" -}}
{{- $global := .root.Values.global -}}
serviceAccountName: {{ include "haggle.name" (list .root (.serviceAccount | default .component)) }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .uid }}
  runAsGroup: {{ .uid }}
  fsGroup: {{ .uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .part.nodeSelector | default $global.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.tolerations | default $global.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $affinity := deepCopy (.part.affinity | default $global.affinity) }}
{{- with .beside }}
{{- $selector := dict "matchLabels" (include "haggle.selectorLabels" (list $.root .) | fromYaml) }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $selector }}
{{- $required := dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term) }}
{{- $affinity = merge (dict "podAffinity" $required) $affinity }}
{{- end }}
{{- with $affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.priorityClassName | default $global.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .spread }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "haggle.selectorLabels" (list $.root $.component) | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
metadata of a pod template: (dict "root" . "component" name "part" .Values "files" list? "secrets" list?).
The pod starts anew when a file of the part's templates changes, or an existing Secret of the parts named.
*/}}
{{- define "haggle.podMetadata" -}}
{{- $root := .root -}}
labels:
  {{- include "haggle.labels" (list .root .component) | nindent 2 }}
  {{- with .part.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $metrics := include "haggle.metricsAnnotations" (list .root .component) | fromYaml }}
{{- $annotations := merge (dict) (.part.podAnnotations | default dict) $metrics }}
{{- if or .files .secrets .configMap $annotations }}
annotations:
  {{- range .files }}
  checksum/{{ trimSuffix ".yaml" . }}: {{ include (print $root.Template.BasePath "/" .) $root | sha256sum }}
  {{- end }}
  {{- range .secrets }}
  checksum/{{ . }}-secret: {{ include "haggle.secretData" (list $root .) | sha256sum }}
  {{- end }}
  {{- with .configMap }}
  checksum/{{ . }}: {{ (lookup "v1" "ConfigMap" $root.Release.Namespace . | default dict).data | toJson | sha256sum }}
  {{- end }}
  {{- with $annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What every container has: (list . values of the image). */}}
{{- define "haggle.container" -}}
image: {{ include "haggle.image" . }}
imagePullPolicy: {{ (first .).Values.global.imagePullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* A ServiceAccount without a mounted token: (list . "component"). */}}
{{- define "haggle.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "haggle.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end }}

{{/* A PodDisruptionBudget that lets one pod at a time go: (list . "component"). */}}
{{- define "haggle.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "haggle.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "haggle.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* A claim template of a StatefulSet: (list . storage values). */}}
{{- define "haggle.claim" -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with (last .).storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ (last .).size }}
{{- end }}

{{/* A Secret with generated keys, each kept as it is once it exists: (list . "component" "key" …). */}}
{{- define "haggle.generatedSecret" -}}
{{- $root := first . -}}
{{- $name := include "haggle.name" (list $root (index . 1)) -}}
{{- $existing := (lookup "v1" "Secret" $root.Release.Namespace $name).data | default dict -}}
apiVersion: v1
kind: Secret
metadata:
  {{- include "haggle.metadata" (list $root (index . 1)) | nindent 2 }}
type: Opaque
data:
  {{- range slice . 2 }}
  {{ . }}: {{ get $existing . | default (randAlphaNum 40 | b64enc) }}
  {{- end }}
{{- end }}

{{/* The bytes of a volume's size: "4Gi". */}}
{{- define "haggle.bytes" -}}
{{- $units := dict "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := trimPrefix (regexFind "^[0-9]+" .) . -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get $units $unit) -}}
{{- end }}
