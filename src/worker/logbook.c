// logbook.c: log lines of a task that are not yet with the server.
#include "worker/logbook.h"

#include "base/buf.h"
#include "base/mem.h"
#include "worker/text.h"

#include <assert.h>

enum {
  // A batch stops here, so that a body stays well under its limit even if each byte of the line
  // that crosses it must be written as \u00XX.
  BATCH_BYTES = 256 << 10,
  BATCH_BYTES_MAX = BATCH_BYTES + 8 * LIMIT_LOG_LINE_BYTES,
};

void logbook_init(struct logbook *b) { b->first = b->next = b->dropped = 0; }

void logbook_fini(struct logbook *b) { logbook_clear(b); }

static char **place(struct logbook *b, int64_t number) {
  return &b->lines[number % LIMIT_LOG_LINES];
}

static void forget(struct logbook *b, int64_t end) {
  for (; b->first < end; b->first++) mem_free(*place(b, b->first));
}

void logbook_clear(struct logbook *b) {
  forget(b, b->next);
  b->dropped = 0;
}

void logbook_add(struct logbook *b, struct str line) {
  if (logbook_count(b) == LIMIT_LOG_LINES) {
    forget(b, b->first + 1);
    b->dropped++;
  }
  struct arena a;
  arena_init(&a, 16 << 10);
  struct str text = text_head(&a, line, LIMIT_LOG_LINE_BYTES);
  *place(b, b->next++) = mem_copy(text.at, text.len);
  arena_fini(&a);
}

struct str logbook_batch(struct logbook *b, struct arena *a, int64_t *end) {
  struct buf text;
  buf_init(&text, BATCH_BYTES_MAX);
  int64_t number = b->first, count = 0;
  if (b->dropped) {
    buf_printf(&text,
               "\"[%lld lines were dropped here: they came faster than they could be sent]\"",
               (long long)b->dropped);
    count++;
  }
  for (; number < b->next && count < LIMIT_LOG_LINES_REQUEST && text.len < BATCH_BYTES; number++) {
    if (count++) buf_char(&text, ',');
    buf_json_str(&text, str_of(*place(b, number)));
  }
  assert(!text.overflow);
  struct str batch = arena_dup(a, buf_str(&text));
  buf_fini(&text);
  *end = number;
  return batch;
}

void logbook_sent(struct logbook *b, int64_t end) {
  if (end > b->first) b->dropped = 0;
  forget(b, end);
}
