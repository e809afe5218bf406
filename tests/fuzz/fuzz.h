// fuzz.h: what the fuzz targets share: a stated property, dice from the input, and exact copies.
//
// A target is one file, NAME_fuzz.c, with one function for libFuzzer. It finds crashes and
// undefined behaviour by itself (AddressSanitizer and UndefinedBehaviorSanitizer); what else must
// hold of the code it states with HOLDS. proof/fuzz builds and runs the targets.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <sanitizer/asan_interface.h>
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

// Room for copies, forbidden to AddressSanitizer but for those in use. All of it is gone through
// before it is used again, so that use after exact_free is found. Targets make a copy of each piece
// of their input, and on the heap that costs ten times as much.
enum { EXACT_BYTES = 1 << 18, EXACT_GAP = 16 };

static struct {
  size_t next;
  unsigned used;
  bool ready;
  _Alignas(16) char bytes[EXACT_BYTES];
} exact_room;

// NULL: the room is full.
static inline char *exact_place(size_t len) {
  size_t taken = (EXACT_GAP + len + 15) & ~(size_t)15;
  if (!exact_room.ready) ASAN_POISON_MEMORY_REGION(exact_room.bytes, EXACT_BYTES);
  exact_room.ready = true;
  if (exact_room.used == 0 && taken > EXACT_BYTES - exact_room.next) exact_room.next = 0;
  if (taken > EXACT_BYTES - exact_room.next) return NULL;
  char *at = exact_room.bytes + exact_room.next + EXACT_GAP;
  exact_room.next += taken;
  exact_room.used++;
  ASAN_UNPOISON_MEMORY_REGION(at, len);
  return at;
}

// A copy that ends where its bytes end, so that reading past it is a finding. Given back with
// exact_free.
static inline struct str exact_copy(struct str s) {
  if (s.len == 0) return STR("");
  char *at = exact_place(s.len);
  return (struct str){memcpy(at ? at : mem_alloc(s.len), s.at, s.len), s.len};
}

static inline void exact_free(struct str s) {
  if (s.len == 0) return;
  char *at = (char *)(uintptr_t)s.at;
  if (at < exact_room.bytes || at >= exact_room.bytes + EXACT_BYTES) {
    mem_free(at);
    return;
  }
  ASAN_POISON_MEMORY_REGION(at, s.len);
  exact_room.used--;
}

#endif
