// term.h: what the terminal can show: colours, width, and text that cannot harm it.
#ifndef APP_TERM_H
#define APP_TERM_H

#include "base/buf.h"

struct term {
  bool is_terminal;
  bool has_colour;
  bool has_unicode;
  int columns;  // 80 when it is no terminal
};

struct term term_of(int fd);

// NO_COLOR (not empty) turns colour off, else FORCE_COLOR (not empty, not 0) turns it on, else it
// is for terminals that are not dumb. NULL: the variable is not set.
bool term_wants_colour(bool is_terminal, const char *no_color, const char *force_color,
                       const char *term_name);

enum term_style {
  STYLE_PLAIN,
  STYLE_BOLD,
  STYLE_DIM,
  STYLE_GOOD,
  STYLE_BAD,
  STYLE_WARN,
  STYLE_BUSY
};

// The style goes with the status: completed is good, failed is bad …
enum term_style term_status_style(struct str status);

// Text from elsewhere in a style. Control characters become U+FFFD, so that a task's name cannot
// steer the terminal.
void term_text(const struct term *t, enum term_style style, struct str text, struct buf *out);

// Characters that a terminal shows for a text, counting one for each code point.
size_t term_width(struct str text);

// The longest beginning of the text that is at most `columns` wide.
struct str term_cut(struct str text, size_t columns);

#endif
