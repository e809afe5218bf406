// arena.c: memory with one lifetime, cut from blocks.
#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_CHECKED 1
#endif
#endif
#ifndef ARENA_CHECKED
#define ARENA_CHECKED 0
#endif

struct arena_block {
  struct arena_block *older;
  size_t bytes;
  _Alignas(16) char data[];
};

// Where an arena without a free byte points, so that an allocation of nothing is not NULL either.
static _Alignas(16) char arena_full[16];

static struct arena_block *block_new(size_t bytes) {
  struct arena_block *block = mem_alloc(sizeof *block + bytes);
  block->bytes = bytes;
  block->older = NULL;
  return block;
}

static void blocks_free(struct arena_block *newest) {
  while (newest) {
    struct arena_block *older = newest->older;
    mem_free(newest);
    newest = older;
  }
}

static void arena_use(struct arena *a, struct arena_block *block) {
  a->head = block;
  a->next = block ? block->data : arena_full;
  a->end = block ? block->data + block->bytes : arena_full;
}

void arena_init(struct arena *a, size_t block_bytes) {
  assert(block_bytes >= 16);
  a->block_bytes = block_bytes & ~(size_t)15;
  arena_use(a, NULL);
}

void arena_fini(struct arena *a) {
  blocks_free(a->head);
  arena_use(a, NULL);
}

void arena_reset(struct arena *a) {
  struct arena_block **link = &a->head;
  while (*link && (*link)->bytes != a->block_bytes) link = &(*link)->older;
  struct arena_block *kept = *link;
  if (kept && !ARENA_CHECKED) {
    *link = kept->older;
    kept->older = NULL;
  } else {
    kept = NULL;
  }
  blocks_free(a->head);
  arena_use(a, kept);
}

// A block of its own, linked behind the newest one, whose free part stays in use.
static void *alloc_apart(struct arena *a, size_t bytes) {
  struct arena_block *block = block_new(bytes);
  if (a->head) {
    block->older = a->head->older;
    a->head->older = block;
  } else {
    a->head = block;
  }
  return block->data;
}

// Under AddressSanitizer every allocation is a block of its own, so that it sees what is used
// after a reset or past its end.
void *arena_alloc_slow(struct arena *a, size_t bytes) {
  if (ARENA_CHECKED || bytes > a->block_bytes / 4) return alloc_apart(a, bytes);
  struct arena_block *block = block_new(a->block_bytes);
  block->older = a->head;
  arena_use(a, block);
  a->next += bytes;
  return block->data;
}

struct str arena_dup(struct arena *a, struct str s) {
  if (str_is_none(s)) return STR_NONE;
  return (struct str){arena_cstr(a, s), s.len};
}

char *arena_cstr(struct arena *a, struct str s) {
  char *copy = arena_alloc(a, s.len + 1);
  if (s.len) memcpy(copy, s.at, s.len);
  copy[s.len] = '\0';
  return copy;
}

struct str arena_printf(struct arena *a, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  assert(len >= 0);
  char *text = arena_alloc(a, (size_t)len + 1);
  vsnprintf(text, (size_t)len + 1, format, again);
  va_end(again);
  return (struct str){text, (size_t)len};
}
