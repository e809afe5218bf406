// stopping_test.c: what becomes of the connections of a server that stops.
#include "http/testing.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

static struct fixture *f;

static void stopping_closes_the_idle_and_waits_for_the_answered(void **state) {
  (void)state;
  f = a_server(test_settings());
  struct client *idle = a_client(f), *busy = a_client(f), *other = a_client(f);
  assert_int_equal(204, client_ask(idle, GET("/mark")));
  client_send(busy, STR(GET("/park")));
  client_send(other, STR("GET /release HTTP/1.1\r\nHost: t\r\n"));
  await_stat(f, "parked", 1);
  http_stop(f->server, PATIENCE_MS);
  assert_true(client_is_closed(idle));
  assert_int_equal(200, client_ask(other, "\r\n"));
  assert_non_null(strstr(other->answer, "\r\nConnection: close\r\n"));
  assert_true(client_is_closed(other));
  assert_int_equal(200, client_answer(busy));
  assert_true(client_is_closed(busy));
  end_client(idle);
  end_client(busy);
  end_client(other);
  end_server(f, PATIENCE_MS);
}

static void stopping_closes_who_is_being_sent_to_when_that_is_out(void **state) {
  (void)state;
  f = a_server(test_settings());
  struct client *c = a_client(f), *side = a_client(f);
  client_send(c, STR(GET("/big")));
  await_round(side);
  http_stop(f->server, 10 * PATIENCE_MS);
  assert_true(client_is_closed(side));
  assert_int_equal(200, client_answer(c));
  assert_int_equal(BIG_BYTES, c->body.len);
  assert_true(client_is_closed(c));
  end_client(c);
  end_client(side);
  end_server(f, PATIENCE_MS);
}

static void stopping_answers_what_is_pipelined_behind_what_is_being_sent(void **state) {
  (void)state;
  f = a_server(test_settings());
  struct client *c = a_client(f), *side = a_client(f);
  client_send(c, STR(GET("/big") GET("/mark")));
  await_round(side);
  http_stop(f->server, 10 * PATIENCE_MS);
  assert_true(client_is_closed(side));
  assert_int_equal(200, client_answer(c));
  assert_int_equal(204, client_answer(c));
  assert_non_null(strstr(c->answer, "\r\nConnection: close\r\n"));
  assert_true(client_is_closed(c));
  end_client(c);
  end_client(side);
  end_server(f, PATIENCE_MS);
}

static void stopping_answers_what_has_come_and_was_not_read_yet(void **state) {
  (void)state;
  f = a_server(test_settings());
  struct client *c = a_client(f), *idle = a_client(f);
  assert_int_equal(204, client_ask(c, GET("/mark")));
  assert_int_equal(204, client_ask(idle, GET("/mark")));
  hold_loop(f);
  http_stop(f->server, 10 * PATIENCE_MS);
  client_send(c, STR(GET("/mark")));
  let_loop_go(f);
  assert_int_equal(204, client_answer(c));
  assert_non_null(strstr(c->answer, "\r\nConnection: close\r\n"));
  assert_true(client_is_closed(c));
  assert_true(client_is_closed(idle));
  end_client(c);
  end_client(idle);
  end_server(f, PATIENCE_MS);
}

static void stopping_does_not_wait_past_its_grace(void **state) {
  (void)state;
  f = a_server(test_settings());
  struct client *busy = a_client(f);
  client_send(busy, STR(GET("/park")));
  await_stat(f, "parked", 1);
  end_server(f, 30);
  assert_true(client_is_closed(busy));
  end_client(busy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stopping_closes_the_idle_and_waits_for_the_answered),
      cmocka_unit_test(stopping_closes_who_is_being_sent_to_when_that_is_out),
      cmocka_unit_test(stopping_answers_what_is_pipelined_behind_what_is_being_sent),
      cmocka_unit_test(stopping_answers_what_has_come_and_was_not_read_yet),
      cmocka_unit_test(stopping_does_not_wait_past_its_grace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
