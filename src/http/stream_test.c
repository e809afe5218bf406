// stream_test.c: answers without an end: how they begin, flow, stop flowing and end.
#include "http/testing.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"
#define SAY_HI "POST /say HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nhi\n"

static struct fixture *f;
static struct client *side;

static int begin(struct http_settings settings) {
  f = a_server(settings);
  side = a_client(f);
  return 0;
}

static int set_up(void **state) {
  (void)state;
  return begin(test_settings());
}

static int set_up_impatient(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.write_timeout_ms = 100;
  return begin(settings);
}

static int tear_down(void **state) {
  (void)state;
  await_stat(f, "streams", 0);
  assert_int_equal(1, stat_of(f, "in_flight"));  // the asking itself
  end_client(side);
  end_server(f, 0);
  return 0;
}

// Reads until what came ends with that; false when the connection ends before.
static bool comes(struct client *c, const char *end) {
  int64_t deadline_us = clock_mono_us() + PATIENCE_MS * 1000LL;
  size_t len = strlen(end);
  while (c->in.len < len || memcmp(c->in.at + c->in.len - len, end, len) != 0)
    if (client_fill(c, deadline_us) <= 0) return false;
  return true;
}

static bool has(const struct client *c, const char *what) {
  return find_text(buf_str(&c->in), what) != NULL;
}

static struct client *a_stream(const char *request) {
  struct client *c = a_client(f);
  long before = stat_of(f, "streams");
  client_send(c, str_of(request));
  await_stat(f, "streams", before + 1);
  return c;
}

static void ask_side(const char *request) { assert_int_equal(200, client_ask(side, request)); }

static void pieces_come_as_chunks_while_the_answer_goes_on(void **state) {
  (void)state;
  struct client *c = a_stream(GET("/stream"));
  assert_true(comes(c, "\r\n\r\n6\r\nfirst\n\r\n"));
  assert_true(has(c, "Transfer-Encoding: chunked\r\n"));
  assert_false(has(c, "Content-Length"));
  ask_side(SAY_HI);
  assert_true(comes(c, "3\r\nhi\n\r\n"));
  ask_side(GET("/end"));
  assert_true(comes(c, "\r\n0\r\n\r\n"));
  end_client(c);
}

static void the_connection_serves_on_after_a_stream(void **state) {
  (void)state;
  struct client *c = a_stream(GET("/stream") GET("/mark"));
  ask_side(SAY_HI);
  assert_true(comes(c, "3\r\nhi\n\r\n"));
  assert_false(has(c, "204"));
  ask_side(GET("/end"));
  assert_true(comes(c, "\r\n\r\n"));
  while (!has(c, "HTTP/1.1 204")) assert_true(client_fill(c, clock_mono_us() + 20000000) > 0);
  end_client(c);
}

static void http_1_0_gets_the_pieces_bare_and_then_the_end(void **state) {
  (void)state;
  struct client *c = a_stream("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ask_side(SAY_HI);
  assert_true(comes(c, "\r\n\r\nfirst\nhi\n"));
  assert_true(has(c, "Connection: close\r\n"));
  assert_false(has(c, "Transfer-Encoding"));
  ask_side(GET("/end"));
  assert_false(comes(c, "nothing more"));
  assert_true(comes(c, "first\nhi\n"));
  end_client(c);
}

static void head_gets_the_head_of_a_stream(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR("HEAD /stream HTTP/1.1\r\nHost: t\r\n\r\n" GET("/mark")));
  while (!has(c, "HTTP/1.1 204")) assert_true(client_fill(c, clock_mono_us() + 20000000) > 0);
  assert_true(has(c, "Transfer-Encoding: chunked\r\n"));
  assert_false(has(c, "first"));
  assert_int_equal(0, stat_of(f, "streams"));
  end_client(c);
}

static void a_client_that_leaves_is_told_of_once(void **state) {
  (void)state;
  struct client *one = a_stream(GET("/stream")), *two = a_stream(GET("/stream"));
  end_client(one);
  await_stat(f, "streams", 1);
  abort_client(two);
  await_stat(f, "streams", 0);
  assert_int_equal(2, stat_of(f, "gone"));
  ask_side(SAY_HI);
}

static void a_client_that_stops_sending_ends_its_stream(void **state) {
  (void)state;
  struct client *c = a_stream(GET("/stream"));
  shutdown(c->fd, SHUT_WR);
  assert_true(comes(c, "0\r\n\r\n"));
  assert_true(client_fill(c, clock_mono_us() + 20000000) == 0);
  end_client(c);
}

// How many pieces it took until the socket takes no more.
static size_t flood(void) {
  size_t count = 0;
  for (; stat_of(f, "full") == 0; count++) ask_side(GET("/flood"));
  return count;
}

// Of pieces, in what came after the beginning; no chunk is so long that its size holds one.
static size_t count_bytes(const struct client *c) {
  const char *body = find_text(buf_str(&c->in), "first\n");
  size_t count = 0;
  for (; body && body < c->in.at + c->in.len; body++) count += *body == 'b';
  return count;
}

static void what_the_socket_does_not_take_at_once_comes_later_and_then_it_flows_again(
    void **state) {
  (void)state;
  struct client *c = a_stream(GET("/stream"));
  size_t pieces = flood();
  ask_side(SAY_HI);  // not to this one, which is full
  while (count_bytes(c) < pieces * PIECE_BYTES)
    assert_true(client_fill(c, clock_mono_us() + 20000000) > 0);
  await_stat(f, "drained", 1);
  assert_false(has(c, "hi\n"));
  ask_side(SAY_HI);
  assert_true(comes(c, "\r\n3\r\nhi\n\r\n"));
  assert_int_equal(pieces * PIECE_BYTES, count_bytes(c));
  ask_side(GET("/end"));
  assert_true(comes(c, "\r\n0\r\n\r\n"));
  end_client(c);
}

static void a_stream_that_ends_while_it_is_full_still_comes_whole(void **state) {
  (void)state;
  struct client *c = a_stream(GET("/stream"));
  size_t pieces = flood();
  ask_side(GET("/end"));
  assert_int_equal(0, stat_of(f, "streams"));
  assert_true(comes(c, "b\r\n0\r\n\r\n"));
  assert_int_equal(pieces * PIECE_BYTES, count_bytes(c));
  c->taken = c->in.len;
  assert_int_equal(204, client_ask(c, GET("/mark")));
  end_client(c);
}

static void a_client_that_takes_nothing_is_dropped(void **state) {
  (void)state;
  struct client *idle = a_stream(GET("/stream"));
  assert_true(comes(idle, "first\n\r\n"));
  struct client *c = a_stream(GET("/stream"));
  while (stat_of(f, "gone") == 0 && stat_of(f, "full") == 0) {
    ask_side(GET("/flood"));
    client_fill(idle, 0);
    idle->in.len = 0;
  }
  await_stat(f, "gone", 1);
  assert_int_equal(1, stat_of(f, "streams"));  // the one that reads, and may be silent for long
  end_client(c);
  end_client(idle);
}

static void streams_that_nobody_ends_go_with_the_server(void **state) {
  (void)state;
  struct client *c = a_stream(GET("/stream"));
  end_client(side);
  stop_server(f, 0);
  assert_false(comes(c, "nothing more"));
  free_server(f);
  end_client(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      STREAM_TEST(pieces_come_as_chunks_while_the_answer_goes_on),
      STREAM_TEST(the_connection_serves_on_after_a_stream),
      STREAM_TEST(http_1_0_gets_the_pieces_bare_and_then_the_end),
      STREAM_TEST(head_gets_the_head_of_a_stream),
      STREAM_TEST(a_client_that_leaves_is_told_of_once),
      STREAM_TEST(a_client_that_stops_sending_ends_its_stream),
      STREAM_TEST(what_the_socket_does_not_take_at_once_comes_later_and_then_it_flows_again),
      STREAM_TEST(a_stream_that_ends_while_it_is_full_still_comes_whole),
      cmocka_unit_test_setup_teardown(a_client_that_takes_nothing_is_dropped, set_up_impatient,
                                      tear_down),
      cmocka_unit_test_setup(streams_that_nobody_ends_go_with_the_server, set_up),
#undef STREAM_TEST
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
