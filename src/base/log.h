// log.h: one line an event. Text on a terminal, one JSON object a line otherwise.
//
// Control characters are escaped at the sink. Never pass a secret: there is no way back from a log.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

// A name and a value that go with the message. Make them with the macros below; the list ends at
// the first row without a name.
struct log_field {
  const char *name;
  enum { LOG_FIELD_STR, LOG_FIELD_I64 } kind;
  struct str text;
  int64_t number;
};
#define LOG_STR(n, s) ((struct log_field){.name = (n), .kind = LOG_FIELD_STR, .text = (s)})
#define LOG_I64(n, i) ((struct log_field){.name = (n), .kind = LOG_FIELD_I64, .number = (i)})

// Process-wide. Standard error until log_open names a file. Safe from any thread; a line is written
// with one write(2) and never split.
void log_setup(enum log_level level, enum log_format format);
// NULL: standard error. False: it cannot be opened, and the old one stays.
bool log_open(const char *path);
// Besides, every line also goes to DIR/combined.log and errors also to DIR/error.log, in that
// format. The directory must be there. NULL: no longer. False: one of them cannot be opened, and
// nothing changes.
bool log_open_dir(const char *dir, enum log_format format);
void log_reopen(void);  // all files, after log rotation
bool log_enabled(enum log_level level);
bool log_level_parse(struct str name, enum log_level *out);

void log_write(enum log_level level, const char *message, const struct log_field *fields);
#define log_event(level, message, ...)                                                             \
  do {                                                                                             \
    if (log_enabled(level))                                                                        \
      log_write(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});        \
  } while (0)

#endif
