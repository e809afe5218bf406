// spawn.c: starts a program with pipes to its standard streams and fd 3.
#include "worker/spawn.h"

#include "base/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// Both ends of all pipes: theirs become 0 … 3 of the child.
struct ends {
  int ours[STREAM_COUNT], theirs[STREAM_COUNT];
};

static void close_all(int fd[STREAM_COUNT]) {
  for (int s = 0; s < STREAM_COUNT; s++) {
    if (fd[s] >= 0) (void)close(fd[s]);
    fd[s] = -1;
  }
}

// Moves a descriptor out of 0 … 3, where the child's own streams would overwrite it.
static int move_up(int fd) {
  if (fd < 0 || fd >= STREAM_COUNT) return fd;
  int up = fcntl(fd, F_DUPFD_CLOEXEC, STREAM_COUNT);
  (void)close(fd);
  return up;
}

static bool ends_open(struct ends *e) {
  for (int s = 0; s < STREAM_COUNT; s++) e->ours[s] = e->theirs[s] = -1;
  for (int s = 0; s < STREAM_COUNT; s++) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) != 0) return false;
    bool we_write = s == STREAM_IN;
    e->ours[s] = move_up(pair[we_write]);
    e->theirs[s] = move_up(pair[!we_write]);
    if (e->ours[s] < 0 || e->theirs[s] < 0) return false;
    if (fcntl(e->ours[s], F_SETFL, O_NONBLOCK) != 0) return false;
  }
  return true;
}

static int actions_fill(posix_spawn_file_actions_t *actions, const struct ends *e) {
  int failed = 0;
  for (int s = 0; s < STREAM_COUNT && !failed; s++)
    failed = posix_spawn_file_actions_adddup2(actions, e->theirs[s], s);
  // Libraries open descriptors without O_CLOEXEC behind our back.
  return failed ? failed : posix_spawn_file_actions_addclosefrom_np(actions, STREAM_COUNT);
}

static int attributes_fill(posix_spawnattr_t *attributes) {
  sigset_t all, none;
  (void)sigfillset(&all);
  (void)sigemptyset(&none);
  int failed = posix_spawnattr_setsigdefault(attributes, &all);
  if (!failed) failed = posix_spawnattr_setsigmask(attributes, &none);
  if (!failed) failed = posix_spawnattr_setpgroup(attributes, 0);
  if (failed) return failed;
  return posix_spawnattr_setflags(
      attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
}

// Gives an errno; 0 is success.
static int start(char *const *argv, char *const *env, const struct ends *e, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int failed = posix_spawn_file_actions_init(&actions);
  if (failed) return failed;
  failed = posix_spawnattr_init(&attributes);
  if (!failed) {
    failed = actions_fill(&actions, e);
    if (!failed) failed = attributes_fill(&attributes);
    if (!failed) failed = posix_spawnp(pid, argv[0], &actions, &attributes, argv, env);
    (void)posix_spawnattr_destroy(&attributes);
  }
  (void)posix_spawn_file_actions_destroy(&actions);
  return failed;
}

enum err spawn_program(char *const *argv, char *const *env, struct child *out, struct fault *why) {
  struct ends e;
  pid_t pid = -1;
  int failed = ends_open(&e) ? start(argv, env, &e, &pid) : errno;
  int pidfd = failed ? -1 : pidfd_open(pid, 0);
  if (!failed && pidfd < 0) {  // out of descriptors: what we cannot watch must not run
    failed = errno;
    (void)kill(-pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
  }
  close_all(e.theirs);
  if (failed) {
    close_all(e.ours);
    return fault_set(why, ERR_UNAVAILABLE, "%s cannot be started: %s", argv[0], strerror(failed));
  }
  *out = (struct child){.pid = pid, .pidfd = pidfd};
  memcpy(out->fd, e.ours, sizeof out->fd);
  return ERR_OK;
}

void spawn_close(struct child *child, enum stream stream) {
  if (child->fd[stream] >= 0) (void)close(child->fd[stream]);
  child->fd[stream] = -1;
}

enum { TASK_VARIABLES_MAX = 8 };

struct environment {
  struct arena *arena;
  char **list;
  size_t count;
};

static bool names(const char *variable, const char *name, size_t len) {
  return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

static bool is_of_task(const char *variable) {
  static const char *const ours[] = {
      "TASKYARD_TASK_ID",      "TASKYARD_TYPE",      "TASKYARD_QUEUE", "TASKYARD_ATTEMPT",
      "TASKYARD_MAX_ATTEMPTS", "TASKYARD_WORKER_ID", "TASKYARD_NAME",  "TRACEPARENT",
  };
  _Static_assert(sizeof ours / sizeof *ours == TASK_VARIABLES_MAX, "one row for each variable");
  for (size_t i = 0; i < TASK_VARIABLES_MAX; i++)
    if (names(variable, ours[i], strlen(ours[i]))) return true;
  return false;
}

// What a task of a stranger must not see: what its program prints goes to the stranger.
static bool is_secret(const char *variable) {
  static const char *const secrets[] = {
      "TASKYARD_KEY",        "TASKYARD_SESSION", "TASKYARD_API_KEY", "API_KEY",
      "TASKYARD_JWT_SECRET", "TASKYARD_STORE",   "DATABASE_URL",     "PGPASSWORD",
  };
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
    if (names(variable, secrets[i], strlen(secrets[i]))) return true;
  return false;
}

static void add(struct environment *e, const char *name, struct str value) {
  e->list[e->count++] = (char *)arena_printf(e->arena, "%s=%.*s", name, STR_FMT(value)).at;
}

// W3C Trace Context: the task is the trace, so that its attempts meet in one; each attempt is a
// span of its own.
static struct str trace_parent(struct arena *a, struct str id) {
  char trace[32];
  size_t len = 0;
  for (size_t i = 0; i < id.len && len < sizeof trace; i++)
    if (id.at[i] != '-') trace[len++] = id.at[i];
  uint64_t span = rand_u64();
  return arena_printf(a, "00-%.*s-%016llx-01", (int)len, trace,
                      (unsigned long long)(span ? span : 1));  // all zero is not a span
}

char **spawn_environment(struct arena *a, const struct claim *claim) {
  size_t inherited = 0;
  while (environ[inherited]) inherited++;
  struct environment e = {.arena = a,
                          .list = ARENA_ARRAY(a, char *, inherited + TASK_VARIABLES_MAX + 1)};
  for (char **variable = environ; *variable; variable++)
    if (!is_of_task(*variable) && (str_is_none(claim->session) || !is_secret(*variable)))
      e.list[e.count++] = *variable;
  add(&e, "TASKYARD_TASK_ID", claim->id);
  add(&e, "TASKYARD_TYPE", claim->type);
  add(&e, "TASKYARD_QUEUE", claim->queue);
  add(&e, "TASKYARD_ATTEMPT", arena_printf(a, "%lld", (long long)claim->attempt));
  add(&e, "TASKYARD_MAX_ATTEMPTS", arena_printf(a, "%lld", (long long)claim->attempts_max));
  add(&e, "TASKYARD_WORKER_ID", claim->worker);
  if (!str_is_none(claim->name)) add(&e, "TASKYARD_NAME", claim->name);
  add(&e, "TRACEPARENT", trace_parent(a, claim->id));
  return e.list;
}

static bool is_program(const char *path) {
  struct stat file;
  return stat(path, &file) == 0 && S_ISREG(file.st_mode) && access(path, X_OK) == 0;
}

enum err spawn_check(const char *program, struct fault *why) {
  if (strchr(program, '/')) {
    if (is_program(program)) return ERR_OK;
    return fault_set(why, ERR_INVALID, "%s is not a program that can be run", program);
  }
  const char *path = getenv("PATH");
  struct str rest = path ? str_of(path) : STR("/bin:/usr/bin");
  struct arena a;
  arena_init(&a, 4 << 10);
  bool found = false;
  while (!found && !str_is_none(rest)) {
    struct str folder = str_cut(&rest, ':');
    if (folder.len == 0) folder = STR(".");
    found = is_program(arena_printf(&a, "%.*s/%s", STR_FMT(folder), program).at);
  }
  arena_fini(&a);
  if (found) return ERR_OK;
  return fault_set(why, ERR_INVALID, "there is no program %s in PATH", program);
}
