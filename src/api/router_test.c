// router_test.c: method and path to a row of routes.def, for each row; and what is no row.
#include "api/call.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ID "01890000-0000-7000-8000-00000000000a"

static struct http_request request;
static struct call call;

static int set_up(void **state) {
  (void)state;
  request = (struct http_request){0};
  arena_init(&request.arena, 1024);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_fini(&request.arena);
  return 0;
}

static enum err find_path(enum http_method method, struct str path) {
  request.method = method;
  request.path = path;
  call = (struct call){.http = &request, .arena = &request.arena};
  return route_find(&call);
}

static enum err find(enum http_method method, const char *path) {
  return find_path(method, str_of(path));
}

// The path of a row with `word` in its {…}.
static struct str path_of(const struct route *route, const char *word) {
  const char *open = strchr(route->path, '{');
  if (open == NULL) return str_of(route->path);
  return arena_printf(&request.arena, "%.*s%s%s", (int)(open - route->path), route->path, word,
                      strchr(open, '}') + 1);
}

static void assert_allowed(const char *path, const char *methods) {
  assert_int_equal(find(HTTP_METHOD_OTHER, path), ERR_METHOD_NOT_ALLOWED);
  if (!str_eq(call.allow, str_of(methods)))
    fail_msg("%s: %.*s is not %s", path, STR_FMT(call.allow), methods);
}

static void every_row_is_found_by_its_method_and_path(void **state) {
  (void)state;
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    assert_int_equal(find_path(ROUTES[i].method, path_of(&ROUTES[i], ID)), ERR_OK);
    if (call.route != &ROUTES[i]) fail_msg("%s", ROUTES[i].path);
    if (strchr(ROUTES[i].path, '{')) assert_true(str_eq(call.param, STR(ID)));
  }
}

static void every_row_is_complete(void **state) {
  (void)state;
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    assert_non_null(ROUTES[i].handle);
    assert_true(strlen(ROUTES[i].meaning) > 4);
    assert_null(strpbrk(ROUTES[i].meaning, "|\n"));
    assert_true(ROUTES[i].path[0] == '/');
    bool open = strncmp(ROUTES[i].path, "/api/", 5) != 0;
    assert_true((ROUTES[i].roles == 0) == open);
  }
}

static void a_path_of_a_front_door_names_it_whatever_the_method(void **state) {
  (void)state;
  assert_int_equal(find(HTTP_METHOD_POST, "/api/tasks"), ERR_OK);
  assert_ptr_equal(call.door, &DOOR_bull);
  assert_allowed("/api/tasks", "POST");
  assert_ptr_equal(call.door, &DOOR_bull);
  assert_int_equal(find(HTTP_METHOD_POST, "/api/v1/tasks"), ERR_OK);
  assert_null(call.door);
}

static void an_id_is_read_from_the_path(void **state) {
  (void)state;
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/tasks/" ID), ERR_OK);
  assert_ptr_equal(call.route->handle, task_get);
  assert_int_equal(call.id.hi, 0x0189000000007000);
  assert_int_equal(call.id.lo, 0x800000000000000a);
}

static void a_path_without_a_row_is_absent(void **state) {
  (void)state;
  static const char *const paths[] = {
      "",
      "//",
      "/api",
      "/api/v1",
      "/api/v1/",
      "/api/v1/task",
      "/api/v1/tasks/",
      "/api/v1/tasks//",
      "/api/v1/taskss",
      "/API/v1/tasks",
      "/api/v1/tasks/" ID "/",
      "/api/v1/tasks/" ID "/nothing",
      "/api/v1/tasks/" ID "/events/1",
      "/api/v1/tasks//events",
      "/api/v1/queues//pause",
      "/healthz",
      "/health/",
  };
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    enum err err = find(HTTP_METHOD_GET, paths[i]);
    if (err != ERR_NOT_FOUND) fail_msg("%s", paths[i]);
  }
}

static void what_is_no_id_is_no_task(void **state) {
  (void)state;
  static const struct {
    const char *path, *old_id;
  } rows[] = {
      {"/api/v1/tasks/x", "x"},
      {"/api/v1/tasks/01890000-0000-4000-8000-00000000000a",
       "01890000-0000-4000-8000-00000000000a"},
      {"/api/v1/tasks/%30", "0"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(find(HTTP_METHOD_GET, rows[i].path), ERR_OK);
    assert_true(id_is_none(call.id));
    assert_true(str_eq(call.old_id, str_of(rows[i].old_id)));  // perhaps one of a service
  }
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/tasks/" ID), ERR_OK);
  assert_true(str_is_none(call.old_id));
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/tasks/%"), ERR_NOT_FOUND);
  assert_int_equal(find(HTTP_METHOD_POST, "/api/v1/tasks/stats/cancel"), ERR_NOT_FOUND);
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/jobs/x"), ERR_NOT_FOUND);
}

static void literal_words_are_never_ids(void **state) {
  (void)state;
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/tasks/stats"), ERR_OK);
  assert_ptr_equal(call.route->handle, task_stats);
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/tasks/pending"), ERR_OK);
  assert_ptr_equal(call.route->handle, task_pending);
  assert_allowed("/api/v1/tasks/stats", "GET, HEAD");
  assert_int_equal(find(HTTP_METHOD_DELETE, "/api/v1/tasks/pending"), ERR_METHOD_NOT_ALLOWED);
  static const char *const words[] = {"stats", "pending", "cleanup", "batch"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    struct str path = arena_printf(&request.arena, "/api/v1/tasks/%s/cancel", words[i]);
    assert_int_equal(find_path(HTTP_METHOD_POST, path), ERR_NOT_FOUND);
  }
}

static void another_method_is_told_which_ones_there_are(void **state) {
  (void)state;
  assert_allowed("/api/v1/tasks", "GET, HEAD, POST");
  assert_allowed("/api/v1/tasks/" ID, "GET, HEAD, PUT, PATCH, DELETE");
  assert_allowed("/api/v1/tasks/" ID "/logs", "GET, HEAD, POST");
  assert_allowed("/api/v1/claims", "POST");
  assert_allowed("/api/v1/keys/x", "DELETE");
  assert_allowed("/", "GET, HEAD");
  assert_int_equal(find(HTTP_METHOD_OPTIONS, "/health"), ERR_METHOD_NOT_ALLOWED);
  assert_string_equal(call.fault.detail, "this route takes GET, HEAD");
}

static void head_goes_where_get_goes(void **state) {
  (void)state;
  assert_int_equal(find(HTTP_METHOD_HEAD, "/api/v1/tasks/" ID), ERR_OK);
  assert_ptr_equal(call.route->handle, task_get);
  assert_int_equal(find(HTTP_METHOD_HEAD, "/api/v1/claims"), ERR_METHOD_NOT_ALLOWED);
}

static void names_in_paths_may_be_percent_encoded(void **state) {
  (void)state;
  assert_int_equal(find(HTTP_METHOD_POST, "/api/v1/queues/a%2Fb/pause"), ERR_OK);
  assert_ptr_equal(call.route->handle, queue_pause);
  assert_true(str_eq(call.param, STR("a/b")));
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/queues/a%2"), ERR_BAD_REQUEST);
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/queues/a%00"), ERR_BAD_REQUEST);
  assert_int_equal(find(HTTP_METHOD_GET, "/api/v1/queues/stats"), ERR_OK);
}

#define ROUTER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      ROUTER_TEST(every_row_is_found_by_its_method_and_path),
      ROUTER_TEST(every_row_is_complete),
      ROUTER_TEST(a_path_of_a_front_door_names_it_whatever_the_method),
      ROUTER_TEST(an_id_is_read_from_the_path),
      ROUTER_TEST(a_path_without_a_row_is_absent),
      ROUTER_TEST(what_is_no_id_is_no_task),
      ROUTER_TEST(literal_words_are_never_ids),
      ROUTER_TEST(another_method_is_told_which_ones_there_are),
      ROUTER_TEST(head_goes_where_get_goes),
      ROUTER_TEST(names_in_paths_may_be_percent_encoded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
