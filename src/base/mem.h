// mem.h: the process heap. The only caller of malloc; running out of memory ends the process, which
// is safe because everything acknowledged is on disk and everything taken in is bounded.
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t bytes);                 // never NULL, not cleared
void *mem_zero(size_t bytes);                  // never NULL, cleared
void *mem_resize(void *old, size_t bytes);     // never NULL
char *mem_copy(const char *at, size_t bytes);  // a NUL is appended
void mem_free(void *old);                      // NULL is allowed

#endif
