// router.c: method and path to a row of routes.def.
#include <pthread.h>

#include "api/call.h"

#define OPEN 0
#define USER ROLE_USER
#define READ (ROLE_PRODUCER | ROLE_WORKER | ROLE_READER | ROLE_ADMIN)
#define PRODUCE (ROLE_PRODUCER | ROLE_ADMIN)
#define WORK (ROLE_WORKER | ROLE_ADMIN)
#define ADMIN ROLE_ADMIN
#define BODY_OF_none NULL
#define BODY_OF(name) BODY_OF_##name
#define BODY_OF_create &BODY_create
#define BODY_OF_edit &BODY_edit
#define BODY_OF_cancel &BODY_cancel
#define BODY_OF_empty &BODY_empty
#define BODY_OF_claim &BODY_claim
#define BODY_OF_claim_one &BODY_claim_one
#define BODY_OF_heartbeat &BODY_heartbeat
#define BODY_OF_progress &BODY_progress
#define BODY_OF_logs &BODY_logs
#define BODY_OF_complete &BODY_complete
#define BODY_OF_fail &BODY_fail
#define BODY_OF_release &BODY_release
#define BODY_OF_status &BODY_status
#define BODY_OF_completions &BODY_completions
#define BODY_OF_type &BODY_type
#define BODY_OF_bull &BODY_bull
#define BODY_OF_job &BODY_job
#define BODY_OF_dummy_job &BODY_dummy_job
#define BODY_OF_key &BODY_key
#define BODY_OF_rotate &BODY_rotate
#define BODY_OF_session_task &BODY_session_task
#define BODY_OF_demo_sample &BODY_demo_sample
#define BODY_OF_demo_file &BODY_demo_file
#define BODY_OF_demo_api &BODY_demo_api
#define BODY_OF_demo_batch &BODY_demo_batch

const struct route ROUTES[] = {
#define ROW(door, method, path, handler, roles, body, query, meaning)                              \
  {HTTP_METHOD_##method, path, handler, roles, BODY_OF(body), query, meaning, door, {0}},
#define ROUTE(...) ROW(NULL, __VA_ARGS__)
#define DOOR_ROUTE(door, ...) ROW(&DOOR_##door, __VA_ARGS__)
#define SESSION_ROUTE(its_handler, its_body, its_query, method, path, handler, roles, body, query, \
                      meaning)                                                                     \
  {HTTP_METHOD_##method,                                                                           \
   path,                                                                                           \
   handler,                                                                                        \
   roles,                                                                                          \
   BODY_OF(body),                                                                                  \
   query,                                                                                          \
   meaning,                                                                                        \
   NULL,                                                                                           \
   {its_handler, BODY_OF(its_body), its_query}},
#include "api/routes.def"
#undef SESSION_ROUTE
#undef DOOR_ROUTE
#undef ROUTE
};
const size_t ROUTE_COUNT = sizeof ROUTES / sizeof *ROUTES;

static const char *const METHOD_WORDS[] = {"GET",   "HEAD",   "POST",    "PUT",
                                           "PATCH", "DELETE", "OPTIONS", "other"};

const char *method_word(enum http_method method) { return METHOD_WORDS[method]; }

static bool is_literal(struct str name) {
  return str_eq(name, STR("stats")) || str_eq(name, STR("pending")) ||
         str_eq(name, STR("cleanup")) || str_eq(name, STR("batch"));
}

// `{…}` takes one whole segment, which is not empty.
static bool path_fits(const char *pattern, struct str path, struct str *param) {
  const char *at = path.at, *end = path.at + path.len;
  for (; *pattern; pattern++) {
    if (*pattern != '{') {
      if (at == end || *at++ != *pattern) return false;
      continue;
    }
    param->at = at;
    while (at < end && *at != '/') at++;
    param->len = (size_t)(at - param->at);
    if (param->len == 0) return false;
    while (*pattern != '}') pattern++;
  }
  return at == end;
}

// What can be said of a path at a glance. A `{…}` has no slash, and ends with any letter; so all
// but two or three of the routes need no second look.
struct glance {
  uint8_t slashes;
  char last;
};
static struct glance glances[sizeof ROUTES / sizeof *ROUTES];
static pthread_once_t glanced = PTHREAD_ONCE_INIT;

static struct glance glance_at(struct str path) {
  struct glance g = {.last = path.len ? path.at[path.len - 1] : '\0'};
  for (size_t i = 0; i < path.len && g.slashes < UINT8_MAX; i++)
    if (path.at[i] == '/') g.slashes++;
  return g;
}

static void glance_at_routes(void) {
  for (size_t i = 0; i < ROUTE_COUNT; i++) glances[i] = glance_at(str_of(ROUTES[i].path));
}

static bool may_fit(const struct glance *route, struct glance path) {
  return route->slashes == path.slashes && (route->last == path.last || route->last == '}');
}

static enum http_method effective(enum http_method method) {
  return method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method;
}

struct str route_allow(struct call *c, unsigned methods) {
  struct buf b;
  buf_init(&b, 128);
  for (unsigned i = 0; i <= HTTP_METHOD_OTHER; i++) {
    if (!(methods & 1u << i)) continue;
    if (b.len) BUF_LIT(&b, ", ");
    buf_put(&b, str_of(method_word((enum http_method)i)));
  }
  struct str text = arena_dup(c->arena, buf_str(&b));
  buf_fini(&b);
  return text;
}

// Of a task that was made under another id, perhaps: who may say so is not known yet.
static bool take_old_id(struct call *c, const struct route *route, struct str param) {
  struct str id;
  if (route->door || is_literal(param) || !http_path_decode(c->arena, param, &id)) return false;
  if (id.len > LIMIT_REFERENCE_BYTES) return false;
  c->old_id = id;
  return true;
}

unsigned route_session_methods(const struct route *route) {
  unsigned methods = 0;
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    if (ROUTES[i].session.handle == NULL || strcmp(ROUTES[i].path, route->path) != 0) continue;
    methods |= 1u << ROUTES[i].method;
    if (ROUTES[i].method == HTTP_METHOD_GET) methods |= 1u << HTTP_METHOD_HEAD;
  }
  return methods;
}

// `{name}` segments may be percent-encoded; ids never need it.
static enum err take_param(struct call *c, const struct route *route, struct str param) {
  if (str_is_none(param)) return ERR_OK;
  c->param = param;
  if (strstr(route->path, "{id}") == NULL) {
    if (http_path_decode(c->arena, param, &c->param)) return ERR_OK;
    return fault_set(&c->fault, ERR_BAD_REQUEST, "the path has a broken percent escape");
  }
  if (!is_literal(param) && id_parse(param, &c->id)) return ERR_OK;
  if (take_old_id(c, route, param)) return ERR_OK;
  bool named = route->door && route->door->absent;
  return fault_set(&c->fault, ERR_NOT_FOUND, "%s",
                   named ? route->door->absent : "there is no such task");
}

enum err route_find(struct call *c) {
  unsigned methods = 0;
  bool literal = false;
  (void)pthread_once(&glanced, glance_at_routes);
  struct glance path = glance_at(c->http->path);
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    struct str param = STR_NONE;
    if (!may_fit(&glances[i], path)) continue;
    if (!path_fits(ROUTES[i].path, c->http->path, &param)) continue;
    // A literal word is never an id: once /tasks/stats fits, /tasks/{id} does not.
    if (literal && !str_is_none(param)) continue;
    literal = literal || str_is_none(param);
    c->door = ROUTES[i].door;
    c->route = &ROUTES[i];
    methods |= 1u << ROUTES[i].method;
    if (ROUTES[i].method == HTTP_METHOD_GET) methods |= 1u << HTTP_METHOD_HEAD;
    if (ROUTES[i].method != effective(c->http->method)) continue;
    return take_param(c, &ROUTES[i], param);
  }
  if (methods == 0)
    return fault_set(&c->fault, ERR_NOT_FOUND,
                     "there is no such route; GET /openapi.json lists all");
  c->allow = route_allow(c, methods);
  return fault_set(&c->fault, ERR_METHOD_NOT_ALLOWED, "this route takes %.*s", STR_FMT(c->allow));
}
