// api_lists_test.c: lists of tasks: what narrows them, in which order they are, how pages go on.
#include "tests/world/api_ask.h"

#include "model/limits.h"

#define TASKS "/api/v1/tasks"

// The names of the tasks of a list, in its order.
static void assert_names(struct asked *a, const char *const *names, size_t count) {
  assert_status(a, 200);
  assert_number(a, "count", (int64_t)count);
  for (size_t i = 0; i < count; i++) assert_text(a, say("tasks.%zu.name", i), names[i]);
}
#define assert_tasks(asked, ...)                                                                   \
  assert_names(asked, (const char *const[]){__VA_ARGS__},                                          \
               COUNT_OF(((const char *const[]){__VA_ARGS__})))

// Six tasks, a second apart: a and b of type mail, c and d of type film, e and f of other queues.
static void make_six(void) {
  static const char *const bodies[] = {
      "{\"name\":\"a\",\"type\":\"mail\",\"tags\":{\"x\":\"1\"},\"projectId\":\"p\"}",
      "{\"name\":\"b\",\"type\":\"mail\",\"priority\":5,\"subject\":\"s b\",\"payload\":[2]}",
      "{\"name\":\"c\",\"type\":\"film\",\"uniqueKey\":\"u\",\"autoStart\":false}",
      "{\"name\":\"d\",\"type\":\"film\",\"tags\":{\"service\":\"svc\"}}",
      "{\"name\":\"e\",\"type\":\"note\",\"queue\":\"slow\",\"description\":\"Needle\"}",
      "{\"name\":\"f\",\"type\":\"note\",\"queue\":\"later\",\"delayMs\":60000}"};
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    make_task(bodies[i]);
    world_pass(1000);
  }
}

static void a_list_is_narrowed_by_what_is_asked_for(void **state) {
  (void)state;
  static const struct {
    const char *query;
    const char *names[7];
  } rows[] = {
      {"", {"f", "e", "d", "c", "b", "a"}},
      {"status=all", {"f", "e", "d", "c", "b", "a"}},
      {"status=completed,failed", {NULL}},
      {"status=pending&type=mail", {"b", "a"}},
      {"type=mail,note", {"f", "e", "b", "a"}},
      {"task_type=film", {"d", "c"}},
      {"queue=slow,later", {"f", "e"}},
      {"tag.x=1", {"a"}},
      {"service_tag=svc", {"d"}},
      {"projectId=p", {"a"}},
      {"tenant_id=p", {"a"}},
      {"subject=s%20b", {"b"}},
      {"uniqueKey=u", {"c"}},
      {"q=needle", {"e"}},
      {"worker=w", {NULL}},
      {"createdAfter=1790000003500&createdBefore=1790000004500", {"e"}},
  };
  make_six();
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = ask(say("GET " TASKS "?%s", rows[i].query), NULL);
    size_t count = 0;
    while (rows[i].names[count]) count++;
    assert_names(a, rows[i].names, count);
    assert_json(a, "nextCursor", "null");
  }
}

static void a_list_shows_who_works(void **state) {
  (void)state;
  const char *id = make_task("{\"name\":\"a\",\"type\":\"t\"}");
  make_task("{\"name\":\"b\",\"type\":\"t\"}");
  claim_task(id);
  assert_tasks(ask("GET " TASKS "?worker=w&status=running", NULL), "a");
}

static void what_is_large_is_listed_on_request(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"t\",\"payload\":{\"in\":1}}");
  complete_task(id, "{\"out\":2}");
  struct asked *a = ask("GET " TASKS, NULL);
  assert_no(a, "tasks.0.payload");
  assert_no(a, "tasks.0.result");
  a = ask("GET " TASKS "?include=payload,result", NULL);
  assert_json(a, "tasks.0.payload", "{\"in\":1}");
  assert_json(a, "tasks.0.result", "{\"out\":2}");
}

static void a_cursor_leads_on_to_the_end(void **state) {
  (void)state;
  make_six();
  struct asked *a = ask("GET " TASKS "?limit=4", NULL);
  assert_tasks(a, "f", "e", "d", "c");
  make_task("{\"name\":\"new\",\"type\":\"mail\"}");  // is before the first page
  a = ask(say("GET " TASKS "?limit=1&cursor=%s", text_at(a, "nextCursor")), NULL);
  assert_tasks(a, "b");
  a = ask(say("GET " TASKS "?limit=2&cursor=%s", text_at(a, "nextCursor")), NULL);
  assert_tasks(a, "a");
  assert_json(a, "nextCursor", "null");
}

static void a_cursor_is_of_its_list(void **state) {
  (void)state;
  static const char detail[] =
      "the cursor is not from this list with this filter; start without one";
  make_six();
  const char *cursor = text_at(ask("GET " TASKS "?limit=2&type=mail,film", NULL), "nextCursor");
  const char *const queries[] = {say("type=mail&cursor=%s", cursor), say("cursor=%s", cursor),
                                 say("type=mail,film&cursor=%.63s", cursor),
                                 say("type=mail,film&cursor=%.63sx", cursor)};
  assert_status(ask(say("GET " TASKS "?type=mail,film&cursor=%s", cursor), NULL), 200);
  for (size_t i = 0; i < COUNT_OF(queries); i++)
    assert_refused(ask(say("GET " TASKS "?%s", queries[i]), NULL), 400, "bad_cursor", detail);
  assert_refused(ask(say("GET " TASKS "/pending?type=mail,film&cursor=%s", cursor), NULL), 400,
                 "bad_cursor", detail);
}

static void ready_tasks_are_listed_as_claims_get_them(void **state) {
  (void)state;
  make_six();
  struct asked *a = ask("GET " TASKS "/pending", NULL);
  assert_tasks(a, "b", "a", "d", "e");
  a = ask("GET " TASKS "/pending?limit=2&include=payload", NULL);
  assert_tasks(a, "b", "a");
  assert_json(a, "tasks.0.payload", "[2]");
  a = ask(say("GET " TASKS "/pending?include=payload&cursor=%s", text_at(a, "nextCursor")), NULL);
  assert_tasks(a, "d", "e");
  assert_tasks(ask("GET " TASKS "/pending?type=mail&queue=default", NULL), "b", "a");
  assert_tasks(ask("GET " TASKS "/pending?service_tag=svc", NULL), "d");
  assert_tasks(ask("GET " TASKS "/pending?tenant_id=p", NULL), "a");
}

static void what_is_wrong_with_a_list_is_told_by_parameter(void **state) {
  (void)state;
  static const char names[] =
      "must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -, or several with commas between";
  const struct refusal rows[] = {
      {"GET " TASKS "?status=done", NULL, "?status",
       "status must be pending, running, completed, failed, cancelled or abandoned, or all"},
      {"GET " TASKS "?status=processing", NULL, "?status",  // a word of the repository's services
       "status must be pending, running, completed, failed, cancelled or abandoned, or all"},
      {"GET " TASKS "?type=a%20b", NULL, "?type", say("type %s", names)},
      {"GET " TASKS "?queue=a,,b", NULL, "?queue", say("queue %s", names)},
      {"GET " TASKS "?type=a&task_type=b", NULL, "?task_type",
       "task_type is the same as type; send one of them"},
      {"GET " TASKS "?projectId=a&tenant_id=b", NULL, "?tenant_id",
       "tenant_id is the same as projectId; send one of them"},
      {"GET " TASKS "?tag.a=1&service_tag=b", NULL, "?service_tag",
       "service_tag is the same as tag.service; one tag is taken"},
      {"GET " TASKS "?tag.=1", NULL, "?tag.", "tag. must be followed by a name of 1 to 128 bytes"},
      {"GET " TASKS "?include=all", NULL, "?include", "include must be payload, result or both"},
      {"GET " TASKS "?limit=0", NULL, "?limit", "limit must be from 1 to 1000"},
      {"GET " TASKS "?limit=1001", NULL, "?limit", "limit must be from 1 to 1000"},
      {"GET " TASKS "?limit=ten", NULL, "?limit", "limit must be an integer"},
      {"GET " TASKS "?createdAfter=-1", NULL, "?createdAfter",
       "createdAfter must be from 0 to 140737488355327"},
      {"GET " TASKS "?q=", NULL, "?q", "q must have 1 to 200 bytes"},
      {say("GET " TASKS "?subject=%0201d", 0), NULL, "?subject",
       "subject must have 1 to 200 bytes"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
}

static void all_that_is_wrong_is_told_at_once(void **state) {
  (void)state;
  struct asked *a = ask("GET " TASKS "?status=x&limit=0&include=y", NULL);
  assert_text(a, "errors.0.pointer", "?status");
  assert_text(a, "errors.1.pointer", "?include");
  assert_text(a, "errors.2.pointer", "?limit");
  assert_no(a, "errors.3");
}

static void a_filter_names_so_many(void **state) {
  (void)state;
  const char *names = many(LIMIT_FILTER_NAMES, "a");
  assert_status(ask(say("GET " TASKS "?type=%s", names), NULL), 200);
  assert_wrong(ask(say("GET " TASKS "?type=%s,a", names), NULL), "?type",
               "type must have at most 32 names");
}

static void pages_are_as_long_as_they_may_be(void **state) {
  (void)state;
  const char *bodies = many(LIMIT_PAGE_DEFAULT + 1, "{\"type\":\"t\"}");
  assert_status(ask("POST " TASKS, say("[%s]", bodies)), 201);
  struct asked *a = ask("GET " TASKS, NULL);
  assert_number(a, "count", LIMIT_PAGE_DEFAULT);
  assert_number(ask(say("GET " TASKS "?cursor=%s", text_at(a, "nextCursor")), NULL), "count", 1);
  assert_number(ask("GET " TASKS "?limit=1000", NULL), "count", LIMIT_PAGE_DEFAULT + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(a_list_is_narrowed_by_what_is_asked_for),
      ASK_TEST(a_list_shows_who_works),
      ASK_TEST(what_is_large_is_listed_on_request),
      ASK_TEST(a_cursor_leads_on_to_the_end),
      ASK_TEST(a_cursor_is_of_its_list),
      ASK_TEST(ready_tasks_are_listed_as_claims_get_them),
      ASK_TEST(what_is_wrong_with_a_list_is_told_by_parameter),
      ASK_TEST(all_that_is_wrong_is_told_at_once),
      ASK_TEST(a_filter_names_so_many),
      ASK_TEST(pages_are_as_long_as_they_may_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
