// untold.h: takes the place of what tells the fuzzer of each comparison, see meson.build.
#ifndef TESTS_FUZZ_UNTOLD_H
#define TESTS_FUZZ_UNTOLD_H

#include <stdint.h>

#ifdef __clang__  // else nothing is told
#define UNTOLD(kind, type)                                                                         \
  void __wrap___sanitizer_cov_trace_##kind(type a, type b);                                        \
  __attribute__((no_sanitize("coverage"))) void __wrap___sanitizer_cov_trace_##kind(type a,        \
                                                                                    type b) {      \
    (void)a;                                                                                       \
    (void)b;                                                                                       \
  }
UNTOLD(cmp1, uint8_t)
UNTOLD(cmp2, uint16_t)
UNTOLD(cmp4, uint32_t)
UNTOLD(cmp8, uint64_t)
UNTOLD(const_cmp1, uint8_t)
UNTOLD(const_cmp2, uint16_t)
UNTOLD(const_cmp4, uint32_t)
UNTOLD(const_cmp8, uint64_t)
UNTOLD(switch, uintptr_t)
#endif

#endif
