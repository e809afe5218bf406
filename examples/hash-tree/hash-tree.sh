#!/bin/sh
# hash-tree.sh: hashes and counts the words of every file under a directory, as tasks.
# usage: hash-tree.sh DIRECTORY [CONCURRENCY]
# Needs a running server (taskyard serve) and `taskyard` in PATH.
set -eu

if [ $# -lt 1 ]; then
  echo "usage: hash-tree.sh DIRECTORY [CONCURRENCY]" >&2
  exit 64
fi
tree=$(cd "$1" && pwd)
concurrency=${2:-4}
here=$(cd "$(dirname "$0")" && pwd)
ids=$(mktemp)
trap 'rm -f "$ids"' EXIT

# One task for each file. From here on they are safe: stop the worker or the server when you like,
# start them again, and the rest will be done.
find "$tree" -type f | taskyard submit hash-file --queue hash-tree --text --from-lines >"$ids"
echo "$(wc -l <"$ids") tasks" >&2

# The worker could as well run elsewhere, several times, or for ever (without --until-empty).
taskyard worker --type hash-file --queue hash-tree --concurrency "$concurrency" \
  --text --exec "'$here/hash-one.sh'" --until-empty --log-level warn

# The results, one JSON object a line; a failed task makes this script fail.
xargs -r taskyard wait <"$ids"
