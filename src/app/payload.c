// payload.c: reads payloads from arguments, files and lines.
#include "app/payload.h"

#include "base/json.h"
#include "base/mem.h"
#include "model/limits.h"

#include <errno.h>
#include <inttypes.h>

enum { CHUNK_BYTES = 64 * 1024 };

struct str payload_quote(struct arena *a, struct str text) {
  struct buf quoted;
  buf_init(&quoted, text.len * 6 + 2);
  buf_json_str(&quoted, text);
  struct str copy = arena_dup(a, buf_str(&quoted));
  buf_fini(&quoted);
  return copy;
}

static enum err read_all(struct command *c, FILE *file, const char *name, struct str *out,
                         struct fault *why) {
  struct buf content;
  buf_init(&content, LIMIT_BODY_BYTES_CEILING);
  size_t got = 0;
  do {
    if (!buf_room(&content, CHUNK_BYTES)) break;
    got = fread(content.at + content.len, 1, CHUNK_BYTES, file);
    content.len += got;
  } while (got > 0);
  enum err err = ERR_OK;
  if (ferror(file))
    err = fault_set(why, ERR_INVALID, "%s cannot be read: %s", name, strerror(errno));
  else if (content.overflow)
    err = fault_set(why, ERR_BODY_TOO_LARGE, "%s is larger than any server takes", name);
  else
    *out = arena_dup(&c->arena, buf_str(&content));
  buf_fini(&content);
  return err;
}

enum err payload_open(struct command *c, const char *argument, FILE **out, struct fault *why) {
  *out = stdin;
  if (!argument || strcmp(argument, "-") == 0) return ERR_OK;
  if (argument[0] != '@')
    return command_misused(c, why, "lines come from @FILE or -, not \"%s\"", argument);
  *out = fopen(argument + 1, "re");
  if (*out) return ERR_OK;
  return command_misused(c, why, "%s cannot be read: %s", argument + 1, strerror(errno));
}

static enum err read_argument(struct command *c, const char *argument, struct str *out,
                              struct fault *why) {
  bool is_stdin = strcmp(argument, "-") == 0;
  if (!is_stdin && argument[0] != '@') {
    *out = str_of(argument);
    return ERR_OK;
  }
  FILE *file;
  TRY(payload_open(c, argument, &file, why));
  enum err err = read_all(c, file, is_stdin ? "standard input" : argument + 1, out, why);
  if (!is_stdin) fclose(file);
  return err;
}

enum err payload_read(struct command *c, const char *argument, bool is_text, struct str *out,
                      struct fault *why) {
  *out = STR_NONE;
  if (!argument) return ERR_OK;
  struct str content;
  TRY(read_argument(c, argument, &content, why));
  if (is_text) {
    *out = payload_quote(&c->arena, content);
    return ERR_OK;
  }
  struct json_error error;
  if (json_check(content, out, &error)) return ERR_OK;
  size_t line, column;
  json_position(content, error.offset, &line, &column);
  return command_misused(c, why,
                         "the payload is not JSON (line %zu, column %zu: %s); --text takes text",
                         line, column, error.message);
}

static bool is_blank(struct str line) { return str_trim(line).len == 0; }

enum err payload_next(struct payload_lines *lines, struct arena *a, struct str *out, bool *more,
                      struct fault *why) {
  struct str line;
  do {
    ssize_t got = getline(&lines->line, &lines->room, lines->file);
    *more = got >= 0;
    if (!*more && ferror(lines->file))
      return fault_set(why, ERR_INVALID, "the input cannot be read: %s", strerror(errno));
    if (!*more) return ERR_OK;
    lines->number++;
    line = (struct str){lines->line, (size_t)got};
    while (line.len && (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r')) line.len--;
  } while (is_blank(line));
  struct json_error error;
  if (lines->is_text) *out = payload_quote(a, line);
  if (lines->is_text || json_check(line, out, &error)) return ERR_OK;
  return fault_set(why, ERR_INVALID,
                   "line %" PRId64 " is not JSON (column %zu: %s); --text takes text",
                   lines->number, error.offset + 1, error.message);
}

void payload_close(struct payload_lines *lines) {
  if (lines->file && lines->file != stdin) fclose(lines->file);
  mem_free(lines->line);
  *lines = (struct payload_lines){0};
}
