// notice.c: what nodes say to each other, as the text of a NOTIFY.
//
//   1 NODE ITEM…       without the blanks; numbers in hex have all their digits
//   n                  the node came, or it goes
//   c                  the catalogue was changed
//   R, E               more became ready, or ended, than is named
//   rCHANNEL,COUNT,PRIORITY,ID,OLDEST;
//                      tasks of a channel became ready; ID is the first half of the best one's,
//                      OLDEST of the smallest of all
//   eID                a task came to an end
//   tTENANT,           there are more events of this tenant's
//
// One that cannot be read is left alone: of another version, or of somebody else. What it would
// have told is found by the next pulse.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/postgres/desk.h"

enum { VERSION = '1', HEX_DIGITS = 16, ITEM_BYTES_MAX = 80 };
// Of the shortest of its kind, so that one can tell how many there are at most.
enum {
  READY_BYTES_MIN = 9 + 2 * HEX_DIGITS,
  ENDED_BYTES = 1 + 2 * HEX_DIGITS,
  STIRRED_BYTES_MIN = 3
};

// --- writing -------------------------------------------------------------------------------------

struct writer {
  struct arena *arena;
  int64_t node;
  struct str *texts;
  size_t count;
  char *at;  // of the last text
};

static void begin_text(struct writer *w) {
  w->at = arena_alloc(w->arena, NOTICE_BYTES_MAX + 1);
  int len = snprintf(w->at, NOTICE_BYTES_MAX, "%c%016" PRIx64, VERSION, (uint64_t)w->node);
  w->texts[w->count++] = (struct str){w->at, (size_t)len};
}

static void PRINTF_LIKE(2, 3) put(struct writer *w, const char *format, ...) {
  char item[ITEM_BYTES_MAX];
  va_list args;
  va_start(args, format);
  size_t len = (size_t)vsnprintf(item, sizeof item, format, args);
  va_end(args);
  if (w->texts[w->count - 1].len + len > NOTICE_BYTES_MAX) begin_text(w);
  struct str *text = &w->texts[w->count - 1];
  memcpy(w->at + text->len, item, len);
  text->len += len;
}

size_t pg_notice_encode(const struct notice *n, struct arena *a, struct str **texts) {
  size_t items = 4 + n->ready_count + n->ended_count + n->stirred_count;
  size_t most = items * ITEM_BYTES_MAX / (NOTICE_BYTES_MAX - 2 * ITEM_BYTES_MAX) + 1;
  struct writer w = {.arena = a, .node = n->node, .texts = ARENA_ARRAY(a, struct str, most)};
  begin_text(&w);
  if (n->nodes) put(&w, "n");
  if (n->catalogue) put(&w, "c");
  if (n->all_ready) put(&w, "R");
  if (n->all_ended) put(&w, "E");
  for (size_t i = 0; i < n->stirred_count; i++) put(&w, "t%" PRId64 ",", n->stirred[i]);
  for (size_t i = 0; i < n->ready_count; i++) {
    const struct notice_ready *r = &n->ready[i];
    put(&w, "r%" PRId64 ",%" PRId64 ",%" PRId64 ",%016" PRIx64 ",%016" PRIx64 ";", r->channel,
        r->count, r->priority, r->id_hi, r->oldest);
  }
  for (size_t i = 0; i < n->ended_count; i++)
    put(&w, "e%016" PRIx64 "%016" PRIx64, n->ended[i].hi, n->ended[i].lo);
  *texts = w.texts;
  return w.count;
}

// --- reading -------------------------------------------------------------------------------------

static bool take_hex(struct str *rest, uint64_t *out) {
  if (rest->len < HEX_DIGITS) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < HEX_DIGITS; i++) {
    char c = rest->at[i];
    if (c >= '0' && c <= '9')
      value = value << 4 | (uint64_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | (uint64_t)(c - 'a' + 10);
    else
      return false;
  }
  *rest = str_from(*rest, HEX_DIGITS);
  *out = value;
  return true;
}

static bool take_number(struct str *rest, int64_t least, int64_t most, int64_t *out) {
  size_t len = str_find(*rest, ',');
  if (len == rest->len || !str_to_i64((struct str){rest->at, len}, out)) return false;
  *rest = str_from(*rest, len + 1);
  return *out >= least && *out <= most;
}

static bool take_mark(struct str *rest, char mark) {
  if (rest->len == 0 || rest->at[0] != mark) return false;
  *rest = str_from(*rest, 1);
  return true;
}

static bool take_ready(struct str *rest, struct notice_ready *out) {
  if (!take_number(rest, 1, LIMIT_CHANNELS, &out->channel)) return false;
  if (!take_number(rest, 1, INT32_MAX, &out->count)) return false;
  if (!take_number(rest, -LIMIT_PRIORITY, LIMIT_PRIORITY, &out->priority)) return false;
  if (!take_hex(rest, &out->id_hi) || !take_mark(rest, ',')) return false;
  return take_hex(rest, &out->oldest) && take_mark(rest, ';');
}

static bool take_item(struct str *rest, struct notice *n, struct notice_ready *ready,
                      struct id *ended, int64_t *stirred) {
  char kind = rest->at[0];
  *rest = str_from(*rest, 1);
  switch (kind) {
  case 'n': return n->nodes = true;
  case 'c': return n->catalogue = true;
  case 'R': return n->all_ready = true;
  case 'E': return n->all_ended = true;
  case 'r': return take_ready(rest, &ready[n->ready_count++]);
  case 't': return take_number(rest, 1, INT64_MAX, &stirred[n->stirred_count++]);
  case 'e': {
    struct id *id = &ended[n->ended_count++];
    return take_hex(rest, &id->hi) && take_hex(rest, &id->lo);
  }
  default: return false;
  }
}

bool pg_notice_decode(struct str text, struct arena *a, struct notice *out) {
  uint64_t node;
  if (text.len == 0 || text.len > NOTICE_BYTES_MAX || text.at[0] != VERSION) return false;
  struct str rest = str_from(text, 1);
  if (!take_hex(&rest, &node)) return false;
  struct notice_ready *ready = ARENA_ARRAY(a, struct notice_ready, rest.len / READY_BYTES_MIN + 1);
  struct id *ended = ARENA_ARRAY(a, struct id, rest.len / ENDED_BYTES + 1);
  int64_t *stirred = ARENA_ARRAY(a, int64_t, rest.len / STIRRED_BYTES_MIN + 1);
  struct notice n = {.node = (int64_t)node, .ready = ready, .ended = ended, .stirred = stirred};
  while (rest.len > 0)
    if (!take_item(&rest, &n, ready, ended, stirred)) return false;
  *out = n;
  return true;
}
