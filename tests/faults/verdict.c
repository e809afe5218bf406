// verdict.c: opens what a fault has left of a store, with the real code, and judges it.
#include "tests/faults/verdict.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/id.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"

struct seen {
  char id[FACT_ID], subject[FACT_SUBJECT];
  int64_t revision, status, attempt;
};

struct case_ {
  struct verdict *v;
  const struct facts *facts;
  uint64_t upto;
  sqlite3 *db;
  struct seen *tasks;  // by id
  size_t count, cap;
};

static bool say(struct verdict *v, const char *format, ...) PRINTF_LIKE(2, 3);
static bool say(struct verdict *v, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (!v->why[0]) vsnprintf(v->why, sizeof v->why, format, args);
  va_end(args);
  return false;
}

// --- what is there -------------------------------------------------------------------------------

static uint64_t mix(uint64_t sum, const void *bytes, size_t count) {
  const uint8_t *at = bytes;
  for (size_t i = 0; i < count; i++) sum = (sum ^ at[i]) * 0x100000001b3ULL;
  return sum;
}

static uint64_t mix_row(uint64_t sum, sqlite3_stmt *row) {
  for (int i = 0; i < sqlite3_column_count(row); i++) {
    int type = sqlite3_column_type(row, i);
    const void *bytes = sqlite3_column_blob(row, i);
    int count = sqlite3_column_bytes(row, i);
    sum = mix(sum, &type, sizeof type);
    sum = mix(sum, &count, sizeof count);
    if (count > 0) sum = mix(sum, bytes, (size_t)count);
  }
  return sum;
}

// All rows of all tables; `meta` apart, which says who the store is and not what it holds.
static bool digest(struct case_ *c) {
  static const char *const queries[] = {
      "SELECT * FROM tenant",  "SELECT * FROM api_key", "SELECT * FROM queue",
      "SELECT * FROM type",    "SELECT * FROM channel", "SELECT * FROM task",
      "SELECT * FROM removed", "SELECT * FROM payload", "SELECT * FROM result",
      "SELECT * FROM log",     "SELECT * FROM event",   "SELECT * FROM replay"};
  uint64_t sum = 0xcbf29ce484222325ULL;
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(c->db, queries[i], -1, &row, NULL);
    sum = mix(sum, &i, sizeof i);
    if (code == SQLITE_OK)
      while ((code = sqlite3_step(row)) == SQLITE_ROW) sum = mix_row(sum, row);
    sqlite3_finalize(row);
    if (code != SQLITE_DONE) return say(c->v, "%s: %s", queries[i], sqlite3_errmsg(c->db));
  }
  c->v->digest = sum;
  return true;
}

static const char *text_at(sqlite3_stmt *row, int column) {
  const char *text = (const char *)sqlite3_column_text(row, column);
  return text ? text : "";
}

// A payload and a result name their task's subject, so that a mixed-up body is noticed.
static bool bodies_are_its_own(struct case_ *c, const struct seen *s, sqlite3_stmt *row) {
  if (!*s->subject) return true;
  if (!strstr(text_at(row, 6), s->subject)) return say(c->v, "%s has no payload of its own", s->id);
  const char *result = text_at(row, 7);
  if (s->status == 2 && !strstr(result, s->subject))
    return say(c->v, "%s is completed without its result", s->id);
  return s->status == 2 || !*result || say(c->v, "%s has a result and is not completed", s->id);
}

static int by_id(const void *a, const void *b) {
  return strcmp(((const struct seen *)a)->id, ((const struct seen *)b)->id);
}

static int by_subject(const void *a, const void *b) {
  return strcmp(((const struct seen *)a)->subject, ((const struct seen *)b)->subject);
}

static void take(struct case_ *c, sqlite3_stmt *row) {
  if (c->count == c->cap) {
    c->cap = c->cap ? c->cap * 2 : 256;
    c->tasks = mem_resize(c->tasks, c->cap * sizeof *c->tasks);
  }
  struct seen *s = &c->tasks[c->count++];
  memset(s, 0, sizeof *s);
  id_text(id_from_key(sqlite3_column_int64(row, 0), (uint64_t)sqlite3_column_int64(row, 1)), s->id);
  s->revision = sqlite3_column_int64(row, 2);
  s->status = sqlite3_column_int64(row, 3);
  s->attempt = sqlite3_column_int64(row, 4);
  snprintf(s->subject, sizeof s->subject, "%s", text_at(row, 5));
}

static bool read_tasks(struct case_ *c) {
  sqlite3_stmt *row = NULL;
  int code = sqlite3_prepare_v2(
      c->db,
      "SELECT t.key, t.salt, t.revision, t.status, t.attempt, t.subject, p.body,"
      " coalesce(t.result, r.body) FROM task AS t LEFT JOIN payload AS p ON p.task = t.key"
      " LEFT JOIN result AS r ON r.task = t.key",
      -1, &row, NULL);
  bool good = true;
  if (code == SQLITE_OK)
    while (good && (code = sqlite3_step(row)) == SQLITE_ROW) {
      take(c, row);
      good = bodies_are_its_own(c, &c->tasks[c->count - 1], row);
    }
  sqlite3_finalize(row);
  c->v->tasks = c->count;
  if (good && code != SQLITE_DONE) return say(c->v, "tasks: %s", sqlite3_errmsg(c->db));
  return good;
}

// --- what should be ------------------------------------------------------------------------------

static const struct seen *find(const struct case_ *c, const char *id) {
  struct seen key;
  snprintf(key.id, sizeof key.id, "%s", id);
  return c->count ? bsearch(&key, c->tasks, c->count, sizeof key, by_id) : NULL;
}

// `f` to `end` are about one task.
static bool one_is_kept(struct case_ *c, const struct fact *f, const struct fact *end) {
  const struct fact *latest = NULL;
  bool may_be_gone = false, is_gone = false;
  for (; f < end && f->at <= c->upto; f++) {
    if (f->kind == 'T' && (!latest || f->revision >= latest->revision)) latest = f;
    may_be_gone |= f->kind == 'M';
    is_gone |= f->kind == 'D';
  }
  const struct seen *s = latest ? find(c, latest->id) : NULL;
  if (!latest) return true;
  if (is_gone) return !s || say(c->v, "%s was deleted and is back", latest->id);
  if (!s) return may_be_gone || say(c->v, "%s was acknowledged and is lost", latest->id);
  if (s->revision < latest->revision)
    return say(c->v, "%s was acknowledged at revision %lld and is at %lld", latest->id,
               latest->revision, (long long)s->revision);
  bool same = s->revision > latest->revision ||
              (s->status == latest->status && s->attempt == latest->attempt);
  return same ||
         say(c->v, "%s is not what was told of its revision %lld", latest->id, latest->revision);
}

static bool facts_are_kept(struct case_ *c) {
  const struct fact *f = c->facts->list, *end = f + c->facts->count;
  while (f < end) {
    const struct fact *next = f + 1;
    while (next < end && strcmp(next->id, f->id) == 0) next++;
    if (!one_is_kept(c, f, next)) return false;
    f = next;
  }
  return true;
}

static bool has_subject(const struct case_ *c, const char *subject, size_t length) {
  struct seen key;
  snprintf(key.subject, sizeof key.subject, "%.*s", (int)length, subject);
  return c->count && bsearch(&key, c->tasks, c->count, sizeof key, by_subject);
}

static bool group_is_whole(struct case_ *c, const char *group) {
  size_t all = 0, there = 0;
  for (const char *at = group; *at; all++) {
    size_t length = strcspn(at, " ");
    there += has_subject(c, at, length);
    at += length + (at[length] == ' ');
  }
  if (there == 0 || there == all) return true;
  return say(c->v, "%zu of %zu tasks of one batch are there: %.40s", there, all, group);
}

// Sorts the tasks by subject; nothing is looked up by id after this.
static bool groups_are_whole(struct case_ *c) {
  if (c->count) qsort(c->tasks, c->count, sizeof *c->tasks, by_subject);
  for (size_t i = 1; i < c->count; i++)
    if (*c->tasks[i].subject && strcmp(c->tasks[i].subject, c->tasks[i - 1].subject) == 0)
      return say(c->v, "%s is there twice", c->tasks[i].subject);
  for (size_t i = 0; i < c->facts->group_count; i++)
    if (!group_is_whole(c, c->facts->groups[i])) return false;
  return true;
}

static bool has_row(const struct case_ *c, char kind, const char *key) {
  const char *text = kind == 'K'   ? "SELECT 1 FROM replay WHERE instr(key, ?)"
                     : kind == 'A' ? "SELECT 1 FROM api_key WHERE id = ?"
                     : kind == 'Y' ? "SELECT 1 FROM type WHERE name = ?"
                                   : "SELECT 1 FROM queue WHERE name = ?";
  sqlite3_stmt *row = NULL;
  sqlite3_prepare_v2(c->db, text, -1, &row, NULL);
  sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
  bool found = sqlite3_step(row) == SQLITE_ROW;
  sqlite3_finalize(row);
  return found;
}

static bool keys_are_kept(struct case_ *c) {
  for (size_t i = 0; i < c->facts->key_count; i++) {
    const struct fact_key *key = &c->facts->keys[i];
    if (key->at <= c->upto && !has_row(c, key->kind, key->key))
      return say(c->v, "the row of %s (%c) was acknowledged and is lost", key->key, key->kind);
  }
  return true;
}

// --- the case ------------------------------------------------------------------------------------

static bool is_sound(struct store *s, struct verdict *v) {
  struct arena arena;
  struct check_finding *findings = NULL;
  struct fault why = {0};
  size_t count = 0;
  arena_init(&arena, 1 << 14);
  bool good = s->ops->check(s, &arena, &findings, &count, &why) == ERR_OK && count > 10;
  if (!good) say(v, "check: %s", why.detail);
  for (size_t i = 0; good && i < count; i++)
    if (findings[i].violations)
      good =
          say(v, "check: not so: %s (%.*s)", findings[i].invariant, STR_FMT(findings[i].example));
  arena_fini(&arena);
  return good;
}

static void look(struct case_ *c, const char *path) {
  if (sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
    say(c->v, "a second connection: %s", sqlite3_errmsg(c->db));
  else
    c->v->opened = digest(c);
  c->v->kept = c->v->opened && read_tasks(c);
  if (c->v->kept && c->facts) {
    if (c->count) qsort(c->tasks, c->count, sizeof *c->tasks, by_id);
    c->v->kept = facts_are_kept(c) && groups_are_whole(c) && keys_are_kept(c);
  }
  sqlite3_close(c->db);
  mem_free(c->tasks);
}

struct verdict verdict_of(const char *path, const struct facts *facts, uint64_t upto) {
  struct verdict v = {0};
  struct store *s = NULL;
  struct store_lane *lane = NULL;
  struct fault why = {0};
  if (sqlite_store_open(path, NULL, &s, &why) != ERR_OK) {
    say(&v, "it cannot be opened: %s", why.detail);
    return v;
  }
  if (s->ops->lane_open(s, &lane, &why) != ERR_OK) {
    say(&v, "it cannot be recovered: %s", why.detail);
  } else {
    v.sound = is_sound(s, &v);
    look(&(struct case_){.v = &v, .facts = facts, .upto = upto}, path);
    s->ops->lane_close(lane);
  }
  s->ops->close(s);
  return v;
}
