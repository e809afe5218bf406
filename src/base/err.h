// err.h: how calls report failure.
//
// Every function that can fail returns `enum err`; ERR_OK is 0. Outputs come last and are untouched
// on failure. Where a person will read the reason, the last parameter is a `struct fault`.
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum err {
#define ERR(name, status, code, title, when) ERR_##name,
#include "base/err.def"
#undef ERR
  ERR_COUNT
};

// Leaves the calling function with the error of `call`. Only where nothing is held.
#define TRY(call)                                                                                  \
  do {                                                                                             \
    enum err try_err_ = (call);                                                                    \
    if (try_err_ != ERR_OK) return try_err_;                                                       \
  } while (0)

int err_http_status(enum err err);
const char *err_code(enum err err);  // stable, snake_case
const char *err_title(enum err err);

enum { FAULT_FIELDS_MAX = 4, FAULT_DETAIL_BYTES = 256, FAULT_POINTER_BYTES = 96 };

// One sentence for the person who has to act, and the fields of a request that are wrong.
// Plain memory: copied by assignment, nothing to free. All zero means "no fault".
struct fault {
  enum err err;
  int retry_after_s;  // 0: do not send Retry-After
  unsigned field_count;
  char detail[FAULT_DETAIL_BYTES];
  struct fault_field {
    char pointer[FAULT_POINTER_BYTES];  // JSON Pointer (RFC 6901) into the body, or the query name
    char detail[FAULT_DETAIL_BYTES];
  } fields[FAULT_FIELDS_MAX];
};

// Sets error and sentence, and returns `err`, so that `return fault_set(…)` reads well. `why` may
// be NULL.
enum err fault_set(struct fault *why, enum err err, const char *format, ...) PRINTF_LIKE(3, 4);

// Adds one wrong field (silently dropped past FAULT_FIELDS_MAX) and returns ERR_INVALID. The first
// one also becomes the detail.
enum err fault_field(struct fault *why, const char *pointer, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
