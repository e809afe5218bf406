// dice.c: splitmix64, for the tests and, in the place of base/rand.c, for the product.
#include "dice.h"

#include <assert.h>
#include <string.h>

#include "base/rand.h"

static struct dice product;

struct dice dice_new(uint64_t seed) {
  return (struct dice){seed};
}

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
uint64_t dice_u64(struct dice *d) {
  uint64_t z = d->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

size_t dice_below(struct dice *d, size_t bound) {
  assert(bound > 0);
  return (size_t)(dice_u64(d) % bound);
}

bool dice_chance(struct dice *d, size_t of, size_t all) { return dice_below(d, all) < of; }

void dice_of_product(uint64_t seed) { product.state = seed; }

void rand_bytes(void *out, size_t count) {
  char *at = out;
  while (count) {
    uint64_t word = dice_u64(&product);
    size_t part = count < sizeof word ? count : sizeof word;
    memcpy(at, &word, part);
    at += part;
    count -= part;
  }
}

uint64_t rand_u64(void) { return dice_u64(&product); }

int64_t rand_below(int64_t bound) { return (int64_t)dice_below(&product, (size_t)bound); }
