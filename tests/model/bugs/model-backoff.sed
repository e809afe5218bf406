# src/engine/backoff.c: the backoff doubles once too often.
s/n < attempt \&\& wait/n <= attempt \&\& wait/
