// settings_flags.c: makes flags of the rows of settings.def.
#include "app/settings_flags.h"

#include "model/limits.h"

// How the help calls the value of each kind; a switch has none, and a secret has no flag.
#define OPTION_LISTEN(flag, meaning) {flag, 0, "HOST:PORT", meaning},
#define OPTION_STORE(flag, meaning) {flag, 0, "URL", meaning},
#define OPTION_SCHEMA(flag, meaning) {flag, 0, "NAME", meaning},
#define OPTION_TEXT(flag, meaning) {flag, 0, "TEXT", meaning},
#define OPTION_SECRET(flag, meaning)
#define OPTION_PATH(flag, meaning) {flag, 0, "FILE", meaning},
#define OPTION_COUNT(flag, meaning) {flag, 0, "N", meaning},
#define OPTION_BYTES(flag, meaning) {flag, 0, "SIZE", meaning},
#define OPTION_DURATION(flag, meaning) {flag, 0, "DURATION", meaning},
#define OPTION_BOOL(flag, meaning) {flag, 0, NULL, meaning},
#define OPTION_LOG_LEVEL(flag, meaning) {flag, 0, "LEVEL", meaning},
#define OPTION_LOG_FORMAT(flag, meaning) {flag, 0, "FORMAT", meaning},
#define OPTION_ALGORITHMS(flag, meaning) {flag, 0, "WORDS", meaning},
#define OPTION_ROLES(flag, meaning) {flag, 0, "WORDS", meaning},
#define OPTION_LOG_JOBS(flag, meaning) {flag, 0, "WHICH", meaning},
#define OPTION_NETWORKS(flag, meaning) {flag, 0, "NETWORKS", meaning},
#define OPTION_ORIGINS(flag, meaning) {flag, 0, "ORIGINS", meaning},

const struct option_spec SETTINGS_OPTIONS[] = {
    {"config", 0, "FILE", "settings file, instead of taskyard.conf here or in /etc/taskyard"},
#define SETTING(field, name, kind, fallback, min, max, env, flag, meaning)                         \
  OPTION_##kind(flag, meaning)
#define SETTING_ALIAS(...)
#include "app/settings.def"
#undef SETTING
#undef SETTING_ALIAS
    {0}};

struct settings_source settings_flags_read(const struct options *given) {
  struct settings_source source = {.config = options_value(given, "config")};
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    const struct setting *row = &SETTINGS[i];
    if (!row->flag[0]) continue;
    if (row->kind == KIND_BOOL)
      source.flags[i] = options_has(given, row->flag) ? "yes" : NULL;
    else
      source.flags[i] = options_value(given, row->flag);
  }
  return source;
}
