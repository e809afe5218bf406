// facts.c: what clients were told, from a file of lines.
#include "tests/faults/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/words.h"

enum { LINE_BYTES = 1 << 16 };

static int by_id(const void *a, const void *b) {
  const struct fact *x = a, *y = b;
  int order = strcmp(x->id, y->id);
  if (order) return order;
  return x->at < y->at ? -1 : x->at > y->at;
}

static void add(struct facts *f, const struct fact *fact) {
  if (f->count == f->cap) {
    f->cap = f->cap ? f->cap * 2 : 1024;
    f->list = mem_resize(f->list, f->cap * sizeof *f->list);
  }
  f->list[f->count++] = *fact;
}

static void add_group(struct facts *f, const char *subjects) {
  f->groups = mem_resize(f->groups, (f->group_count + 1) * sizeof *f->groups);
  f->groups[f->group_count++] = mem_copy(subjects, strcspn(subjects, "\n"));
}

static void add_key(struct facts *f, char kind, uint64_t at, const char *key) {
  f->keys = mem_resize(f->keys, (f->key_count + 1) * sizeof *f->keys);
  f->keys[f->key_count].at = at;
  f->keys[f->key_count].kind = kind;
  snprintf(f->keys[f->key_count++].key, FACT_SUBJECT, "%s", key);
}

static int status_of(const char *word) {
  enum task_status status;
  return task_status_parse(str_of(word), &status) ? (int)status : -1;
}

static bool add_line(struct facts *f, const char *line) {
  struct fact fact = {.kind = line[0]};
  char status[16] = "";
  int got = sscanf(line + 1, "%lu %39s %lld %15s %lld %63s", &fact.at, fact.id, &fact.revision,
                   status, &fact.attempt, fact.subject);
  fact.status = status_of(status);
  if (fact.kind == 'G')
    add_group(f, line + 2);
  else if (strchr("KAYQ", fact.kind) && got >= 2)
    add_key(f, fact.kind, fact.at, fact.id);
  else if ((fact.kind == 'T' && got == 6) || (strchr("DM", fact.kind) && got >= 2))
    add(f, &fact);
  else
    return false;
  return true;
}

struct facts *facts_read(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) return NULL;
  struct facts *f = mem_zero(sizeof *f);
  char *line = mem_alloc(LINE_BYTES);
  bool good = true;
  while (good && fgets(line, LINE_BYTES, file)) good = add_line(f, line);
  if (!good) fprintf(stderr, "judge: not a fact: %s", line);
  mem_free(line);
  fclose(file);
  if (f->count) qsort(f->list, f->count, sizeof *f->list, by_id);
  if (good) return f;
  facts_free(f);
  return NULL;
}

void facts_free(struct facts *f) {
  if (!f) return;
  for (size_t i = 0; i < f->group_count; i++) mem_free(f->groups[i]);
  mem_free(f->groups);
  mem_free(f->keys);
  mem_free(f->list);
  mem_free(f);
}
