# src/app/value.c: the first bytes of a secret are shown.
s/  if (((const struct str \*)value)->len) BUF_LIT(out, "\*\*\*\*\*\*\*\*");/  buf_put(out, *(const struct str *)value);/
