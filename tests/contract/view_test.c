// view_test.c: the view `tasks` that both stores have for callers of front door S1: its columns,
// its words, and what of JSON it can show.
#include "contract.h"

#include <sqlite3.h>

enum { ROW_BYTES = 4096 };

static const struct {
  const char *door;
  enum task_status status;
  const char *word;
} STATUS_WORDS[] = {
#define STATUS_WORD(door, status, word, why) {#door, TASK_##status, word},
#include "api/doors/words.def"
#undef STATUS_WORD
};

// What front door S1 calls it.
static const char *word_of(enum task_status status) {
  for (size_t i = 0; i < sizeof STATUS_WORDS / sizeof *STATUS_WORDS; i++)
    if (strcmp(STATUS_WORDS[i].door, "BULL") == 0 && STATUS_WORDS[i].status == status)
      return STATUS_WORDS[i].word;
  return NULL;
}

// --- asking --------------------------------------------------------------------------------------

static void ask_file(const char *path, const char *query, char out[ROW_BYTES]) {
  sqlite3 *db = NULL;
  sqlite3_stmt *s = NULL;
  assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  if (sqlite3_prepare_v2(db, query, -1, &s, NULL) != SQLITE_OK)
    fail_msg("%s: %s", query, sqlite3_errmsg(db));
  assert_int_equal(sqlite3_step(s), SQLITE_ROW);
  const unsigned char *text = sqlite3_column_text(s, 0);
  snprintf(out, ROW_BYTES, "%s", text ? (const char *)text : "NULL");
  assert_int_equal(sqlite3_step(s), SQLITE_DONE);
  sqlite3_finalize(s);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void ask_database(const char *query, char out[ROW_BYTES]) {
  PGresult *r = backdoor_run(backdoor(), query);
  assert_int_equal(PQntuples(r), 1);
  snprintf(out, ROW_BYTES, "%s", PQgetisnull(r, 0, 0) ? "NULL" : PQgetvalue(r, 0, 0));
  PQclear(r);
}

// The one value that `expression` has over the rows of the view that fit. It closes the store, as
// whoever looks at a file from outside may find it.
static void PRINTF_LIKE(4, 5) assert_shown(struct world *w, const char *wanted,
                                           const char *expression, const char *format, ...) {
  char where[200], query[1024], got[ROW_BYTES];
  va_list args;
  va_start(args, format);
  vsnprintf(where, sizeof where, format, args);
  va_end(args);
  world_close(w);
  const char *schema = kind_now->shared ? w->schema : "main";
  snprintf(query, sizeof query, "SELECT %s FROM %s.tasks WHERE %s", expression, schema, where);
  if (kind_now->shared)
    ask_database(query, got);
  else
    ask_file(w->path, query, got);
  assert_string_equal(got, wanted);
}

static long long number_of(struct id id) { return (long long)id_key(id); }

// --- making --------------------------------------------------------------------------------------

static struct id make(struct world *w, const char *type, const char *payload) {
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, str_of(type));
  t->payload = str_of(payload);
  OK(unit_apply(u));
  return t->id;
}

static void claim(struct world *w, struct id id) {
  struct unit *u = unit_new(w);
  w->now += 1000;
  unit_claim(u, world_load(w, id, 0))->updated_at = w->now;
  OK(unit_apply(u));
}

static struct task *finish(struct unit *u, struct id id, enum task_status status) {
  struct world *w = u->w;
  w->now += 500;
  struct row *row = world_load(w, id, 0);
  struct task *t = unit_finish(u, row, status);
  t->updated_at = w->now;
  row->result_new = true;
  return t;
}

// --- tests ---------------------------------------------------------------------------------------

static void the_view_has_the_columns_of_the_document(void **state) {
  struct world *w = *state;
  char query[400], got[ROW_BYTES];
  world_close(w);
  if (!kind_now->shared) {
    ask_file(w->path, "SELECT group_concat(name, ' ') FROM pragma_table_info('tasks')", got);
    assert_string_equal(got, "id type payload status result error created_at updated_at");
    return;
  }
  snprintf(query, sizeof query,
           "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' "
           "ORDER BY attnum) FROM pg_attribute WHERE attrelid = '%s.tasks'::regclass",
           w->schema);
  ask_database(query, got);
  assert_string_equal(
      got,
      "id bigint, type character varying(255), payload jsonb, status character varying(50), "
      "result jsonb, error text, created_at timestamp with time zone, "
      "updated_at timestamp with time zone");
}

static void each_task_is_a_row_under_the_number_in_its_id(void **state) {
  struct world *w = *state;
  struct id ids[20];
  for (int i = 0; i < 20; i++) {
    const char *type = arena_printf(&w->arena, "type-%d", i).at;
    ids[i] = make(w, type, "{\"n\":1}");
  }
  for (int i = 0; i < 20; i++)
    assert_shown(w, arena_printf(&w->arena, "type-%d", i).at, "type", "id = %lld",
                 number_of(ids[i]));
  assert_shown(w, "20", "count(DISTINCT id)", "payload IS NOT NULL AND result IS NULL");
}

static void times_are_when_it_was_made_and_changed_last(void **state) {
  struct world *w = *state;
  struct id id = make(w, "t", "1");
  claim(w, id);
  bool shared = kind_now->shared;
  const char *made = shared ? "(extract(epoch FROM created_at) * 1000)::bigint" : "created_at";
  const char *changed = shared ? "(extract(epoch FROM updated_at) * 1000)::bigint" : "updated_at";
  assert_shown(w, shared ? "1700000000000" : "2023-11-14T22:13:20.000Z", made, "id = %lld",
               number_of(id));
  assert_shown(w, shared ? "1700000001000" : "2023-11-14T22:13:21.000Z", changed, "id = %lld",
               number_of(id));
}

static void every_status_has_the_word_of_the_doors_table(void **state) {
  struct world *w = *state;
  struct id ids[TASK_STATUS_COUNT];
  for (unsigned status = 0; status < TASK_STATUS_COUNT; status++) {
    ids[status] = make(w, "t", "{}");
    if (status != TASK_PENDING) claim(w, ids[status]);
    if (!task_status_is_final((enum task_status)status)) continue;
    struct unit *u = unit_new(w);
    finish(u, ids[status], (enum task_status)status);
    OK(unit_apply(u));
  }
  for (unsigned status = 0; status < TASK_STATUS_COUNT; status++)
    assert_shown(w, word_of((enum task_status)status), "status", "id = %lld",
                 number_of(ids[status]));
}

static void a_result_is_shown_short_or_long(void **state) {
  struct world *w = *state;
  struct id ids[2];
  char text[2000];
  for (int i = 0; i < 2; i++) {
    ids[i] = make(w, "t", "{}");
    claim(w, ids[i]);
    struct unit *u = unit_new(w);
    int length = i ? 1900 : 3;
    snprintf(text, sizeof text, "\"%0*d\"", length, 7);
    finish(u, ids[i], TASK_COMPLETED)->result = arena_dup(&w->arena, str_of(text));
    OK(unit_apply(u));
  }
  const char *as_text = kind_now->shared ? "result::text" : "result";
  assert_shown(w, "\"007\"", as_text, "id = %lld", number_of(ids[0]));
  assert_shown(w, text, as_text, "id = %lld", number_of(ids[1]));
}

static void an_error_is_its_message_or_else_its_code(void **state) {
  struct world *w = *state;
  struct id ids[2];
  for (int i = 0; i < 2; i++) {
    ids[i] = make(w, "t", "{}");
    claim(w, ids[i]);
    struct unit *u = unit_new(w);
    struct task *t = finish(u, ids[i], TASK_FAILED);
    t->error_code = STR("broken");
    if (i) t->error_message = STR("it's broken");
    OK(unit_apply(u));
  }
  assert_shown(w, "broken", "error", "id = %lld", number_of(ids[0]));
  assert_shown(w, "it's broken", "error", "id = %lld", number_of(ids[1]));
}

static void what_jsonb_cannot_hold_spoils_no_query(void **state) {
  struct world *w = *state;
  static const char *const odd[] = {"{\"a\":\"\\u0000\"}", "[1e999999]", "\"\\ud800\"",
                                    "1e-999999"};
  enum { ODD = sizeof odd / sizeof *odd };
  struct id ids[ODD], fine = make(w, "fine", "{\"a\": [1, 2.50]}");
  for (int i = 0; i < ODD; i++) ids[i] = make(w, "odd", odd[i]);
  assert_shown(w, "5", "count(payload)", "payload IS NOT NULL");
  const char *as_text = kind_now->shared ? "payload::text" : "payload";
  assert_shown(w, "{\"a\": [1, 2.50]}", as_text, "id = %lld", number_of(fine));
  // Its text, byte for byte, is in the string.
  const char *inner = kind_now->shared ? "payload #>> '{}'" : "payload";
  for (int i = 0; i < 3; i++) assert_shown(w, odd[i], inner, "id = %lld", number_of(ids[i]));
}

static void no_payload_is_a_json_null(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("t"));
  assert_shown(w, "null", kind_now->shared ? "payload::text" : "payload", "id = %lld",
               number_of(id));
}

static void tasks_of_other_tenants_are_not_shown(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  unit_create(u, STR("ours"));
  unit_create(u, STR("theirs"))->tenant = 7;
  u->events[1].event.tenant = 7;
  OK(unit_apply(u));
  assert_shown(w, "1", "count(*)", "1 = 1");
  assert_shown(w, "ours", "type", "1 = 1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(the_view_has_the_columns_of_the_document),
      CONTRACT_TEST(each_task_is_a_row_under_the_number_in_its_id),
      CONTRACT_TEST(times_are_when_it_was_made_and_changed_last),
      CONTRACT_TEST(every_status_has_the_word_of_the_doors_table),
      CONTRACT_TEST(a_result_is_shown_short_or_long),
      CONTRACT_TEST(an_error_is_its_message_or_else_its_code),
      CONTRACT_TEST(what_jsonb_cannot_hold_spoils_no_query),
      CONTRACT_TEST(no_payload_is_a_json_null),
      CONTRACT_TEST(tasks_of_other_tenants_are_not_shown),
  };
  int failed = 0;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    kind_now = &kinds[k];
    // Nobody else can look into a store in memory.
    if (!kind_now->outlives || !kind_is_here(kind_now)) continue;
    failed +=
        _cmocka_run_group_tests(kind_now->name, tests, sizeof tests / sizeof *tests, NULL, NULL);
  }
  return failed;
}
