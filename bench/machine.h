// machine.h: where the figures come from.
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

struct machine {
  int cores;
  char processor[128], kernel[128], file_system[32];
  char compiler[64], taskyard[64], date[32];
  size_t memory_mb;
};

void bench_machine_read(const char *directory, struct machine *out);

// Size of a program without its symbols, by strip(1) into `directory`; 0 when that cannot be had.
size_t bench_machine_stripped_bytes(const char *program, const char *directory);

#endif
