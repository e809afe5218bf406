# src/base/json_check.c: the second half of a surrogate pair is not looked at.
s/  if (low < 0xdc00 || low > 0xdfff) return stop(c, at, lone);/  if (low < 0) return stop(c, at, lone);/
