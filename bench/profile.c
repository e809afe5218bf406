// profile.c: the table of the fixed profiles.
#include "bench/profile.h"

const struct profile bench_profiles[] = {
#define PROFILE(name, way, connections, batch, minimal, preload, about)                            \
  {name, WAY_##way, connections, batch, minimal, PRELOAD_##preload, about, false},
#include "bench/profile.def"
#undef PROFILE
};
const size_t bench_profile_count = sizeof bench_profiles / sizeof bench_profiles[0];

const struct profile *bench_profile_find(struct str name) {
  for (size_t i = 0; i < bench_profile_count; i++)
    if (str_eq(str_of(bench_profiles[i].name), name)) return &bench_profiles[i];
  return NULL;
}
