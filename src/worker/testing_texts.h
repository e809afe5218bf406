// testing_texts.h: what the tests of the worker share that read and write texts: an arena for the
// whole of a test program, and comparisons that say what was found.
#ifndef WORKER_TESTING_TEXTS_H
#define WORKER_TESTING_TEXTS_H

#include "base/arena.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct arena the_arena;

static inline int a_fresh_arena(void **state) {
  (void)state;
  arena_init(&the_arena, 1 << 12);
  return 0;
}

static inline int the_arena_freed(void **state) {
  (void)state;
  arena_fini(&the_arena);
  return 0;
}

static inline void check_str(struct str is, const char *expected) {
  if (is.len != strlen(expected) || memcmp(is.at, expected, is.len) != 0)
    fail_msg("it is %.*s, not %s", STR_FMT(is), expected);
}

static inline void check_says(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("%s is not in %s", part, text);
}

#endif
