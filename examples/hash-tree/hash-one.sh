#!/bin/sh
# hash-one.sh: what the worker runs for each task: one file's digest and number of words.
# stdin: the file's path. stdout: a JSON object. fd 3: progress.
set -eu

path=$(cat)
bytes=$(wc -c <"$path")

echo "progress 10 hash: $bytes bytes" >&3
digest=$(sha256sum <"$path")

echo "progress 60 count: words" >&3
words=$(wc -w <"$path")

# In JSON a quote or backslash in the path needs a backslash before it.
quoted=$(printf %s "$path" | sed 's/[\\"]/\\&/g')
printf '{"path":"%s","bytes":%d,"words":%d,"sha256":"%s"}\n' \
  "$quoted" "$bytes" "$words" "${digest%% *}"
