#!/usr/bin/env bash
# Keeps the edits few that a NameNode would read again when it starts: looks how many its newest image lacks, and when
# they are too many runs a command that merges them into a new image. The chart has a copy of this file.
#
# merge-edits.sh <host:port of the NameNode's web server> <most edits> <seconds between looks> <command> …
# merge-edits.sh <host:port of the NameNode's web server> <most edits> few        whether they are no more than that
#
# The file `looked` in the working directory is touched at every look, so that a probe sees that it goes on.
set -u
address=$1 edits_max=$2 pause_s=$3
shift 3
# the first process of a container ignores what it does not handle
trap 'kill "$!" 2>/dev/null; exit 0' TERM INT

# asked of the bean that answers from the NameNode itself; its metrics are up to ten seconds old
edits() {
  # shellcheck disable=SC2016 # the inner shell expands them; it is of its own so that it can be timed out
  timeout 20 bash -c '
    exec 3<>"/dev/tcp/${0%:*}/${0#*:}"
    printf "GET /jmx?get=Hadoop:service=NameNode,name=NameNodeInfo::JournalTransactionInfo HTTP/1.0\r\n\r\n" >&3
    answer=$(tr -d "\\\\\"" <&3)
    written=${answer##*LastAppliedOrWrittenTxId:}
    in_image=${answer##*MostRecentCheckpointTxId:}
    echo $((${written%%[,\}]*} - ${in_image%%[,\}]*}))' "$address" 2>/dev/null
}

if [ "$pause_s" = few ]; then
  count=$(edits)
  [ -n "$count" ] && [ "$count" -le "$edits_max" ]
  exit
fi

while touch looked; do
  count=$(edits)
  if [ "${count:-0}" -gt "$edits_max" ]; then
    echo "$(date -u +%FT%TZ) merging $count edits"
    timeout 600 "$@" &
    wait "$!" || echo "$(date -u +%FT%TZ) merging failed: tried again in $pause_s s"
  fi
  sleep "$pause_s" &
  wait "$!"
done
