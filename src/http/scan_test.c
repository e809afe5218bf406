// scan_test.c: heads are found wherever the bytes are cut, and unclean lines are refused.
#include "http/inside.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct http_settings limits = {
    .head_bytes_max = 200, .uri_bytes_max = 40, .headers_max = 3};

static enum err scan_all(struct str bytes, bool *whole, size_t *end) {
  struct scan scan = {0};
  enum err err = http_scan(&scan, bytes, &limits, whole, NULL);
  *end = scan.at;
  return err;
}

static enum err scan_split(struct str bytes, size_t split, bool *whole, size_t *end) {
  struct scan scan = {0};
  *whole = false;
  enum err err = http_scan(&scan, (struct str){bytes.at, split}, &limits, whole, NULL);
  if (err == ERR_OK && !*whole) err = http_scan(&scan, bytes, &limits, whole, NULL);
  *end = scan.at;
  return err;
}

static void assert_same_for_every_split(struct str bytes) {
  bool whole, split_whole;
  size_t end, split_end;
  enum err err = scan_all(bytes, &whole, &end);
  for (size_t split = 0; split <= bytes.len; split++) {
    assert_int_equal(err, scan_split(bytes, split, &split_whole, &split_end));
    if (err != ERR_OK) continue;
    assert_int_equal(whole, split_whole);
    assert_int_equal(end, split_end);
  }
}

static void assert_refused(enum err wanted, struct str bytes) {
  bool whole;
  size_t end;
  assert_int_equal(wanted, scan_all(bytes, &whole, &end));
  assert_same_for_every_split(bytes);
}

static void a_head_ends_at_its_empty_line(void **state) {
  (void)state;
  struct str head = STR("GET / HTTP/1.1\r\nHost: a\r\nX:\t b\tc\r\n\r\n");
  struct str more = STR("GET / HTTP/1.1\r\nHost: a\r\nX:\t b\tc\r\n\r\nrest\n\n\x16");
  bool whole;
  size_t end;
  assert_int_equal(ERR_OK, scan_all(more, &whole, &end));
  assert_true(whole);
  assert_int_equal(head.len, end);
  assert_same_for_every_split(more);
}

static void an_incomplete_head_wants_more(void **state) {
  (void)state;
  struct str head = STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (size_t len = 0; len < head.len; len++) {
    bool whole;
    size_t end;
    assert_int_equal(ERR_OK, scan_all((struct str){head.at, len}, &whole, &end));
    assert_false(whole);
  }
}

static void one_empty_line_may_precede(void **state) {
  (void)state;
  struct scan scan = {0};
  struct str bytes = STR("\r\nGET / HTTP/1.1\r\n\r\n");
  bool whole;
  assert_int_equal(ERR_OK, http_scan(&scan, bytes, &limits, &whole, NULL));
  assert_true(whole);
  assert_int_equal(2, scan.start);
  assert_refused(ERR_BAD_REQUEST, STR("\r\n\r\nGET / HTTP/1.1\r\n\r\n"));
}

static void unclean_lines_are_refused(void **state) {
  (void)state;
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\nHost: a\n\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\nHost: a\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\rHost: a\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\nHost: a\r\rb\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\nHost : a\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\n Host: a\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\n: a\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\nHost\r\n\r\n"));
  assert_refused(ERR_BAD_REQUEST, STR("GET / HTTP/1.1\r\nH\xc3\xa4: a\r\n\r\n"));
}

static void every_control_character_is_refused(void **state) {
  (void)state;
  for (int c = 0; c < 0x80; c++) {
    char bytes[] = "GET / HTTP/1.1\r\nHost: a-long-value?\r\n\r\n";
    char *at = strchr(bytes, '?');
    *at = (char)c;
    bool control = (c < 0x20 && c != '\t') || c == 0x7f;
    bool whole;
    size_t end;
    enum err err = scan_all((struct str){bytes, sizeof bytes - 1}, &whole, &end);
    assert_int_equal(control ? ERR_BAD_REQUEST : ERR_OK, err);
  }
}

static void a_tls_hello_is_refused_by_its_first_byte(void **state) {
  (void)state;
  assert_refused(ERR_BAD_REQUEST, STR("\x16"));
}

static void limits_are_noticed_before_the_end(void **state) {
  (void)state;
  char bytes[400];
  memset(bytes, 'x', sizeof bytes);
  memcpy(bytes, "GET /", 5);
  assert_refused(ERR_URI_TOO_LONG, (struct str){bytes, 100});
  memcpy(bytes, "GET / HTTP/1.1\r\nX: ", 19);
  assert_refused(ERR_HEADERS_TOO_LARGE, (struct str){bytes, sizeof bytes});
  assert_refused(ERR_HEADERS_TOO_LARGE, STR("GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n"));
}

static void a_trailer_section_has_no_request_line(void **state) {
  (void)state;
  struct scan scan = {.lines = 1};
  bool whole;
  struct str bytes = STR("Digest: x\r\n\r\n");
  assert_int_equal(ERR_OK, http_scan(&scan, bytes, &limits, &whole, NULL));
  assert_true(whole);
  scan = (struct scan){.lines = 1};
  assert_int_equal(ERR_OK, http_scan(&scan, STR("\r\n"), &limits, &whole, NULL));
  assert_true(whole);
  scan = (struct scan){.lines = 1};
  assert_int_equal(ERR_BAD_REQUEST, http_scan(&scan, STR("\n"), &limits, &whole, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_head_ends_at_its_empty_line),
      cmocka_unit_test(an_incomplete_head_wants_more),
      cmocka_unit_test(one_empty_line_may_precede),
      cmocka_unit_test(unclean_lines_are_refused),
      cmocka_unit_test(every_control_character_is_refused),
      cmocka_unit_test(a_tls_hello_is_refused_by_its_first_byte),
      cmocka_unit_test(limits_are_noticed_before_the_end),
      cmocka_unit_test(a_trailer_section_has_no_request_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
