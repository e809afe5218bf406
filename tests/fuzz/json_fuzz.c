// json_fuzz.c: the JSON reader against a second reader, written from RFC 8259 alone.
//
// What must hold: both agree on every text; walking it and writing it again gives the same
// document; a string read and written comes back; an integer is what the second reader says it is.
#include "fuzz.h"

#include <math.h>

#include "base/buf.h"
#include "base/json.h"

// --- the second reader: slow and plain -----------------------------------------------------------

struct plain {
  const unsigned char *at, *end;
  unsigned depth;
};

static bool value_is_good(struct plain *p);

static void blanks(struct plain *p) {
  while (p->at < p->end && (*p->at == 0x20 || *p->at == 0x09 || *p->at == 0x0a || *p->at == 0x0d))
    p->at++;
}

static bool next_is(struct plain *p, unsigned char c) {
  if (p->at == p->end || *p->at != c) return false;
  p->at++;
  return true;
}

static bool word_is(struct plain *p, const char *word) {
  for (; *word; word++)
    if (!next_is(p, (unsigned char)*word)) return false;
  return true;
}

static int digits(struct plain *p) {
  int count = 0;
  while (p->at < p->end && *p->at >= '0' && *p->at <= '9') p->at++, count++;
  return count;
}

static bool number_is_good(struct plain *p) {
  (void)next_is(p, '-');
  bool zero = p->at < p->end && *p->at == '0';
  int whole = digits(p);
  if (whole == 0 || (zero && whole > 1)) return false;
  if (next_is(p, '.') && digits(p) == 0) return false;
  if (!next_is(p, 'e') && !next_is(p, 'E')) return true;
  if (!next_is(p, '+')) (void)next_is(p, '-');
  return digits(p) > 0;
}

static int unit(struct plain *p) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    if (p->at == p->end) return -1;
    int c = *p->at++;
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

static bool escape_is_good(struct plain *p) {
  if (p->at == p->end) return false;
  unsigned char c = *p->at++;
  if (c != 'u') return c && strchr("\"\\/bfnrt", c) != NULL;
  int high = unit(p);
  if (high < 0 || (high >= 0xdc00 && high <= 0xdfff)) return false;
  if (high < 0xd800 || high > 0xdbff) return true;
  if (!next_is(p, '\\') || !next_is(p, 'u')) return false;
  int low = unit(p);
  return low >= 0xdc00 && low <= 0xdfff;
}

// A character of several bytes, by the number that it encodes.
static bool sequence_is_good(struct plain *p, unsigned char lead) {
  unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc0 || lead > 0xf7 || (size_t)(p->end - p->at) < more) return false;
  uint32_t point = lead & (0x3fu >> more);
  for (unsigned i = 0; i < more; i++) {
    if ((*p->at & 0xc0) != 0x80) return false;
    point = point << 6 | (*p->at++ & 0x3fu);
  }
  static const uint32_t LEAST[] = {0, 0x80, 0x800, 0x10000};
  return point >= LEAST[more] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

static bool string_is_good(struct plain *p) {
  while (p->at < p->end) {
    unsigned char c = *p->at++;
    if (c == '"') return true;
    if (c < 0x20) return false;
    if (c == '\\' && !escape_is_good(p)) return false;
    if (c >= 0x80 && !sequence_is_good(p, c)) return false;
  }
  return false;
}

static bool members_are_good(struct plain *p, unsigned char close) {
  blanks(p);
  if (next_is(p, close)) return true;
  for (;;) {
    blanks(p);
    if (close == '}') {
      if (!next_is(p, '"') || !string_is_good(p)) return false;
      blanks(p);
      if (!next_is(p, ':')) return false;
    }
    if (!value_is_good(p)) return false;
    blanks(p);
    if (next_is(p, close)) return true;
    if (!next_is(p, ',')) return false;
  }
}

static bool nested_is_good(struct plain *p, unsigned char close) {
  if (++p->depth > JSON_DEPTH_MAX) return false;
  bool good = members_are_good(p, close);
  p->depth--;
  return good;
}

static bool value_is_good(struct plain *p) {
  blanks(p);
  if (p->at == p->end) return false;
  switch (*p->at) {
  case '{': p->at++; return nested_is_good(p, '}');
  case '[': p->at++; return nested_is_good(p, ']');
  case '"': p->at++; return string_is_good(p);
  case 't': return word_is(p, "true");
  case 'f': return word_is(p, "false");
  case 'n': return word_is(p, "null");
  default: return number_is_good(p);
  }
}

static bool is_json(struct str text) {
  struct plain p = {(const unsigned char *)text.at, (const unsigned char *)text.at + text.len, 0};
  if (!value_is_good(&p)) return false;
  blanks(&p);
  return p.at == p.end;
}

// --- what is said of accepted text ---------------------------------------------------------------

// A string that was read is text, and comes back when it is written and read again.
static struct str string_round_trip(struct arena *a, struct str value) {
  struct buf again;
  struct json_error error;
  struct str checked;
  bool nul = false, nul_again = false;
  struct str text = json_string(a, value, &nul);
  HOLDS(nul == (memchr(text.at, 0, text.len) != NULL), "has_nul tells of U+0000");
  buf_init(&again, value.len * 6 + 16);
  buf_json_str(&again, text);
  HOLDS(json_check(buf_str(&again), &checked, &error), "what buf_json_str writes is JSON");
  HOLDS(str_eq(text, json_string(a, checked, &nul_again)), "a string comes back as it was");
  struct str copy = arena_dup(a, buf_str(&again));
  buf_fini(&again);
  return copy;
}

// An integer by long division of its digits: what json_integer must say. Only for numbers that are
// short enough for long double to be exact.
static void number_is_right(struct str value) {
  int64_t integer = 0;
  double real = 0;
  char text[48] = {0};
  bool is_integer = json_integer(value, &integer), is_real = json_double(value, &real);
  if (is_integer) {
    HOLDS(is_real && (double)integer == real, "json_integer and json_double agree");
    HOLDS(integer <= (1LL << 53) - 1 && integer >= -((1LL << 53) - 1), "an integer is within 2^53");
  }
  if (value.len >= 20) return;
  memcpy(text, value.at, value.len);
  long double exact = strtold(text, NULL);
  bool whole = isfinite(exact) && floorl(exact) == exact && fabsl(exact) < 9007199254740992.0L;
  if (exact == 0 && value.len > 1) return;  // too small for it, or really zero
  HOLDS(is_integer == whole, "%s is%s an integer within 2^53", text, whole ? "" : " not");
}

// Writes a value again, by walking it.
static void write_again(struct arena *a, struct str value, struct buf *out, unsigned depth) {
  HOLDS(value.len > 0 && depth <= JSON_DEPTH_MAX, "a walk meets no empty value, nor depth past 64");
  enum json_kind kind = json_kind(value);
  if (kind == JSON_NUMBER) number_is_right(value);
  if (kind == JSON_STRING) {
    buf_put(out, string_round_trip(a, value));
    return;
  }
  if (kind != JSON_ARRAY && kind != JSON_OBJECT) {
    buf_put(out, value);
    return;
  }
  struct json_walk w = json_walk(value);
  struct str key, member;
  bool first = true;
  buf_char(out, *value.at);
  while (json_next(&w, &key, &member)) {
    if (!first) buf_char(out, ',');
    first = false;
    HOLDS(str_is_none(key) == (kind == JSON_ARRAY), "members have keys, elements have none");
    if (kind == JSON_OBJECT) {
      buf_put(out, string_round_trip(a, (struct str){key.at - 1, key.len + 2}));
      buf_char(out, ':');
    }
    write_again(a, member, out, depth + 1);
  }
  buf_char(out, kind == JSON_ARRAY ? ']' : '}');
}

static void look_into(struct str value) {
  struct arena a;
  struct buf once, twice;
  struct json_error error;
  struct str checked;
  arena_init(&a, 4096);
  buf_init(&once, value.len * 6 + 64);
  buf_init(&twice, value.len * 6 + 64);
  write_again(&a, value, &once, 0);
  HOLDS(!once.overflow, "writing a value again makes it at most six times as long");
  HOLDS(json_check(buf_str(&once), &checked, &error), "what was walked is JSON still");
  write_again(&a, checked, &twice, 0);
  HOLDS(str_eq(buf_str(&once), buf_str(&twice)), "writing it twice changes nothing");
  buf_fini(&once);
  buf_fini(&twice);
  arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str text = exact_copy((struct str){(const char *)data, size}), value;
  struct json_error error = {0};
  bool good = json_check(text, &value, &error);
  HOLDS(good == is_json(text), "both readers agree; ours says: %s",
        good ? "it is JSON" : error.message);
  if (good) {
    HOLDS(value.at >= text.at && value.at + value.len <= text.at + text.len,
          "a value is in its text");
    struct str exact = exact_copy(value);
    look_into(exact);
    exact_free(exact);
  } else {
    size_t line, column;
    HOLDS(error.offset <= text.len && error.message, "an error has a place and a sentence");
    json_position(text, error.offset, &line, &column);
    HOLDS(line >= 1 && column >= 1, "lines and columns count from 1");
  }
  exact_free(text);
  return 0;
}
