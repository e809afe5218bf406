# json.awk: prints one value out of a JSON document, as the bytes it came as.
# usage: awk -v path='tasks 0 payload' -f json.awk
# Prints nothing when it is not there. Reads valid JSON only; curl got it from a server that checks.

{ text = text $0 "\n" }

END {
  place = blanks(1)
  count = split(path, keys, " ")
  for (k = 1; k <= count && place; k++) place = member(place, keys[k])
  if (place) print substr(text, place, skip(place) - place)
}

function blanks(p) {
  while (index(" \t\r\n,:", substr(text, p, 1)) && p <= length(text)) p++
  return p
}

# The place behind the string that starts at p.
function skip_string(p,  c) {
  for (p++; (c = substr(text, p, 1)) != "\""; p++) if (c == "\\") p++
  return p + 1
}

# The place behind the value that starts at p.
function skip(p,  c, depth) {
  depth = 0
  do {
    c = substr(text, p, 1)
    if (c == "\"") { p = skip_string(p); continue }
    if (c == "{" || c == "[") depth++
    if (c == "}" || c == "]") depth--
    p++
    if (depth == 0 && c !~ /[]}]/) while (substr(text, p, 1) ~ /[-+.0-9A-Za-z]/) p++
  } while (depth > 0)
  return p
}

# Where the value of a member, or of the element with that number, starts; 0 when there is none.
function member(p, key,  open, name, n) {
  open = substr(text, p, 1)
  n = 0
  for (p = blanks(p + 1); substr(text, p, 1) !~ /[]}]/; p = blanks(skip(p))) {
    name = n++
    if (open == "{") {
      name = substr(text, p + 1, skip(p) - p - 2)
      p = blanks(skip(p))
    }
    if (name "" == key "") return p
  }
  return 0
}
