// exec.c: runs a program for one attempt: feeds it, listens to it, and ends it when it must stop.
#include "worker/exec.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "worker/lines.h"
#include "worker/spawn.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  LINGER_MS = 1000,  // after its end, for what it left in the pipes or handed on to others
  READ_BYTES = 16 << 10,
  LAST_LINES = 20,  // of stderr, for the error
  LAST_LINE_BYTES = 512,
};

// The last lines of stderr, in a ring.
struct last_lines {
  size_t count;
  size_t len[LAST_LINES];
  char at[LAST_LINES][LAST_LINE_BYTES];
};

struct running {
  const struct exec *exec;
  const struct attempt *at;
  struct child child;
  struct str payload;  // what is still to be written
  struct buf out;      // all that it printed, up to one byte over the limit
  struct lines err, progress;
  struct last_lines last;
  enum halt halt;       // why it was told to stop
  bool exited;          // not reaped yet, so that its process group cannot become another's
  int64_t deadline_us;  // 0: none. Running: SIGKILL then. Exited: listen until then
};

static void running_start(struct running *r);
static void running_loop(struct running *r);
static struct outcome running_finish(struct running *r);
static void take_err(void *self, struct str line);
static void take_progress(void *self, struct str line);

struct outcome exec_run(const void *self, const struct attempt *at) {
  struct running *r = mem_zero(sizeof *r);
  r->exec = self;
  r->at = at;
  struct fault why;
  char **env = spawn_environment(at->arena, at->claim);
  struct outcome outcome;
  if (spawn_program(r->exec->argv, env, &r->child, &why) == ERR_OK) {
    running_start(r);
    running_loop(r);
    outcome = running_finish(r);
  } else {
    // The worker's trouble and not the task's: another worker may be able to run it.
    outcome = outcome_fail(at->arena, "cannot_start", "%s", why.detail);
    outcome.kind = OUTCOME_RETRY;
  }
  mem_free(r);
  return outcome;
}

static struct str payload_of(const struct running *r) {
  struct str payload = r->at->claim->payload;
  if (!r->exec->text || json_kind(payload) != JSON_STRING) return payload;
  return json_string(r->at->arena, payload, NULL);
}

static void running_start(struct running *r) {
  r->payload = payload_of(r);
  buf_init(&r->out, OUTCOME_RESULT_BYTES_MAX + 1);
  lines_init(&r->err, (struct lines_taker){take_err, r});
  lines_init(&r->progress, (struct lines_taker){take_progress, r});
}

static void take_err(void *self, struct str line) {
  struct running *r = self;
  size_t place = r->last.count++ % LAST_LINES;
  r->last.len[place] = line.len < LAST_LINE_BYTES ? line.len : LAST_LINE_BYTES;
  memcpy(r->last.at[place], line.at, r->last.len[place]);
  lease_log(r->at->lease, line);
}

static void take_progress(void *self, struct str line) {
  struct running *r = self;
  struct progress progress;
  if (progress_parse(line, &progress)) {
    lease_progress(r->at->lease, &progress);
    return;
  }
  char text[256];
  (void)snprintf(text, sizeof text, "[fd 3: not a progress line] %.*s", STR_FMT(line));
  lease_log(r->at->lease, str_of(text));
}

// The child may have gone, or have closed its stdin: both are its right.
static void feed(struct running *r) {
  int fd = r->child.fd[STREAM_IN];
  while (r->payload.len > 0) {
    ssize_t written = write(fd, r->payload.at, r->payload.len);
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) break;
    r->payload = str_from(r->payload, (size_t)written);
  }
  spawn_close(&r->child, STREAM_IN);
}

// What is past the limit is read and dropped: the program must not stall, and the outcome tells.
static void keep_out(struct running *r, struct str bytes) {
  size_t room = r->out.max - r->out.len;
  buf_bytes(&r->out, bytes.at, bytes.len < room ? bytes.len : room);
}

static void stream_take(struct running *r, enum stream stream, struct str bytes) {
  if (stream == STREAM_OUT) keep_out(r, bytes);
  if (stream == STREAM_ERR) lines_feed(&r->err, bytes);
  if (stream == STREAM_PROGRESS) lines_feed(&r->progress, bytes);
}

// One piece at a time, so that a loud stream does not keep the others waiting.
static void listen_to(struct running *r, enum stream stream) {
  char bytes[READ_BYTES];
  ssize_t got = read(r->child.fd[stream], bytes, sizeof bytes);
  if (got > 0)
    stream_take(r, stream, (struct str){bytes, (size_t)got});
  else if (got == 0 || errno != EAGAIN)
    spawn_close(&r->child, stream);
}

static void group_kill(const struct running *r, int signal) { (void)kill(-r->child.pid, signal); }

static int64_t in_ms(int64_t ms) { return clock_mono_us() + ms * 1000; }

// A task that somebody else may be running already gets no grace.
static void obey_halt(struct running *r) {
  enum halt halt = attempt_halt(r->at);
  if (r->exited || halt <= r->halt) return;
  bool at_once = halt >= HALT_LOST;
  if (at_once || r->halt == HALT_NONE) group_kill(r, at_once ? SIGKILL : SIGTERM);
  if (!at_once && r->halt == HALT_NONE) r->deadline_us = in_ms(r->exec->grace_ms);
  r->halt = halt;
}

static void obey_deadline(struct running *r) {
  if (r->deadline_us == 0 || r->exited || clock_mono_us() < r->deadline_us) return;
  group_kill(r, SIGKILL);
  r->deadline_us = 0;
}

// Of a program that was told to stop, nothing may stay behind. One that ended by itself may leave
// processes behind on purpose.
static void note_exit(struct running *r) {
  r->exited = true;
  r->deadline_us = in_ms(LINGER_MS);
  if (r->halt != HALT_NONE) group_kill(r, SIGKILL);
}

static bool is_over(const struct running *r) {
  if (!r->exited) return false;
  const int *fd = r->child.fd;
  bool silent = fd[STREAM_OUT] < 0 && fd[STREAM_ERR] < 0 && fd[STREAM_PROGRESS] < 0;
  return silent || clock_mono_us() >= r->deadline_us;
}

static int timeout_ms(const struct running *r) {
  int64_t left_ms = lease_left_ms(r->at->lease);
  if (r->halt >= HALT_LOST || r->exited) left_ms = LINGER_MS;
  if (r->deadline_us) {
    int64_t ms = (r->deadline_us - clock_mono_us()) / 1000 + 1;
    if (ms < left_ms) left_ms = ms > 0 ? ms : 0;
  }
  return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

enum { POLL_WAKE = STREAM_COUNT, POLL_EXIT, POLL_COUNT };

static void running_poll(struct running *r) {
  struct pollfd ready[POLL_COUNT];
  for (int s = 0; s < STREAM_COUNT; s++)
    ready[s] = (struct pollfd){.fd = r->child.fd[s], .events = s == STREAM_IN ? POLLOUT : POLLIN};
  ready[POLL_WAKE] = (struct pollfd){.fd = r->at->wake_fd, .events = POLLIN};
  ready[POLL_EXIT] = (struct pollfd){.fd = r->exited ? -1 : r->child.pidfd, .events = POLLIN};
  if (poll(ready, POLL_COUNT, timeout_ms(r)) <= 0) return;

  if (ready[STREAM_IN].revents) feed(r);
  for (int s = STREAM_OUT; s < STREAM_COUNT; s++)
    if (ready[s].revents) listen_to(r, (enum stream)s);
  if (ready[POLL_WAKE].revents) wake_clear(r->at->wake_fd);
  if (ready[POLL_EXIT].revents) note_exit(r);
}

static void running_loop(struct running *r) {
  while (!is_over(r)) {
    obey_halt(r);
    obey_deadline(r);
    running_poll(r);
  }
  lines_end(&r->err);
  lines_end(&r->progress);
}

static struct str last_text(const struct running *r) {
  const struct last_lines *last = &r->last;
  size_t first = last->count > LAST_LINES ? last->count - LAST_LINES : 0, len = 0;
  char *text = arena_alloc(r->at->arena, LAST_LINES * (LAST_LINE_BYTES + 1));
  for (size_t i = first; i < last->count; i++) {
    size_t place = i % LAST_LINES;
    if (i > first) text[len++] = '\n';
    memcpy(text + len, last->at[place], last->len[place]);
    len += last->len[place];
  }
  return (struct str){text, len};
}

static struct outcome running_finish(struct running *r) {
  int status = 0;
  pid_t reaped;
  do reaped = waitpid(r->child.pid, &status, 0);
  while (reaped < 0 && errno == EINTR);
  (void)close(r->child.pidfd);
  for (int s = 0; s < STREAM_COUNT; s++) spawn_close(&r->child, (enum stream)s);

  struct arena *a = r->at->arena;
  struct outcome outcome =
      r->halt != HALT_NONE
          ? attempt_halted(r->at, r->halt)
          : outcome_of_exit(a, status, arena_dup(a, buf_str(&r->out)), last_text(r));
  buf_fini(&r->out);
  return outcome;
}
