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
#ifdef ARENA_CHECKED
#include <sanitizer/asan_interface.h>
#else
#define ARENA_CHECKED 0
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
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

// Under AddressSanitizer `next` is where the newest block is free, and `end` is the same, so that
// arena_alloc always calls arena_alloc_slow.
static void arena_use(struct arena *a, struct arena_block *block) {
  a->head = block;
  a->next = block ? block->data : arena_full;
  a->end = block && !ARENA_CHECKED ? block->data + block->bytes : a->next;
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

static size_t round_up(size_t bytes) { return (bytes + 15) & ~(size_t)15; }

// A block of its own, linked behind the newest one, whose free part stays in use.
static void *alloc_apart(struct arena *a, size_t bytes) {
  size_t rounded = round_up(bytes);
  struct arena_block *block = block_new(rounded);
  ASAN_POISON_MEMORY_REGION(block->data + bytes, rounded - bytes);
  if (a->head) {
    block->older = a->head->older;
    a->head->older = block;
  } else {
    a->head = block;
    a->next = a->end = block->data + rounded;
  }
  return block->data;
}

// Under AddressSanitizer no byte of a block may be touched but those that were asked for, with a
// gap before each allocation, and no block is kept at a reset: so it sees what is used past its end
// or its time. A block of its own for each would cost ten times as much.
static void *alloc_checked(struct arena *a, size_t bytes) {
  enum { GAP_BYTES = 16, BLOCK_BYTES_MAX = 8192 };
  size_t block_bytes = a->block_bytes < BLOCK_BYTES_MAX ? a->block_bytes : BLOCK_BYTES_MAX;
  size_t taken = GAP_BYTES + round_up(bytes);
  if (taken > block_bytes / 4) return alloc_apart(a, bytes);
  if (a->head == NULL || (size_t)(a->head->data + a->head->bytes - a->next) < taken) {
    struct arena_block *block = block_new(block_bytes);
    ASAN_POISON_MEMORY_REGION(block->data, block_bytes);
    block->older = a->head;
    arena_use(a, block);
  }
  char *at = a->next + GAP_BYTES;
  a->next = a->end = a->next + taken;
  ASAN_UNPOISON_MEMORY_REGION(at, bytes);
  return at;
}

void *arena_alloc_slow(struct arena *a, size_t bytes) {
  if (ARENA_CHECKED) return alloc_checked(a, bytes);
  size_t rounded = round_up(bytes);
  if (rounded > a->block_bytes / 4) return alloc_apart(a, bytes);
  struct arena_block *block = block_new(a->block_bytes);
  block->older = a->head;
  arena_use(a, block);
  a->next += rounded;
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
