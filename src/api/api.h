// api.h: the HTTP API: routes, identity, JSON in and out. Decides nothing. The only header of this
// folder for others.
#ifndef API_API_H
#define API_API_H

#include "engine/engine.h"
#include "http/http.h"

struct api;

struct api_settings {
  struct engine *engine;
  struct str version;
  struct str store_name;
  struct str service_name;
  struct str admin_key;  // API_KEY: an admin key of the tenant "default"; STR_NONE: none
  size_t body_bytes_max;
  int64_t auth_failures_max;  // of an address in a minute; past it 429. 0: any number
  bool access_log;
  bool is_public;  // listens beyond loopback
};

// Borrows the texts of the settings until api_close.
struct api *api_open(const struct api_settings *settings);
void api_close(struct api *api);  // NULL is allowed
struct http_hooks api_hooks(struct api *api);
void api_log_access(struct api *api, bool on);                 // loop thread
void api_attach(struct api *api, struct http_server *server);  // for /health's connection counts

// Writes docs/api.md, made from the route table, the body tables and base/err.def.
void api_docs(struct buf *out);
void api_openapi(struct str version, struct buf *out);  // what GET /openapi.json answers

#endif
