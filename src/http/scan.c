// scan.c: finds where a head ends, and refuses what is no clean line on the way.
//
// It stands before llhttp because llhttp lets pass what smuggles requests through proxies that read
// it otherwise: obs-fold, blanks before the colon, a bare LF after the trailer section. It also is
// what makes heads come whole, so that nothing behind it has to stitch pieces together.
#include "http/inside.h"

#include "base/swar.h"

// Room for the method and the version beside the target in a request line.
enum { REQUEST_LINE_SLACK = 32 };

static const bool token_chars[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

bool http_is_token(struct str s) {
  for (size_t i = 0; i < s.len; i++) {
    if (!token_chars[(unsigned char)s.at[i]]) return false;
  }
  return s.len > 0;
}

static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

// How many bytes stand before the first control character.
static size_t plain_run(const char *at, size_t len) {
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t word = swar_load(at + i);
    uint64_t hits = ((word - SWAR_ONES * 0x20) & ~word & SWAR_TOPS) | swar_is(word, 0x7f);
    if (hits) return i + swar_first(hits);
  }
  while (i < len && !is_control(at[i])) i++;
  return i;
}

static enum err check_lengths(const struct scan *scan, const struct http_settings *limits,
                              struct fault *why) {
  if (scan->lines == 0 && scan->at - scan->line > limits->uri_bytes_max + REQUEST_LINE_SLACK) {
    return fault_set(why, ERR_URI_TOO_LONG, "the request target is over %zu bytes",
                     limits->uri_bytes_max);
  }
  if (scan->at - scan->start > limits->head_bytes_max) {
    return fault_set(why, ERR_HEADERS_TOO_LARGE, "the request head is over %zu bytes",
                     limits->head_bytes_max);
  }
  return ERR_OK;
}

static enum err check_field(struct str line, struct fault *why) {
  if (line.at[0] == ' ' || line.at[0] == '\t') {
    return fault_set(why, ERR_BAD_REQUEST, "a header is continued on a second line");
  }
  size_t colon = str_find(line, ':');
  if (colon == line.len) return fault_set(why, ERR_BAD_REQUEST, "a header line has no colon");
  if (!http_is_token((struct str){line.at, colon})) {
    return fault_set(
        why, ERR_BAD_REQUEST,
        "a header name is empty or holds a blank or another character that it must not");
  }
  return ERR_OK;
}

// One empty line before the request line is passed over (RFC 9112 section 2.2).
static enum err end_empty_line(struct scan *scan, bool *whole, struct fault *why) {
  if (scan->lines > 0) {
    *whole = true;
    return ERR_OK;
  }
  if (scan->line > 0) {
    return fault_set(why, ERR_BAD_REQUEST, "the request starts with empty lines");
  }
  scan->start = scan->line = scan->at;
  return ERR_OK;
}

// The line that ends in the CRLF before scan->at.
static enum err end_line(struct scan *scan, struct str bytes, const struct http_settings *limits,
                         bool *whole, struct fault *why) {
  struct str line = {bytes.at + scan->line, scan->at - 2 - scan->line};
  if (line.len == 0) return end_empty_line(scan, whole, why);
  if (scan->lines > 0) TRY(check_field(line, why));
  if (scan->lines > limits->headers_max) {
    return fault_set(why, ERR_HEADERS_TOO_LARGE, "there are more than %u headers",
                     limits->headers_max);
  }
  scan->lines++;
  scan->line = scan->at;
  return ERR_OK;
}

static enum err refuse_control(char c, struct fault *why) {
  if (c == '\n') {
    return fault_set(why, ERR_BAD_REQUEST, "a line ends in LF alone; it must end in CR LF");
  }
  return fault_set(why, ERR_BAD_REQUEST,
                   "the request head holds the control character 0x%02x; this is no HTTP",
                   (unsigned)(unsigned char)c);
}

enum err http_scan(struct scan *scan, struct str bytes, const struct http_settings *limits,
                   bool *whole, struct fault *why) {
  *whole = false;
  while (scan->at < bytes.len && !*whole) {
    scan->at += plain_run(bytes.at + scan->at, bytes.len - scan->at);
    TRY(check_lengths(scan, limits, why));
    if (scan->at == bytes.len) break;
    char c = bytes.at[scan->at];
    if (c == '\t') {
      scan->at++;
      continue;
    }
    if (c != '\r') return refuse_control(c, why);
    if (scan->at + 1 == bytes.len) break;
    if (bytes.at[scan->at + 1] != '\n') return refuse_control(c, why);
    scan->at += 2;
    TRY(end_line(scan, bytes, limits, whole, why));
  }
  return ERR_OK;
}
