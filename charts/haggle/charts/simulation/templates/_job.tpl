{{/* spec of the Job that plays. */}}
{{- define "simulation.job" -}}
completions: {{ .Values.parallel }}
parallelism: {{ .Values.parallel }}
completionMode: Indexed
# a simulation that failed is not done again: its players are there already
backoffLimit: 0
activeDeadlineSeconds: {{ .Values.deadlineSeconds }}
template:
  metadata:
    {{- include "haggle.podMetadata" (dict "root" . "component" "simulation" "part" .Values) | nindent 4 }}
  spec:
    {{- include "haggle.pod" (dict "root" . "component" "simulation" "uid" 10001 "part" .Values "spread" true) | nindent 4 }}
    restartPolicy: Never
    containers:
      - name: simulation
        {{- include "haggle.container" (list . .Values.global.images.jobs) | nindent 8 }}
        command:
          - sh
          - -c
          - |
            exec python -m jobs.cli simulate --players "$PLAYERS" --trades "$TRADES" --concurrency "$CONCURRENCY" \
              --rate "$RATE" --seed "$((SEED + JOB_COMPLETION_INDEX))" ${LOG_FOLDER:+--log "$LOG_FOLDER/$HOSTNAME.jsonl"}
        env:
          {{- include "haggle.env.common" . | nindent 10 }}
          {{- include "haggle.env.engine" (list . "trade") | nindent 10 }}
          {{- range list "players" "trades" "concurrency" "rate" "seed" }}
          - name: {{ upper . }}
            value: {{ get $.Values . | toString | quote }}
          {{- end }}
          {{- if .Values.log.enabled }}
          - name: LOG_FOLDER
            value: /logs
          {{- end }}
        resources:
          {{- toYaml .Values.resources | nindent 10 }}
        volumeMounts:
          - name: tmp
            mountPath: /tmp
          {{- if .Values.log.enabled }}
          - name: logs
            mountPath: /logs
          {{- end }}
    volumes:
      - name: tmp
        emptyDir: {}
      {{- if .Values.log.enabled }}
      - name: logs
        persistentVolumeClaim:
          claimName: {{ include "haggle.name" (list . "simulation") }}
      {{- end }}
{{- end }}
