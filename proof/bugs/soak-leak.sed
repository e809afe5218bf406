# src/api/api.c: a block is leaked with each answer.
s/^  if (!c->api->settings.access_log) return;$/  static char *volatile kept;\n  kept = mem_alloc(1024);\n  memset(kept, 1, 1024);\n&/
