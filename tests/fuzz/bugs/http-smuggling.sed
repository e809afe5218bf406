# src/http/parse.c: two Host headers are taken for one.
s/framing->hosts++;/framing->hosts = 1;/
