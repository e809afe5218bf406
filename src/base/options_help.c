// options_help.c: prints the help of a subcommand.
#include "base/options.h"

#include "base/utf8.h"

#include <string.h>

enum {
  WIDTH = 80,
  COLUMN_MAX = 30,  // where the explanations start at the latest
};

// How many columns a text takes, characters counted as one each.
static size_t columns(struct str s) {
  size_t count = 0;
  for (const char *at = s.at, *end = s.at + s.len; at < end; count++) {
    size_t length = utf8_length(at, end);
    at += length ? length : 1;
  }
  return count;
}

static void spaces(struct buf *out, size_t count) {
  while (count--) buf_char(out, ' ');
}

// "  -n, --name VALUE"; returns its columns.
static size_t put_option(struct buf *out, const struct option_spec *spec) {
  size_t start = out->len;
  if (spec->letter)
    buf_printf(out, "  -%c, --%s", spec->letter, spec->name);
  else
    buf_printf(out, "      --%s", spec->name);
  if (spec->value) buf_printf(out, " %s", spec->value);
  return columns(str_from(buf_str(out), start));
}

// Words from `column` on, wrapped before the last column; starts there already.
static void put_wrapped(struct buf *out, struct str text, size_t column) {
  size_t used = column;
  while (!str_is_none(text)) {
    struct str word = str_cut(&text, ' ');
    size_t width = columns(word);
    if (used > column && used + 1 + width > WIDTH) {
      buf_char(out, '\n');
      spaces(out, column);
      used = column;
    } else if (used > column) {
      buf_char(out, ' ');
      used++;
    }
    buf_put(out, word);
    used += width;
  }
  buf_char(out, '\n');
}

static size_t widest(const struct option_spec *specs, size_t column) {
  struct buf row;
  buf_init(&row, 1024);
  for (; specs && specs->name; specs++) {
    buf_clear(&row);
    size_t wanted = put_option(&row, specs) + 2;
    if (wanted > column && wanted <= COLUMN_MAX) column = wanted;
  }
  buf_fini(&row);
  return column;
}

// An option too long for the column has its explanation on the next line.
static void put_row(struct buf *out, const struct option_spec *spec, size_t column) {
  size_t used = put_option(out, spec);
  if (used + 2 > column) {
    buf_char(out, '\n');
    used = 0;
  }
  spaces(out, column - used);
  put_wrapped(out, str_of(spec->help ? spec->help : ""), column);
}

static void put_table(struct buf *out, const struct option_spec *specs, size_t column) {
  for (; specs && specs->name; specs++) put_row(out, specs, column);
}

void options_help(const struct option_command *command, struct buf *out) {
  static const struct option_spec help = {"help", 'h', NULL, "print this help and exit"};
  buf_printf(out, "Usage: %s\n", command->usage);
  if (command->summary) buf_printf(out, "\n%s\n", command->summary);
  size_t column = widest(command->common, widest(command->options, sizeof "  -h, --help  " - 1));
  BUF_LIT(out, "\nOptions:\n");
  put_table(out, command->options, column);
  if (command->common && command->common->name) {
    if (command->options && command->options->name) BUF_LIT(out, "\nCommon options:\n");
    put_table(out, command->common, column);
  }
  put_row(out, &help, column);
  if (!command->examples || !*command->examples) return;
  BUF_LIT(out, "\nExamples:\n");
  for (const char *const *line = command->examples; *line; line++) buf_printf(out, "  %s\n", *line);
}
