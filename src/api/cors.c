// cors.c: what pages of other origins may do here (the CORS protocol of the Fetch standard).
//
// An origin that cors_origins names gets its own name back, "*" a star; any other one gets nothing,
// and its browser keeps the answer from it. Nobody is allowed credentials that browsers send by
// themselves (Access-Control-Allow-Credentials): pages name their session or send their key, as any
// other client does.
#include <assert.h>

#include "api/call.h"

#define ALLOWED                                                                                    \
  "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, "         \
  "lease-token, prefer, x-api-key, x-app-session, x-request-id"
#define EXPOSED                                                                                    \
  "Allow, ETag, Idempotent-Replayed, Location, Preference-Applied, Retry-After, "                  \
  "WWW-Authenticate, X-Request-Id"
#define KEPT_S "600"  // how long a browser may remember what a preflight said

static bool is_on(const struct origins *all) { return all->count > 0 || all->any; }

static struct str origin_of(const struct call *c) { return http_header(c->http, STR("origin")); }

bool cors_names(const struct call *c) {
  return origins_name(&c->api->settings.origins, origin_of(c));
}

bool cors_allows(const struct call *c) { return c->api->settings.origins.any || cors_names(c); }

static void add(struct http_answer *answer, struct str name, struct str value) {
  size_t i = 0;
  while (!str_is_none(answer->extra[i].name)) i++;
  assert(i < sizeof answer->extra / sizeof *answer->extra);
  answer->extra[i] = (struct http_header){name, value};
}

// Caches must tell origins apart also where this one got nothing.
static bool add_origin(const struct call *c, struct http_answer *answer) {
  if (!is_on(&c->api->settings.origins)) return false;
  add(answer, STR("Vary"), STR("Origin"));
  if (str_is_none(origin_of(c)) || !cors_allows(c)) return false;
  add(answer, STR("Access-Control-Allow-Origin"), cors_names(c) ? origin_of(c) : STR("*"));
  return true;
}

void cors_add(const struct call *c, struct http_answer *answer) {
  if (c->is_preflight) return;
  if (add_origin(c, answer)) add(answer, STR("Access-Control-Expose-Headers"), STR(EXPOSED));
}

// --- preflight -----------------------------------------------------------------------------------

bool cors_is_preflight(const struct call *c) {
  return c->http->method == HTTP_METHOD_OPTIONS && is_on(&c->api->settings.origins) &&
         !str_is_none(origin_of(c)) &&
         !str_is_none(http_header(c->http, STR("access-control-request-method")));
}

// Asks nobody who he is: browsers send no credential with it.
enum err cors_preflight(struct call *c) {
  enum err err = route_find(c);
  if (err != ERR_METHOD_NOT_ALLOWED) return err;
  c->fault = (struct fault){0};
  if (!cors_allows(c))
    return fault_set(&c->fault, ERR_FORBIDDEN,
                     "pages of this origin may not use this server; the setting cors_origins names "
                     "those that may");
  struct http_answer answer = {.status = 204};
  c->is_preflight = true;
  (void)add_origin(c, &answer);
  add(&answer, STR("Access-Control-Allow-Methods"), c->allow);
  add(&answer, STR("Access-Control-Allow-Headers"), STR(ALLOWED));
  add(&answer, STR("Access-Control-Max-Age"), STR(KEPT_S));
  call_answer(c, &answer);
  return ERR_OK;
}
