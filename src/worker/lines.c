// lines.c: cuts a stream of bytes into lines of bounded length.
#include "worker/lines.h"

static const char mark[] = "…";

void lines_init(struct lines *l, struct lines_taker taker) {
  l->taker = taker;
  l->len = 0;
  l->cut = false;
}

static void give(struct lines *l) {
  if (l->len > 0 && l->at[l->len - 1] == '\r') l->len--;
  l->taker.take(l->taker.self, (struct str){l->at, l->len});
  l->len = 0;
}

// Adds bytes of one line. At the bound the line goes out with its mark, and the rest of it is
// skipped. The mark may cut a character in two: what is left of it is cleaned like any bad byte.
static void add(struct lines *l, struct str part) {
  if (l->cut) return;
  if (l->len + part.len <= sizeof l->at) {
    memcpy(l->at + l->len, part.at, part.len);
    l->len += part.len;
    return;
  }
  size_t keep = sizeof l->at - (sizeof mark - 1);
  if (l->len < keep) memcpy(l->at + l->len, part.at, keep - l->len);
  memcpy(l->at + keep, mark, sizeof mark - 1);
  l->len = sizeof l->at;
  give(l);
  l->cut = true;
}

void lines_feed(struct lines *l, struct str bytes) {
  while (bytes.len > 0) {
    size_t end = str_find(bytes, '\n');
    add(l, (struct str){bytes.at, end});
    if (end == bytes.len) return;
    if (!l->cut) give(l);
    l->cut = false;
    bytes = str_from(bytes, end + 1);
  }
}

void lines_end(struct lines *l) {
  if (l->len > 0) give(l);
  l->cut = false;
}
