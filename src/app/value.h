// value.h: reads and writes one value of a setting, by its kind.
#ifndef APP_VALUE_H
#define APP_VALUE_H

#include "app/settings.h"

// What a value may be. `min` and `max` count milliseconds, bytes or units; both 0: any.
struct value_rule {
  enum setting_kind kind;
  int64_t min, max;
};

// Writes to `*out`, whose type goes with the kind (SETTING_TYPE_…); texts are copied into `a`.
// False: the text is no such value or out of range; `*out` is untouched, value_refuse says why.
bool value_parse(const struct value_rule *rule, struct str text, struct arena *a, void *out);

// Says why value_parse returned false: `WHERE: NAME must be a duration between 1s and 1d, as in
// 30s, not "1w"`. Returns ERR_INVALID.
enum err value_refuse(const struct value_rule *rule, const char *where, const char *name,
                      struct str text, struct fault *why);

// The value as value_parse reads it. A secret is masked.
void value_show(enum setting_kind kind, const void *value, struct buf *out);

// Two values of a kind; secrets and passwords count.
bool value_same(enum setting_kind kind, const void *a, const void *b);

#endif
