#!/bin/sh
# worker.sh: a Taskyard worker in curl, sh and awk: runs a program for each task of a type.
# usage: worker.sh TYPE PROGRAM [ARG…]
#   PROGRAM reads the payload (JSON) from stdin and prints the result (JSON). Exit 0 completes the
#   task, 75 asks for a retry, anything else fails it with what it wrote to stderr.
#   TASKYARD_URL and TASKYARD_KEY say where the server is and who we are.
set -u

if [ $# -lt 2 ]; then
  echo "usage: worker.sh TYPE PROGRAM [ARG…]" >&2
  exit 64
fi
type=$1
shift
url=${TASKYARD_URL:-http://127.0.0.1:8503}/api/v1
name=curl-worker.$$
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
stop=
trap 'rm -rf "$work"' EXIT
trap 'stop=1' TERM INT # the task that runs is ended first; a waiting claim takes up to 30 s

# The key goes through a file that only we can read: arguments show in the list of processes.
: >"$work/headers"
[ -z "${TASKYARD_KEY:-}" ] || printf 'Authorization: Bearer %s\n' "$TASKYARD_KEY" >"$work/headers"

# post PATH <BODY: prints the answer. Fails when there is none, or when it is an error.
post() {
  curl -sS --fail-with-body --max-time 60 -H @"$work/headers" -H 'Content-Type: application/json' \
    --data-binary @- "$url$1"
}

json() { LC_ALL=C awk -v path="$1" -f "$here/json.awk"; }

# A JSON string of the end of standard input, in plain ASCII.
quote() {
  tail -c 1500 | tr '\t\r' '  ' | tr -cd '\n -~' | sed 's/[\\"]/\\&/g' |
    awk '{ text = text gap $0; gap = "\\n" } END { print "\"" text "\"" }'
}

# Renews the lease while the task runs, and ends the program when it must not go on: the task was
# cancelled, or is no longer ours. No answer at all is no reason to stop.
heartbeat() {
  while sleep 5; do
    answer=$(printf '{"leaseToken":%s}' "$token" | post "/tasks/$id/heartbeat" 2>&1)
    case $answer in
    *'"cancelRequested":true'* | *'"code":"lease_lost"'* | *'"code":"not_found"'*) kill "$1" 2>&- ;;
    esac
  done
}

# Repeating is safe: the same lease token gets the same answer.
report() {
  post "/tasks/$id/$1" <"$work/body" >"$work/answer" || {
    sleep 2
    post "/tasks/$id/$1" <"$work/body" >"$work/answer"
  }
}

finish() {
  { printf '{"leaseToken":%s,"result":' "$token"; cat "$work/result"; echo '}'; } >"$work/body"
  report complete && echo "$id: completed" >&2
}

# fail CODE RETRY <MESSAGE
fail() {
  printf '{"leaseToken":%s,"error":{"code":"%s","message":%s},"retry":%s}' \
    "$token" "$1" "$(quote)" "$2" >"$work/body"
  report fail && echo "$id: failed, $1" >&2
}

# Runs the program for the claimed task, and reports how it ended.
serve() {
  "$@" <"$work/payload" >"$work/result" 2>"$work/errors" &
  program=$!
  heartbeat $program &
  beats=$!
  status=129
  while [ $status -gt 128 ] && kill -0 $program 2>&-; do # a trapped signal ends the wait too
    wait $program
    status=$?
  done
  kill $beats 2>&-

  case $status in
  0) finish || fail bad_result false <"$work/answer" ;;
  75) fail exit_75 true <"$work/errors" ;;
  *) fail "exit_$status" false <"$work/errors" ;;
  esac
}

while [ -z "$stop" ]; do
  printf '{"types":["%s"],"workerId":"%s","waitMs":30000}' "$type" "$name" |
    post /claims >"$work/claim" || { cat "$work/claim" >&2; sleep 2; continue; }
  id=$(json 'tasks 0 id' <"$work/claim" | tr -d '"')
  [ -n "$id" ] || continue
  token=$(json 'tasks 0 leaseToken' <"$work/claim")
  json 'tasks 0 payload' <"$work/claim" >"$work/payload"
  serve "$@"
done
