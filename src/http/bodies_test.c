// bodies_test.c: the memory that the bodies of all requests may hold together.
#include "http/testing.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

static struct fixture *f;

enum { BODIES_BYTES = 256 << 10 };

static int set_up(void **state) {
  (void)state;
  struct http_settings settings = test_settings();
  settings.bodies_bytes_max = BODIES_BYTES;
  f = a_server(settings);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  end_server(f, 0);
  return 0;
}

// Sends a head, and of the body that it announces the first `sent` bytes.
static void begin_body(struct client *c, const char *path, size_t length, size_t sent) {
  struct buf bytes;
  buf_init(&bytes, 1 << 20);
  buf_printf(&bytes, "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", path, length);
  while (sent-- > 0) buf_char(&bytes, 'b');
  client_send(c, buf_str(&bytes));
  buf_fini(&bytes);
}

static void bodies_that_hold_too_much_together_are_refused(void **state) {
  (void)state;
  struct client *parked = a_client(f), *over = a_client(f), *small = a_client(f);
  begin_body(parked, "/park", BODIES_BYTES, BODIES_BYTES);
  await_stat(f, "parked", 1);
  begin_body(over, "/echo", 10000, 0);
  assert_int_equal(503, client_answer(over));
  assert_non_null(strstr(over->answer, "\r\nRetry-After: 1\r\n"));
  assert_non_null(find_text(over->body, "bodies_max"));
  assert_true(client_is_closed(over));
  begin_body(small, "/echo", 1000, 1000);  // in the memory that each request has
  assert_int_equal(201, client_answer(small));
  assert_int_equal(200, client_ask(small, GET("/release")));
  assert_int_equal(200, client_answer(parked));
  begin_body(small, "/echo", 10000, 10000);
  assert_int_equal(201, client_answer(small));
  end_client(parked);
  end_client(over);
  end_client(small);
}

// It fits when it begins, and no longer when it has grown.
static void a_body_that_grows_beside_others_is_refused_amid_it(void **state) {
  (void)state;
  struct client *parked = a_client(f), *grows = a_client(f), *other = a_client(f);
  begin_body(parked, "/park", BODIES_BYTES / 2, BODIES_BYTES / 2);
  await_stat(f, "parked", 1);
  begin_body(grows, "/echo", BODIES_BYTES, BODIES_BYTES / 2 + 1);
  assert_int_equal(503, client_answer(grows));
  assert_int_equal(200, client_ask(other, GET("/release")));
  assert_int_equal(200, client_answer(parked));
  end_client(parked);
  end_client(grows);
  end_client(other);
}

static void one_body_alone_is_taken_whatever_the_memory_for_all_is(void **state) {
  (void)state;
  struct client *c = a_client(f);
  for (int i = 0; i < 3; i++) {
    begin_body(c, "/echo", 3 * BODIES_BYTES, 3 * BODIES_BYTES);
    assert_int_equal(201, client_answer(c));
    assert_int_equal(3 * BODIES_BYTES, c->body.len);
  }
  end_client(c);
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      SERVED(bodies_that_hold_too_much_together_are_refused),
      SERVED(a_body_that_grows_beside_others_is_refused_amid_it),
      SERVED(one_body_alone_is_taken_whatever_the_memory_for_all_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
