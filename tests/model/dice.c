// dice.c: splitmix64, for the tests and, in the place of base/rand.c, for the product.
#include "dice.h"

#include <assert.h>
#include <string.h>

#include "base/rand.h"

static struct dice product;

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): a state that goes
// on by one constant, and a function that mixes it.
static uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

// All dice go round one circle of states in the same steps. Those of neighbouring seeds must not
// begin a few steps behind each other, as they would with `seed` times the step: then a run throws
// what its neighbour has thrown. Mixed, they begin anywhere.
struct dice dice_new(uint64_t seed, uint64_t number) {
  return (struct dice){mix(mix(seed) + number)};
}

uint64_t dice_u64(struct dice *d) { return mix(d->state += 0x9e3779b97f4a7c15u); }

size_t dice_below(struct dice *d, size_t bound) {
  assert(bound > 0);
  return (size_t)(dice_u64(d) % bound);
}

bool dice_chance(struct dice *d, size_t of, size_t all) { return dice_below(d, all) < of; }

// Of another seed than the test's, or both would throw the same.
void dice_of_product(uint64_t seed, uint64_t number) { product = dice_new(~seed, number); }

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
