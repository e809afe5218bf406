// calls.c: functions that must not be called, why, and where they may be all the same.
#include <ctype.h>
#include <string.h>

#include "tidy.h"

#define NO_BOUND "it knows no bound: use struct buf, snprintf or memcpy"
#define NO_ERROR "it hides errors: use str_to_i64"
#define NO_THREAD "it is not thread-safe: use the _r variant"
#define NO_HEAP "only base/mem.c calls the heap: use mem.h or an arena"
#define NO_SHELL "no shell between us and a program"
#define NO_SLEEP "a test waits for an event, never for time"

static const struct ban {
  const char *name;
  const char *reason;
  const char *allowed;  // starts of paths, each ended by a blank; NULL: nowhere
  bool in_tests_only;
} BANS[] = {
    {"strcpy", NO_BOUND, NULL, false},
    {"strcat", NO_BOUND, NULL, false},
    {"stpcpy", NO_BOUND, NULL, false},
    {"sprintf", NO_BOUND, NULL, false},
    {"vsprintf", NO_BOUND, NULL, false},
    {"gets", NO_BOUND, NULL, false},
    {"alloca", "the stack has no room to promise: use an arena", NULL, false},
    {"strtok", "it writes into its input: use str_cut", NULL, false},
    {"gmtime", NO_THREAD, NULL, false},
    {"localtime", NO_THREAD, NULL, false},
    {"ctime", NO_THREAD, NULL, false},
    {"asctime", NO_THREAD, NULL, false},
    {"atoi", NO_ERROR, NULL, false},
    {"atol", NO_ERROR, NULL, false},
    {"strtol", NO_ERROR, NULL, false},
    {"rand", "it can be guessed: use rand.h", NULL, false},
    {"random", "it can be guessed: use rand.h", NULL, false},
    {"system", NO_SHELL, NULL, false},
    {"popen", NO_SHELL, NULL, false},
    {"malloc", NO_HEAP, "src/base/mem.c tools/ ", false},
    {"calloc", NO_HEAP, "src/base/mem.c tools/ ", false},
    {"realloc", NO_HEAP, "src/base/mem.c tools/ ", false},
    {"free", NO_HEAP, "src/base/mem.c tools/ ", false},
    {"strdup", NO_HEAP, "tools/ ", false},
    {"strndup", NO_HEAP, "tools/ ", false},
    {"asprintf", NO_HEAP, "tools/ ", false},
    {"exit", "return an error: only app ends the process",
     "src/app/ src/main.c bench/ tools/ tests/unit/program.h ", false},
    {"sleep", NO_SLEEP, NULL, true},
    {"usleep", NO_SLEEP, NULL, true},
    {"nanosleep", NO_SLEEP, NULL, true},
};

static bool is_allowed(const struct ban *ban, const char *path) {
  if (ban->in_tests_only && !tidy_is_test(path)) return true;
  for (const char *at = ban->allowed; at && *at; at = strchr(at, ' ') + 1)
    if (strncmp(path, at, strcspn(at, " ")) == 0) return true;
  return false;
}

static void check_call(struct tidy *t, const struct source *s, size_t line, const char *name,
                       size_t length) {
  for (size_t i = 0; i < sizeof BANS / sizeof BANS[0]; i++) {
    const struct ban *ban = &BANS[i];
    if (strlen(ban->name) != length || memcmp(ban->name, name, length) != 0) continue;
    if (!is_allowed(ban, s->path))
      tidy_report(t, s->path, line, "%s is banned: %s", ban->name, ban->reason);
  }
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

// A member of the same name (`ops->free(…)`) is another thing.
static bool is_member(const char *code, const char *name) {
  return name > code &&
         (name[-1] == '.' || (name[-1] == '>' && name - 1 > code && name[-2] == '-'));
}

void calls_check(struct tidy *t, const struct source *s) {
  size_t line = 1;
  for (const char *c = s->code; *c; c++) {
    if (*c == '\n') line++;
    if (!is_word(*c)) continue;
    const char *name = c;
    while (is_word(c[1])) c++;
    const char *next = c + 1 + strspn(c + 1, " ");
    if (*next == '(' && !is_member(s->code, name))
      check_call(t, s, line, name, (size_t)(c + 1 - name));
  }
}
