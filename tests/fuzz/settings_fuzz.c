// settings_fuzz.c: the settings file, and each kind of value.
//
// The first byte chooses: a whole file, or a kind of value. What must hold: a file is taken or
// refused with a sentence that names the place; a value that was taken is shown as something that
// reads as the same value; a refused value leaves what was there.
#include "fuzz.h"

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

// --- the file -----------------------------------------------------------------------------------

// With large files fopen is fopen64, in whose place the linker puts this; see meson.build.

#define FILE_PATH "/the settings of the input"

static struct str file_left;  // what of it was not read yet

static ssize_t file_read(void *self, char *out, size_t room) {
  (void)self;
  size_t len = file_left.len < room ? file_left.len : room;
  if (len) memcpy(out, file_left.at, len);
  file_left = str_from(file_left, len);
  return (ssize_t)len;
}

FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *__wrap_fopen64(const char *path, const char *mode) {
  static char buffer[4096];
  if (strcmp(path, FILE_PATH) != 0) return __real_fopen64(path, mode);
  FILE *file = fopencookie(NULL, "r", (cookie_io_functions_t){.read = file_read});
  if (file) setvbuf(file, buffer, _IOFBF, sizeof buffer);
  return file;
}

// What no file has set is shown once; afterwards only what differs from it.
static const struct settings *defaults(void) {
  static struct settings usual;
  struct settings_source source = {.env = no_env, .config = FILE_PATH};
  struct fault why = {0};
  file_left = STR("");
  if (usual.file.len == 0) HOLDS(settings_load(&source, &usual, &why) == ERR_OK, "no line is fine");
  return &usual;
}

static void check_settings(const struct settings *s) {
  static bool all_shown;
  const struct settings *usual = defaults();
  struct buf shown;
  buf_init(&shown, 1 << 16);
  for (int i = 0; i < SETTINGS_COUNT; i++) {
    HOLDS(settings_same(s, s, (enum setting_index)i), "settings are like themselves");
    if (!all_shown || !settings_same(s, usual, (enum setting_index)i))
      settings_show(s, (enum setting_index)i, &shown);
  }
  all_shown = true;
  for (size_t i = 0; i < s->type_count; i++)
    HOLDS(s->types[i].name.len > 0 && s->types[i].name.len <= 128, "a type has a name");
  buf_fini(&shown);
}

static void check_file(struct str text) {
  struct settings_source source = {.env = no_env, .config = FILE_PATH};
  struct settings settings;
  struct fault why = {0};
  file_left = text;
  enum err err = settings_load(&source, &settings, &why);
  if (err != ERR_OK) {
    HOLDS(why.err == err && why.detail[0], "a file is refused with a sentence");
    return;
  }
  check_settings(&settings);
  settings_fini(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool quiet;
  if (!quiet) (void)defaults();
  if (!quiet) quiet = log_open("/dev/null");
  struct dice dice = dice_of(data, size);
  unsigned what = dice_below(&dice, 2 * KIND_TOTAL);
  if (what < KIND_TOTAL)
    check_value(KINDS[what], dice_rest(&dice));
  else
    check_file(dice_rest(&dice));
  return 0;
}
