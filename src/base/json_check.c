// json_check.c: decides in one pass whether a text is JSON.
#include "base/json.h"

#include "base/swar.h"
#include "base/utf8.h"

// One bit a level, the innermost lowest: set in an object, clear in an array.
struct check {
  const char *at, *end;
  const char *message;  // why it is not JSON; `at` is where
  uint64_t in_object;
  unsigned depth;
};

_Static_assert(JSON_DEPTH_MAX <= 64, "levels are bits of one word");

static bool refuse(struct check *c, const char *at, const char *message) {
  c->at = at;
  c->message = message;
  return false;
}

// The same for functions that return where they got to.
static const char *stop(struct check *c, const char *at, const char *message) {
  refuse(c, at, message);
  return NULL;
}

static inline bool is_blank(char b) { return b == ' ' || b == '\n' || b == '\r' || b == '\t'; }

static inline bool is_digit(char b) { return (unsigned char)(b - '0') < 10; }

static inline void skip_blanks(struct check *c) {
  while (c->at < c->end && is_blank(*c->at)) c->at++;
}

// True when `b` comes next; it is then behind us.
static inline bool take(struct check *c, char b) {
  if (c->at == c->end || *c->at != b) return false;
  c->at++;
  return true;
}

static inline bool is_plain(char b) { return (signed char)b >= 0x20 && b != '"' && b != '\\'; }

static inline const char *skip_plain(const char *at, const char *end) {
  for (; end - at >= 8; at += 8) {
    uint64_t special = swar_json_special(swar_load(at));
    if (special) return at + swar_first(special);
  }
  while (at < end && is_plain(*at)) at++;
  return at;
}

static int hex_value(char b) {
  if (is_digit(b)) return b - '0';
  b |= 0x20;
  return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

// The four digits of a \u escape; -1: they are not.
static int hex4(const char *at, const char *end) {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(at[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

// `at` is the backslash of \uXXXX. A high surrogate must be followed by the escape of a low one.
static const char *check_unicode(struct check *c, const char *at) {
  static const char lone[] = "a \\u escape is half of a surrogate pair";
  int unit = hex4(at + 2, c->end);
  if (unit < 0) return stop(c, at, "a \\u escape needs four hexadecimal digits");
  if (unit < 0xd800 || unit > 0xdfff) return at + 6;
  if (unit > 0xdbff || c->end - at < 12 || at[6] != '\\' || at[7] != 'u') return stop(c, at, lone);
  int low = hex4(at + 8, c->end);
  if (low < 0xdc00 || low > 0xdfff) return stop(c, at, lone);
  return at + 12;
}

static const char *check_escape(struct check *c, const char *at) {
  char letter = c->end - at < 2 ? '\0' : at[1];
  if (letter == 'u') return check_unicode(c, at);
  if (letter && strchr("\"\\/bfnrt", letter)) return at + 2;
  return stop(c, at, "an unknown escape in a string");
}

static const char *check_characters(struct check *c, const char *at) {
  while (at < c->end && (*at & 0x80)) {
    size_t length = utf8_length(at, c->end);
    if (length == 0) return stop(c, at, "a string is not valid UTF-8");
    at += length;
  }
  return at;
}

// `c->at` is behind the opening quote; leaves it behind the closing one.
static bool check_string(struct check *c) {
  const char *at = c->at;
  for (;;) {
    at = skip_plain(at, c->end);
    if (at == c->end) return refuse(c, at, "a string is not closed");
    if (*at == '"') break;
    if ((unsigned char)*at < 0x20)
      return refuse(c, at, "a control character in a string; escape it");
    at = *at == '\\' ? check_escape(c, at) : check_characters(c, at);
    if (!at) return false;
  }
  c->at = at + 1;
  return true;
}

static const char *skip_digits(const char *at, const char *end) {
  while (at < end && is_digit(*at)) at++;
  return at;
}

// At least one digit, else NULL.
static const char *check_digits(struct check *c, const char *at, const char *message) {
  const char *after = skip_digits(at, c->end);
  return after > at ? after : stop(c, at, message);
}

static bool check_number(struct check *c) {
  const char *at = c->at + (*c->at == '-');
  if (at < c->end && *at == '0') {
    at++;
    if (at < c->end && is_digit(*at)) return refuse(c, c->at, "a number starts with a needless 0");
  } else if (!(at = check_digits(c, at, "a number needs a digit here"))) {
    return false;
  }
  if (at < c->end && *at == '.')
    if (!(at = check_digits(c, at + 1, "a number needs a digit after its point"))) return false;
  if (at < c->end && (*at | 0x20) == 'e') {
    at++;
    if (at < c->end && (*at == '+' || *at == '-')) at++;
    if (!(at = check_digits(c, at, "a number needs a digit in its exponent"))) return false;
  }
  c->at = at;
  return true;
}

static bool push(struct check *c, bool object) {
  if (c->depth == JSON_DEPTH_MAX) return refuse(c, c->at - 1, "depth is over 64");
  c->in_object = c->in_object << 1 | object;
  c->depth++;
  return true;
}

static void pop(struct check *c) {
  c->in_object >>= 1;
  c->depth--;
}

// A key and its colon, up to where the value must start.
static bool check_key(struct check *c) {
  skip_blanks(c);
  if (!take(c, '"')) return refuse(c, c->at, "a key in quotes was expected here");
  if (!check_string(c)) return false;
  skip_blanks(c);
  if (take(c, ':')) return true;
  return refuse(c, c->at, "a colon was expected here");
}

// What comes next: a value, or what may follow one.
enum step { STEP_REFUSED, STEP_VALUE, STEP_AFTER };

static enum step step(bool ok, enum step next) { return ok ? next : STEP_REFUSED; }

static enum step no_value(struct check *c) {
  return step(refuse(c, c->at, "a value was expected here"), STEP_AFTER);
}

static enum step open_array(struct check *c) {
  c->at++;
  if (!push(c, false)) return STEP_REFUSED;
  skip_blanks(c);
  if (!take(c, ']')) return STEP_VALUE;
  pop(c);
  return STEP_AFTER;
}

static enum step open_object(struct check *c) {
  c->at++;
  if (!push(c, true)) return STEP_REFUSED;
  skip_blanks(c);
  if (!take(c, '}')) return step(check_key(c), STEP_VALUE);
  pop(c);
  return STEP_AFTER;
}

static enum step check_word(struct check *c, const char *word, size_t len) {
  if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0) return no_value(c);
  c->at += len;
  return STEP_AFTER;
}

// Reads a scalar, or only the opening of an array or object that is not empty.
static enum step check_value(struct check *c) {
  skip_blanks(c);
  char first = c->at < c->end ? *c->at : '\0';
  switch (first) {
  case '"': c->at++; return step(check_string(c), STEP_AFTER);
  case '{': return open_object(c);
  case '[': return open_array(c);
  case 't': return check_word(c, "true", 4);
  case 'f': return check_word(c, "false", 5);
  case 'n': return check_word(c, "null", 4);
  default: break;
  }
  if (first != '-' && !is_digit(first)) return no_value(c);
  return step(check_number(c), STEP_AFTER);
}

// After a value inside an array or object: its end, or a comma and, in an object, the next key.
static enum step check_after(struct check *c) {
  bool object = c->in_object & 1;
  skip_blanks(c);
  if (take(c, ',')) return object ? step(check_key(c), STEP_VALUE) : STEP_VALUE;
  if (take(c, object ? '}' : ']')) {
    pop(c);
    return STEP_AFTER;
  }
  refuse(c, c->at, object ? "a comma or } was expected here" : "a comma or ] was expected here");
  return STEP_REFUSED;
}

static bool check_document(struct check *c) {
  enum step next = STEP_VALUE;
  do next = next == STEP_VALUE ? check_value(c) : check_after(c);
  while (next == STEP_VALUE || (next == STEP_AFTER && c->depth > 0));
  return next != STEP_REFUSED;
}

bool json_check(struct str text, struct str *value, struct json_error *error) {
  struct check c = {.at = text.len ? text.at : "", .message = NULL};
  c.end = c.at + text.len;
  skip_blanks(&c);
  const char *start = c.at;
  bool ok = check_document(&c);
  const char *after = c.at;
  if (ok) skip_blanks(&c);
  if (ok && c.at == c.end) {
    *value = (struct str){start, (size_t)(after - start)};
    return true;
  }
  if (ok) c.message = "more text after the end of the value";
  *error = (struct json_error){text.len - (size_t)(c.end - c.at), c.message};
  return false;
}
