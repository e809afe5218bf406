// play.c: plays the seeds of one fuzz target, once each, and some inputs of chance, as a C test. So
// what fuzzing has found is tried in every build. FUZZ_SEEDS names the file of the seeds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fuzz.h"

enum { SEED_BYTES_MAX = 1 << 16, CHANCE_INPUTS = 1000, CHANCE_BYTES_MAX = 400 };

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  assert_true(c >= 'a' && c <= 'f');
  return c - 'a' + 10;
}

// \xHH, \n, \r, \t, and a backslash before anything else stands for that.
static size_t unescape(char *line, size_t len) {
  size_t used = 0;
  for (size_t i = 0; i < len; i++) {
    char c = line[i];
    if (c == '\\' && i + 1 < len) {
      c = line[++i];
      if (c == 'n') c = '\n';
      if (c == 'r') c = '\r';
      if (c == 't') c = '\t';
      if (c == 'x' && i + 2 < len) {
        c = (char)(hex_digit(line[i + 1]) << 4 | hex_digit(line[i + 2]));
        i += 2;
      }
    }
    line[used++] = c;
  }
  return used;
}

static void each_seed_holds(void **state) {
  (void)state;
  static char line[SEED_BYTES_MAX];
  FILE *file = fopen(FUZZ_SEEDS, "re");
  size_t played = 0;
  assert_non_null(file);
  while (fgets(line, sizeof line, file)) {
    size_t len = strcspn(line, "\n");
    assert_int_equal(line[len], '\n');  // else it is longer
    if (len == 0 || strncmp(line, "//", 2) == 0) continue;
    assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)line, unescape(line, len)), 0);
    played++;
  }
  fclose(file);
  assert_true(played > 0);
}

// The same in each run (splitmix64, https://prng.di.unimi.it/splitmix64.c).
static uint64_t dice_next(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static void what_chance_brings_holds(void **state) {
  (void)state;
  uint8_t input[CHANCE_BYTES_MAX];
  uint64_t dice = 1;
  for (int i = 0; i < CHANCE_INPUTS; i++) {
    size_t size = 1 + dice_next(&dice) % CHANCE_BYTES_MAX;
    for (size_t at = 0; at < size; at++) input[at] = (uint8_t)dice_next(&dice);
    assert_int_equal(LLVMFuzzerTestOneInput(input, size), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_seed_holds),
                                     cmocka_unit_test(what_chance_brings_holds)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
