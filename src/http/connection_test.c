// connection_test.c: connections that wait, hurry, stall, vanish or are too many.
#include "http/testing.h"

#include <signal.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"
#define POST_HEAD(length) "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " length "\r\n\r\n"

static struct fixture *f;

static int set_up(void **state) {
  (void)state;
  f = a_server(test_settings());
  return 0;
}

// Whatever a test did: nobody is left.
static int tear_down(void **state) {
  (void)state;
  await_stat(f, "in_flight", 1);  // the asking itself
  assert_int_equal(0, stat_of(f, "parked"));
  end_server(f, 0);
  return 0;
}

static void pipelined_requests_are_answered_in_order(void **state) {
  (void)state;
  struct client *c = a_client(f);
  struct buf bytes;
  buf_init(&bytes, 1 << 20);
  for (int i = 0; i < 500; i++) {
    buf_printf(&bytes, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n%03d", i);
    if (i % 7 == 0) BUF_LIT(&bytes, GET("/async"));
  }
  client_send(c, buf_str(&bytes));
  for (int i = 0; i < 500; i++) {
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%03d", i);
    assert_int_equal(201, client_answer(c));
    assert_true(str_eq(str_of(wanted), c->body));
    if (i % 7 == 0) assert_int_equal(200, client_answer(c));
  }
  buf_fini(&bytes);
  end_client(c);
}

static void a_request_behind_a_parked_one_waits(void **state) {
  (void)state;
  struct client *c = a_client(f), *other = a_client(f);
  client_send(c, STR(GET("/park") GET("/mark")));
  await_stat(f, "parked", 1);
  assert_int_equal(200, client_ask(other, GET("/release")));
  assert_int_equal(200, client_answer(c));
  assert_true(str_eq(STR("released"), c->body));
  assert_int_equal(204, client_answer(c));
  end_client(c);
  end_client(other);
}

// More than the kernel's buffers and ours can hold: the sender has to wait.
static void what_is_pipelined_behind_a_parked_request_is_bounded(void **state) {
  (void)state;
  enum { COUNT = 200000 };
  struct client *c = a_client(f), *other = a_client(f);
  client_send(c, STR(GET("/park")));
  await_stat(f, "parked", 1);
  struct buf bytes;
  buf_init(&bytes, 64 << 20);
  for (int i = 0; i < COUNT; i++) BUF_LIT(&bytes, GET("/mark"));
  ssize_t sent = 0, now;
  while ((now = send(c->fd, bytes.at + sent, bytes.len - (size_t)sent, MSG_DONTWAIT)) > 0) {
    sent += now;
    await_round(other);
  }
  assert_true((size_t)sent < bytes.len);
  assert_int_equal(200, client_ask(other, GET("/release")));
  assert_int_equal(200, client_answer(c));
  size_t whole = (size_t)sent / (sizeof GET("/mark") - 1);
  for (size_t i = 0; i < whole; i++) assert_int_equal(204, client_answer(c));
  buf_fini(&bytes);
  end_client(c);
  end_client(other);
}

static void many_parked_requests_are_answered_by_one_wake(void **state) {
  (void)state;
  enum { COUNT = 500 };
  static struct client *clients[COUNT];
  for (int i = 0; i < COUNT; i++) {
    clients[i] = a_client(f);
    client_send(clients[i], STR(GET("/async")));
  }
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(200, client_answer(clients[i]));
    assert_true(str_eq(STR("from another thread"), clients[i]->body));
    end_client(clients[i]);
  }
}

static void a_large_answer_arrives_whole(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR(GET("/big") GET("/mark")));
  assert_int_equal(200, client_answer(c));
  assert_int_equal(BIG_BYTES, c->body.len);
  for (size_t i = 0; i < BIG_BYTES; i += 4096) assert_int_equal('b', c->body.at[i]);
  assert_int_equal(204, client_answer(c));
  end_client(c);
}

static void a_large_body_arrives_whole(void **state) {
  (void)state;
  struct client *c = a_client(f);
  char *body = mem_alloc(1 << 20);
  for (size_t i = 0; i < 1 << 20; i++) body[i] = (char)('a' + i % 23);
  client_send(c, STR(POST_HEAD("1048576")));
  client_send(c, (struct str){body, 1 << 20});
  assert_int_equal(201, client_answer(c));
  assert_true(str_eq((struct str){body, 1 << 20}, c->body));
  mem_free(body);
  end_client(c);
}

static void a_client_that_leaves_while_parked_is_noticed(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR(GET("/park")));
  await_stat(f, "parked", 1);
  end_client(c);
  await_stat(f, "parked", 0);
  assert_int_equal(1, stat_of(f, "gone"));
  await_stat(f, "connections", 1);
}

static void a_client_that_only_stops_sending_is_answered(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR(GET("/mark") GET("/async") GET("/mark")));
  shutdown(c->fd, SHUT_WR);
  assert_int_equal(204, client_answer(c));
  assert_int_equal(200, client_answer(c));
  assert_int_equal(204, client_answer(c));
  assert_true(client_is_closed(c));
  end_client(c);
}

static void a_request_read_after_its_client_stopped_is_told_so(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR(GET("/async") GET("/park")));
  shutdown(c->fd, SHUT_WR);
  assert_int_equal(200, client_answer(c));
  assert_int_equal(200, client_answer(c));
  assert_true(client_is_closed(c));
  assert_int_equal(0, stat_of(f, "parked"));
  end_client(c);
}

static void a_handler_learns_once_that_its_client_is_gone(void **state) {
  (void)state;
  f = a_server(test_settings());
  struct client *c = a_client(f), *other = a_client(f);
  client_send(c, STR(GET("/stay")));
  client_send(other, STR(GET("/stay")));
  shutdown(c->fd, SHUT_WR);
  await_stat(f, "gone", 1);
  stop_server(f, 0);
  assert_int_equal(2, f->stay_count);
  assert_int_equal(2, f->gone_count);
  free_server(f);
  end_client(c);
  end_client(other);
}

// The refusal is out, but who goes on sending is not read for ever.
static void a_refused_client_that_goes_on_sending_is_cut(void **state) {
  (void)state;
  enum { FLOOD_BYTES = 64 << 20 };
  struct client *c = a_client(f);
  assert_int_equal(413, client_ask(c, POST_HEAD("67108864")));
  char *flood = mem_zero(FLOOD_BYTES);
  assert_false(client_send(c, (struct str){flood, FLOOD_BYTES}));
  mem_free(flood);
  end_client(c);
}

static void a_client_that_stops_within_a_request_is_closed(void **state) {
  (void)state;
  const char *parts[] = {"", "GET /m", POST_HEAD("5") "he"};
  for (size_t i = 0; i < 3; i++) {
    struct client *c = a_client(f);
    client_send(c, str_of(parts[i]));
    shutdown(c->fd, SHUT_WR);
    assert_true(client_is_closed(c));
    end_client(c);
  }
}

// Aborted in every way: while parked, while another thread answers, within a body, at once, while a
// large answer is sent. None may leave anything behind.
static void three_thousand_aborted_requests_leave_nothing(void **state) {
  (void)state;
  const char *requests[] = {GET("/park"), GET("/async"), POST_HEAD("5") "he", "GET /", GET("/big")};
  enum { ROUNDS = 60, EACH = 10, KINDS = 5 };
  struct client *clients[EACH * KINDS];
  for (int round = 0; round < ROUNDS; round++) {
    int kinds = round % 10 == 0 ? KINDS : KINDS - 1;
    for (int i = 0; i < EACH * KINDS; i++) {
      clients[i] = a_client(f);
      client_send(clients[i], str_of(requests[i % kinds]));
    }
    for (int i = 0; i < EACH * KINDS; i++) {
      if (i % 2) {
        abort_client(clients[i]);
      } else {
        end_client(clients[i]);
      }
    }
  }
  await_stat(f, "parked", 0);
  await_stat(f, "in_flight", 1);
  await_stat(f, "connections", 1);
  struct client *c = a_client(f);
  assert_int_equal(204, client_ask(c, GET("/mark")));
  end_client(c);
}

// Only the limit that a test is about is short: a slow machine must not meet the others.
static int set_up_hasty_head(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.head_timeout_ms = 60;
  f = a_server(settings);
  return 0;
}

static int set_up_hasty_body(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.body_grace_ms = 60;
  settings.body_rate_min = 1000000;
  f = a_server(settings);
  return 0;
}

static int set_up_hasty_idle(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.idle_timeout_ms = 300;
  f = a_server(settings);
  return 0;
}

static int set_up_hasty_write(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.write_timeout_ms = 300;
  f = a_server(settings);
  return 0;
}

// Sends byte after byte, waiting a little for an answer after each. Tells its status, 0 when the
// server closed without one.
static int drip(struct client *c, const char *bytes) {
  struct pollfd p = {.fd = c->fd, .events = POLLIN};
  int64_t deadline_us = clock_mono_us() + PATIENCE_MS * 1000LL;
  for (size_t i = 0; clock_mono_us() < deadline_us; i++) {
    client_send(c, (struct str){&bytes[i % strlen(bytes)], 1});
    if (poll(&p, 1, 5) == 1) return client_answer(c);
  }
  return -1;
}

static void a_dripped_head_ends_at_its_deadline(void **state) {
  (void)state;
  struct client *c = a_client(f);
  assert_int_equal(204, client_ask(c, GET("/mark")));
  client_send(c, STR("GET / HTTP/1.1\r\nHost: t\r\nX: "));
  assert_int_equal(408, drip(c, "x"));
  assert_true(client_is_closed(c));
  end_client(c);
}

static void a_dripped_request_line_ends_at_its_deadline(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR("GET /"));
  assert_int_equal(408, drip(c, "x"));
  assert_true(client_is_closed(c));
  end_client(c);
}

static void a_dripped_body_ends_at_the_minimum_rate(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR(POST_HEAD("100000")));
  assert_int_equal(408, drip(c, "x"));
  assert_true(client_is_closed(c));
  c = (end_client(c), a_client(f));
  client_send(c, STR("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"));
  assert_int_equal(408, drip(c, "1\r\nx\r\n"));
  assert_true(client_is_closed(c));
  end_client(c);
}

static void idle_connections_are_closed(void **state) {
  (void)state;
  struct client *fresh = a_client(f), *used = a_client(f);
  assert_int_equal(204, client_ask(used, GET("/mark")));
  assert_true(client_is_closed(fresh));
  assert_true(client_is_closed(used));
  end_client(fresh);
  end_client(used);
}

static void a_parked_request_has_no_deadline(void **state) {
  (void)state;
  struct client *parked = a_client(f), *idle = a_client(f);
  client_send(parked, STR(GET("/park")));
  await_stat(f, "parked", 1);
  assert_true(client_is_closed(idle));
  struct client *again = a_client(f);
  assert_true(client_is_closed(again));
  assert_int_equal(1, stat_of(f, "parked"));
  struct client *other = a_client(f);
  assert_int_equal(200, client_ask(other, GET("/release")));
  assert_int_equal(200, client_answer(parked));
  end_client(parked);
  end_client(idle);
  end_client(again);
  end_client(other);
}

// Asks until the server has given up on a client that reads nothing.
static void a_client_that_does_not_read_is_closed(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR(GET("/big") GET("/big")));
  await_stat(f, "connections", 1);
  end_client(c);
}

// For longer than the time limit, but never that long without reading.
static void a_client_that_reads_slowly_is_waited_for(void **state) {
  (void)state;
  struct client *c = a_client(f), *side = a_client(f);
  client_send(c, STR(GET("/big")));
  int64_t deadline_us = clock_mono_us() + PATIENCE_MS * 1000LL;
  for (int i = 0; i < 100; i++) {
    assert_true(client_fill(c, deadline_us) > 0);
    int64_t next_us = clock_mono_us() + 6000;
    while (clock_mono_us() < next_us) await_round(side);
  }
  assert_int_equal(200, client_answer(c));
  assert_int_equal(BIG_BYTES, c->body.len);
  end_client(c);
  end_client(side);
}

static int set_up_few(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.connections_max = 3;
  f = a_server(settings);
  return 0;
}

static void connections_over_their_number_are_refused(void **state) {
  (void)state;
  struct client *in[3];
  for (int i = 0; i < 3; i++) {
    in[i] = a_client(f);
    assert_int_equal(204, client_ask(in[i], GET("/mark")));
  }
  struct client *over = a_client(f);
  assert_int_equal(503, client_answer(over));
  assert_non_null(strstr(over->answer, "\r\nRetry-After: 1\r\n"));
  assert_true(client_is_closed(over));
  end_client(over);
  assert_int_equal(204, client_ask(in[0], GET("/mark")));
  for (int i = 0; i < 3; i++) end_client(in[i]);
  int status;
  do {
    struct client *next = a_client(f);
    status = client_ask(next, GET("/mark"));
    end_client(next);
  } while (status != 204);
}

static void many_connections_are_served_in_turn(void **state) {
  (void)state;
  enum { COUNT = 400 };
  static struct client *clients[COUNT];
  for (int i = 0; i < COUNT; i++) clients[i] = a_client(f);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < COUNT; i++) client_send(clients[i], STR(GET("/mark")));
    for (int i = 0; i < COUNT; i++) assert_int_equal(204, client_answer(clients[i]));
  }
  assert_int_equal(COUNT + 1, stat_of(f, "connections"));
  for (int i = 0; i < COUNT; i++) end_client(clients[i]);
  await_stat(f, "connections", 1);
}

static void what_is_never_answered_is_freed_with_the_server(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  struct http_hooks hooks = {.self = mem_zero(sizeof(struct fixture)), .handle = test_handle};
  f = hooks.self;
  assert_int_equal(ERR_OK, http_open(&settings, &hooks, &f->server, NULL));
  f->port = http_port(f->server);
  pthread_create(&f->loop, NULL, run_loop, f);
  struct client *c = a_client(f);
  client_send(c, STR(GET("/park")));
  await_stat(f, "parked", 1);
  http_stop(f->server, 0);
  pthread_join(f->loop, NULL);
  http_wake(f->server);
  http_close(f->server);
  end_client(c);
  mem_free(f);
}

static void stop_on_signal(void *self, int number) {
  (void)number;
  http_stop(((struct fixture *)self)->server, 0);
}

static void a_signal_reaches_the_loop(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  struct fixture own = {0};
  struct http_hooks hooks = {.self = &own, .handle = test_handle};
  assert_int_equal(ERR_OK, http_open(&settings, &hooks, &own.server, NULL));
  http_on_signal(own.server, SIGUSR1, stop_on_signal, &own);
  raise(SIGUSR1);
  http_run(own.server);
  http_close(own.server);
}

static void a_server_that_cannot_listen_says_why(void **state) {
  (void)state;
  f = a_server(test_settings());
  struct http_settings settings = test_settings();
  struct http_hooks hooks = {0};
  struct http_server *server = NULL;
  struct fault why = {0};
  settings.port = f->port;
  assert_int_equal(ERR_UNAVAILABLE, http_open(&settings, &hooks, &server, &why));
  assert_null(server);
  assert_non_null(strstr(why.detail, "address already in use"));
  settings.host = STR("not a host");
  assert_int_equal(ERR_INVALID, http_open(&settings, &hooks, &server, &why));
  http_close(NULL);
  end_server(f, 0);
}

static void an_ipv6_client_is_named(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.host = STR("::");
  f = a_server(settings);
  struct client *c = a_client(f);
  assert_int_equal(200, client_ask(c, GET("/peer")));
  assert_true(str_eq(STR("127.0.0.1"), c->body));
  end_client(c);
  end_server(f, 0);
}

struct ticking {
  struct http_server *server;
  struct http_timer *timer, *never;
  int count;
};

static void on_tick(void *self) {
  struct ticking *t = self;
  if (++t->count == 3)
    http_stop(t->server, 0);
  else
    http_timer_set(t->timer, 1);
}

static void on_never(void *self) {
  (void)self;
  fail_msg("a timer that was taken back came all the same");
}

static void a_timer_comes_once_each_time_it_is_set(void **state) {
  (void)state;
  struct ticking t = {0};
  struct http_settings settings = test_settings();
  struct http_hooks hooks = {.handle = test_handle, .refuse = test_refuse};
  struct fault why = {0};
  assert_int_equal(http_open(&settings, &hooks, &t.server, &why), ERR_OK);
  t.timer = http_timer_new(t.server, on_tick, &t);
  t.never = http_timer_new(t.server, on_never, &t);
  http_timer_set(t.never, 0);
  http_timer_set(t.never, -1);
  http_timer_set(t.timer, 60000);
  http_timer_set(t.timer, 0);  // the latest counts
  http_run(t.server);
  assert_int_equal(t.count, 3);
  http_close(t.server);
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define HASTY(what, name) cmocka_unit_test_setup_teardown(name, set_up_hasty_##what, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      SERVED(pipelined_requests_are_answered_in_order),
      SERVED(a_request_behind_a_parked_one_waits),
      SERVED(what_is_pipelined_behind_a_parked_request_is_bounded),
      SERVED(many_parked_requests_are_answered_by_one_wake),
      SERVED(a_large_answer_arrives_whole),
      SERVED(a_large_body_arrives_whole),
      SERVED(a_client_that_leaves_while_parked_is_noticed),
      SERVED(a_client_that_only_stops_sending_is_answered),
      SERVED(a_request_read_after_its_client_stopped_is_told_so),
      cmocka_unit_test(a_handler_learns_once_that_its_client_is_gone),
      SERVED(a_refused_client_that_goes_on_sending_is_cut),
      SERVED(a_client_that_stops_within_a_request_is_closed),
      SERVED(three_thousand_aborted_requests_leave_nothing),
      HASTY(head, a_dripped_head_ends_at_its_deadline),
      HASTY(head, a_dripped_request_line_ends_at_its_deadline),
      HASTY(body, a_dripped_body_ends_at_the_minimum_rate),
      HASTY(idle, idle_connections_are_closed),
      HASTY(idle, a_parked_request_has_no_deadline),
      HASTY(write, a_client_that_does_not_read_is_closed),
      HASTY(write, a_client_that_reads_slowly_is_waited_for),
      cmocka_unit_test_setup_teardown(connections_over_their_number_are_refused, set_up_few,
                                      tear_down),
      SERVED(many_connections_are_served_in_turn),
      cmocka_unit_test(what_is_never_answered_is_freed_with_the_server),
      cmocka_unit_test(a_signal_reaches_the_loop),
      cmocka_unit_test(a_timer_comes_once_each_time_it_is_set),
      cmocka_unit_test(a_server_that_cannot_listen_says_why),
      cmocka_unit_test(an_ipv6_client_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
