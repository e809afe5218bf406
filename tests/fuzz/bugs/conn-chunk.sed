# src/http/stream.c: a stream whose last piece is still under way ends without its last chunk.
s/c->end_owed = c->chunked;/c->end_owed = c->chunked \&\& c->rest == NULL;/
