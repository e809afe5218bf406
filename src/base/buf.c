// buf.c: growing buffers, and what is written into them.
#include "base/buf.h"

#include "base/mem.h"
#include "base/swar.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { CAP_FIRST = 256 };

void buf_init(struct buf *b, size_t bytes_max) { *b = (struct buf){.max = bytes_max}; }

void buf_fini(struct buf *b) {
  mem_free(b->at);
  *b = (struct buf){.max = b->max};
}

// After an overflow the capacity is what is used, so that no shorter write slips in behind the gap.
static bool overflow(struct buf *b) {
  b->overflow = true;
  b->cap = b->len;
  return false;
}

bool buf_grow(struct buf *b, size_t more) {
  if (b->overflow || more > b->max || b->len > b->max - more) return overflow(b);
  size_t cap = b->cap ? b->cap : CAP_FIRST;
  while (cap < b->len + more) cap = cap > b->max / 2 ? b->max : cap * 2;
  if (cap > b->max) cap = b->max;
  b->at = mem_resize(b->at, cap);
  b->cap = cap;
  return true;
}

static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";

static unsigned count_digits(uint64_t value) {
  unsigned count = 1;
  for (; value >= 10000; value /= 10000) count += 4;
  return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

// Writes from the last digit to the first, two at a time.
void buf_i64(struct buf *b, int64_t value) {
  uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
  unsigned count = count_digits(left) + (value < 0);
  if (!buf_room(b, count)) return;
  b->len += count;
  char *at = b->at + b->len;
  if (value < 0) b->at[b->len - count] = '-';
  for (; left >= 100; left /= 100) memcpy(at -= 2, digit_pairs + left % 100 * 2, 2);
  if (left >= 10)
    memcpy(at - 2, digit_pairs + left * 2, 2);
  else
    at[-1] = (char)('0' + left);
}

static const char hex_digits[] = "0123456789abcdef";

void buf_hex(struct buf *b, const void *bytes, size_t count) {
  if (!buf_room(b, count * 2)) return;
  const unsigned char *from = bytes;
  for (size_t i = 0; i < count; i++) {
    b->at[b->len++] = hex_digits[from[i] >> 4];
    b->at[b->len++] = hex_digits[from[i] & 0xf];
  }
}

void buf_printf(struct buf *b, const char *format, ...) {
  char text[256];
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int wanted = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  assert(wanted >= 0);
  size_t len = (size_t)wanted;
  if (len < sizeof text) {
    buf_bytes(b, text, len);
  } else {
    char *whole = mem_alloc(len + 1);
    vsnprintf(whole, len + 1, format, again);
    buf_bytes(b, whole, len);
    mem_free(whole);
  }
  va_end(again);
}

// The first byte from `at` that cannot stand in a JSON string as it is.
static const char *clean_end(const char *at, const char *end) {
  for (; end - at >= 8; at += 8) {
    uint64_t special = swar_json_special(swar_load(at));
    if (special) return at + swar_first(special);
  }
  while (at < end && (signed char)*at >= 0x20 && *at != '"' && *at != '\\') at++;
  return at;
}

static void put_escape(struct buf *b, char c) {
  switch (c) {
  case '"': BUF_LIT(b, "\\\""); return;
  case '\\': BUF_LIT(b, "\\\\"); return;
  case '\b': BUF_LIT(b, "\\b"); return;
  case '\f': BUF_LIT(b, "\\f"); return;
  case '\n': BUF_LIT(b, "\\n"); return;
  case '\r': BUF_LIT(b, "\\r"); return;
  case '\t': BUF_LIT(b, "\\t"); return;
  default: BUF_LIT(b, "\\u00"); buf_hex(b, &c, 1);
  }
}

// Writes what stands at `at`, which is no clean byte, and returns what follows it.
static const char *put_special(struct buf *b, const char *at, const char *end) {
  if ((*at & 0x80) == 0) {
    put_escape(b, *at);
    return at + 1;
  }
  size_t length = utf8_length(at, end);
  if (length) {
    buf_bytes(b, at, length);
    return at + length;
  }
  BUF_LIT(b, "\xef\xbf\xbd");
  return at + 1;
}

void buf_json_str(struct buf *b, struct str s) {
  buf_char(b, '"');
  const char *at = s.len ? s.at : "", *end = at + s.len;
  while (at < end) {
    const char *clean = clean_end(at, end);
    if (clean > at) buf_bytes(b, at, (size_t)(clean - at));
    at = clean < end ? put_special(b, clean, end) : end;
  }
  buf_char(b, '"');
}
