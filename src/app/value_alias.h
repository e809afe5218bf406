// value_alias.h: values as the documents that we replace write them, for the variables that they
// name. Private to value.c; each is one of its parsers.
#ifndef APP_VALUE_ALIAS_H
#define APP_VALUE_ALIAS_H

#include "app/value.h"

// A duration; a number alone is milliseconds, or days.
bool value_alias_ms(const struct value_rule *rule, struct str text, struct arena *a, void *out);
bool value_alias_days(const struct value_rule *rule, struct str text, struct arena *a, void *out);

// Where the original keeps its jobs: in memory, where it offers none, or by prisma.
bool value_alias_jobs_storage(const struct value_rule *rule, struct str text, struct arena *a,
                              void *out);

#endif
