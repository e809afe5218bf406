// server.c: spawns `taskyard serve` from this very program.
#include "bench/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum {
  SERVER_READY_MS = 120000,
  SERVER_STOP_MS = 60000,
  SERVER_POLL_MS = 2,  // between two looks at a server that starts or stops
};

enum err bench_server_prepare(struct server *s, const char *parent, const char *program,
                              struct fault *why) {
  memset(s, 0, sizeof *s);
  snprintf(s->program, sizeof s->program, "%s", program);
  snprintf(s->directory, sizeof s->directory, "%s/bench-XXXXXX", parent);
  struct statfs where;
  if (statfs(parent, &where) != 0)
    return fault_set(why, ERR_INVALID, "%s: %s; --dir names another place", parent,
                     strerror(errno));
  if (where.f_type == TMPFS_MAGIC || where.f_type == RAMFS_MAGIC)
    return fault_set(why, ERR_INVALID, "%s lies in memory; name a directory on a disk with --dir",
                     parent);
  if (!mkdtemp(s->directory))
    return fault_set(why, ERR_INVALID, "cannot make %s: %s", s->directory, strerror(errno));
  return ERR_OK;
}

// Keeps a free port until the server has it: it is bound here, so that the system gives it to
// nobody else, and not listened at, so that a server that reuses addresses may. To be closed.
static int keep_port(int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t bytes = sizeof address;
  int keeper = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  bool kept = setsockopt(keeper, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
              bind(keeper, (struct sockaddr *)&address, bytes) == 0 &&
              getsockname(keeper, (struct sockaddr *)&address, &bytes) == 0;
  *port = kept ? ntohs(address.sin_port) : 0;
  return keeper;
}

// Settings of the caller's own server are none of this one's.
static void clear_settings(void) {
  extern char **environ;
  for (size_t i = 0; environ[i];) {
    char name[128];
    struct str rest = str_of(environ[i]);
    struct str key = str_cut(&rest, '=');
    bool ours =
        (str_starts(key, STR("TASKYARD_")) || str_eq(key, STR("API_KEY"))) && key.len < sizeof name;
    if (!ours) {
      i++;
      continue;
    }
    snprintf(name, sizeof name, "%.*s", STR_FMT(key));
    unsetenv(name);  // moves the rest of environ down
  }
}

static void become_server(const struct server *s, const char *listen) {
  char store[300], log[300];
  snprintf(store, sizeof store, "sqlite:%s/store.db", s->directory);
  snprintf(log, sizeof log, "%s/server.log", s->directory);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  clear_settings();
  int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(127);
  execl(s->program, "taskyard", "serve", "--listen", listen, "--store", store, (char *)NULL);
  _exit(127);
}

static void pause_ms(int ms) { poll(NULL, 0, ms); }

static bool is_ready(const struct server *s) {
  struct buf body;
  struct fault ignored;
  int status = 0;
  buf_init(&body, 1 << 16);
  enum err err =
      bench_wire_call(&s->endpoint, STR("GET /readyz"), STR(""), 5000, &status, &body, &ignored);
  buf_fini(&body);
  return err == ERR_OK && status == 200;
}

static enum err await_ready(struct server *s, int64_t begin_us, struct fault *why) {
  while (!is_ready(s)) {
    int status;
    if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
      s->pid = 0;
      return fault_set(why, ERR_UNAVAILABLE, "the server ended at start; see %s/server.log",
                       s->directory);
    }
    if (clock_mono_us() - begin_us > SERVER_READY_MS * INT64_C(1000))
      return fault_set(why, ERR_UNAVAILABLE, "the server was not ready within %d s",
                       SERVER_READY_MS / 1000);
    pause_ms(SERVER_POLL_MS);
  }
  s->ready_s = (double)(clock_mono_us() - begin_us) / 1e6;
  return ERR_OK;
}

static enum err start_at(struct server *s, int port, struct fault *why) {
  char listen[64], url[80];
  if (!port) return fault_set(why, ERR_UNAVAILABLE, "no free port on 127.0.0.1");
  snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
  snprintf(url, sizeof url, "http://%s", listen);
  TRY(bench_endpoint_parse(str_of(url), STR_NONE, &s->endpoint, why));
  int64_t begin_us = clock_mono_us();
  s->pid = fork();
  if (s->pid == 0) become_server(s, listen);
  if (s->pid < 0) {
    s->pid = 0;
    return fault_set(why, ERR_UNAVAILABLE, "cannot fork: %s", strerror(errno));
  }
  return await_ready(s, begin_us, why);
}

enum err bench_server_start(struct server *s, struct fault *why) {
  int port, keeper = keep_port(&port);
  enum err err = start_at(s, port, why);
  if (keeper >= 0) close(keeper);
  return err;
}

enum err bench_server_stop(struct server *s, bool kill_it, struct fault *why) {
  if (s->pid == 0) return ERR_OK;
  int status = 0;
  int64_t begin_us = clock_mono_us();
  kill(s->pid, kill_it ? SIGKILL : SIGTERM);
  while (waitpid(s->pid, &status, WNOHANG) != s->pid) {
    if (clock_mono_us() - begin_us > SERVER_STOP_MS * INT64_C(1000)) {
      kill(s->pid, SIGKILL);
      waitpid(s->pid, &status, 0);
      break;
    }
    pause_ms(SERVER_POLL_MS);
  }
  s->pid = 0;
  if (kill_it || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "the server did not end well on SIGTERM; see %s/server.log",
                   s->directory);
}

// --- its files -----------------------------------------------------------------------------------

// Calls `act` with each file that belongs to the store, whatever the store adds to its name.
static void each_store_file(const struct server *s, void (*act)(int directory, const char *name)) {
  DIR *files = opendir(s->directory);
  if (!files) return;
  for (struct dirent *entry; (entry = readdir(files));)
    if (str_starts(str_of(entry->d_name), STR("store.db"))) act(dirfd(files), entry->d_name);
  closedir(files);
}

static void remove_file(int directory, const char *name) { unlinkat(directory, name, 0); }

static void cool_file(int directory, const char *name) {
  int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  fsync(file);  // only pages that are on the disk can be dropped
  posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  close(file);
}

void bench_server_wipe(struct server *s) { each_store_file(s, remove_file); }

void bench_server_cool(struct server *s) { each_store_file(s, cool_file); }

void bench_server_settle(struct server *s) {
  int directory = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  syncfs(directory);
  close(directory);
}

void bench_server_abandon(struct server *s) {
  struct fault ignored;
  if (bench_server_stop(s, true, &ignored) == ERR_OK) bench_server_wipe(s);
}

void bench_server_discard(struct server *s) {
  char path[512];
  bench_server_abandon(s);
  snprintf(path, sizeof path, "%s/server.log", s->directory);
  unlink(path);
  rmdir(s->directory);
}
