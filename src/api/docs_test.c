// docs_test.c: openapi.json, docs/api.md and problem documents name everything that the tables
// hold.
#include "api/call.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *text;  // what was generated
static struct buf buf;
static struct arena arena;

static int set_up(void **state) {
  (void)state;
  arena_init(&arena, 4096);
  buf_init(&buf, 1 << 20);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  buf_fini(&buf);
  arena_fini(&arena);
  return 0;
}

static void end_text(void) {
  buf_char(&buf, '\0');
  assert_false(buf.overflow);
  text = buf.at;
}

static void assert_named(const char *before, const char *word, const char *after) {
  struct buf wanted;
  buf_init(&wanted, 4096);
  buf_printf(&wanted, "%s%s%s", before, word, after);
  buf_char(&wanted, '\0');
  if (strstr(text, wanted.at) == NULL) fail_msg("%s is not there", wanted.at);
  buf_fini(&wanted);
}

static struct str member(struct str object, struct str name) {
  struct json_walk w = json_walk(object);
  struct str key, value;
  while (json_next(&w, &key, &value))
    if (str_eq(key, name)) return value;
  fail_msg("%.*s is not there", STR_FMT(name));
  return STR_NONE;
}

static struct str parsed(void) {
  struct str value;
  struct json_error error;
  if (!json_check(buf_str(&buf), &value, &error))
    fail_msg("%s at %zu", error.message, error.offset);
  return value;
}

static void openapi_describes_every_route(void **state) {
  (void)state;
  api_openapi(STR("1.2.\"3"), &buf);
  struct str api = parsed(), paths = member(api, STR("paths"));
  assert_true(str_eq(member(member(api, STR("info")), STR("version")), STR("\"1.2.\\\"3\"")));
  static const char *const METHODS[] = {"get", "head", "post", "put", "patch", "delete"};
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    struct str path = member(paths, str_of(ROUTES[i].path));
    struct str operation = member(path, str_of(METHODS[ROUTES[i].method]));
    assert_int_equal(json_kind(member(operation, STR("summary"))), JSON_STRING);
    member(operation, STR("responses"));
    member(operation, STR("parameters"));
    if (ROUTES[i].body) member(operation, STR("requestBody"));
    if (ROUTES[i].roles == 0) member(operation, STR("security"));
  }
}

static size_t times(const char *word) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word)) count++;
  return count;
}

static void openapi_names_every_path_and_operation_once(void **state) {
  (void)state;
  api_openapi(STR("1"), &buf);
  struct json_walk w = json_walk(member(parsed(), STR("paths")));
  struct str keys[64], key, value;
  size_t count = 0;
  for (; json_next(&w, &key, &value); keys[count++] = key) {
    assert_true(count < 64);
    for (size_t k = 0; k < count; k++) assert_false(str_eq(keys[k], key));
  }
  end_text();
  assert_int_equal(times("\"operationId\":"), ROUTE_COUNT);
}

static void the_reference_names_every_route(void **state) {
  (void)state;
  api_docs(&buf);
  end_text();
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    assert_named(method_word(ROUTES[i].method), " ", ROUTES[i].path);
    assert_named("| ", ROUTES[i].meaning, "");
    if (ROUTES[i].query[0]) assert_named("query: `", ROUTES[i].query, "`");
  }
}

static void the_reference_tells_who_may_use_a_route(void **state) {
  (void)state;
  api_docs(&buf);
  end_text();
  assert_named("| `GET /health` | ", "none needed", " | ");
  assert_named("| `GET /api/v1/queues` | ", "producer, worker, reader", " | ");
  assert_named("| `PUT /api/v1/tasks/{id}` | ", "producer", " | ");
  assert_named("| `POST /api/v1/tasks` | ", "producer, or a [session](#sessions)", " | ");
  assert_named("| `POST /api/v1/claims` | ", "worker", " | ");
  assert_named("| `POST /api/v1/keys` | ", "admin", " | ");
  assert_named("| `POST /api/tasks` | ", "producer", " | ");
  assert_named("| `POST /api/v1/jobs` | ", "producer, user; by token", " | ");
}

// The roles that the router checks, all of them and no other.
static void openapi_tells_who_may_use_a_route(void **state) {
  (void)state;
  api_openapi(STR("1"), &buf);
  struct str paths = member(parsed(), STR("paths"));
  struct str health = member(member(paths, STR("/health")), STR("get"));
  struct str list = member(member(paths, STR("/api/v1/tasks")), STR("get"));
  struct str create = member(member(paths, STR("/api/v1/tasks")), STR("post"));
  struct str claim = member(member(paths, STR("/api/v1/claims")), STR("post"));
  struct str keys = member(member(paths, STR("/api/v1/keys")), STR("post"));
  struct str roles = STR("x-roles");
  assert_true(str_eq(member(health, roles), STR("[]")));
  assert_true(str_eq(member(list, roles), STR("[\"producer\",\"worker\",\"reader\",\"admin\"]")));
  assert_true(str_eq(member(create, roles), STR("[\"producer\",\"admin\"]")));
  assert_true(str_eq(member(claim, roles), STR("[\"worker\",\"admin\"]")));
  assert_true(str_eq(member(keys, roles), STR("[\"admin\"]")));
}

static void both_tell_what_is_open_to_sessions(void **state) {
  (void)state;
  api_openapi(STR("1"), &buf);
  struct str paths = member(parsed(), STR("paths"));
  struct str create = member(member(paths, STR("/api/v1/tasks")), STR("post"));
  struct str session = member(create, STR("x-session"));
  assert_true(str_eq(member(session, STR("parameters")), STR("[\"session\"]")));
  assert_true(str_eq(member(member(session, STR("schema")), STR("required")), STR("[\"name\"]")));
  buf_clear(&buf);
  api_docs(&buf);
  end_text();
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    if (ROUTES[i].session.handle == NULL) continue;
    struct str row = arena_printf(&arena, "%s %s", method_word(ROUTES[i].method), ROUTES[i].path);
    struct str after = arena_printf(&arena, "` | `%s` | ", ROUTES[i].session.query);
    assert_named("\n| `", row.at, after.at);
  }
}

static void the_reference_names_every_error_status_event_and_field(void **state) {
  (void)state;
  api_docs(&buf);
  end_text();
#define ERR(name, status, code, title, when)                                                       \
  if (status != 200) assert_named("<a id=\"" code "\"></a>`", code, "` | " when " |");
#include "base/err.def"
#undef ERR
#define STATUS(name, word, final, meaning) assert_named("| `", word, "` | " meaning " |");
#include "model/task_status.def"
#undef STATUS
#define EVENT(name, word, meaning) assert_named("| `", word, "` | " meaning " |");
#include "model/event_kind.def"
#undef EVENT
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    const struct body *body = ROUTES[i].body;
    for (size_t k = 0; body && k < body->fields.count; k++) {
      assert_named("| `", body->fields.at[k].name, "`");
      assert_named(" | ", body->fields.at[k].meaning, " |");
    }
  }
}

static void a_problem_document_tells_code_sentence_and_fields(void **state) {
  (void)state;
  struct fault fault = {0};
  enum err err = fault_field(&fault, "/a~1b", "a/b is \"wrong\"");
  call_problem(&buf, &fault, err, STR("req-1"));
  parsed();
  end_text();
  assert_string_equal(
      text,
      "{\"type\":\"/docs/errors#invalid_field\",\"title\":\"Invalid field\",\"status\":422,"
      "\"detail\":\"a/b is \\\"wrong\\\"\",\"success\":false,\"code\":\"invalid_field\","
      "\"error\":\"a/b is \\\"wrong\\\"\",\"requestId\":\"req-1\",\"errors\":[{\"pointer\":"
      "\"/a~1b\",\"code\":\"invalid_field\",\"detail\":\"a/b is \\\"wrong\\\"\"}]}");
}

static void a_problem_without_a_sentence_has_its_title(void **state) {
  (void)state;
  struct fault fault = {0};
  for (int i = ERR_OK + 1; i < ERR_COUNT; i++) {
    buf_clear(&buf);
    call_problem(&buf, &fault, (enum err)i, STR("r"));
    struct str problem = parsed(), detail = member(problem, STR("detail"));
    assert_true(str_eq(detail, member(problem, STR("title"))));
    assert_true(str_eq(member(problem, STR("errors")), STR("[]")));
  }
}

#define DOCS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      DOCS_TEST(openapi_describes_every_route),
      DOCS_TEST(openapi_names_every_path_and_operation_once),
      DOCS_TEST(the_reference_names_every_route),
      DOCS_TEST(the_reference_tells_who_may_use_a_route),
      DOCS_TEST(openapi_tells_who_may_use_a_route),
      DOCS_TEST(both_tell_what_is_open_to_sessions),
      DOCS_TEST(the_reference_names_every_error_status_event_and_field),
      DOCS_TEST(a_problem_document_tells_code_sentence_and_fields),
      DOCS_TEST(a_problem_without_a_sentence_has_its_title),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
