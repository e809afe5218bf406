// counts.c: reads GET /api/v1/tasks/stats and GET /health.
#include "bench/counts.h"

#include <stdio.h>

#include "base/json.h"

enum { COUNTS_TIMEOUT_MS = 30000, COUNTS_BYTES_MAX = 1 << 20 };

// STR_NONE when `object` is none, no object, or has no such member.
static struct str member(struct str object, const char *name) {
  if (str_is_none(object) || json_kind(object) != JSON_OBJECT) return STR_NONE;
  struct json_walk walk = json_walk(object);
  struct str key, value;
  while (json_next(&walk, &key, &value))
    if (str_eq(key, str_of(name))) return value;
  return STR_NONE;
}

static bool member_number(struct str object, const char *name, int64_t *out) {
  struct str value = member(object, name);
  return !str_is_none(value) && json_kind(value) == JSON_NUMBER && json_integer(value, out);
}

static void member_text(struct str object, const char *name, char *out, size_t size) {
  struct str value = member(object, name);
  bool is_text = !str_is_none(value) && json_kind(value) == JSON_STRING && value.len >= 2;
  snprintf(out, size, "%.*s", is_text ? (int)value.len - 2 : 0, is_text ? value.at + 1 : "");
}

// Reads a 200 answer as JSON; the slices in `*out` live as long as `text`.
static enum err get(const struct endpoint *to, struct str line, struct buf *text, struct str *out,
                    struct fault *why) {
  int status = 0;
  TRY(bench_wire_call(to, line, STR(""), COUNTS_TIMEOUT_MS, &status, text, why));
  if (status != 200)
    return fault_set(why, ERR_UNAVAILABLE, "%.*s answered %d", STR_FMT(line), status);
  struct json_error error;
  if (!json_check(buf_str(text), out, &error))
    return fault_set(why, ERR_MALFORMED_JSON, "%.*s: %s", STR_FMT(line), error.message);
  return ERR_OK;
}

static enum err counts_parse(struct str answer, struct counts *out, struct fault *why) {
  struct str stats = member(answer, "stats");
  bool whole = member_number(stats, "total", &out->total) &&
               member_number(stats, "pending", &out->pending) &&
               member_number(stats, "running", &out->running) &&
               member_number(stats, "completed", &out->completed);
  return whole ? ERR_OK : fault_set(why, ERR_INVALID, "the stats lack a count");
}

enum err bench_counts_read(const struct endpoint *to, struct counts *out, struct fault *why) {
  struct buf text;
  struct str answer;
  buf_init(&text, COUNTS_BYTES_MAX);
  enum err err = get(to, STR("GET /api/v1/tasks/stats"), &text, &answer, why);
  if (err == ERR_OK) err = counts_parse(answer, out, why);
  buf_fini(&text);
  return err;
}

enum err bench_health_read(const struct endpoint *to, struct health *out, struct fault *why) {
  struct buf text;
  struct str answer;
  memset(out, 0, sizeof *out);
  buf_init(&text, COUNTS_BYTES_MAX);
  enum err err = get(to, STR("GET /health"), &text, &answer, why);
  if (err == ERR_OK) {
    out->known = member_number(answer, "commits", &out->commits) &&
                 member_number(answer, "items", &out->items);
    member_text(answer, "version", out->version, sizeof out->version);
    member_text(answer, "store", out->store, sizeof out->store);
  }
  buf_fini(&text);
  return err;
}

bool bench_health_is_shared(const struct health *h) {
  return str_starts(str_of(h->store), STR("postgresql"));
}
