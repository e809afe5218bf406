"""What the transcripts of the documents ask of jq: paths, pipes and objects; -c and -r."""

import json
import re
import sys


def parts(text, mark):
    """`text` cut at each `mark` that stands in no braces."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if letter == mark and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found]


def values(program, value):
    stages = parts(program, "|")
    if len(stages) > 1:
        found = [value]
        for stage in stages:
            found = [inner for one in found for inner in values(stage, one)]
        return found
    if stages[0].startswith("{"):
        members = [member.partition(":") for member in parts(stages[0][1:-1], ",")]
        return [{name: values(path or f".{name}", value)[0] for name, _, path in members}]
    for step in re.findall(r"\w+|\[\]", stages[0]):
        if step == "[]":
            return value
        value = value.get(step)
    return [value]


if __name__ == "__main__":
    for found_one in values(sys.argv[2], json.load(sys.stdin)):
        raw = sys.argv[1] == "-r" and isinstance(found_one, str)
        print(found_one if raw else
              json.dumps(found_one, separators=(",", ":"), ensure_ascii=False))
