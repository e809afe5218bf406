// mem.c: the process heap.
#include "base/mem.h"

#include "base/proof.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Nothing that allocates may be called here, the log included.
void mem_exhausted(void) {
  static const char message[] = "out of memory\n";
  ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
  (void)ignored;
  abort();
}

static void *mem_or_die(void *at) {
  if (__builtin_expect(at == NULL, 0)) mem_exhausted();
  return at;
}

// Zero bytes are asked for as one: malloc(0) may return NULL.
void *mem_alloc(size_t bytes) {
  return mem_or_die(proof_mem_fails() ? NULL : malloc(bytes ? bytes : 1));
}

void *mem_zero(size_t bytes) {
  return mem_or_die(proof_mem_fails() ? NULL : calloc(1, bytes ? bytes : 1));
}

void *mem_resize(void *old, size_t bytes) {
  return mem_or_die(proof_mem_fails() ? NULL : realloc(old, bytes ? bytes : 1));
}

char *mem_copy(const char *at, size_t bytes) {
  char *copy = mem_alloc(bytes + 1);
  if (bytes) memcpy(copy, at, bytes);
  copy[bytes] = '\0';
  return copy;
}

void mem_free(void *old) { free(old); }
