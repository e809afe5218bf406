// scripted_store_test.c: lanes and readers of a shared store whose PostgreSQL says what it should
// not, at times that a test chooses. Needs no database: the server is scripted.h.
#include "scripted_store.h"

// --- lanes ---------------------------------------------------------------------------------------

static enum err load_one(void) {
  struct want_id want = {.tenant = 1, .id = {1, 2}};
  struct load load = {.arena = &arena, .ids = &want, .id_count = 1};
  return store->ops->load(lane, &load, &why);
}

static void a_lane_whose_server_became_a_standby_looks_for_another(void **state) {
  (void)state;
  SCRIPT(standby, {.about = "SELECT pg_is_in_recovery", .says = "true"});
  SCRIPT(primary, {.about = "SELECT pg_is_in_recovery", .says = "false"});
  open_store(standby);
  open_lane();
  check_err(store->ops->tend(lane, false, &why), ERR_OK, NULL);  // it works, as far as it knows
  check_err(store->ops->tend(lane, true, &why), ERR_UNAVAILABLE, "standby");
  assert_false(pg_is_open(&lane->conn));
  scripted_says(&server, primary);
  check_err(store->ops->tend(lane, true, &why), ERR_OK, NULL);
}

static void a_lane_that_cannot_connect_tries_again_after_a_while_that_grows(void **state) {
  (void)state;
  SCRIPT(down, {.about = "startup", .says = "!FATAL 57P03 starting up"});
  struct change change = {0};
  open_store(NULL);
  open_lane();
  pg_close(&lane->conn);
  scripted_says(&server, down);
  check_err(load_one(), ERR_UNAVAILABLE, "starting up");
  assert_int_equal(why.retry_after_s, 1);
  int64_t pause_us = lane->pause_us;
  check_err(load_one(), ERR_UNAVAILABLE, "starting up");
  check_err(store->ops->apply(lane, &change, &why), ERR_UNAVAILABLE, "starting up");
  assert_int_equal(scripted_given(&server, &down[0]), 1);
  assert_int_equal(lane->pause_us, pause_us);
  jump(MINUTE_US);
  check_err(store->ops->apply(lane, &change, &why), ERR_UNAVAILABLE, "starting up");
  assert_int_equal(lane->pause_us, 2 * pause_us);
  for (int i = 0; i < 6; i++) {
    jump(MINUTE_US);
    check_err(load_one(), ERR_UNAVAILABLE, "starting up");
  }
  assert_int_equal(lane->pause_us, SECOND_US);
  assert_true(lane->ailing);
  jump(MINUTE_US);
  scripted_says(&server, NULL);
  check_err(load_one(), ERR_OK, NULL);
  assert_false(lane->ailing);
  store->ops->abandon(lane);
}

static void a_unit_that_wants_nothing_asks_for_nothing(void **state) {
  (void)state;
  open_store(NULL);
  open_lane();
  struct load none = {.arena = &arena}, no_time = {.arena = &arena, .due_limit = 5},
              no_room = {.arena = &arena, .due_at = 5};
  check_err(store->ops->load(lane, &none, &why), ERR_OK, NULL);
  check_err(store->ops->load(lane, &no_time, &why), ERR_OK, NULL);
  check_err(store->ops->load(lane, &no_room, &why), ERR_OK, NULL);
  assert_false(lane->open);
}

static void a_server_has_as_many_lanes_as_it_may(void **state) {
  (void)state;
  struct postgres_store s = {0};
  assert_int_equal(pg_lane_max(&s.store), 2);
  s.settings.lanes = 5;
  assert_int_equal(pg_lane_max(&s.store), 5);
  s.settings.lanes = 33;
  assert_int_equal(pg_lane_max(&s.store), 32);
  s.settings.read_only = true;
  assert_int_equal(pg_lane_max(&s.store), 0);
}

// A disk that is full for a moment: the lane is looked after until it works.
static void a_lane_whose_unit_failed_is_tried_out(void **state) {
  (void)state;
  SCRIPT(full, {.about = "yard.live", .says = "!ERROR 53100 full"},
         {.about = "SELECT pg_is_in_recovery", .says = "false"});
  SCRIPT(meets, {.about = "yard.live", .says = "!ERROR 40P01 deadlock"},
         {.about = "SELECT pg_is_in_recovery", .says = "false"});
  open_store(full);
  open_lane();
  check_err(load_one(), ERR_DISK_FULL, NULL);
  assert_true(pg_is_open(&lane->conn));
  check_err(store->ops->tend(lane, false, &why), ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &full[1]), 1);
  scripted_says(&server, meets);
  check_err(load_one(), ERR_CONFLICT, "deadlock");
  check_err(store->ops->tend(lane, false, &why), ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &meets[1]), 0);
}

static void check_applies(struct reply *script, enum err err, const char *words, bool ailing) {
  struct change change = {0};
  scripted_says(&server, script);
  if (!lane) open_lane();
  check_err(store->ops->apply(lane, &change, &why), err, words);
  assert_int_equal(lane->ailing, ailing);
  scripted_says(&server, NULL);
}

// A change of nothing has its commit all the same.
static void a_commit_fails_as_the_server_says(void **state) {
  (void)state;
  SCRIPT(good, {.about = "pg_current_xact_id", .says = "7"});
  SCRIPT(full, {.about = "INSERT INTO yard.unit", .says = "!ERROR 53100 full"});
  SCRIPT(raced, {.about = "^COMMIT", .says = "!ERROR 40001 again"});
  SCRIPT(broken, {.about = "^COMMIT", .says = "!ERROR XX001 a page is broken"});
  SCRIPT(late, {.about = "^COMMIT", .says = "~WARNING 01000 canceling wait for a standby"});
  open_store(NULL);
  check_applies(good, ERR_OK, NULL, false);
  check_applies(full, ERR_DISK_FULL, NULL, true);
  check_applies(raced, ERR_CONFLICT, "again", false);
  check_applies(broken, ERR_UNAVAILABLE, "a page is broken", true);
  check_applies(late, ERR_UNAVAILABLE, "synchronous standby", true);
  check_applies(good, ERR_OK, NULL, false);
}

// --- the outcome of a commit ---------------------------------------------------------------------

static void check_settles(struct reply *script, enum err err, const char *words) {
  const struct proof proof = {.xid = 7, .token = 8};
  if (!store) open_store(NULL);
  if (!lane) open_lane();
  scripted_says(&server, script);
  check_err(pg_settle(lane, &proof, &why), err, words);
  scripted_says(&server, NULL);
}

static void a_commit_is_done_whose_token_is_there(void **state) {
  (void)state;
  SCRIPT(done, {.about = "pg_xact_status", .says = "'committed"},
         {.about = "WHERE token", .says = "1"});
  SCRIPT(long_ago, {.about = "pg_xact_status", .says = "null"},
         {.about = "WHERE token", .says = "1"});
  check_settles(done, ERR_OK, NULL);
  check_settles(long_ago, ERR_OK, NULL);
}

static void a_commit_is_not_done_whose_token_is_not_there(void **state) {
  (void)state;
  SCRIPT(aborted, {.about = "pg_xact_status", .says = "'aborted"});
  SCRIPT(another, {.about = "pg_xact_status", .says = "'committed"});
  SCRIPT(unborn, {.about = "pg_xact_status", .says = "!ERROR 22023 in the future"});
  SCRIPT(silent, {.about = "pg_xact_status", .says = ""});
  check_settles(aborted, ERR_CONFLICT, "was lost");
  check_settles(another, ERR_CONFLICT, "was lost");
  check_settles(unborn, ERR_CONFLICT, "was lost");
  check_settles(silent, ERR_CONFLICT, "was lost");
}

static void an_outcome_is_asked_for_again_when_the_connection_is_lost_again(void **state) {
  (void)state;
  SCRIPT(at_first, {.about = "pg_xact_status", .says = "!", .times = 1},
         {.about = "pg_xact_status", .says = "'committed"}, {.about = "WHERE token", .says = "1"});
  SCRIPT(then, {.about = "pg_xact_status", .says = "'aborted"},
         {.about = "WHERE token", .says = "!", .times = 1});
  SCRIPT(too_long, {.about = "pg_xact_status", .says = "!ERROR 57014 too long", .times = 1},
         {.about = "pg_xact_status", .says = "'aborted"});
  SCRIPT(down, {.about = "pg_xact_status", .says = "!", .times = 1},
         {.about = "startup", .says = "!FATAL 57P03 starting up", .times = 1},
         {.about = "pg_xact_status", .says = "'aborted"});
  check_settles(at_first, ERR_OK, NULL);
  check_settles(then, ERR_CONFLICT, NULL);
  check_settles(too_long, ERR_CONFLICT, NULL);
  check_settles(down, ERR_CONFLICT, NULL);
}

static void time_goes_by(void) { jump(6 * SECOND_US); }

static void an_outcome_that_is_not_known_in_time_is_said_to_be_unknown(void **state) {
  (void)state;
  SCRIPT(goes_on, {.about = "pg_xact_status", .says = "'in progress", .then = time_goes_by});
  SCRIPT(fails, {.about = "pg_xact_status", .says = "!ERROR 53200 memory", .then = time_goes_by});
  check_settles(goes_on, ERR_UNAVAILABLE, "is unknown");
  assert_int_equal(why.retry_after_s, 1);
  check_settles(fails, ERR_UNAVAILABLE, "is unknown");
}

// --- readers -------------------------------------------------------------------------------------

static enum err read_newest(void) {
  int64_t seq;
  return store->ops->read_newest(reader, 1, &seq, &why);
}

static void open_reader(void) {
  open_store(NULL);
  check_err(store->ops->reader_open(store, &reader, &why), ERR_OK, NULL);
}

static void a_question_is_asked_once_more_on_a_new_connection(void **state) {
  (void)state;
  SCRIPT(once, {.about = "max(e.seq)", .says = "!", .times = 1},
         {.about = "max(e.seq)", .says = "5"});
  SCRIPT(always, {.about = "max(e.seq)", .says = "!"});
  SCRIPT(memory, {.about = "max(e.seq)", .says = "!ERROR 53200 memory"});
  SCRIPT(wrong, {.about = "max(e.seq)", .says = "!ERROR 42601 syntax"});
  SCRIPT(none, {.about = "max(e.seq)", .says = ""});
  open_reader();
  scripted_says(&server, once);
  check_err(read_newest(), ERR_OK, NULL);
  scripted_says(&server, always);
  why = (struct fault){0};
  check_err(read_newest(), ERR_UNAVAILABLE, NULL);
  assert_int_equal(why.retry_after_s, 1);
  assert_int_equal(scripted_given(&server, &always[0]), 2);
  scripted_says(&server, memory);
  check_err(read_newest(), ERR_UNAVAILABLE, "memory");
  assert_int_equal(scripted_given(&server, &memory[0]), 1);
  assert_true(pg_is_open(&reader->conn));
  scripted_says(&server, wrong);
  check_err(read_newest(), ERR_INTERNAL, "syntax");
  scripted_says(&server, none);
  check_err(read_newest(), ERR_OK, NULL);
}

static void a_reader_that_cannot_connect_says_so_at_once_for_a_while(void **state) {
  (void)state;
  SCRIPT(down, {.about = "max(e.seq)", .says = "!"},
         {.about = "startup", .says = "!FATAL 57P03 starting up"});
  open_reader();
  scripted_says(&server, down);
  check_err(read_newest(), ERR_UNAVAILABLE, "cannot be reached: ");
  int64_t next_try_us = reader->next_try_us;
  check_err(read_newest(), ERR_UNAVAILABLE, "cannot be reached");
  assert_int_equal(why.retry_after_s, 1);
  assert_int_equal(reader->next_try_us, next_try_us);
  jump(SECOND_US);
  check_err(read_newest(), ERR_UNAVAILABLE, "cannot be reached: ");
  assert_true(reader->next_try_us > next_try_us);
  jump(SECOND_US);
  scripted_says(&server, NULL);
  check_err(read_newest(), ERR_OK, NULL);
}

static void a_list_that_fails_leaves_its_page_alone(void **state) {
  (void)state;
  SCRIPT(wrong, {.about = "q.page_id", .says = "!ERROR 42601 syntax"});
  const struct task_filter filter = {.tenant = 1, .limit = 5};
  struct task_page page = {.count = 99};
  open_reader();
  scripted_says(&server, wrong);
  check_err(store->ops->read_tasks(reader, &arena, &filter, &page, &why), ERR_INTERNAL, "syntax");
  assert_int_equal(page.count, 99);
}

// --- the clock -----------------------------------------------------------------------------------

static void a_clock_that_is_set_back_a_little_stands_still(void **state) {
  (void)state;
  struct postgres_store s = {0};
  const int64_t hour_ms = 3600 * 1000, server_ms = 1700000000000;
  int64_t sent_us = clock_mono_us(), now;
  pg_clock_sample(&s, server_ms, sent_us, sent_us);
  now = pg_now(&s.store);
  assert_in_range(now, server_ms, server_ms + 60 * 1000);
  int64_t offset = atomic_load(&s.clock_offset);
  pg_clock_sample(&s, server_ms - 1, sent_us - 5000, sent_us + 5000);  // may be the same time
  assert_int_equal(atomic_load(&s.clock_offset), offset);
  pg_clock_sample(&s, server_ms - 3000, sent_us, sent_us);
  assert_int_equal(atomic_load(&s.clock_offset), offset - 3000);
  assert_int_equal(pg_now(&s.store), now);
  pg_clock_sample(&s, server_ms - hour_ms, sent_us, sent_us);  // by more it goes back
  assert_in_range(pg_now(&s.store), server_ms - hour_ms, server_ms - hour_ms + 60 * 1000);
  pg_clock_sample(&s, server_ms + hour_ms, sent_us, sent_us);
  assert_in_range(pg_now(&s.store), server_ms + hour_ms, server_ms + hour_ms + 60 * 1000);
}

int main(void) {
  log_setup(LOG_ERROR, LOG_TEXT);
  const struct CMUnitTest tests[] = {
      SCRIPTED_TEST(a_lane_whose_server_became_a_standby_looks_for_another),
      SCRIPTED_TEST(a_lane_that_cannot_connect_tries_again_after_a_while_that_grows),
      SCRIPTED_TEST(a_unit_that_wants_nothing_asks_for_nothing),
      SCRIPTED_TEST(a_server_has_as_many_lanes_as_it_may),
      SCRIPTED_TEST(a_lane_whose_unit_failed_is_tried_out),
      SCRIPTED_TEST(a_commit_fails_as_the_server_says),
      SCRIPTED_TEST(a_commit_is_done_whose_token_is_there),
      SCRIPTED_TEST(a_commit_is_not_done_whose_token_is_not_there),
      SCRIPTED_TEST(an_outcome_is_asked_for_again_when_the_connection_is_lost_again),
      SCRIPTED_TEST(an_outcome_that_is_not_known_in_time_is_said_to_be_unknown),
      SCRIPTED_TEST(a_question_is_asked_once_more_on_a_new_connection),
      SCRIPTED_TEST(a_reader_that_cannot_connect_says_so_at_once_for_a_while),
      SCRIPTED_TEST(a_list_that_fails_leaves_its_page_alone),
      SCRIPTED_TEST(a_clock_that_is_set_back_a_little_stands_still),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
