// working.h: for tests: workers of a place, and gates at which the programs of tasks meet the test.
#ifndef UNIT_WORKING_H
#define UNIT_WORKING_H

#include "tests/unit/asking.h"

#include <sys/stat.h>

// The path of a task: its id, and what follows it.
static inline const char *task_path(struct place *at, const char *id, const char *rest) {
  return arena_printf(&at->arena, "/tasks/%s%s", id, rest).at;
}

// Creates a task of type t, with more members such as ",\"payload\":1"; its id.
static inline const char *create(struct place *at, const char *members) {
  struct str body = arena_printf(&at->arena, "{\"type\":\"t\"%s}", members);
  return member(at, ask(at, "POST", "/tasks", body.at), "id");
}

// The task once it has ended; the server tells when.
static inline const char *ended(struct place *at, const char *id) {
  return ask(at, "GET", task_path(at, id, "?waitMs=15000"), "");
}

// Keeps a port for servers that come and go: it is bound here, so that nobody else is given it, and
// not listened at, so that a server may. The programs that start from now on call it. To be closed.
static inline int port_keep(struct place *at) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof here;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&here, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &size), 0);
  at->port = ntohs(here.sin_port);
  place_sets(at, "TASKYARD_URL", arena_printf(&at->arena, "http://127.0.0.1:%u", at->port).at);
  return fd;
}

// Starts a server at the port that is kept, and waits until it listens.
static inline struct program *serve_there(struct place *at, const char *store) {
  const char *address = arena_printf(&at->arena, "127.0.0.1:%u", at->port).at;
  return program_serve(at, WORDS("serve", "--listen", address, "--store", store), __FILE__,
                       __LINE__);
}

// Starts a worker for tasks of type t that runs program.sh, of which `script` is the text.
#define WORKER(at, script, ...)                                                                    \
  worker_start(                                                                                    \
      at, script,                                                                                  \
      WORDS("worker", "--type", "t", "--exec", "sh program.sh" __VA_OPT__(, ) __VA_ARGS__))
static inline struct program *worker_start(struct place *at, const char *script,
                                           const char *const *words) {
  (void)place_writes(at, "program.sh", script);
  return program_start(at, PLAIN_WAY, words);
}

// --- gates ---------------------------------------------------------------------------------------

// A fifo of the place. A program tells of itself by `echo $$ >NAME`, and waits by `read _ <NAME`.
static inline int gate(struct place *at, const char *name) {
  const char *path = place_path(at, name);
  assert_int_equal(mkfifo(path, 0600), 0);
  int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  assert_true(fd >= 0);
  return fd;
}

// Waits for a line with a number.
static inline int64_t gate_hears(int fd) {
  char line[32];
  int64_t number = 0;
  for (size_t len = 0; len < sizeof line; len++) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, PROGRAM_PATIENCE_MS) != 1) fail_msg("nobody came to the gate");
    assert_int_equal(read(fd, line + len, 1), 1);
    if (line[len] == '\n' && str_to_i64((struct str){line, len}, &number)) return number;
  }
  fail_msg("there is no number in %.*s", (int)sizeof line, line);
  return 0;
}

// Lets one program go on.
static inline void gate_opens(int fd) { assert_int_equal(write(fd, "\n", 1), 1); }

// Whether a process of this id is there and no zombie.
static inline bool is_alive(int64_t pid) {
  char path[64], text[512];
  (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  FILE *in = fopen(path, "re");
  if (!in) return false;
  size_t len = fread(text, 1, sizeof text - 1, in);
  (void)fclose(in);
  text[len] = '\0';
  const char *name_end = strrchr(text, ')');
  return name_end && name_end[2] != 'Z';
}

#endif
