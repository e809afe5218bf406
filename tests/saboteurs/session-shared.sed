# src/api/sessions.c: a session is found by the length of its key.
# caught by: tests/api/test_isolation.py test_what_another_session_has_is_as_if_it_were_absent
s/^    if (s->key_hash == hash && !s->leaving && str_eq(s->key, key)) return s;/    if (hash \&\& !s->leaving \&\& s->key.len == key.len) return s;/
