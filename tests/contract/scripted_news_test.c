// scripted_news_test.c: what a node hears and tells when its PostgreSQL fails or says what it
// should not. Needs no database: the server is scripted.h.
#include "scripted_store.h"

#include <errno.h>
#include <sys/eventfd.h>

// --- calls of the system -------------------------------------------------------------------------

static bool no_descriptors;

int eventfd(unsigned count, int flags) {
  if (!no_descriptors) return (int)syscall(SYS_eventfd2, count, flags);
  errno = EMFILE;
  return -1;
}

static const char *host;  // NULL: nobody knows

int gethostname(char *name, size_t bytes) {
  if (!host) return -1;
  snprintf(name, bytes, "%s", host);
  return 0;
}

// --- nodes ---------------------------------------------------------------------------------------

static size_t count_nodes(struct node **nodes) {
  size_t count = 0;
  check_err(store->ops->nodes(store, &arena, nodes, &count, &why), ERR_OK, NULL);
  return count;
}

static void a_node_has_the_name_of_its_host_and_its_number(void **state) {
  (void)state;
  static const char *const hosts[] = {"here", "", NULL};
  static const char *const names[] = {"here-", "taskyard-", "taskyard-"};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    struct node *nodes;
    char name[64];
    host = hosts[i];
    scripted_says(&server, NULL);
    check_err(try_store((struct postgres_settings){.schema = STR("yard")}), ERR_OK, NULL);
    assert_int_equal(count_nodes(&nodes), 1);
    snprintf(name, sizeof name, "%s%d", names[i], (int)getpid());
    assert_true(str_eq(nodes[0].name, str_of(name)));
    close_store();
  }
}

static void a_store_for_one_command_is_no_node(void **state) {
  (void)state;
  SCRIPT(script, {.about = "yard.node", .says = ""});
  struct postgres_settings settings = usual;
  struct node *nodes;
  settings.alone = true;
  settings.read_deadline_ms = 100;
  scripted_says(&server, script);
  check_err(try_store(settings), ERR_OK, NULL);
  assert_int_equal(count_nodes(&nodes), 0);
  assert_int_equal(inside->reader_conn.deadline_ms, 100);
  pg_desk_front_wanted(inside);  // nobody is there to look
  store->ops->news_stop(store);
  assert_int_equal(scripted_given(&server, &script[0]), 0);
}

static void nodes_that_take_the_same_share_try_again(void **state) {
  (void)state;
  SCRIPT(twice, {.about = "INSERT INTO yard.node", .says = "!ERROR 23505 taken", .times = 2});
  SCRIPT(always, {.about = "INSERT INTO yard.node", .says = "!ERROR 23505 taken"});
  SCRIPT(gone, {.about = "INSERT INTO yard.node", .says = "!"});
  open_store(twice);
  assert_true(inside->desk->entered);
  close_store();
  open_store(always);  // the node is there all the same, and tries again later
  assert_false(inside->desk->entered);
  assert_int_equal(scripted_given(&server, &always[0]), 6);
  close_store();
  scripted_says(&server, gone);
  check_err(try_store(usual), ERR_UNAVAILABLE, "was lost");
}

static void without_descriptors_no_store_is_opened(void **state) {
  (void)state;
  no_descriptors = true;
  check_err(try_store(usual), ERR_UNAVAILABLE, "limit of open files");
  no_descriptors = false;
}

// --- news ----------------------------------------------------------------------------------------

#define CLOCK_SAYS "0,1700000000000\n1,1\n2,0"

static enum err listen_for(struct news *news) {
  news->arena = &arena;
  news->catalog_version = 1;
  return store->ops->news(store, news, &why);
}

// In a call whose pulse is due.
static enum err listen_at_pulse(struct news *news) {
  inside->desk->pulse_at_us = 0;
  return listen_for(news);
}

static void check_pulse(struct reply *script, enum err err, const char *words) {
  struct news news = {0};
  scripted_says(&server, script);
  check_err(listen_at_pulse(&news), err, words);
  scripted_says(&server, NULL);
}

static void a_pulse_that_runs_too_long_goes_on_without_its_dear_part(void **state) {
  (void)state;
  SCRIPT(too_long, {.about = "SELECT 0::bigint", .says = "!ERROR 57014 too long"});
  SCRIPT(memory, {.about = "SELECT 0::bigint", .says = "!ERROR 53200 memory"});
  SCRIPT(overdue, {.about = "SELECT 0::bigint", .says = CLOCK_SAYS "\n3,1699999999000"});
  struct news news = {0};
  open_store(NULL);
  check_pulse(NULL, ERR_OK, NULL);
  inside->desk->deep_at_us = 0;
  check_pulse(too_long, ERR_OK, NULL);
  assert_true(inside->desk->deep_at_us > clock_mono_us());
  scripted_says(&server, overdue);
  check_err(listen_at_pulse(&news), ERR_OK, NULL);
  assert_int_equal(news.wake_at, 0);
  check_pulse(too_long, ERR_UNAVAILABLE, "too long");  // that was not it
  inside->desk->deep_at_us = 0;
  check_pulse(memory, ERR_UNAVAILABLE, "memory");
  check_pulse(NULL, ERR_OK, NULL);
  inside->desk->deep_at_us = 0;
  scripted_says(&server, overdue);
  check_err(listen_at_pulse(&news), ERR_OK, NULL);
  assert_int_equal(news.wake_at, 1699999999000);
}

static void now_and_then_the_overdue_are_looked_for_without_the_floor(void **state) {
  (void)state;
  open_store(NULL);
  check_pulse(NULL, ERR_OK, NULL);
  assert_true(atomic_load(&inside->wake_floor) > 0);
  int64_t looked_us = inside->desk->whole_look_us;
  inside->desk->deep_at_us = 0;
  check_pulse(NULL, ERR_OK, NULL);
  assert_int_equal(inside->desk->whole_look_us, looked_us);
  jump(6LL * MINUTE_US);
  check_pulse(NULL, ERR_OK, NULL);
  assert_true(inside->desk->whole_look_us > looked_us);
}

static void a_pulse_with_more_than_is_known_is_taken(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 0::bigint", .says = CLOCK_SAYS "\n9,9"});
  open_store(NULL);
  check_pulse(script, ERR_OK, NULL);
  check_pulse(script, ERR_OK, NULL);
}

static void a_pulse_that_comes_due_between_two_looks_is_not_waited_for(void **state) {
  (void)state;
  struct news news = {0};
  open_store(NULL);
  check_pulse(NULL, ERR_OK, NULL);
  inside->desk->pulse_at_us = clock_mono_us() + SECOND_US;
  inside->desk->nodes_at_us = inside->desk->pulse_at_us;
  step_us = 2 * SECOND_US;
  check_err(listen_for(&news), ERR_OK, NULL);
  step_us = 0;
  assert_true(clock_mono_us() > inside->desk->pulse_at_us);
}

#define NODE "000000000000002a"
#define HALF "0190abcdef017123"
#define ONE_READY "r7,1,0," HALF "," HALF ";"

// Notices come behind the answer of a pulse, and are heard by the next call.
static void check_notices(const char *notices, enum err err, struct reply *then,
                          struct news *news) {
  struct reply script[] = {{.about = "SELECT 0::bigint", .says = notices}, {.about = NULL}};
  struct news before = {0};
  scripted_says(&server, script);
  check_err(listen_at_pulse(&before), ERR_OK, NULL);
  scripted_says(&server, then);
  check_err(listen_for(news), err, NULL);
  scripted_says(&server, NULL);
}

static void what_is_said_under_another_topic_is_left_alone(void **state) {
  (void)state;
  struct news news = {0};
  struct pick parked = {.tenant = 1};
  open_store(NULL);
  check_pulse(NULL, ERR_OK, NULL);
  news.parked = &parked;
  news.parked_count = 1;
  check_notices(CLOCK_SAYS "\n@other 1" NODE "R\n@taskyard_yard hello\n@taskyard_yard 1" NODE "E",
                ERR_OK, NULL, &news);
  assert_false(parked.busy);
  check_notices(CLOCK_SAYS "\n@taskyard_yard 1" NODE "R", ERR_OK, NULL, &news);
  assert_true(parked.busy);
}

static void news_of_a_channel_that_cannot_be_read_are_not_told(void **state) {
  (void)state;
  SCRIPT(memory, {.about = "FROM yard.channel WHERE number >", .says = "!ERROR 53200 memory"});
  SCRIPT(gone, {.about = "FROM yard.channel WHERE number >", .says = "!"});
  SCRIPT(known, {.about = "FROM yard.channel WHERE number >", .says = "7,1,'mail,'send"});
  struct news news = {0};
  open_store(NULL);
  check_pulse(NULL, ERR_OK, NULL);
  const char *two = CLOCK_SAYS "\n@taskyard_yard 1" NODE ONE_READY "\n@taskyard_yard 1" NODE "E";
  check_notices(two, ERR_UNAVAILABLE, memory, &news);
  check_pulse(NULL, ERR_OK, NULL);
  check_notices(two, ERR_UNAVAILABLE, gone, &news);
  check_pulse(NULL, ERR_OK, NULL);
  check_notices(two, ERR_OK, known, &news);
  assert_int_equal(news.ready_count, 1);
  assert_true(str_eq(news.ready[0].queue, STR("mail")));
}

// As a lane does after its commit.
static void commit_something(void) {
  struct row row = {.fresh = true,
                    .channel = 1,
                    .task = {.id = {9, 9}, .status = TASK_PENDING, .waiting = WAIT_WORKER}};
  struct row *rows[] = {&row};
  struct change change = {.rows = rows, .row_count = 1};
  pg_desk_tell(inside, &change);
}

static void a_notice_that_cannot_be_sent_costs_nothing_else(void **state) {
  (void)state;
  SCRIPT(two, {.about = "INSERT INTO yard.node", .says = "$1,'me,1,1,0\n1,'other,5,5,3"});
  SCRIPT(full, {.about = "pg_notify", .says = "!ERROR 53200 the queue is full"});
  SCRIPT(gone, {.about = "pg_notify", .says = "!"});
  SCRIPT(good, {.about = "pg_notify", .says = "1"});
  struct news news = {0};
  open_store(two);
  check_pulse(good, ERR_OK, NULL);
  assert_true(atomic_load(&inside->desk->telling));
  commit_something();
  inside->desk->send_at_us = 0;
  check_pulse(full, ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &full[0]), 1);
  commit_something();
  inside->desk->send_at_us = 0;
  check_pulse(gone, ERR_UNAVAILABLE, "was lost");
  scripted_says(&server, good);
  check_err(listen_at_pulse(&news), ERR_OK, NULL);
}

static void a_namesake_and_a_failure_are_told_of_once(void **state) {
  (void)state;
  SCRIPT(twins, {.about = "INSERT INTO yard.node", .says = "$1,'me,1,1,0\n1,'me,5,5,3"});
  SCRIPT(full, {.about = "INSERT INTO yard.node", .says = "!ERROR 53100 full"});
  struct news news = {0};
  open_store(twins);
  assert_true(inside->desk->namesake_said);
  for (int i = 0; i < 2; i++) {
    inside->desk->nodes_at_us = 0;
    check_err(listen_at_pulse(&news), ERR_OK, NULL);
  }
  scripted_says(&server, full);
  for (int i = 0; i < 2; i++) {
    inside->desk->nodes_at_us = 0;
    check_err(listen_at_pulse(&news), ERR_OK, NULL);
    assert_true(inside->desk->nodes_failed);
  }
  pg_nodes_changed(inside->desk);
  int64_t soon_us = inside->desk->nodes_at_us;
  pg_nodes_changed(inside->desk);
  assert_int_equal(inside->desk->nodes_at_us, soon_us);
}

static void stop_news(void) { store->ops->news_stop(store); }

static void whoever_is_stopped_while_the_database_fails_returns_at_once(void **state) {
  (void)state;
  SCRIPT(gone, {.about = "SELECT 0::bigint", .says = "!", .then = stop_news});
  struct news news = {0};
  open_store(NULL);
  check_pulse(NULL, ERR_OK, NULL);
  check_pulse(gone, ERR_UNAVAILABLE, "was lost");
  check_err(listen_for(&news), ERR_OK, NULL);
}

int main(void) {
  log_setup(LOG_ERROR, LOG_TEXT);
  const struct CMUnitTest tests[] = {
      SCRIPTED_TEST(a_node_has_the_name_of_its_host_and_its_number),
      SCRIPTED_TEST(a_store_for_one_command_is_no_node),
      SCRIPTED_TEST(nodes_that_take_the_same_share_try_again),
      SCRIPTED_TEST(without_descriptors_no_store_is_opened),
      SCRIPTED_TEST(a_pulse_that_runs_too_long_goes_on_without_its_dear_part),
      SCRIPTED_TEST(now_and_then_the_overdue_are_looked_for_without_the_floor),
      SCRIPTED_TEST(a_pulse_with_more_than_is_known_is_taken),
      SCRIPTED_TEST(a_pulse_that_comes_due_between_two_looks_is_not_waited_for),
      SCRIPTED_TEST(what_is_said_under_another_topic_is_left_alone),
      SCRIPTED_TEST(news_of_a_channel_that_cannot_be_read_are_not_told),
      SCRIPTED_TEST(a_notice_that_cannot_be_sent_costs_nothing_else),
      SCRIPTED_TEST(a_namesake_and_a_failure_are_told_of_once),
      SCRIPTED_TEST(whoever_is_stopped_while_the_database_fails_returns_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
