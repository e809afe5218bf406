// words.c: splits one line into the words of a command, as a shell does.
#include "worker/words.h"

struct reader {
  const char *at, *end;
  char *to;  // where the next byte of a word goes
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// After a backslash outside of quotes. A quoted line end is nothing at all.
static bool read_escape(struct reader *r) {
  if (r->at == r->end) return false;
  char c = *r->at++;
  if (c != '\n') *r->to++ = c;
  return true;
}

static bool read_single(struct reader *r) {
  while (r->at < r->end && *r->at != '\'') *r->to++ = *r->at++;
  if (r->at == r->end) return false;
  r->at++;
  return true;
}

static bool read_double(struct reader *r) {
  while (r->at < r->end && *r->at != '"') {
    char c = *r->at++;
    bool quotes = c == '\\' && r->at < r->end && strchr("\"\\$`\n", *r->at);
    if (!quotes)
      *r->to++ = c;
    else if (!read_escape(r))
      return false;
  }
  if (r->at == r->end) return false;
  r->at++;
  return true;
}

// One word, its NUL included. False: a quote is open.
static bool read_word(struct reader *r) {
  while (r->at < r->end && !is_blank(*r->at)) {
    char c = *r->at++;
    bool closed = true;
    if (c == '\\')
      closed = read_escape(r);
    else if (c == '\'')
      closed = read_single(r);
    else if (c == '"')
      closed = read_double(r);
    else
      *r->to++ = c;
    if (!closed) return false;
  }
  *r->to++ = '\0';
  return true;
}

enum err words_split(struct str line, struct arena *a, char ***argv, struct fault *why) {
  // Each word needs at least one byte and a blank, and quoting only shortens.
  char **words = ARENA_ARRAY(a, char *, line.len / 2 + 2);
  struct reader r = {line.at, line.at + line.len, arena_alloc(a, line.len + 2)};
  size_t count = 0;
  while (true) {
    while (r.at < r.end && is_blank(*r.at)) r.at++;
    if (r.at == r.end) break;
    words[count++] = r.to;
    if (!read_word(&r))
      return fault_set(why, ERR_INVALID, "a quote or backslash is open at the end of: %.*s",
                       STR_FMT(line));
  }
  if (count == 0) return fault_set(why, ERR_INVALID, "it names no program");
  *argv = words;
  return ERR_OK;
}
