// value_alias.c: values as the documents that we replace write them.
#include "app/value_alias.h"

static bool parse(const struct value_rule *rule, struct str text, int64_t unit_ms, void *out) {
  int64_t number, ms;
  if (!str_to_i64(text, &number)) {
    if (!str_to_duration_ms(text, &ms)) return false;
  } else {
    if (number < 0 || number > INT64_MAX / unit_ms) return false;
    ms = number * unit_ms;
  }
  if ((rule->min || rule->max) && (ms < rule->min || ms > rule->max)) return false;
  *(int64_t *)out = ms;
  return true;
}

bool value_alias_ms(const struct value_rule *rule, struct str text, struct arena *a, void *out) {
  (void)a;
  return parse(rule, text, 1, out);
}

bool value_alias_days(const struct value_rule *rule, struct str text, struct arena *a, void *out) {
  (void)a;
  return parse(rule, text, 24LL * 3600 * 1000, out);
}

bool value_alias_jobs_storage(const struct value_rule *rule, struct str text, struct arena *a,
                              void *out) {
  (void)rule, (void)a;
  if (!str_eq_nocase(text, STR("prisma"))) *(bool *)out = false;
  return true;
}
