// log.c: one line an event, composed on the stack and written with one write(2).
#include "base/log.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
  LINE_BYTES = 8192,
  LINE_END_BYTES = 24,  // kept free for what closes a line: quote, mark, brace, newline
};

static _Atomic int log_level = LOG_INFO;
static _Atomic int log_format = LOG_TEXT;
static _Atomic int dir_format = LOG_JSON;

// Where lines go. A sink keeps its descriptor for ever: a new file is put under the old number, so
// that a thread in the middle of a write never meets a closed one.
static struct sink {
  _Atomic int fd;  // -1: nowhere
  char *path;      // NULL: no file
  int kept;        // from its first file on; -1: it had none
} sinks[] = {{STDERR_FILENO, NULL, -1}, {-1, NULL, -1}, {-1, NULL, -1}};
enum { SINK_MAIN, SINK_COMBINED, SINK_ERROR, SINK_COUNT };

static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;  // guards all changes of sinks

static const struct str level_names[] = {[LOG_ERROR] = {"error", 5},
                                         [LOG_WARN] = {"warn", 4},
                                         [LOG_INFO] = {"info", 4},
                                         [LOG_DEBUG] = {"debug", 5}};

#define LEVEL_COUNT (sizeof level_names / sizeof *level_names)

void log_setup(enum log_level level, enum log_format format) {
  atomic_store(&log_level, (int)level);
  atomic_store(&log_format, (int)format);
}

bool log_enabled(enum log_level level) {
  return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

bool log_level_parse(struct str name, enum log_level *out) {
  for (unsigned level = 0; level < LEVEL_COUNT; level++) {
    if (!str_eq(level_names[level], name)) continue;
    *out = (enum log_level)level;
    return true;
  }
  return false;
}

static int file_open(const char *path) {
  return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

// Takes over `opened`, and a copy of the path.
static bool sink_use(struct sink *s, const char *path, int opened) {
  if (s->kept < 0) {
    s->kept = opened;
  } else {
    bool moved = dup3(opened, s->kept, O_CLOEXEC) >= 0;
    close(opened);
    if (!moved) return false;
  }
  char *copy = mem_copy(path, strlen(path));
  mem_free(s->path);
  s->path = copy;
  atomic_store(&s->fd, s->kept);
  return true;
}

static void sink_leave(struct sink *s, int fd) {
  mem_free(s->path);
  s->path = NULL;
  atomic_store(&s->fd, fd);
}

static bool sink_open(struct sink *s, const char *path) {
  int opened = file_open(path);
  return opened >= 0 && sink_use(s, path, opened);
}

bool log_open(const char *path) {
  bool opened = true;
  pthread_mutex_lock(&file_lock);
  if (path)
    opened = sink_open(&sinks[SINK_MAIN], path);
  else
    sink_leave(&sinks[SINK_MAIN], STDERR_FILENO);
  pthread_mutex_unlock(&file_lock);
  return opened;
}

// Both are opened before either is used.
static bool dir_use(const char *dir) {
  char paths[2][PATH_MAX];
  snprintf(paths[0], sizeof paths[0], "%s/combined.log", dir);
  snprintf(paths[1], sizeof paths[1], "%s/error.log", dir);
  int combined = file_open(paths[0]);
  if (combined < 0) return false;
  int error = file_open(paths[1]);
  if (error < 0) {
    close(combined);
    return false;
  }
  bool used = sink_use(&sinks[SINK_ERROR], paths[1], error);
  return sink_use(&sinks[SINK_COMBINED], paths[0], combined) && used;
}

bool log_open_dir(const char *dir, enum log_format format) {
  bool opened = true;
  pthread_mutex_lock(&file_lock);
  if (dir) {
    opened = dir_use(dir);
  } else {
    sink_leave(&sinks[SINK_COMBINED], -1);
    sink_leave(&sinks[SINK_ERROR], -1);
  }
  if (opened) atomic_store(&dir_format, (int)format);
  pthread_mutex_unlock(&file_lock);
  return opened;
}

void log_reopen(void) {
  bool failed = false;
  pthread_mutex_lock(&file_lock);
  for (size_t i = 0; i < SINK_COUNT; i++)
    if (sinks[i].path && !sink_open(&sinks[i], sinks[i].path)) failed = true;
  pthread_mutex_unlock(&file_lock);
  if (failed) log_event(LOG_ERROR, "cannot reopen the log file; the old one stays in use");
}

// A line in the making. It stops at what does not fit, and then ends with a mark.
struct line {
  enum log_format format;
  bool cut;
  size_t len;
  char text[LINE_BYTES];
};

static void put_raw(struct line *l, const char *at, size_t len) {
  assert(len <= sizeof l->text - l->len);
  memcpy(l->text + l->len, at, len);
  l->len += len;
}

static void put_lit(struct line *l, const char *text) { put_raw(l, text, strlen(text)); }

static bool has_room(const struct line *l, size_t len) {
  return l->len + len <= sizeof l->text - LINE_END_BYTES;
}

// Nobody puts anything behind a cut.
static void put(struct line *l, const char *at, size_t len) {
  assert(!l->cut);
  l->cut = !has_room(l, len);
  if (!l->cut) put_raw(l, at, len);
}

// C0, DEL, and the C1 controls (as UTF-8), which terminals obey too.
static bool is_control(const char *at, size_t length) {
  unsigned char first = (unsigned char)*at;
  if (length == 1) return first < 0x20 || first == 0x7f;
  return length == 2 && first == 0xc2 && (unsigned char)at[1] < 0xa0;
}

static void put_escape(struct line *l, char c) {
  char text[8];
  int len = 2;
  switch (c) {
  case '\n': memcpy(text, "\\n", 2); break;
  case '\r': memcpy(text, "\\r", 2); break;
  case '\t': memcpy(text, "\\t", 2); break;
  default: len = snprintf(text, sizeof text, "\\u%04x", (unsigned char)c);
  }
  put(l, text, (size_t)len);
}

// Puts the character at `at` and returns what follows it. `quoted` is inside quotes.
static const char *put_character(struct line *l, const char *at, const char *end, bool quoted) {
  size_t length = utf8_length(at, end);
  if (length == 0) {
    put(l, "\xef\xbf\xbd", 3);
    return at + 1;
  }
  if (is_control(at, length)) {
    put_escape(l, at[length - 1]);
  } else if (quoted && (*at == '"' || *at == '\\')) {
    put(l, (char[]){'\\', *at}, 2);
  } else {
    put(l, at, length);
  }
  return at + length;
}

static void put_text(struct line *l, struct str s, bool quoted) {
  const char *at = s.at, *end = s.at + s.len;
  while (at < end && !l->cut) at = put_character(l, at, end, quoted);
}

// In its quotes, which are closed even when the text is cut.
static void put_quoted(struct line *l, struct str s) {
  put(l, "\"", 1);
  put_text(l, s, true);
  put_lit(l, "\"");
}

// A value that stands for itself after `name=`.
static bool is_bare(struct str s) {
  for (size_t i = 0; i < s.len; i++)
    if ((unsigned char)s.at[i] <= ' ' || strchr("\"\\=\x7f", s.at[i])) return false;
  return s.len > 0;
}

static void put_value(struct line *l, const struct log_field *field) {
  char number[24];
  if (field->kind == LOG_FIELD_I64) {
    int len = snprintf(number, sizeof number, "%lld", (long long)field->number);
    put(l, number, (size_t)len);
  } else if (str_is_none(field->text)) {
    put(l, "null", 4);
  } else if (l->format == LOG_TEXT && is_bare(field->text)) {
    put_text(l, field->text, false);
  } else {
    put_quoted(l, field->text);
  }
}

// A field is begun only when its name and a value of some length fit.
static void put_field(struct line *l, const struct log_field *field) {
  enum { VALUE_BYTES_MIN = 32 };
  bool json = l->format == LOG_JSON;
  struct str name = str_of(field->name);
  if (!has_room(l, name.len + VALUE_BYTES_MIN)) {
    l->cut = true;
    return;
  }
  put_lit(l, json ? ",\"" : " ");
  put_text(l, name, json);
  put_lit(l, json ? "\":" : "=");
  put_value(l, field);
}

static void put_time(struct line *l, const struct tm *t, char between) {
  char text[64];
  int len = snprintf(text, sizeof text, "%04d-%02d-%02d%c%02d:%02d:%02d", t->tm_year + 1900,
                     t->tm_mon + 1, t->tm_mday, between, t->tm_hour, t->tm_min, t->tm_sec);
  put(l, text, (size_t)len);
}

static void begin_text(struct line *l, enum log_level level, const struct tm *t,
                       struct str message) {
  put_time(l, t, ' ');
  put_lit(l, " ");
  put_lit(l, level_names[level].at);
  put_lit(l, ": ");
  put_text(l, message, false);
}

static void begin_json(struct line *l, enum log_level level, const struct tm *t, long ms,
                       struct str message) {
  char fraction[8];
  snprintf(fraction, sizeof fraction, ".%03u", (unsigned)ms % 1000);
  put_lit(l, "{\"time\":\"");
  put_time(l, t, 'T');
  put_lit(l, fraction);
  put_lit(l, "Z\",\"level\":\"");
  put_lit(l, level_names[level].at);
  put_lit(l, "\",\"message\":");
  put_quoted(l, message);
}

// Times are UTC, from the wall clock: a reader compares them with other machines' logs.
static void begin(struct line *l, enum log_level level, const char *message) {
  struct timespec now;
  struct tm t;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &t);
  if (l->format == LOG_TEXT) begin_text(l, level, &t, str_of(message));
  if (l->format == LOG_JSON) begin_json(l, level, &t, now.tv_nsec / 1000000, str_of(message));
}

static void end(struct line *l) {
  bool json = l->format == LOG_JSON;
  if (l->cut) put_lit(l, json ? ",\"cut\":true" : "…");
  put_lit(l, json ? "}\n" : "\n");
}

// A log that cannot be written (a full disk, a closed pipe) must not stop the work it tells of.
static void line_write(const struct line *l, int fd) {
  int saved = errno;
  ssize_t written;
  do written = write(fd, l->text, l->len);
  while (written < 0 && errno == EINTR);
  errno = saved;
}

static void compose(struct line *l, enum log_format format, enum log_level level,
                    const char *message, const struct log_field *fields) {
  l->format = format;
  l->cut = false;
  l->len = 0;
  begin(l, level, message);
  for (; fields && fields->name && !l->cut; fields++) put_field(l, fields);
  end(l);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
  assert(level < LEVEL_COUNT);
  struct line line;
  compose(&line, (enum log_format)atomic_load(&log_format), level, message, fields);
  line_write(&line, atomic_load(&sinks[SINK_MAIN].fd));
  int combined = atomic_load(&sinks[SINK_COMBINED].fd);
  if (combined < 0) return;
  enum log_format format = (enum log_format)atomic_load(&dir_format);
  if (format != line.format) compose(&line, format, level, message, fields);
  line_write(&line, combined);
  if (level == LOG_ERROR) line_write(&line, atomic_load(&sinks[SINK_ERROR].fd));
}
