// settings_docs.c: writes docs/settings.md.
#include "app/settings_docs.h"

#include "app/sections.h"
#include "app/settings.h"
#include "app/settings_typos.h"
#include "app/value.h"

#include <ctype.h>

#define INTRODUCTION                                                                               \
  "# Settings\n\n"                                                                                 \
  "*Made by `taskyard docs settings` from `src/app/settings.def` and `src/app/sections.def`.*\n\n" \
  "`taskyard serve` needs no settings. Each one can be given as a flag, as a variable of the\n"    \
  "environment, or in a file; the first of these that has it wins, then the default holds.\n"      \
  "`taskyard config` shows each value and where it comes from; `taskyard config --check` says\n"   \
  "whether the settings are right. What is unknown or out of range is refused with its place "     \
  "and\n"                                                                                          \
  "the nearest name or the range. An unknown `TASKYARD_` variable is only warned about: others "   \
  "may\n"                                                                                          \
  "use the prefix. An empty variable counts as not set.\n\n"                                       \
  "The file is the one of `--config` or `TASKYARD_CONFIG`, else `taskyard.conf` in the working\n"  \
  "directory, else `/etc/taskyard/taskyard.conf`, if there is one. SIGHUP loads it again.\n\n"     \
  "```ini\n"                                                                                       \
  "listen = 127.0.0.1:8503        ; a comment starts with a blank and a semicolon\n"               \
  "store = sqlite:/var/lib/taskyard/taskyard.db\n"                                                 \
  "api_key_file = /etc/taskyard/key\n\n"                                                           \
  "[type transcribe]\n"                                                                            \
  "max_attempts = 5\n"                                                                             \
  "lease = 30m\n"                                                                                  \
  "backoff = exponential 10s max 1h jitter 0.2\n\n"                                                \
  "[queue voice]\n"                                                                                \
  "paused = yes\n"                                                                                 \
  "```\n\n"                                                                                        \
  "Durations are written `250ms`, `30s`, `5m`, `1h`, `7d`; sizes `65536`, `512KiB`, `1MiB`; "      \
  "switches\n"                                                                                     \
  "`yes` or `no` (as a flag, the name alone means yes). A line has at most 197 bytes.\n\n"

// A meaning of the tables as a sentence.
static void put_sentence(const char *meaning, struct buf *out) {
  buf_char(out, (char)toupper((unsigned char)meaning[0]));
  for (const char *c = meaning + 1; *c; c++) {
    if (*c == '|') buf_char(out, '\\');
    buf_char(out, *c);
  }
  buf_char(out, '.');
}

static void put_range(enum setting_kind kind, int64_t min, int64_t max, struct buf *out) {
  bool is_number = kind == KIND_COUNT || kind == KIND_BYTES || kind == KIND_DURATION;
  if (!is_number || (min == 0 && max == 0)) return;
  BUF_LIT(out, " From ");
  value_show(kind, &min, out);
  BUF_LIT(out, " to ");
  value_show(kind, &max, out);
  buf_char(out, '.');
}

static void put_setting(const struct setting *row, struct buf *out) {
  buf_printf(out, "| `%s` | ", row->name);
  if (row->fallback[0]) buf_printf(out, "`%s`", row->fallback);
  if (!row->fallback[0]) BUF_LIT(out, "none");
  BUF_LIT(out, " | ");
  if (row->flag[0]) buf_printf(out, "`--%s`", row->flag);
  if (!row->flag[0]) BUF_LIT(out, "none, it is a secret");
  buf_printf(out, " | `%s` | ", row->env);
  put_sentence(row->meaning, out);
  put_range(row->kind, row->min, row->max, out);
  BUF_LIT(out, " |\n");
}

static void put_settings(struct buf *out) {
  BUF_LIT(out,
          "## All settings\n\n"
          "| in the file | default | flag | variable | meaning |\n|---|---|---|---|---|\n");
  for (size_t i = 0; i < SETTINGS_COUNT; i++) put_setting(&SETTINGS[i], out);
  BUF_LIT(
      out,
      "\n## Other names in the environment\n\n"
      "Names that other servers use work too; the variable of the table above wins over them.\n\n"
      "| variable | meaning |\n|---|---|\n");
  for (size_t i = 0; i < SETTING_ALIAS_COUNT; i++) {
    buf_printf(out, "| `%s` | ", SETTING_ALIASES[i].env);
    put_sentence(SETTING_ALIASES[i].meaning, out);
    BUF_LIT(out, " |\n");
  }
  settings_typos_docs(out);
}

static void put_section(enum section_kind section, const char *heading, struct buf *out) {
  buf_printf(out, "\n## %s\n\n| key | meaning |\n|---|---|\n", heading);
  for (size_t i = 0; i < SECTION_KEY_COUNT; i++) {
    const struct section_key *key = &SECTION_KEYS[i];
    if (key->section != section) continue;
    buf_printf(out, "| `%s` | ", key->name);
    put_sentence(key->meaning, out);
    put_range(key->kind, key->min, key->max, out);
    BUF_LIT(out, " |\n");
  }
}

void settings_docs(struct buf *out) {
  BUF_LIT(out, INTRODUCTION);
  put_settings(out);
  put_section(SECTION_TYPE, "Defaults of a type: `[type NAME]`", out);
  put_section(SECTION_QUEUE, "A queue: `[queue NAME]`", out);
}
