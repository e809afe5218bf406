// asking.h: for tests: calls of the API besides those that the program makes: what its workers do.
#ifndef UNIT_ASKING_H
#define UNIT_ASKING_H

#include "tests/unit/program.h"

#include <arpa/inet.h>
#include <sys/socket.h>

// Takes what a server sends until it closes.
static inline const char *place_receives(struct place *at, int fd) {
  char bytes[4096];
  struct buf text;
  buf_init(&text, PROGRAM_BYTES_MAX);
  for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) > 0;)
    buf_bytes(&text, bytes, (size_t)got);
  const char *copy = arena_cstr(&at->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

// Asks the latest server, as a worker or a user of the API would: ask(at, "POST", "/claims", body).
// A path that begins with two slashes is not below /api/v1. `header`: "" or a whole line. Gives the
// answer with its head, which lives as long as the place.
static inline const char *ask_as(struct place *at, const char *header, const char *method,
                                 const char *path, const char *body) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at->port)};
  bool is_below = path[1] != '/';
  struct timeval patience = {.tv_sec = PROGRAM_PATIENCE_MS / 1000};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  struct str text = arena_printf(
      &at->arena,
      "%s %s%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
      method, is_below ? "/api/v1" : "", is_below ? path : path + 1, header, strlen(body), body);
  assert_int_equal(send(fd, text.at, text.len, MSG_NOSIGNAL), text.len);
  const char *answer = place_receives(at, fd);
  close(fd);
  return answer;
}

// The same with an answer that must be good.
static inline const char *ask(struct place *at, const char *method, const char *path,
                              const char *body) {
  const char *answer = ask_as(at, "", method, path, body);
  if (strncmp(answer, "HTTP/1.1 20", 11) != 0) fail_msg("%s %s: %s", method, path, answer);
  return answer;
}

// The text of the first member of this name in an answer.
static inline const char *member(struct place *at, const char *answer, const char *name) {
  struct str key = arena_printf(&at->arena, "\"%s\":\"", name);
  const char *found = strstr(answer, key.at);
  if (!found) fail_msg("%s is not in %s", name, answer);
  found += key.len;
  return arena_cstr(&at->arena, (struct str){found, strcspn(found, "\"")});
}

// Asks again and again until the answer holds a text.
static inline void ask_until(struct place *at, const char *path, const char *text) {
  int64_t until_us = program_patience();
  while (!strstr(ask(at, "GET", path, ""), text))
    if (clock_mono_us() > until_us) fail_msg("%s does not come to say %s", path, text);
}

// Claims the next task of a type, as soon as there is one.
static inline const char *claim(struct place *at, const char *type) {
  struct str body =
      arena_printf(&at->arena, "{\"types\":[\"%s\"],\"workerId\":\"w1\",\"waitMs\":15000}", type);
  return ask(at, "POST", "/claims", body.at);
}

// What its worker does with it: a route of the task, and the body behind the lease token.
static inline void work(struct place *at, const char *claimed, const char *verb, const char *rest) {
  const char *id = member(at, claimed, "id"), *token = member(at, claimed, "leaseToken");
  struct str body = arena_printf(&at->arena, "{\"leaseToken\":\"%s\"%s}", token, rest);
  ask(at, "POST", arena_printf(&at->arena, "/tasks/%s/%s", id, verb).at, body.at);
}

#endif
