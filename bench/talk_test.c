// talk_test.c: what the driver sends and reads, over a socket pair instead of a server.
#include "bench/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"

#include <cmocka.h>

static struct talk t;
static struct tally tally;
static struct endpoint endpoint;
static struct profile profile;
static int server;

// As bench_talk_open, on one end of a socket pair.
static void begin(const char *name, unsigned batch) {
  int pair[2];
  profile = *bench_profile_find(str_of(name));
  profile.batch = batch;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  server = pair[1];
  memset(&tally, 0, sizeof tally);
  t = (struct talk){.endpoint = &endpoint, .profile = &profile, .random = 1, .wire.fd = pair[0]};
  buf_init(&t.wire.out, 1 << 22);
  buf_init(&t.wire.in, 1 << 22);
  buf_init(&t.body, 1 << 22);
  t.held = mem_zero(sizeof *t.held * batch);
}

static int end(void **state) {
  (void)state;
  bench_talk_close(&t);
  close(server);
  return 0;
}

static void answer(const char *text) {
  assert_int_equal(write(server, text, strlen(text)), strlen(text));
}

static bool hear(const char *body) {
  char head[128];
  snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nServer: t\r\nContent-Length: %zu\r\n\r\n",
           strlen(body));
  answer(head);
  answer(body);
  assert_int_equal(bench_wire_receive(&t.wire), WIRE_DONE);
  assert_int_equal(t.wire.status, 200);
  return bench_talk_hear(&t, &tally);
}

#define ID "01890000-0000-7000-8000-000000000001"
#define CLAIMED                                                                                    \
  "{\"success\":true,\"tasks\":[{\"id\":\"" ID "\",\"leaseToken\":\"secret\"}],\"count\":1}"
#define DONE_AND_CLAIMED                                                                           \
  "{\"success\":true,\"task\":{\"id\":\"x\"},\"tasks\":[{\"id\":\"" ID                             \
  "\",\"leaseToken\":\"other\"}],\"count\":1}"

static void a_payload_is_200_bytes_of_json_that_carry_their_number(void **state) {
  (void)state;
  struct buf b;
  struct str value;
  struct json_error error;
  uint64_t sequence = 0;
  buf_init(&b, 4096);
  bench_payload_write(&b, 123456789012);
  assert_int_equal(b.len, TALK_PAYLOAD_BYTES);
  assert_true(json_check(buf_str(&b), &value, &error));
  assert_true(bench_payload_read(buf_str(&b), &sequence));
  assert_int_equal(sequence, 123456789012);
  buf_fini(&b);
}

static void a_life_of_three_requests_ends_with_nothing_held(void **state) {
  (void)state;
  begin("life3", 1);
  assert_true(bench_talk_say(&t, false));
  assert_int_equal(t.step, STEP_CREATE);
  assert_true(hear("{}"));
  assert_true(bench_talk_say(&t, true));  // the end waits for the task under way
  assert_int_equal(t.step, STEP_CLAIM);
  assert_true(hear(CLAIMED));
  assert_true(bench_talk_say(&t, true));
  assert_int_equal(t.step, STEP_COMPLETE);
  assert_non_null(memmem(t.wire.out.at, t.wire.out.len, "/tasks/" ID "/complete", 50));
  assert_non_null(memmem(t.wire.out.at, t.wire.out.len, "\"leaseToken\":\"secret\"", 21));
  assert_true(hear("{}"));
  assert_false(bench_talk_say(&t, true));
  assert_int_equal(tally.created, 1);
  assert_int_equal(tally.claimed, 1);
  assert_int_equal(tally.completed, 1);
}

static void a_life_of_two_requests_claims_with_the_completion(void **state) {
  (void)state;
  static const enum step steps[] = {STEP_CREATE, STEP_CLAIM, STEP_CREATE, STEP_COMPLETE_AND_CLAIM,
                                    STEP_COMPLETE};
  static const char *const answers[] = {"{}", CLAIMED, "{}", DONE_AND_CLAIMED, "{}"};
  begin("life2", 1);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    assert_true(bench_talk_say(&t, i >= 3));
    assert_int_equal(t.step, steps[i]);
    assert_true(hear(answers[i]));
  }
  assert_false(bench_talk_say(&t, true));
  assert_int_equal(tally.created, 2);
  assert_int_equal(tally.completed, 2);
}

static void a_short_claim_and_a_refused_item_are_noticed(void **state) {
  (void)state;
  begin("life-batch", 2);
  assert_true(bench_talk_say(&t, false));
  assert_true(hear("{}"));
  assert_true(bench_talk_say(&t, false));
  assert_false(hear(CLAIMED));
  assert_true(bench_talk_say(&t, false));
  assert_false(hear("{\"success\":true,\"items\":[{\"id\":\"" ID "\",\"success\":false}]}"));
}

#define EMPTY "{\"success\":true,\"tasks\":[],\"count\":0}"

static bool says(const char *text) {
  return memmem(t.body.at, t.body.len, text, strlen(text)) != NULL;
}

static void where_servers_share_a_store_a_short_claim_is_made_good(void **state) {
  (void)state;
  static const enum step steps[] = {STEP_CREATE, STEP_CLAIM, STEP_COMPLETE, STEP_CREATE,
                                    STEP_CLAIM,  STEP_CLAIM, STEP_COMPLETE, STEP_CLAIM};
  static const char *const answers[] = {"{}", CLAIMED, "{}", "{}", EMPTY, CLAIMED, "{}", CLAIMED};
  begin("life-batch", 2);
  profile.patient = true;
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    assert_true(bench_talk_say(&t, i >= 6));
    assert_int_equal(t.step, steps[i]);
    if (i == 5) assert_true(says("\"limit\":2,\"waitMs\":"));
    assert_true(hear(answers[i]));
  }
  assert_int_equal(tally.created, 4);
  assert_int_equal(tally.claimed, 3);
  assert_int_equal(tally.short_claims, 4);
  assert_true(bench_talk_say(&t, true));
  assert_true(hear("{}"));
  assert_true(bench_talk_say(&t, true));  // one is still owed
  assert_true(says("\"limit\":1"));
}

static void work_ends_when_nothing_waits_any_more(void **state) {
  (void)state;
  static const enum step steps[] = {STEP_CLAIM, STEP_COMPLETE, STEP_CLAIM};
  static const char *const answers[] = {CLAIMED, "{}", EMPTY};
  begin("work", 1);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    assert_true(bench_talk_say(&t, false));
    assert_int_equal(t.step, steps[i]);
    assert_true(hear(answers[i]));
  }
  assert_false(bench_talk_say(&t, false));
  assert_int_equal(tally.completed, 1);
}

static void an_array_is_one_json_value_of_so_many_tasks(void **state) {
  (void)state;
  begin("create-batch", 1000);
  assert_true(bench_talk_say(&t, false));
  struct str value, key, task;
  struct json_error error;
  assert_true(json_check(buf_str(&t.body), &value, &error));
  struct json_walk walk = json_walk(value);
  size_t count = 0;
  while (json_next(&walk, &key, &task)) count++;
  assert_int_equal(count, 1000);
}

static void an_answer_in_pieces_is_put_together(void **state) {
  (void)state;
  begin("create", 1);
  assert_true(bench_talk_say(&t, false));
  answer("HTTP/1.1 201 Created\r\ncontent-le");
  assert_int_equal(bench_wire_receive(&t.wire), WIRE_WAITS);
  answer("ngth:  4\r\n\r\nab");
  assert_int_equal(bench_wire_receive(&t.wire), WIRE_WAITS);
  answer("cd");
  assert_int_equal(bench_wire_receive(&t.wire), WIRE_DONE);
  assert_int_equal(t.wire.status, 201);
  assert_true(str_eq(bench_wire_body(&t.wire), STR("abcd")));
}

static void an_answer_without_a_length_breaks_the_connection(void **state) {
  (void)state;
  begin("create", 1);
  assert_true(bench_talk_say(&t, false));
  answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  assert_int_equal(bench_wire_receive(&t.wire), WIRE_BROKEN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_payload_is_200_bytes_of_json_that_carry_their_number),
      cmocka_unit_test_teardown(a_life_of_three_requests_ends_with_nothing_held, end),
      cmocka_unit_test_teardown(a_life_of_two_requests_claims_with_the_completion, end),
      cmocka_unit_test_teardown(a_short_claim_and_a_refused_item_are_noticed, end),
      cmocka_unit_test_teardown(where_servers_share_a_store_a_short_claim_is_made_good, end),
      cmocka_unit_test_teardown(work_ends_when_nothing_waits_any_more, end),
      cmocka_unit_test_teardown(an_array_is_one_json_value_of_so_many_tasks, end),
      cmocka_unit_test_teardown(an_answer_in_pieces_is_put_together, end),
      cmocka_unit_test_teardown(an_answer_without_a_length_breaks_the_connection, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
