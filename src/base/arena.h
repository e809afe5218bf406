// arena.h: memory with one lifetime: allocate often, free once. Not thread-safe.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
  struct arena_block *head;  // newest block
  char *next, *end;          // free part of the newest block
  size_t block_bytes;        // size of the blocks that follow
};

void arena_init(struct arena *a, size_t block_bytes);
void arena_fini(struct arena *a);   // frees all blocks
void arena_reset(struct arena *a);  // keeps one block of block_bytes, frees the others

void *arena_alloc_slow(struct arena *a, size_t bytes);

// 16-byte aligned, not cleared, never NULL.
static inline void *arena_alloc(struct arena *a, size_t bytes) {
  size_t rounded = (bytes + 15) & ~(size_t)15;
  if (__builtin_expect((size_t)(a->end - a->next) < rounded, 0)) return arena_alloc_slow(a, bytes);
  char *at = a->next;
  a->next += rounded;
  return at;
}

static inline void *arena_zero(struct arena *a, size_t bytes) {
  return memset(arena_alloc(a, bytes), 0, bytes);
}

#define ARENA_NEW(arena, type) ((type *)arena_zero((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zero((arena), sizeof(type) * (count)))

struct str arena_dup(struct arena *a, struct str s);  // a NUL is appended; none stays none
char *arena_cstr(struct arena *a, struct str s);      // the same as a C string; none gives ""
struct str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
