// rand.h: unpredictable bytes from the kernel, buffered per thread.
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t count);
uint64_t rand_u64(void);
int64_t rand_below(int64_t bound);  // 0 … bound-1; bound > 0

#endif
