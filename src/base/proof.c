// proof.c: the page that a proof and the server share, and the faults that it asks for.
//
// Compiled into builds with -Dproof=enabled only. TASKYARD_PROOF_PAGE names the file of the page;
// without it nothing is ever spoiled. Nothing here allocates.
#ifndef TASKYARD_PROOF
#define TASKYARD_PROOF 1  // for the analysers, which read every source
#endif
#include "base/proof.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
  PAGE_BYTES = 4096,
  WRITING = 1 << PROOF_WRITE | 1 << PROOF_SYNC | 1 << PROOF_TRUNCATE | 1 << PROOF_OPEN |
            1 << PROOF_DELETE | 1 << PROOF_SHM
};

static _Atomic uint64_t nothing[PROOF_WORDS];
static _Atomic uint64_t *page = nothing;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void map(void) {
  const char *path = getenv("TASKYARD_PROOF_PAGE");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) page = at;
}

static _Atomic uint64_t *word_at(enum proof_word word) {
  pthread_once(&once, map);
  return &page[word];
}

uint64_t proof_word(enum proof_word word) { return atomic_load(word_at(word)); }

void proof_die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

// Whether this call, which is counted, is one of those to spoil.
static bool is_hit(enum proof_word calls, enum proof_word hits, enum proof_word at,
                   enum proof_word ever) {
  uint64_t number = atomic_fetch_add(word_at(calls), 1) + 1, first = proof_word(at);
  if (first == 0 || number < first || (number > first && !proof_word(ever))) return false;
  atomic_fetch_add(word_at(hits), 1);
  return true;
}

enum proof_action proof_io(enum proof_kind kind) {
  uint64_t kinds = proof_word(PROOF_io_kinds);
  if (((kinds ? kinds : WRITING) >> kind & 1) == 0) return PROOF_NONE;
  if (!is_hit(PROOF_io_calls, PROOF_io_hits, PROOF_io_at, PROOF_io_ever)) return PROOF_NONE;
  enum proof_action action = (enum proof_action)proof_word(PROOF_io_action);
  if (action == PROOF_CRASH) proof_die();
  return action;
}

bool proof_mem_fails(void) {
  return is_hit(PROOF_mem_calls, PROOF_mem_hits, PROOF_mem_at, PROOF_mem_ever);
}

bool proof_sql_mem_fails(void) {
  return is_hit(PROOF_sql_calls, PROOF_sql_hits, PROOF_sql_at, PROOF_sql_ever);
}

static void pass(uint64_t ms) {
  struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0) continue;
}

bool proof_fails_at(enum proof_point point) {
  if (proof_word(PROOF_point) != (uint64_t)point) return false;
  uint64_t number = atomic_fetch_add(word_at(PROOF_point_calls), 1) + 1;
  uint64_t at = proof_word(PROOF_point_at);
  if (at != 0 && number != at) return false;
  switch (proof_word(PROOF_point_action)) {
  case PROOF_CRASH: proof_die();
  case PROOF_DELAY: pass(proof_word(PROOF_point_ms)); return false;
  case PROOF_EIO: return true;
  default: return false;
  }
}
