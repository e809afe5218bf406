// print.h: standard output, where the answers of commands go.
#ifndef APP_PRINT_H
#define APP_PRINT_H

#include "base/buf.h"
#include "base/err.h"

// Both flush, so that what reads the pipe sees each answer at once. ERR_INTERNAL: it cannot be
// written.
enum err print_text(const struct buf *text, struct fault *why);
enum err print_line(struct str line, struct fault *why);  // and a line end

#endif
