// server.h: a server of the suite's own: started on a free port, watched, stopped.
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <sys/types.h>

#include "bench/wire.h"

// Plain memory; zero is "not running".
struct server {
  char program[512];    // what is started
  char directory[256];  // holds the store and the server's log; ours alone
  pid_t pid;
  struct endpoint endpoint;
  double ready_s;  // from starting the process until /readyz said 200
};

// Makes a directory for the store below `parent`. Refuses file systems that keep nothing on a disk.
MUST_USE enum err bench_server_prepare(struct server *s, const char *parent, const char *program,
                                       struct fault *why);

// Starts the program on what lies in the directory; returns when it is ready.
MUST_USE enum err bench_server_start(struct server *s, struct fault *why);

// SIGTERM and an exit code of 0, or SIGKILL. A server that is not running is stopped already.
MUST_USE enum err bench_server_stop(struct server *s, bool kill_it, struct fault *why);

// Removes the store, so that the next start finds none. The server must not run.
void bench_server_wipe(struct server *s);

// Drops the store's pages from the system's cache, as far as the system does it for us.
void bench_server_cool(struct server *s);

// Waits until what the system still has to write is written, so that a run starts on a quiet disk.
void bench_server_settle(struct server *s);

// Kills it and removes the store; its log stays for a person to read.
void bench_server_abandon(struct server *s);

// The same, and removes the log and the directory.
void bench_server_discard(struct server *s);

#endif
