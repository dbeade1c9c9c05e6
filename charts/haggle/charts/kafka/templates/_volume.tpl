{{/*
How a broker's volume is shared: an eighth stays free, for what arrives between two looks at the retention and for
segments on their way out; a sixteenth, but at least 256 MiB, is for Kafka's own topics and metadata; the rest belongs to
the partitions, each of which may hold its retention and a segment more.
*/}}
{{- define "kafka.partitionBytes" -}}
{{- $size := include "haggle.bytes" .Values.storage.size | int64 -}}
{{- $own := max (div $size 16) 268435456 -}}
{{- div (sub (sub $size (div $size 8)) $own) (int64 .Values.global.kafka.partitions) -}}
{{- end }}

{{/* A fifth of a partition's share, from 1 MiB to 64 MiB. */}}
{{- define "kafka.segmentBytes" -}}
{{- min (max (div (include "kafka.partitionBytes" .) 5) 1048576) 67108864 -}}
{{- end }}

{{- define "kafka.retentionBytes" -}}
{{- $fits := sub (include "kafka.partitionBytes" . | int64) (include "kafka.segmentBytes" . | int64) -}}
{{- if lt $fits 4194304 -}}
{{- fail (printf
  "\n\nkafka.storage.size is %s, too small for global.kafka.partitions=%d: a partition would keep less than 4 MiB.\n"
  .Values.storage.size (int64 .Values.global.kafka.partitions)) -}}
{{- end -}}
{{- $asked := int64 .Values.retentionBytes -}}
{{- if gt $asked $fits -}}
{{- fail (printf
  "\n\nkafka.retentionBytes is %d, but kafka.storage.size=%s has room for %d in each of %d partitions.\n"
  $asked .Values.storage.size $fits (int64 .Values.global.kafka.partitions)) -}}
{{- end -}}
{{- $asked | default $fits -}}
{{- end }}
