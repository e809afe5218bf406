// sums_test.c: a sum tells any two rows apart, and does not care about their order.
#include "app/sums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sum sum_of(enum bulk_part part, const struct bulk *page) {
  struct sum sum = {0};
  struct buf scratch;
  buf_init(&scratch, SUMS_ROW_BYTES);
  sums_add(&sum, part, page, &scratch);
  buf_fini(&scratch);
  return sum;
}

static uint64_t of_task(const struct task *t) {
  struct task copy = *t;
  const struct bulk page = {.tasks = &copy, .task_count = 1};
  struct sum sum = sum_of(BULK_TASKS, &page);
  assert_int_equal(sum.rows, 1);
  return sum.check;
}

static void each_column_of_a_task_counts(void **state) {
  (void)state;
  const struct task zero = {0};
  uint64_t before = of_task(&zero);
  struct task t = zero;
#define CHANGE_I64(field) t.field = 1
#define CHANGE_SPARSE(field) CHANGE_I64(field)
#define CHANGE_ENUM(field) t.field = (typeof(t.field))1
#define CHANGE_TEXT(field) t.field = STR("")
#define COLUMN(column, field, kind, group, meaning)                                                \
  t = zero;                                                                                        \
  CHANGE_##kind(field);                                                                            \
  assert_true(of_task(&t) != before);
#include "store/task.def"
#undef COLUMN
  const struct task others[] = {{.id = {0, 1}},      {.id = {1, 0}},        {.tenant = 1},
                                {.queue = STR("")},  {.type = STR("")},     {.payload = STR("")},
                                {.result = STR("")}, {.payload = STR("a")}, {.result = STR("a")}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_true(of_task(&others[i]) != before);
}

static void a_byte_that_moves_to_the_next_text_counts(void **state) {
  (void)state;
  const struct task a = {.payload = STR("ab"), .result = STR("c")};
  const struct task b = {.payload = STR("a"), .result = STR("bc")};
  assert_true(of_task(&a) != of_task(&b));
}

static void the_order_of_rows_does_not_count(void **state) {
  (void)state;
  struct event events[] = {{.tenant = 1, .seq = 1}, {.tenant = 1, .seq = 2, .text = STR("x")}};
  struct event turned[] = {events[1], events[0]};
  const struct bulk a = {.events = events, .event_count = 2};
  const struct bulk b = {.events = turned, .event_count = 2};
  struct sum first = sum_of(BULK_EVENTS, &a), second = sum_of(BULK_EVENTS, &b);
  assert_int_equal(first.rows, 2);
  assert_true(first.check == second.check);
}

static void each_field_of_the_smaller_rows_counts(void **state) {
  (void)state;
  const struct event event_none = {0};
  const struct event events[] = {
      {.tenant = 1},       {.seq = 1},        {.kind = 1},      {.at = 1},       {.task = {1, 0}},
      {.queue = STR("")},  {.type = STR("")}, {.attempt = 1},   {.progress = 1}, {.actor = STR("")},
      {.worker = STR("")}, {.note = STR("")}, {.text = STR("")}};
  struct bulk page = {.events = (struct event *)&event_none, .event_count = 1};
  uint64_t before = sum_of(BULK_EVENTS, &page).check;
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    page.events = (struct event *)&events[i];
    assert_true(sum_of(BULK_EVENTS, &page).check != before);
  }
  const struct replay replay_none = {0};
  const struct replay replays[] = {{.tenant = 1},     {.key = STR("")}, {.fingerprint = {[31] = 1}},
                                   {.status = 200},   {.task = {1, 0}}, {.revision = 1},
                                   {.body = STR("")}, {.at = 1}};
  page = (struct bulk){.replays = (struct replay *)&replay_none, .replay_count = 1};
  before = sum_of(BULK_REPLAYS, &page).check;
  for (size_t i = 0; i < sizeof replays / sizeof *replays; i++) {
    page.replays = (struct replay *)&replays[i];
    assert_true(sum_of(BULK_REPLAYS, &page).check != before);
  }
  const struct bulk_log log_none = {0};
  const struct bulk_log logs[] = {{.tenant = 1},
                                  {.task = {0, 1}},
                                  {.line = {.number = 1}},
                                  {.line = {.at = 1}},
                                  {.line = {.text = STR("")}}};
  page = (struct bulk){.logs = (struct bulk_log *)&log_none, .log_count = 1};
  before = sum_of(BULK_LOGS, &page).check;
  for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
    page.logs = (struct bulk_log *)&logs[i];
    assert_true(sum_of(BULK_LOGS, &page).check != before);
  }
}

static void each_kind_of_the_catalogue_counts(void **state) {
  (void)state;
  struct tenant tenant = {.number = 1, .name = STR("default")};
  struct queue queue = {.tenant = 1, .name = STR("images")};
  struct type type = {.tenant = 1, .name = STR("resize")};
  struct api_key key = {.id = STR("k"), .tenant = 1};
  const struct bulk page = {.catalog = {.tenants = &tenant,
                                        .tenant_count = 1,
                                        .queues = &queue,
                                        .queue_count = 1,
                                        .types = &type,
                                        .type_count = 1,
                                        .keys = &key,
                                        .key_count = 1,
                                        .version = 1}};
  struct sum before = sum_of(BULK_CATALOG, &page);
  assert_int_equal(before.rows, 4);
  queue.paused = true;
  assert_true(sum_of(BULK_CATALOG, &page).check != before.check);
  queue.paused = false;
  key.hash[31] = 1;
  assert_true(sum_of(BULK_CATALOG, &page).check != before.check);
  key.hash[31] = 0;
  key.revoked_at = 1;
  assert_true(sum_of(BULK_CATALOG, &page).check != before.check);
  key.revoked_at = 0;
  key.expires_at = 1;
  assert_true(sum_of(BULK_CATALOG, &page).check != before.check);
  key.expires_at = 0;
  key.service = STR("");
  assert_true(sum_of(BULK_CATALOG, &page).check != before.check);
  key.service = STR_NONE;
  key.replaced_by = STR("k");
  assert_true(sum_of(BULK_CATALOG, &page).check != before.check);
  key.replaced_by = STR_NONE;
  type.backoff.jitter_percent = 1;
  assert_true(sum_of(BULK_CATALOG, &page).check != before.check);
  type.backoff.jitter_percent = 0;
  struct bulk later = page;
  later.catalog.version = 2;
  assert_true(sum_of(BULK_CATALOG, &later).check == before.check);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_column_of_a_task_counts),
      cmocka_unit_test(a_byte_that_moves_to_the_next_text_counts),
      cmocka_unit_test(the_order_of_rows_does_not_count),
      cmocka_unit_test(each_field_of_the_smaller_rows_counts),
      cmocka_unit_test(each_kind_of_the_catalogue_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
