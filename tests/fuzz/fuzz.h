// fuzz.h: what the fuzz targets share: a stated property, dice from the input, and exact copies.
//
// A target is one file, NAME_fuzz.c, with one function for libFuzzer. It finds crashes and
// undefined behaviour by itself (AddressSanitizer and UndefinedBehaviorSanitizer); what else must
// hold of the code it states with HOLDS. proof/fuzz builds and runs the targets.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A property of the code under test. Its sentence is what a failure says.
#define HOLDS(property, ...)                                                                       \
  do {                                                                                             \
    if (!(property)) {                                                                             \
      fprintf(stderr, "%s:%d: does not hold: ", __FILE__, __LINE__);                               \
      fprintf(stderr, __VA_ARGS__);                                                                \
      fputc('\n', stderr);                                                                         \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

// The bytes of the input that steer a target. Past their end all dice show 0.
struct dice {
  const uint8_t *at, *end;
};

static inline struct dice dice_of(const uint8_t *data, size_t size) {
  return (struct dice){data, data + size};
}

static inline uint8_t dice_byte(struct dice *d) { return d->at < d->end ? *d->at++ : 0; }

static inline unsigned dice_below(struct dice *d, unsigned sides) {
  unsigned byte = dice_byte(d);
  if (sides > 256) byte = byte << 8 | dice_byte(d);
  return byte % sides;
}

static inline struct str dice_rest(const struct dice *d) {
  return (struct str){(const char *)d->at, (size_t)(d->end - d->at)};
}

// A copy on the heap that ends where its bytes end, so that reading past it is a finding. Given
// back with exact_free.
static inline struct str exact_copy(struct str s) {
  if (s.len == 0) return STR("");
  return (struct str){memcpy(mem_alloc(s.len), s.at, s.len), s.len};
}

static inline void exact_free(struct str s) {
  if (s.len) mem_free((void *)(uintptr_t)s.at);
}

#endif
