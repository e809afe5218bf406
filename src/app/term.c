// term.c: asks the terminal what it can do, and writes to it.
#include "app/term.h"

#include "model/words.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_USUAL = 80, COLUMNS_LEAST = 20 };

static bool is_set(const char *value) { return value && *value; }

bool term_wants_colour(bool is_terminal, const char *no_color, const char *force_color,
                       const char *term_name) {
  if (is_set(no_color)) return false;
  if (is_set(force_color)) return strcmp(force_color, "0") != 0;
  return is_terminal && is_set(term_name) && strcmp(term_name, "dumb") != 0;
}

static int columns_of(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return COLUMNS_USUAL;
  return size.ws_col < COLUMNS_LEAST ? COLUMNS_LEAST : size.ws_col;
}

struct term term_of(int fd) {
  setlocale(LC_CTYPE, "");
  bool is_terminal = isatty(fd) == 1;
  return (struct term){
      .is_terminal = is_terminal,
      .has_colour =
          term_wants_colour(is_terminal, getenv("NO_COLOR"), getenv("FORCE_COLOR"), getenv("TERM")),
      .has_unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
      .columns = is_terminal ? columns_of(fd) : COLUMNS_USUAL,
  };
}

enum term_style term_status_style(struct str status) {
  static const enum term_style styles[TASK_STATUS_COUNT] = {
      [TASK_PENDING] = STYLE_PLAIN, [TASK_RUNNING] = STYLE_BUSY,   [TASK_COMPLETED] = STYLE_GOOD,
      [TASK_FAILED] = STYLE_BAD,    [TASK_CANCELLED] = STYLE_WARN, [TASK_ABANDONED] = STYLE_BAD};
  enum task_status parsed;
  return task_status_parse(status, &parsed) ? styles[parsed] : STYLE_PLAIN;
}

static const char *const STYLE_CODES[] = {
    [STYLE_PLAIN] = "", [STYLE_BOLD] = "1",  [STYLE_DIM] = "2",  [STYLE_GOOD] = "32",
    [STYLE_BAD] = "31", [STYLE_WARN] = "33", [STYLE_BUSY] = "36"};

// C0, DEL, and C1, which UTF-8 writes as C2 80 … C2 9F.
static size_t control_bytes(struct str text, size_t at) {
  unsigned char c = (unsigned char)text.at[at];
  if (c < 0x20 || c == 0x7f) return 1;
  if (c != 0xc2 || at + 1 == text.len) return 0;
  return (unsigned char)text.at[at + 1] < 0xa0 ? 2 : 0;
}

static void put_harmless(struct str text, struct buf *out) {
  size_t at = 0;
  while (at < text.len) {
    size_t control = control_bytes(text, at);
    if (control)
      BUF_LIT(out, "\xef\xbf\xbd");
    else
      buf_bytes(out, text.at + at, 1);
    at += control ? control : 1;
  }
}

void term_text(const struct term *t, enum term_style style, struct str text, struct buf *out) {
  bool is_styled = t->has_colour && style != STYLE_PLAIN;
  if (is_styled) buf_printf(out, "\033[%sm", STYLE_CODES[style]);
  put_harmless(text, out);
  if (is_styled) BUF_LIT(out, "\033[0m");
}

static bool starts_character(char c) { return ((unsigned char)c & 0xc0) != 0x80; }

size_t term_width(struct str text) {
  size_t width = 0;
  for (size_t i = 0; i < text.len; i++) width += starts_character(text.at[i]);
  return width;
}

struct str term_cut(struct str text, size_t columns) {
  size_t width = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!starts_character(text.at[i])) continue;
    if (width++ == columns) return (struct str){text.at, i};
  }
  return text;
}
