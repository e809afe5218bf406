// print.c: writes to standard output, and notices when it cannot.
#include "app/print.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static enum err close_output(bool is_written, struct fault *why) {
  if (is_written && fflush(stdout) == 0) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "standard output cannot be written: %s", strerror(errno));
}

enum err print_text(const struct buf *text, struct fault *why) {
  assert(!text->overflow);
  struct str all = buf_str(text);
  return close_output(fwrite(all.at, 1, all.len, stdout) == all.len, why);
}

enum err print_line(struct str line, struct fault *why) {
  bool is_written = fwrite(line.at, 1, line.len, stdout) == line.len && putchar('\n') != EOF;
  return close_output(is_written, why);
}
