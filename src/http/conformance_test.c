// conformance_test.c: what is clean HTTP/1.1 is served, and nothing else (RFC 9112).
#include "http/testing.h"

static struct fixture *f;

static int set_up(void **state) {
  (void)state;
  f = a_server(test_settings());
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  end_server(f, 0);
  return 0;
}

#define POST "POST /echo HTTP/1.1\r\nHost: t\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define GOOD POST "Content-Length: 2\r\n\r\n{}"
#define HIDDEN "GET /hidden HTTP/1.1\r\nHost: t\r\n\r\n"
#define MARK "GET /mark HTTP/1.1\r\nHost: t\r\n\r\n"

// Sends the bytes and tells all that comes back: "201 201 open", "400 closed". What is served on
// after them is asked by a request whose answer is 204.
static const char *transcript(struct str bytes) {
  static char text[64];
  struct client *c = a_client(f);
  client_send(c, bytes);
  client_send(c, STR(MARK));
  size_t len = 0;
  const char *end = NULL;
  while (end == NULL) {
    int status = client_answer(c);
    if (status == 204) {
      end = "open";
    } else if (status == 0) {
      end = "closed";
    } else if (status < 0) {
      end = "reset or silent";
    } else if (len < 40) {
      len += (size_t)snprintf(text + len, sizeof text - len, "%d ", status);
    }
  }
  snprintf(text + len, sizeof text - len, "%s", end);
  end_client(c);
  return text;
}

struct row {
  const char *name;
  struct str bytes;
  const char *wanted;
};

static void assert_rows(const struct row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *found = transcript(rows[i].bytes);
    if (strcmp(rows[i].wanted, found) != 0) {
      fail_msg("%s: wanted %s, found %s", rows[i].name, rows[i].wanted, found);
    }
  }
}
#define ASSERT_ROWS(rows) assert_rows((rows), sizeof(rows) / sizeof(rows)[0])

static void clean_requests_are_served(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"well-formed", STR(GOOD), "201 open"},
      {"two, pipelined", STR(GOOD GOOD), "201 201 open"},
      {"chunked", STR(CHUNKED "2\r\n{}\r\n0\r\n\r\n"), "201 open"},
      {"chunked, two pipelined", STR(CHUNKED "2\r\n{}\r\n0\r\n\r\n" CHUNKED "0\r\n\r\n"),
       "201 201 open"},
      {"chunk extension", STR(CHUNKED "2;a=b\r\n{}\r\n0;c\r\n\r\n"), "201 open"},
      {"trailer", STR(CHUNKED "2\r\n{}\r\n0\r\nDigest: x\r\n\r\n" GOOD), "201 201 open"},
      {"no body", STR("GET /echo HTTP/1.1\r\nHost: t\r\n\r\n"), "201 open"},
      {"empty body", STR(POST "Content-Length: 0\r\n\r\n"), "201 open"},
      {"an empty line before", STR("\r\n" GOOD "\r\n" GOOD), "201 201 open"},
      {"absolute target", STR("GET http://t/echo HTTP/1.1\r\nHost: t\r\n\r\n"), "201 open"},
      {"upgrade is passed over",
       STR("GET /echo HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
       "201 open"},
      {"a method that the handler decides on", STR("PURGE /echo HTTP/1.1\r\nHost: t\r\n\r\n"),
       "201 open"},
      {"text beyond ASCII in a value", STR(POST "X-Name: \xc3\xa4\r\nContent-Length: 0\r\n\r\n"),
       "201 open"},
      {"Connection: close", STR(POST "Connection: close\r\nContent-Length: 2\r\n\r\n{}"),
       "201 closed"},
      {"the same with tabs", STR(POST "Connection:\tClose\t\t\r\nContent-Length: 2\r\n\r\n{}"),
       "201 closed"},
      {"the same among others",
       STR(POST "Connection: x-y ,\tclose\t, z\r\nContent-Length: 2\r\n\r\n{}"), "201 closed"},
      {"the same in a second line",
       STR(POST "Connection: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"), "201 closed"},
      {"words that hold it",
       STR(POST "Connection: closed, unclose, clo se\r\nContent-Length: 2\r\n\r\n{}"), "201 open"},
      {"HTTP/1.0", STR("POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}"), "201 closed"},
      {"HTTP/1.0 with Host", STR("GET /echo HTTP/1.0\r\nHost: t\r\nConnection: keep-alive\r\n\r\n"),
       "201 closed"},
  };
  ASSERT_ROWS(rows);
}

static void doubtful_lengths_are_refused(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"both", STR(POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
       "400 closed"},
      {"both, the other way round",
       STR(POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" HIDDEN),
       "400 closed"},
      {"two that differ", STR(POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" HIDDEN),
       "400 closed"},
      {"two alike", STR(POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"), "400 closed"},
      {"a list", STR(POST "Content-Length: 2, 2\r\n\r\n{}"), "400 closed"},
      {"negative", STR(POST "Content-Length: -1\r\n\r\n{}"), "400 closed"},
      {"with a plus", STR(POST "Content-Length: +2\r\n\r\n{}"), "400 closed"},
      {"hexadecimal", STR(POST "Content-Length: 0x2\r\n\r\n{}"), "400 closed"},
      {"with a blank", STR(POST "Content-Length: 1 2\r\n\r\n{}"), "400 closed"},
      {"nothing", STR(POST "Content-Length:\r\n\r\n{}"), "400 closed"},
      {"overflowing", STR(POST "Content-Length: 18446744073709551618\r\n\r\n{}"), "400 closed"},
      {"10 GB", STR(POST "Content-Length: 10000000000\r\n\r\n{}"), "413 closed"},
      {"one over the limit", STR(POST "Content-Length: 1048577\r\n\r\n"), "413 closed"},
      {"blank before the colon", STR(POST "Content-Length : 2\r\n\r\n{}"), "400 closed"},
  };
  ASSERT_ROWS(rows);
}

static void doubtful_codings_are_refused(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"another", STR(POST "Transfer-Encoding: gzip\r\n\r\n"), "400 closed"},
      {"one more", STR(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), "400 closed"},
      {"chunked twice", STR(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
       "400 closed"},
      {"two headers",
       STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
       "400 closed"},
      {"two headers, one of them another",
       STR(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
       "400 closed"},
      {"identity", STR(POST "Transfer-Encoding: identity\r\n\r\n"), "400 closed"},
      {"nearly chunked", STR(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), "400 closed"},
      {"quoted", STR(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), "400 closed"},
      {"empty", STR(POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), "400 closed"},
      {"in HTTP/1.0",
       STR("POST /echo HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
       "400 closed"},
  };
  ASSERT_ROWS(rows);
}

static void doubtful_chunks_are_refused(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"no hexadecimal size", STR(CHUNKED "zz\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"0x", STR(CHUNKED "0x2\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"signed", STR(CHUNKED "+2\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"negative", STR(CHUNKED "-2\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"blank before", STR(CHUNKED " 2\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"overflowing", STR(CHUNKED "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"too large", STR(CHUNKED "100001\r\n"), "413 closed"},
      {"nearly all there is", STR(CHUNKED "ffffffffffffffff\r\n"), "413 closed"},
      {"LF behind the size", STR(CHUNKED "2\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"CR behind the size", STR(CHUNKED "2\rX{}\r\n0\r\n\r\n"), "400 closed"},
      {"LF behind the data", STR(CHUNKED "2\r\n{}\n0\r\n\r\n"), "400 closed"},
      {"anything behind the data", STR(CHUNKED "2\r\n{}XX0\r\n\r\n"), "400 closed"},
      {"LF in an extension", STR(CHUNKED "2;a=b\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"LF quoted in an extension", STR(CHUNKED "2;a=\"\n\"\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"CR in an extension", STR(CHUNKED "2;a\rb\r\n{}\r\n0\r\n\r\n"), "400 closed"},
      {"LF at the end", STR(CHUNKED "2\r\n{}\r\n0\r\n\n" HIDDEN), "400 closed"},
      {"LF in the trailer", STR(CHUNKED "0\r\nA: b\n\r\n" HIDDEN), "400 closed"},
      {"folded trailer", STR(CHUNKED "0\r\nA: b\r\n c\r\n\r\n"), "400 closed"},
      {"blank in the trailer's name", STR(CHUNKED "0\r\nA : b\r\n\r\n"), "400 closed"},
  };
  ASSERT_ROWS(rows);
}

static void unclean_heads_are_refused(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"folded", STR("GET /echo HTTP/1.1\r\nHost: t\r\nX: a\r\n b\r\n\r\n"), "400 closed"},
      {"folded first", STR("GET /echo HTTP/1.1\r\n Host: t\r\n\r\n"), "400 closed"},
      {"NUL", STR("GET /echo HTTP/1.1\r\nHost: t\r\nX: a\0b\r\n\r\n"), "400 closed"},
      {"bell", STR("GET /echo HTTP/1.1\r\nHost: t\r\nX: a\ab\r\n\r\n"), "400 closed"},
      {"DEL", STR("GET /echo HTTP/1.1\r\nHost: t\r\nX: a\x7f\r\n\r\n"), "400 closed"},
      {"LF", STR("GET /echo HTTP/1.1\nHost: t\n\n"), "400 closed"},
      {"one LF", STR("GET /echo HTTP/1.1\r\nHost: t\nX: y\r\n\r\n"), "400 closed"},
      {"CR", STR("GET /echo HTTP/1.1\r\nHost: t\rX: y\r\n\r\n"), "400 closed"},
      {"no colon", STR("GET /echo HTTP/1.1\r\nHost: t\r\nX\r\n\r\n"), "400 closed"},
      {"no name", STR("GET /echo HTTP/1.1\r\nHost: t\r\n: x\r\n\r\n"), "400 closed"},
      {"no Host", STR("GET /echo HTTP/1.1\r\n\r\n"), "400 closed"},
      {"two Hosts", STR("GET /echo HTTP/1.1\r\nHost: t\r\nHost: t\r\n\r\n"), "400 closed"},
      {"two Hosts in HTTP/1.0", STR("GET /echo HTTP/1.0\r\nHost: t\r\nHost: t\r\n\r\n"),
       "400 closed"},
      {"Host with a path", STR("GET /echo HTTP/1.1\r\nHost: t/x\r\n\r\n"), "400 closed"},
      {"list of Hosts", STR("GET /echo HTTP/1.1\r\nHost: t, u\r\n\r\n"), "400 closed"},
      {"another host in the target", STR("GET http://u/echo HTTP/1.1\r\nHost: t\r\n\r\n"),
       "400 closed"},
      {"unknown method", STR("BREW /echo HTTP/1.1\r\nHost: t\r\n\r\n"), "400 closed"},
      {"small letters", STR("get /echo HTTP/1.1\r\nHost: t\r\n\r\n"), "400 closed"},
      {"two blanks", STR("GET  /echo HTTP/1.1\r\nHost: t\r\n\r\n"), "400 closed"},
      {"two blanks behind", STR("GET /echo  HTTP/1.1\r\nHost: t\r\n\r\n"), "400 closed"},
      {"blank at the end", STR("GET /echo HTTP/1.1 \r\nHost: t\r\n\r\n"), "400 closed"},
      {"blank in the target", STR("GET /a b HTTP/1.1\r\nHost: t\r\n\r\n"), "400 closed"},
      {"no version", STR("GET /echo\r\nHost: t\r\n\r\n"), "400 closed"},
      {"HTTP/2.0", STR("GET /echo HTTP/2.0\r\nHost: t\r\n\r\n"), "400 closed"},
      {"HTTP/1.2", STR("GET /echo HTTP/1.2\r\nHost: t\r\n\r\n"), "400 closed"},
      {"HTTP/2 preface", STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "400 closed"},
      {"another protocol", STR("SETUP /echo RTSP/1.0\r\nHost: t\r\n\r\n"), "400 closed"},
      {"CONNECT", STR("CONNECT t:80 HTTP/1.1\r\nHost: t:80\r\n\r\n"), "400 closed"},
      {"an answer", STR("HTTP/1.1 200 OK\r\n\r\n"), "400 closed"},
  };
  ASSERT_ROWS(rows);
}

static void methods_are_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum http_method method;
  } rows[] = {{"GET", HTTP_METHOD_GET},       {"POST", HTTP_METHOD_POST},
              {"PUT", HTTP_METHOD_PUT},       {"PATCH", HTTP_METHOD_PATCH},
              {"DELETE", HTTP_METHOD_DELETE}, {"OPTIONS", HTTP_METHOD_OPTIONS},
              {"PROPFIND", HTTP_METHOD_OTHER}};
  struct client *c = a_client(f);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char request[64];
    snprintf(request, sizeof request, "%s /method HTTP/1.1\r\nHost: t\r\n\r\n", rows[i].name);
    assert_int_equal(200, client_ask(c, request));
    assert_int_equal(rows[i].method, number_at(c->body.at));
  }
  end_client(c);
}

static void a_tls_hello_is_refused_at_once(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR("\x16\x03\x01"));
  assert_int_equal(400, client_answer(c));
  assert_true(client_is_closed(c));
  end_client(c);
}

// Between `before` and `after`, `count` times `filling`.
static const char *transcript_of_large(const char *before, const char *filling, size_t count,
                                       const char *after) {
  struct buf bytes;
  buf_init(&bytes, 4 << 20);
  buf_put(&bytes, str_of(before));
  for (size_t i = 0; i < count; i++) buf_put(&bytes, str_of(filling));
  buf_put(&bytes, str_of(after));
  const char *text = transcript(buf_str(&bytes));
  buf_fini(&bytes);
  return text;
}

static void what_is_too_large_is_refused_and_the_refusal_arrives(void **state) {
  (void)state;
  const char *line_end = " HTTP/1.1\r\nHost: t\r\n\r\n";
  assert_string_equal("431 closed", transcript_of_large(POST "X: ", "x", 100 << 10, "\r\n\r\n"));
  assert_string_equal("431 closed", transcript_of_large(POST, "X: y\r\n", 2000, "\r\n"));
  assert_string_equal("201 open", transcript_of_large(POST, "X: y\r\n", 63, "\r\n"));
  assert_string_equal("431 closed", transcript_of_large(POST, "X: y\r\n", 64, "\r\n"));
  assert_string_equal("414 closed", transcript_of_large("GET /", "x", 64 << 10, " HTTP/1.1"));
  assert_string_equal("414 closed", transcript_of_large("GET /", "x", 8192, line_end));
  assert_string_equal("201 open", transcript_of_large("GET /", "x", 8191, line_end));
  assert_string_equal("400 closed", transcript_of_large(CHUNKED "2;a=", "x", 257, "\r\n{}\r\n"));
  assert_string_equal("201 open",
                      transcript_of_large(CHUNKED "2;a=", "x", 255, "\r\n{}\r\n0\r\n\r\n"));
  assert_string_equal("413 closed", transcript_of_large(CHUNKED, "2\r\n{}\r\n", 600000, ""));
  assert_string_equal("413 closed",
                      transcript_of_large(POST "Content-Length: 2000000\r\n\r\n", "x", 900000, ""));
  assert_string_equal("431 closed", transcript_of_large(CHUNKED "0\r\n", "A: b\r\n", 65, "\r\n"));
}

static void a_body_at_its_limit_is_taken(void **state) {
  (void)state;
  assert_string_equal(
      "201 open", transcript_of_large(POST "Content-Length: 1048576\r\n\r\n", "x", 1 << 20, ""));
  assert_string_equal("201 open",
                      transcript_of_large(CHUNKED "100000\r\n", "x", 1 << 20, "\r\n0\r\n\r\n"));
}

static void a_body_is_asked_for_when_the_client_waits(void **state) {
  (void)state;
  struct client *c = a_client(f);
  const char *head = POST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  assert_int_equal(100, client_ask(c, head));
  assert_int_equal(201, client_ask(c, "{}"));
  assert_int_equal(201, client_ask(c, POST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}"));
  assert_int_equal(201, client_ask(c, POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"));
  assert_int_equal(413, client_ask(c, POST "Content-Length: 2000000\r\n"
                                           "Expect: 100-continue\r\n\r\n"));
  assert_true(client_is_closed(c));
  end_client(c);
}

static void the_same_comes_of_every_split(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"length", STR(POST "Content-Length: 5\r\n\r\nhello"), "201"},
      {"chunks", STR(CHUNKED "2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n"), "201"},
      {"both", STR(POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"), "400"},
      {"bad chunk", STR(CHUNKED "5\r\nhello00\r\n\r\n"), "400"},
      {"bad end", STR(CHUNKED "5\r\nhello\r\n0\r\n\n"), "400"},
  };
  struct client *side = a_client(f);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    for (size_t split = 1; split < rows[i].bytes.len; split++) {
      struct client *c = a_client(f);
      client_send(c, (struct str){rows[i].bytes.at, split});
      await_round(side);
      client_send(c, str_from(rows[i].bytes, split));
      int status = client_answer(c);
      assert_int_equal(number_at(rows[i].wanted), status);
      if (status == 201) assert_true(str_eq(STR("hello"), c->body));
      end_client(c);
    }
  }
  end_client(side);
}

static void head_gets_the_head_alone(void **state) {
  (void)state;
  struct client *c = a_client(f);
  client_send(c, STR("HEAD /peer HTTP/1.1\r\nHost: t\r\n\r\n" MARK));
  int64_t deadline_us = clock_mono_us() + PATIENCE_MS * 1000LL;
  while (c->in.len == 0 || !find_text(buf_str(&c->in), "204 No Content")) {
    assert_true(client_fill(c, deadline_us) > 0);
  }
  assert_non_null(find_text(buf_str(&c->in), "\r\nContent-Length: 9\r\n"));
  assert_non_null(find_text(buf_str(&c->in), "\r\n\r\nHTTP/1.1 204 No Content\r\n"));
  end_client(c);
}

static void answers_carry_what_they_must(void **state) {
  (void)state;
  struct client *c = a_client(f);
  assert_int_equal(200,
                   client_ask(c, "GET /peer HTTP/1.1\r\nHost: t\r\nX-Request-Id: r-7\r\n\r\n"));
  assert_true(str_eq(STR("127.0.0.1"), c->body));
  assert_ptr_equal(c->answer, strstr(c->answer, "HTTP/1.1 200 OK\r\n"));
  assert_non_null(strstr(c->answer, "\r\nX-Request-Id: r-7\r\n"));
  assert_non_null(strstr(c->answer, " GMT\r\n"));
  assert_null(strstr(c->answer, "Connection:"));
  assert_int_equal(200,
                   client_ask(c, "GET /peer HTTP/1.1\r\nHost: t\r\nX-Request-Id: r 7\r\n\r\n"));
  assert_null(strstr(c->answer, "r 7"));
  assert_non_null(strstr(c->answer, "\r\nX-Request-Id: "));
  assert_int_equal(204, client_ask(c, MARK));
  assert_null(strstr(c->answer, "Content-Length"));
  end_client(c);
}

static void a_refusal_says_why_under_the_request_id(void **state) {
  (void)state;
  struct client *c = a_client(f);
  assert_int_equal(413, client_ask(c, POST "X-Request-Id: r-8\r\nContent-Length: 9999999\r\n\r\n"));
  assert_non_null(strstr(c->answer, "\r\nContent-Type: application/problem+json\r\n"));
  assert_non_null(strstr(c->answer, "\r\nConnection: close\r\n"));
  assert_non_null(find_text(c->body,
                            "body_too_large: the body is over 1048576 bytes, the "
                            "server's setting body_max; send less at a time, or raise it "
                            "(r-8)"));
  assert_true(client_is_closed(c));
  end_client(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(clean_requests_are_served),
      cmocka_unit_test(doubtful_lengths_are_refused),
      cmocka_unit_test(doubtful_codings_are_refused),
      cmocka_unit_test(doubtful_chunks_are_refused),
      cmocka_unit_test(unclean_heads_are_refused),
      cmocka_unit_test(methods_are_told_apart),
      cmocka_unit_test(a_tls_hello_is_refused_at_once),
      cmocka_unit_test(what_is_too_large_is_refused_and_the_refusal_arrives),
      cmocka_unit_test(a_body_at_its_limit_is_taken),
      cmocka_unit_test(a_body_is_asked_for_when_the_client_waits),
      cmocka_unit_test(the_same_comes_of_every_split),
      cmocka_unit_test(head_gets_the_head_alone),
      cmocka_unit_test(answers_carry_what_they_must),
      cmocka_unit_test(a_refusal_says_why_under_the_request_id),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
