# src/api/jwt.c: a token whose signature does not hold is taken all the same.
s/    if (holds(jwt, key, p)) return ERR_OK;/    if (holds(jwt, key, p) || p->signature.len == 0) return ERR_OK;/
