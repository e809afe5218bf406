// settings_fuzz.c: the settings file, and each kind of value.
//
// The first byte chooses: a whole file, or a kind of value. What must hold: a file is taken or
// refused with a sentence that names the place; a value that was taken is shown as something that
// reads as the same value; a refused value leaves what was there.
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "app/settings.h"
#include "app/value.h"
#include "base/log.h"

static const enum setting_kind KINDS[] = {
    KIND_LISTEN,    KIND_LISTEN_HOST,  KIND_LISTEN_PORT, KIND_STORE, KIND_SCHEMA,   KIND_TEXT,
    KIND_SECRET,    KIND_PATH,         KIND_COUNT,       KIND_BYTES, KIND_DURATION, KIND_BOOL,
    KIND_LOG_LEVEL, KIND_LOG_FORMAT,   KIND_ALGORITHMS,  KIND_ROLES, KIND_LOG_JOBS, KIND_NAME,
    KIND_BACKOFF,   KIND_BACKOFF_KIND, KIND_SHARE,
};
enum { KIND_TOTAL = sizeof KINDS / sizeof *KINDS };

union any {
  struct listen listen;
  struct store_url store;
  struct str text;
  int64_t number;
  bool yes;
  unsigned bits;
  struct backoff backoff;
};

// What sets a part of another value is never shown by itself.
static bool is_shown(enum setting_kind kind) {
  return kind != KIND_LISTEN_HOST && kind != KIND_LISTEN_PORT && kind != KIND_BACKOFF_KIND &&
         kind != KIND_SHARE;
}

// Shown so that it can be read: not what hides a secret.
static bool is_readable(enum setting_kind kind, const union any *value) {
  if (kind == KIND_SECRET) return false;
  return kind != KIND_STORE || value->store.address == NULL;
}

// What stands there before: a part of a backoff that is not named keeps its value.
static union any fresh(enum setting_kind kind) {
  union any value;
  memset(&value, 0, sizeof value);
  if (kind == KIND_BACKOFF)
    value.backoff = (struct backoff){.delay_ms = 1000, .delay_max_ms = 60000, .jitter_percent = 20};
  return value;
}

static void check_shown(const struct value_rule *rule, const union any *value, struct arena *a) {
  struct buf shown;
  union any again = fresh(rule->kind);
  buf_init(&shown, 1 << 16);
  value_show(rule->kind, value, &shown);
  if (is_readable(rule->kind, value)) {
    HOLDS(value_parse(rule, buf_str(&shown), a, &again), "a value that is shown is read: %.*s",
          STR_FMT(buf_str(&shown)));
    HOLDS(value_same(rule->kind, value, &again), "and is the same: %.*s", STR_FMT(buf_str(&shown)));
  }
  HOLDS(rule->kind != KIND_SECRET || value->text.len < 9 ||
            !memmem(shown.at, shown.len, value->text.at, value->text.len),
        "a secret is not shown");
  buf_fini(&shown);
}

static void check_value(enum setting_kind kind, struct str text) {
  struct value_rule rule = {.kind = kind, .min = 0, .max = kind == KIND_COUNT ? 1000 : 0};
  struct arena a;
  union any value = fresh(kind), before = fresh(kind);
  struct str exact = exact_copy(text);
  arena_init(&a, 4096);
  if (value_parse(&rule, exact, &a, &value)) {
    if (is_shown(kind)) check_shown(&rule, &value, &a);
  } else {
    struct fault why = {0};
    HOLDS(memcmp(&value, &before, sizeof value) == 0, "a refused value leaves what was there");
    HOLDS(value_refuse(&rule, "place", "name", exact, &why) == ERR_INVALID, "it is invalid");
    HOLDS(strncmp(why.detail, "place", 5) == 0, "the sentence names the place");
  }
  arena_fini(&a);
  exact_free(exact);
}

static const char *no_env(const char *name) {
  (void)name;
  return NULL;
}

static void check_file(struct str text) {
  static char path[64];
  static int file = -1;
  if (file < 0) file = memfd_create("settings", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 0) != 0) abort();
  if (pwrite(file, text.at, text.len, 0) != (ssize_t)text.len) abort();
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  struct settings_source source = {.env = no_env, .config = path};
  struct settings settings;
  struct fault why = {0};
  enum err err = settings_load(&source, &settings, &why);
  if (err != ERR_OK) {
    HOLDS(why.err == err && why.detail[0], "a file is refused with a sentence");
    return;
  }
  struct buf shown;
  buf_init(&shown, 1 << 16);
  for (int i = 0; i < SETTINGS_COUNT; i++) settings_show(&settings, (enum setting_index)i, &shown);
  HOLDS(settings_same(&settings, &settings, SETTING_INDEX_listen), "settings are like themselves");
  for (size_t i = 0; i < settings.type_count; i++)
    HOLDS(settings.types[i].name.len > 0 && settings.types[i].name.len <= 128, "a type has a name");
  buf_fini(&shown);
  settings_fini(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool quiet;
  if (!quiet) quiet = log_open("/dev/null");
  struct dice dice = dice_of(data, size);
  unsigned what = dice_below(&dice, 2 * KIND_TOTAL);
  if (what < KIND_TOTAL)
    check_value(KINDS[what], dice_rest(&dice));
  else
    check_file(dice_rest(&dice));
  return 0;
}
