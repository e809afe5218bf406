// program.h: for tests: the program's commands, run in a child of the test: what they print, and
// how they exit.
//
// The child is a fork that enters commands_main(), in a folder and an environment of its own, and
// ends with exit(): sanitizers look at it, and coverage counts it. Nothing here waits for ever: a
// command that hangs fails its test, with all that it had printed. A test that forks has no
// threads.
#ifndef UNIT_PROGRAM_H
#define UNIT_PROGRAM_H

#include "app/commands.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
  PROGRAM_PATIENCE_MS = 20000,
  PROGRAM_ARGUMENTS = 64,
  PROGRAM_BYTES_MAX = 16 << 20,  // of what one prints
  PLACE_VARIABLES = 32,
  PLACE_PROGRAMS = 64  // that run at a time
};

// Where a test's programs run, and what they find there.
struct place {
  char folder[96];  // their working directory, theirs alone
  uint16_t port;    // of the latest server; see SERVE()
  char *env[PLACE_VARIABLES + 1];
  struct arena arena;  // until the place is left
  struct program *programs;
};

struct program {
  struct program *next;
  struct place *at;
  const char *word;     // the command
  pid_t pid;            // 0: it was not started
  int life;             // a pipe that ends with it
  int fds[3];           // that it prints to, by their number there; -1: closed
  struct buf texts[3];  // what came, ended by a NUL
  size_t seen[3];       // how much of it program_awaits() has told
  // All that it has printed so far; everything once it has ended.
  const char *out, *err;
  int code;  // exit code; 128 + N: signal N ended it; -1: it runs
};

// --- the place: fixtures of a group or of a test -------------------------------------------------

// A variable of the programs that start from now on. NULL takes it away.
static inline void place_sets(struct place *at, const char *name, const char *value) {
  size_t i = 0, len = strlen(name);
  while (at->env[i] && (strncmp(at->env[i], name, len) != 0 || at->env[i][len] != '=')) i++;
  assert_true(i < PLACE_VARIABLES);
  char *line = value ? (char *)arena_printf(&at->arena, "%s=%s", name, value).at : NULL;
  if (!line && !at->env[i]) return;
  at->env[i] = line;
  for (; !line && at->env[i + 1]; i++) {
    at->env[i] = at->env[i + 1];
    at->env[i + 1] = NULL;
  }
}

static inline int place_begin(void **state) {
  const char *scratch = getenv("TMPDIR"), *path = getenv("PATH");
  struct place *at = mem_zero(sizeof *at);
  arena_init(&at->arena, 4096);
  snprintf(at->folder, sizeof at->folder, "%s/taskyard-XXXXXX", scratch ? scratch : "/tmp");
  if (!mkdtemp(at->folder)) return -1;
  place_sets(at, "HOME", at->folder);
  place_sets(at, "LC_ALL", "C.UTF-8");
  place_sets(at, "PATH", path ? path : "/usr/bin:/bin");
  *state = at;
  return 0;
}

static inline int place_remove_entry(const char *path, const struct stat *info, int kind,
                                     struct FTW *where) {
  (void)info, (void)kind, (void)where;
  return remove(path);
}

static inline int place_end(void **state);
#define AT_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_begin, place_end)

// The path of a file of the place.
static inline const char *place_path(struct place *at, const char *name) {
  return arena_printf(&at->arena, "%s/%s", at->folder, name).at;
}

static inline const char *place_writes(struct place *at, const char *name, const char *content) {
  const char *path = place_path(at, name);
  FILE *out = fopen(path, "we");
  assert_non_null(out);
  assert_true(fputs(content, out) >= 0);
  assert_int_equal(fclose(out), 0);
  return path;
}

// What a file of the place holds; NULL: there is none.
static inline const char *place_reads(struct place *at, const char *name) {
  char bytes[4096];
  struct buf text;
  FILE *in = fopen(place_path(at, name), "re");
  if (!in) return NULL;
  buf_init(&text, PROGRAM_BYTES_MAX);
  for (size_t got; (got = fread(bytes, 1, sizeof bytes, in)) > 0;) buf_bytes(&text, bytes, got);
  fclose(in);
  const char *copy = arena_cstr(&at->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

// --- failing -------------------------------------------------------------------------------------

// Fails the test. cmocka cuts what is long, so the whole story goes before it.
static inline void program_fails(const struct program *p, const char *file, int line,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));
static inline void program_fails(const struct program *p, const char *file, int line,
                                 const char *format, ...) {
  char sentence[512];
  va_list args;
  va_start(args, format);
  vsnprintf(sentence, sizeof sentence, format, args);
  va_end(args);
  fprintf(stderr, "%s:%d: taskyard %s: %s\n", file, line, p->word, sentence);
  fprintf(stderr, "--- its code: %d\n--- its output:\n%s\n--- its errors:\n%s\n---\n", p->code,
          p->out, p->err);
  _fail(file, line);
}

// --- the child -----------------------------------------------------------------------------------

static inline void program_settles(const struct place *at, const int ends[3]) {
  static const int CMOCKA_CATCHES[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // it does not outlive the test
  for (size_t i = 0; i < sizeof CMOCKA_CATCHES / sizeof CMOCKA_CATCHES[0]; i++)
    (void)signal(CMOCKA_CATCHES[i], SIG_DFL);
  for (int fd = 0; fd < 3; fd++)
    if (dup2(ends[fd], fd) < 0) _exit(127);
  if (chdir(at->folder) != 0) _exit(127);
  environ = (char **)at->env;
}

static inline int program_enters(void *self) {
  char **argv = self;
  int argc = 0;
  while (argv[argc]) argc++;
  return commands_main(argc, argv);
}

// A file that is read from its start, and has no name any more.
static inline int program_input(const struct place *at, const char *input) {
  char path[sizeof at->folder + 16];
  if (!input) return open("/dev/null", O_RDONLY | O_CLOEXEC);
  snprintf(path, sizeof path, "%s/.input-XXXXXX", at->folder);
  int fd = mkostemp(path, O_CLOEXEC);
  size_t len = strlen(input);
  assert_true(fd >= 0);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(write(fd, input, len), len);
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  return fd;
}

// A pipe of which the test reads one end, without waiting; gives the other.
static inline int program_pipe(int *ours) {
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  *ours = ends[0];
  return ends[1];
}

// What a program is started with besides its words; zero is a plain one.
struct program_way {
  const char *input;   // what it finds on its standard input; NULL: nothing
  const char *output;  // a file that takes its standard output, such as /dev/full; NULL: a pipe
  bool on_terminal;    // its output and its errors both, which come as `out`
};

// A terminal whose other side the test reads.
static inline int program_terminal(int *ours) {
  char name[64];
  *ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  assert_true(*ours >= 0);
  assert_int_equal(grantpt(*ours), 0);
  assert_int_equal(unlockpt(*ours), 0);
  assert_int_equal(ptsname_r(*ours, name, sizeof name), 0);
  int theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(theirs >= 0);
  return theirs;
}

static inline void program_open_ends(struct program *p, const struct program_way *way,
                                     int ends[3]) {
  ends[STDIN_FILENO] = program_input(p->at, way->input);
  p->fds[STDOUT_FILENO] = p->fds[STDERR_FILENO] = -1;
  if (way->on_terminal) {
    ends[STDOUT_FILENO] = program_terminal(&p->fds[STDOUT_FILENO]);
    ends[STDERR_FILENO] = fcntl(ends[STDOUT_FILENO], F_DUPFD_CLOEXEC, 3);
    return;
  }
  ends[STDOUT_FILENO] =
      way->output ? open(way->output, O_WRONLY | O_CLOEXEC) : program_pipe(&p->fds[STDOUT_FILENO]);
  ends[STDERR_FILENO] = program_pipe(&p->fds[STDERR_FILENO]);
}

static inline struct program *program_new(struct place *at, const char *word) {
  struct program *p = mem_zero(sizeof *p);
  *p = (struct program){
      .next = at->programs, .at = at, .word = word ? word : "", .code = -1, .out = "", .err = ""};
  at->programs = p;
  for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++) buf_init(&p->texts[i], PROGRAM_BYTES_MAX);
  return p;
}

// Calls `enter` in a child, which ends with what it gives.
static inline void program_launch(struct program *p, struct program_way way,
                                  int (*enter)(void *self), void *self) {
  int ends[3];
  program_open_ends(p, &way, ends);
  int life = program_pipe(&p->life);
  fflush(NULL);  // or it would be written twice
  p->pid = fork();
  assert_true(p->pid >= 0);
  if (p->pid == 0) {
    program_settles(p->at, ends);
    exit(enter(self));
  }
  for (int i = 0; i < 3; i++) close(ends[i]);
  close(life);
}

// `words`: the command and its arguments, ended by NULL.
static inline struct program *program_start(struct place *at, struct program_way way,
                                            const char *const *words) {
  char *argv[PROGRAM_ARGUMENTS + 2] = {(char *)"taskyard"};
  struct program *p = program_new(at, words[0]);
  for (size_t i = 0; words[i]; i++) {
    assert_true(i < PROGRAM_ARGUMENTS);
    argv[i + 1] = (char *)words[i];
  }
  program_launch(p, way, program_enters, argv);
  return p;
}

// --- listening to it -----------------------------------------------------------------------------

// Takes what is there. False: nothing more comes, or not now.
static inline bool program_hears(struct program *p, int fd) {
  char bytes[16384];
  if (p->fds[fd] < 0) return false;
  ssize_t got = read(p->fds[fd], bytes, sizeof bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    close(p->fds[fd]);
    p->fds[fd] = -1;
    return false;
  }
  struct buf *text = &p->texts[fd];
  buf_bytes(text, bytes, (size_t)got);
  buf_char(text, '\0');
  if (!text->overflow) text->len--;
  if (fd == STDOUT_FILENO) p->out = text->at;
  if (fd == STDERR_FILENO) p->err = text->at;
  return true;
}

static inline void program_collect(struct program *p) {
  int status = 0;
  while (program_hears(p, STDOUT_FILENO)) continue;
  while (program_hears(p, STDERR_FILENO)) continue;
  close(p->life);
  assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
  p->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Waits until any program of the place prints something or ends. All are listened to, so that none
// waits for room in its pipe. False: the time is over.
static inline bool place_listens(struct place *at, int64_t until_us) {
  struct pollfd fds[3 * PLACE_PROGRAMS];
  nfds_t count = 0;
  for (struct program *p = at->programs; p; p = p->next) {
    if (p->code >= 0) continue;
    assert_true(count + 3 <= 3 * PLACE_PROGRAMS);
    fds[count++] = (struct pollfd){p->life, POLLIN, 0};
    fds[count++] = (struct pollfd){p->fds[STDOUT_FILENO], POLLIN, 0};
    fds[count++] = (struct pollfd){p->fds[STDERR_FILENO], POLLIN, 0};
  }
  int64_t left_ms = (until_us - clock_mono_us()) / 1000;
  if (left_ms <= 0 || poll(fds, count, (int)left_ms) == 0) return false;
  count = 0;
  for (struct program *p = at->programs; p; p = p->next) {
    if (p->code >= 0) continue;
    if (fds[count + 1].revents) program_hears(p, STDOUT_FILENO);
    if (fds[count + 2].revents) program_hears(p, STDERR_FILENO);
    if (fds[count].revents) program_collect(p);
    count += 3;
  }
  return true;
}

static inline int64_t program_patience(void) {
  return clock_mono_us() + PROGRAM_PATIENCE_MS * INT64_C(1000);
}

// Waits until it has printed `text` to `fd`, behind what was awaited there before; gives the place
// of it, which holds until the next wait.
static inline const char *program_await(struct program *p, int fd, const char *text,
                                        const char *file, int line) {
  int64_t until_us = program_patience();
  while (true) {
    const char *all = fd == STDOUT_FILENO ? p->out : p->err;
    const char *found = strstr(all + p->seen[fd], text);
    if (found) {
      p->seen[fd] = (size_t)(found - all) + strlen(text);
      return found;
    }
    if (p->code >= 0) program_fails(p, file, line, "it ended without saying '%s'", text);
    if (!place_listens(p->at, until_us))
      program_fails(p, file, line, "it did not say '%s' in time", text);
  }
}

// Waits for its end.
static inline struct program *program_wait(struct program *p, const char *file, int line) {
  int64_t until_us = program_patience();
  while (p->code < 0)
    if (!place_listens(p->at, until_us)) program_fails(p, file, line, "it did not end in time");
  return p;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PLAIN_WAY ((struct program_way){0})
// START(at, "events", "--json"): it runs beside the test.
#define START(at, ...) program_start(at, PLAIN_WAY, WORDS(__VA_ARGS__))
#define START_ON_TERMINAL(at, ...)                                                                 \
  program_start(at, (struct program_way){.on_terminal = true}, WORDS(__VA_ARGS__))
#define AWAIT_OUT(p, text) program_await(p, STDOUT_FILENO, text, __FILE__, __LINE__)
#define AWAIT_ERR(p, text) program_await(p, STDERR_FILENO, text, __FILE__, __LINE__)
#define END(p) program_wait(p, __FILE__, __LINE__)
// RUN(at, "list", "--json"): to its end. RUN_WITH: what it finds on its standard input.
#define RUN(at, ...) END(START(at, __VA_ARGS__))
#define RUN_WITH(at, text, ...)                                                                    \
  END(program_start(at, (struct program_way){.input = (text)}, WORDS(__VA_ARGS__)))

// Asks it to end, as a supervisor does, and waits until it has.
#define STOP(p) program_stop(p, SIGTERM, __FILE__, __LINE__)
static inline struct program *program_stop(struct program *p, int number, const char *file,
                                           int line) {
  if (p->code < 0) kill(p->pid, number);
  return program_wait(p, file, line);
}

// --- a server
// -------------------------------------------------------------------------------------

// Starts `taskyard serve` on a free port and waits until it listens; the programs of the place that
// start from now on call it. SERVE(at, "--store", "memory:")
#define SERVE(at, ...)                                                                             \
  program_serve(at, WORDS("serve", "--listen", "127.0.0.1:0", __VA_ARGS__), __FILE__, __LINE__)
static inline struct program *program_serve(struct place *at, const char *const *words,
                                            const char *file, int line) {
  static const char PORT[] = "\"port\":";
  struct program *p = program_start(at, PLAIN_WAY, words);
  program_await(p, STDERR_FILENO, "\"message\":\"listening\"", file, line);
  const char *port = program_await(p, STDERR_FILENO, PORT, file, line) + sizeof PORT - 1;
  int64_t number = 0;
  assert_true(str_to_i64((struct str){port, strspn(port, "0123456789")}, &number));
  at->port = (uint16_t)number;
  place_sets(at, "TASKYARD_URL", arena_printf(&at->arena, "http://127.0.0.1:%u", at->port).at);
  return p;
}

// A group's own server, whose tasks are in memory: group setup; place_end() is its other end.
static inline int place_serves(void **state) {
  if (place_begin(state) != 0) return -1;
  (void)SERVE(*state, "--store", "memory:");
  return 0;
}

static inline void program_free(struct program *p) {
  for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++) {
    if (p->fds[i] >= 0) close(p->fds[i]);
    buf_fini(&p->texts[i]);
  }
  mem_free(p);
}

// False: it had to be killed, or was a server that did not end well.
static inline bool program_ends(struct program *p) {
  int64_t until_us = program_patience();
  if (p->code >= 0 || p->pid == 0) return true;
  kill(p->pid, SIGTERM);
  while (p->code < 0 && place_listens(p->at, until_us)) continue;
  if (p->code < 0) kill(p->pid, SIGKILL);
  if (p->code < 0) program_collect(p);
  if (strcmp(p->word, "serve") != 0 || p->code == EXIT_DONE) return p->code != 128 + SIGKILL;
  fprintf(stderr, "taskyard serve ended with %d:\n%s\n", p->code, p->err);
  return false;
}

// Asks what still runs to end. A leak in a server, or a stop that hangs, fails here.
static inline int place_end(void **state) {
  struct place *at = *state;
  bool well = true;
  for (struct program *p = at->programs; p; p = p->next) well &= program_ends(p);
  while (at->programs) {
    struct program *p = at->programs;
    at->programs = p->next;
    program_free(p);
  }
  well &= nftw(at->folder, place_remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0;
  arena_fini(&at->arena);
  mem_free(at);
  return well ? 0 : -1;
}

// --- what came of it -----------------------------------------------------------------------------

// The exit code; exits.def has their meanings.
#define assert_exit(p, wanted) program_assert_exit(p, wanted, __FILE__, __LINE__)
static inline void program_assert_exit(const struct program *p, int wanted, const char *file,
                                       int line) {
  if (p->code != wanted) program_fails(p, file, line, "it should have exited with %d", wanted);
  // What a sanitizer finds at the end exits with 1 too.
  if (strstr(p->err, "Sanitizer: ") || strstr(p->err, "runtime error: "))
    program_fails(p, file, line, "a sanitizer complains");
}

// That it printed a text, to its standard output or to that of errors.
#define assert_out(p, text) program_assert_has(p, (p)->out, text, "say", __FILE__, __LINE__)
#define assert_err(p, text) program_assert_has(p, (p)->err, text, "complain", __FILE__, __LINE__)
static inline void program_assert_has(const struct program *p, const char *all, const char *text,
                                      const char *how, const char *file, int line) {
  if (!strstr(all, text)) program_fails(p, file, line, "it does not %s: %s", how, text);
}

// That this is all that it printed there.
#define assert_out_is(p, text) program_assert_is(p, (p)->out, text, __FILE__, __LINE__)
#define assert_err_is(p, text) program_assert_is(p, (p)->err, text, __FILE__, __LINE__)
static inline void program_assert_is(const struct program *p, const char *all, const char *text,
                                     const char *file, int line) {
  if (strcmp(all, text) != 0) program_fails(p, file, line, "it should have said just: %s", text);
}

// That a text, such as an answer, holds another.
#define assert_holds(text, part) program_assert_holds(text, part, __FILE__, __LINE__)
static inline void program_assert_holds(const char *text, const char *part, const char *file,
                                        int line) {
  if (strstr(text, part)) return;
  fprintf(stderr, "%s:%d: '%s' is not in: %s\n", file, line, part, text);
  _fail(file, line);
}

// Its first line of output, such as an id; lives as long as the place.
static inline const char *first_line(const struct program *p) {
  return arena_cstr(&p->at->arena, (struct str){p->out, strcspn(p->out, "\n")});
}

#endif
