// start_test.c: an engine that cannot be opened or started says why and leaves nothing behind; and
// what it takes in when it is full or stopped.
//
// The threads that it asks for are counted here: the test's own pthread_create comes before that of
// the library.
#include <dlfcn.h>
#include <errno.h>

#include "engine/inside.h"
#include "engine/testing.h"

static int threads_left = -1;  // so many more are to be had; -1: as many as are asked for

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                   void *self) {
  __typeof__(&pthread_create) real =
      (__typeof__(&pthread_create))dlsym(RTLD_NEXT, "pthread_create");
  if (threads_left == 0) return EAGAIN;
  threads_left -= threads_left > 0;
  return real(thread, attr, run, self);
}

// A store whose calls are the fake one's but for those that the test puts in their place.
static struct yard *yard_of_own_calls(size_t lanes) {
  struct yard *y = yard_new(lanes);
  y->ops = *y->store.head.store.ops;
  y->store.head.store.ops = &y->ops;
  return y;
}

static void end_unopened(struct yard *y) {
  fake_close(&y->store);
  mem_free(y);
}

// --- opening -------------------------------------------------------------------------------------

static enum err no_catalog(struct store *s, struct arena *a, struct catalog *out,
                           struct fault *why) {
  (void)s, (void)a, (void)out;
  return fault_set(why, ERR_STORE_BROKEN, "no catalogue");
}

static enum err no_last_id(struct store *s, int64_t *key, struct fault *why) {
  (void)s, (void)key;
  return fault_set(why, ERR_STORE_BROKEN, "no last id");
}

// The second lane is the one that is not to be had.
static enum err one_lane(struct store *s, struct store_lane **out, struct fault *why) {
  if (fake_of(s)->lanes[0].open) return fault_set(why, ERR_STORE_BROKEN, "no second lane");
  return fake_lane_open(s, out, why);
}

static enum err no_wake_next(struct store_lane *lane, int64_t *at, struct fault *why) {
  (void)lane, (void)at;
  return fault_set(why, ERR_STORE_BROKEN, "no time to wake");
}

static void what_a_store_does_not_tell_at_its_opening_keeps_the_engine_closed(void **state) {
  (void)state;
  static const char *const SAYS[] = {"no catalogue", "no last id", "no second lane",
                                     "no time to wake"};
  for (size_t i = 0; i < 4; i++) {
    struct yard *y = yard_of_own_calls(2);
    const struct engine_settings settings = {.lease_ms = LEASE_MS, .attempts_max = 1};
    struct fault why = {0};
    if (i == 0) y->ops.catalog = no_catalog;
    if (i == 1) y->ops.last_id = no_last_id;
    if (i == 2) y->ops.lane_open = one_lane;
    if (i == 3) y->ops.wake_next = no_wake_next;
    assert_int_equal(engine_open(&y->store.head.store, &settings, &y->e, &why), ERR_STORE_BROKEN);
    assert_string_equal(why.detail, SAYS[i]);
    assert_null(y->e);
    end_unopened(y);  // asserts that no lane was left open
  }
  engine_close(NULL);
}

static void there_are_as_many_lanes_as_are_wanted_and_the_store_takes(void **state) {
  (void)state;
  static const struct {
    size_t takes, wanted, lanes;
  } ROWS[] = {{3, 0, 3}, {3, 2, 2}, {3, 5, 3}, {0, 0, 1}};
  for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
    struct yard *y = yard_new(ROWS[i].takes);
    const struct engine_settings settings = {
        .lease_ms = LEASE_MS, .attempts_max = 1, .lanes = ROWS[i].wanted};
    struct fault why = {0};
    assert_int_equal(engine_open(&y->store.head.store, &settings, &y->e, &why), ERR_OK);
    assert_int_equal(engine_stats(y->e).lanes, ROWS[i].lanes);
    engine_close(y->e);
    end_unopened(y);
  }
}

// Another server may change what one lane has loaded.
static void one_lane_is_not_alone_on_a_store_that_others_use(void **state) {
  (void)state;
  struct yard *y = yard_new(1);
  fake_share(&y->store, &y->store.head, &y->ops, &y->news);
  yard_open_engine(y);
  assert_int_equal(engine_stats(y->e).lanes, 1);
  assert_true(y->e->shared);
  assert_true(engine_is_shared(y->e));
  yard_end(y);
}

// --- starting ------------------------------------------------------------------------------------

// Of two lanes, a reader and the thread for news each in turn is not to be had.
static void a_thread_that_is_not_to_be_had_is_told_and_those_that_began_end(void **state) {
  (void)state;
  static const char *const SAYS[] = {
      "a thread could not be started", "a lane's thread could not be started",
      "a lane's thread could not be started", "the thread for news could not be started"};
  for (int i = 0; i < 4; i++) {
    struct yard *y = yard_new(2);
    y->store.threads = true;
    fake_share(&y->store, &y->store.head, &y->ops, &y->news);
    yard_open_engine(y);
    struct fault why = {0};
    threads_left = i;
    assert_int_equal(engine_start(y->e, &why), ERR_INTERNAL);
    threads_left = -1;
    assert_string_equal(why.detail, SAYS[i]);
    engine_stop(y->e);
    engine_close(y->e);
    end_unopened(y);
  }
}

static enum err no_reader(struct store *s, struct store_reader **out, struct fault *why) {
  (void)s, (void)out;
  return fault_set(why, ERR_UNAVAILABLE, "no reader");
}

static void a_reader_that_is_not_to_be_had_is_told(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct yard *y = yard_of_own_calls(1);
    y->ops.reader_open = no_reader;
    y->ops.lane_reads = i == 1;
    yard_open_engine(y);
    struct fault why = {0};
    assert_int_equal(engine_start(y->e, &why), ERR_UNAVAILABLE);
    assert_string_equal(why.detail, "no reader");
    engine_stop(y->e);
    engine_close(y->e);
    end_unopened(y);
  }
}

// --- full, or stopped ----------------------------------------------------------------------------

static size_t reads_done;

static void read_nothing(struct query *q, const struct store_ops *ops,
                         struct store_reader *reader) {
  (void)ops, (void)reader;
  q->err = ERR_OK;
}

static void count_read(struct query *q) {
  (void)q;
  reads_done++;
}

// No reader's thread runs here, so that they wait.
static void past_the_limit_of_waiting_reads_one_is_refused_at_once(void **state) {
  struct yard *y = *state;
  enum { WAITING = 4096 };
  static struct query all[WAITING + 1];
  reads_done = 0;
  for (size_t i = 0; i <= WAITING; i++) {
    all[i] = (struct query){.run = read_nothing, .done = count_read};
    engine_query(y->e, &all[i]);
  }
  engine_collect(y->e);
  assert_int_equal(reads_done, 1);
  assert_int_equal(all[WAITING].err, ERR_OVERLOADED);
  assert_int_equal(all[WAITING].fault.retry_after_s, 1);
  assert_int_equal(all[WAITING - 1].err, ERR_OK);
}

static size_t wakes;

static void count_wake(void *self) {
  (void)self;
  wakes++;
}

static void after_a_stop_whoever_asks_is_refused_and_the_collector_woken(void **state) {
  struct yard *y = *state;
  struct query read = {.run = read_nothing, .done = count_read};
  engine_stop(y->e);
  y->e->settings.wake = count_wake;
  wakes = reads_done = 0;
  struct ask *a = creating(y, "t", 1);
  submit(a);
  assert_int_equal(wakes, 1);
  engine_query(y->e, &read);
  assert_int_equal(wakes, 2);
  engine_collect(y->e);
  assert_int_equal(a->err, ERR_UNAVAILABLE);
  assert_int_equal(reads_done, 1);
  assert_int_equal(read.err, ERR_OVERLOADED);
  y->e->settings.wake = NULL;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_store_does_not_tell_at_its_opening_keeps_the_engine_closed),
      cmocka_unit_test(there_are_as_many_lanes_as_are_wanted_and_the_store_takes),
      cmocka_unit_test(one_lane_is_not_alone_on_a_store_that_others_use),
      cmocka_unit_test(a_thread_that_is_not_to_be_had_is_told_and_those_that_began_end),
      cmocka_unit_test(a_reader_that_is_not_to_be_had_is_told),
      YARD_TEST(past_the_limit_of_waiting_reads_one_is_refused_at_once),
      YARD_TEST(after_a_stop_whoever_asks_is_refused_and_the_collector_woken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
