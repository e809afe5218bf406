// dice.h: everything random in these programs, from one seed. The product's own randomness too:
// dice.c stands in the place of base/rand.c, so that ids and lease tokens repeat with the run.
#ifndef TESTS_MODEL_DICE_H
#define TESTS_MODEL_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
  uint64_t state;
};

// What rand_bytes and its like give from here on. Apart from a test's own dice, so that what the
// product draws does not change what the test does next.
void dice_of_product(uint64_t seed, uint64_t number);

// The dice of one run of many. Those of neighbouring seeds or numbers have nothing in common.
struct dice dice_new(uint64_t seed, uint64_t number);
uint64_t dice_u64(struct dice *d);
size_t dice_below(struct dice *d, size_t bound);          // 0 … bound-1; bound > 0
bool dice_chance(struct dice *d, size_t of, size_t all);  // true in `of` of `all` cases

#endif
