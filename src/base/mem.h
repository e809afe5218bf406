// mem.h: the process heap. The only caller of malloc; running out of memory ends the process, which
// is safe because everything acknowledged is on disk and everything taken in is bounded.
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define NEVER_NULL __attribute__((returns_nonnull))

_Noreturn void mem_exhausted(void);  // says so and ends the process

NEVER_NULL void *mem_alloc(size_t bytes);                 // not cleared
NEVER_NULL void *mem_zero(size_t bytes);                  // cleared
NEVER_NULL void *mem_resize(void *old, size_t bytes);     // what is added is not cleared
NEVER_NULL char *mem_copy(const char *at, size_t bytes);  // a NUL is appended
void mem_free(void *old);                                 // NULL is allowed

#endif
