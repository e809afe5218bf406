// openapi.c: the API described to programs, as OpenAPI 3.1, from the route and body tables.
#include "api/call.h"

static const char *const METHODS[] = {"get", "head", "post", "put", "patch", "delete"};

static const char *json_type(enum field_kind kind) {
  switch (kind) {
  case FIELD_INT: return "\"integer\"";
  case FIELD_FRACTION: return "\"number\"";
  case FIELD_BOOL: return "\"boolean\"";
  case FIELD_OBJECT:
  case FIELD_TAGS: return "\"object\"";
  case FIELD_NAMES:
  case FIELD_TEXTS:
  case FIELD_ARRAY: return "\"array\"";
  case FIELD_JSON: return NULL;
  case FIELD_TEXT:
  case FIELD_NAME:
  case FIELD_ID:
  case FIELD_TOKEN: break;
  }
  return "\"string\"";
}

static void put_bounds(struct buf *b, const struct field *f) {
  if (f->kind == FIELD_INT)
    buf_printf(b, ",\"minimum\":%lld,\"maximum\":%lld", (long long)f->min, (long long)f->max);
  if (f->kind == FIELD_TEXT || f->kind == FIELD_NAME)
    buf_printf(b, ",\"minLength\":%lld,\"maxLength\":%lld", (long long)f->min, (long long)f->max);
  if (f->kind == FIELD_ID) BUF_LIT(b, ",\"format\":\"uuid\"");
  if (f->kind == FIELD_FRACTION) BUF_LIT(b, ",\"minimum\":0,\"maximum\":1");
  if (f->kind == FIELD_TAGS) BUF_LIT(b, ",\"additionalProperties\":{\"type\":\"string\"}");
  if (f->kind == FIELD_NAMES || f->kind == FIELD_TEXTS)
    BUF_LIT(b, ",\"items\":{\"type\":\"string\"}");
}

static void put_field(struct buf *b, const struct field *f) {
  const char *type = json_type(f->kind);
  buf_json_str(b, str_of(f->name));
  BUF_LIT(b, ":{\"description\":");
  buf_json_str(b, str_of(f->meaning));
  if (type) buf_printf(b, ",\"type\":[%s%s]", type, f->required ? "" : ",\"null\"");
  put_bounds(b, f);
  buf_char(b, '}');
}

static void put_schema(struct buf *b, const struct body *body) {
  buf_printf(b, "{\"type\":\"object\",\"additionalProperties\":%s,\"properties\":{",
             body->fields.open ? "true" : "false");
  for (size_t i = 0; i < body->fields.count; i++) {
    if (i) buf_char(b, ',');
    put_field(b, &body->fields.at[i]);
  }
  BUF_LIT(b, "},\"required\":[");
  bool first = true;
  for (size_t i = 0; i < body->fields.count; i++) {
    if (!body->fields.at[i].required) continue;
    if (!first) buf_char(b, ',');
    first = false;
    buf_json_str(b, str_of(body->fields.at[i].name));
  }
  BUF_LIT(b, "]}");
}

static void put_body(struct buf *b, const struct body *body) {
  BUF_LIT(b, ",\"requestBody\":{\"content\":{\"application/json\":{\"schema\":");
  if (body == &BODY_create) {
    BUF_LIT(b, "{\"oneOf\":[");
    put_schema(b, body);
    BUF_LIT(b, ",{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":");
    put_schema(b, body);
    BUF_LIT(b, "},");
    put_schema(b, &BODY_repository);
    BUF_LIT(b, "]}");
  } else {
    put_schema(b, body);
  }
  BUF_LIT(b, "}}}");
}

static void put_parameters(struct buf *b, const struct route *route) {
  const char *open = strchr(route->path, '{');
  struct str left = str_of(route->query);
  bool first = true;
  BUF_LIT(b, ",\"parameters\":[");
  if (open) {
    buf_printf(b, "{\"in\":\"path\",\"required\":true,\"name\":\"%.*s\",",
               (int)(strchr(open, '}') - open - 1), open + 1);
    BUF_LIT(b, "\"schema\":{\"type\":\"string\"}}");
    first = false;
  }
  while (left.len) {
    struct str name = str_cut(&left, ' ');
    if (!first) buf_char(b, ',');
    first = false;
    BUF_LIT(b, "{\"in\":\"query\",\"name\":");
    buf_json_str(b, name);
    BUF_LIT(b, ",\"schema\":{\"type\":\"string\"}}");
  }
  buf_char(b, ']');
}

// "get_tasks_id_logs": method and path, each once.
static void put_operation_id(struct buf *b, const struct route *route) {
  buf_printf(b, "\"operationId\":\"%s", METHODS[route->method]);
  bool gap = true;
  const char *path = strncmp(route->path, "/api/v1", 7) == 0 ? route->path + 7 : route->path;
  for (; *path; path++) {
    bool letter = *path >= 'a' && *path <= 'z';
    if (letter && gap) buf_char(b, '_');
    if (letter) buf_char(b, *path);
    gap = !letter;
  }
  BUF_LIT(b, "\",");
}

// Any one of them will do; OpenAPI's own lists of roles mean all of them.
static void put_access(struct buf *b, const struct route *route) {
  BUF_LIT(b, ",\"x-roles\":");
  put_roles(b, route->roles);
  if (route->roles == 0) BUF_LIT(b, ",\"security\":[]");
  if (route->door && route->door->by_token) BUF_LIT(b, ",\"security\":[{\"token\":[]}]");
}

// What a session sends there instead.
static void put_session(struct buf *b, const struct entry *entry) {
  struct str left = str_of(entry->query);
  bool first = true;
  BUF_LIT(b, ",\"x-session\":{\"parameters\":[");
  while (left.len) {
    struct str name = str_cut(&left, ' ');
    if (!first) buf_char(b, ',');
    first = false;
    buf_json_str(b, name);
  }
  BUF_LIT(b, "],\"schema\":");
  if (entry->body)
    put_schema(b, entry->body);
  else
    BUF_LIT(b, "null");
  buf_char(b, '}');
}

// What a 2XX promises of what was changed. Workers move tasks of sessions too.
static const char *meaning_of_done(const struct route *route) {
  if (route->method == HTTP_METHOD_GET || route->handle == sessions_delete) return "Done.";
  if (route->handle == session_needed) return "Done; of a session, so not durable.";
  if (route->session.handle || route->roles & ROLE_WORKER)
    return "Done; durable, unless of a session.";
  return "Done; durable.";
}

// What goes on from an event can be a stream.
static void put_done(struct buf *b, const struct route *route) {
  buf_printf(b, ",\"responses\":{\"2XX\":{\"description\":\"%s\"", meaning_of_done(route));
  if (strstr(route->query, "lastEventId"))
    BUF_LIT(b,
            ",\"content\":{\"application/json\":{},"
            "\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}");
  buf_char(b, '}');
}

static void put_operation(struct buf *b, const struct route *route) {
  buf_printf(b, "\"%s\":{", METHODS[route->method]);
  put_operation_id(b, route);
  BUF_LIT(b, "\"summary\":");
  buf_json_str(b, str_of(route->meaning));
  put_parameters(b, route);
  if (route->body) put_body(b, route->body);
  put_access(b, route);
  if (route->session.handle) put_session(b, &route->session);
  put_done(b, route);
  BUF_LIT(b,
          ",\"4XX\":{\"$ref\":\"#/components/responses/Problem\"},"
          "\"5XX\":{\"$ref\":\"#/components/responses/Problem\"}}}");
}

static bool is_first_of_path(size_t index) {
  for (size_t i = 0; i < index; i++)
    if (strcmp(ROUTES[i].path, ROUTES[index].path) == 0) return false;
  return true;
}

static void put_path(struct buf *b, const char *path) {
  bool first = true;
  buf_json_str(b, str_of(path));
  BUF_LIT(b, ":{");
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    if (strcmp(ROUTES[i].path, path) != 0) continue;
    if (!first) buf_char(b, ',');
    first = false;
    put_operation(b, &ROUTES[i]);
  }
  buf_char(b, '}');
}

static void put_paths(struct buf *b) {
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    if (!is_first_of_path(i)) continue;
    if (i) buf_char(b, ',');
    put_path(b, ROUTES[i].path);
  }
}

static const char COMPONENTS[] =
    "\"components\":{\"securitySchemes\":{"
    "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
    "\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"},"
    "\"header\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"x-api-key\"}},"
    "\"responses\":{\"Problem\":{\"description\":\"RFC 9457 problem document\",\"content\":{"
    "\"application/problem+json\":{\"schema\":{\"type\":\"object\",\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
    "\"success\":{\"const\":false},\"code\":{\"type\":\"string\"},"
    "\"error\":{\"type\":\"string\"},\"requestId\":{\"type\":\"string\"},"
    "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}}}}}}";

void api_openapi(struct str version, struct buf *b) {
  BUF_LIT(b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Taskyard\",\"version\":");
  buf_json_str(b, version);
  BUF_LIT(b,
          ",\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"}},"
          "\"security\":[{\"bearer\":[]},{\"header\":[]}],\"paths\":{");
  put_paths(b);
  BUF_LIT(b, "},");
  buf_put(b, (struct str){COMPONENTS, sizeof COMPONENTS - 1});
  buf_char(b, '}');
}

static int render_openapi(struct call *c, struct buf *b) {
  api_openapi(c->api->settings.version, b);
  return 200;
}

enum err openapi(struct call *c) { return call_now(c, render_openapi); }
