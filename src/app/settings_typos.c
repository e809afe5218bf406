// settings_typos.c: finds mistyped and foreign variables in the environment.
#include "app/settings_typos.h"

#include "app/settings.h"
#include "base/options.h"

#include <stdlib.h>
#include <unistd.h>

static const struct {
  const char *name, *meaning;
} FOREIGN_NAMES[] = {
#define FOREIGN(name, meaning) {name, meaning},
#include "app/foreign.def"
#undef FOREIGN
};
enum { FOREIGN_COUNT = sizeof FOREIGN_NAMES / sizeof *FOREIGN_NAMES };

// Read by the command line and the worker, not by settings.
static const char *const OTHER_NAMES[] = {"TASKYARD_URL", "TASKYARD_KEY", "TASKYARD_CONFIG",
                                          "TASKYARD_SESSION"};
enum { OTHER_COUNT = 4, NAME_BYTES = 64 };

static bool is_known(const char *name, const char *const *names) {
  for (size_t i = 0; names[i]; i++)
    if (strcmp(names[i], name) == 0) return true;
  return false;
}

static void tell_one(const char *entry, const char *const *names, FILE *to) {
  char name[NAME_BYTES];
  size_t len = strcspn(entry, "=");
  if (!str_starts(str_of(entry), STR("TASKYARD_")) || len >= sizeof name) return;
  memcpy(name, entry, len);
  name[len] = '\0';
  if (is_known(name, names)) return;
  const char *nearest = options_nearest(name, names);
  fprintf(to, "taskyard: %s is not used%s%s%s\n", name, nearest ? "; did you mean " : "",
          nearest ? nearest : "", nearest ? "?" : "");
}

// Never the value: an address may hold a password.
static void tell_foreign(FILE *to) {
  for (size_t i = 0; i < FOREIGN_COUNT; i++) {
    const char *value = getenv(FOREIGN_NAMES[i].name);
    if (value && value[0])
      fprintf(to, "taskyard: %s is not used: %s\n", FOREIGN_NAMES[i].name,
              FOREIGN_NAMES[i].meaning);
  }
}

void settings_typos_docs(struct buf *out) {
  for (size_t i = 0; i < FOREIGN_COUNT; i++)
    buf_printf(out, "| `%s` | Not used: %s. |\n", FOREIGN_NAMES[i].name, FOREIGN_NAMES[i].meaning);
}

void settings_typos_tell(FILE *to) {
  tell_foreign(to);
  const char *names[SETTINGS_COUNT + OTHER_COUNT + 1] = {0};
  for (size_t i = 0; i < SETTINGS_COUNT; i++) names[i] = SETTINGS[i].env;
  for (size_t i = 0; i < OTHER_COUNT; i++) names[SETTINGS_COUNT + i] = OTHER_NAMES[i];
  for (char **entry = environ; *entry; entry++) tell_one(*entry, names, to);
}
