// ini_file.c: feeds libinih, and adds what it lacks: line numbers, whole section names, and a
// refusal of lines that it would cut.
#include "app/ini_file.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>

enum { WHERE_BYTES = 160 };

struct reading {
  const struct ini_file_hooks *hooks;
  const char *path;
  FILE *file;
  int line;
  char where[WHERE_BYTES];
  enum err err;  // of the first thing that went wrong
  struct fault *why;
};

#define EXPECTED "expected [section], key = value, or a ; comment"

static void keep_error(struct reading *r, enum err err) {
  if (r->err == ERR_OK) r->err = err;
}

static void step_line(struct reading *r) {
  r->line++;
  snprintf(r->where, sizeof r->where, "%s:%d", r->path, r->line);
}

// A section counts from its own line on, even when no key follows. libinih keeps 49 bytes of its
// name, so it is taken here.
static void read_header(struct reading *r, const char *line) {
  struct str rest = str_of(line + 1);
  size_t end = str_find(rest, ']');
  if (end == rest.len) {
    // The keys behind it are of a section that is not known: nothing more is read.
    keep_error(r, fault_set(r->why, ERR_INVALID, "%s: " EXPECTED, r->where));
    return;
  }
  struct str header = str_trim((struct str){rest.at, end});
  keep_error(r, r->hooks->section(r->hooks->self, header, r->where, r->why));
}

// libinih's fgets. Blanks in front go, because it would take such a line for a continuation. After
// an error the file has ended.
static char *read_line(char *out, int room, void *self) {
  struct reading *r = self;
  if (r->err != ERR_OK || !fgets(out, room, r->file)) return NULL;
  step_line(r);
  size_t len = strlen(out);
  if (len > 0 && out[len - 1] != '\n' && !feof(r->file)) {
    keep_error(r, fault_set(r->why, ERR_INVALID, "%s: the line is longer than %d bytes", r->where,
                            room - 3));
    return NULL;
  }
  size_t blanks = strspn(out, " \t");
  memmove(out, out + blanks, len - blanks + 1);
  if (out[0] == '[') read_header(r, out);
  return r->err == ERR_OK ? out : NULL;
}

static int read_entry(void *self, const char *section, const char *key, const char *value) {
  (void)section;
  struct reading *r = self;
  keep_error(r, r->hooks->entry(r->hooks->self, str_of(key), str_of(value), r->where, r->why));
  return r->err == ERR_OK;
}

enum err ini_file_read(const char *path, const struct ini_file_hooks *hooks, struct fault *why) {
  struct reading r = {.hooks = hooks, .path = path, .why = why};
  r.file = fopen(path, "re");
  if (!r.file)
    return fault_set(why, ERR_NOT_FOUND, "the settings file %s cannot be read: %s", path,
                     strerror(errno));
  int bad_line = ini_parse_stream(read_line, &r, read_entry, &r);
  bool read_error = ferror(r.file);
  fclose(r.file);
  if (r.err != ERR_OK && (bad_line == 0 || bad_line >= r.line)) return r.err;
  if (bad_line) return fault_set(why, ERR_INVALID, "%s:%d: " EXPECTED, path, bad_line);
  if (read_error)
    return fault_set(why, ERR_INVALID, "the settings file %s cannot be read to its end", path);
  return ERR_OK;
}
