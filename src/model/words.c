// words.c: from the *.def tables to words, and back.
#include "model/words.h"

#include <assert.h>

static const struct str status_words[] = {
#define STATUS(name, word, final, meaning) [TASK_##name] = {word, sizeof(word) - 1},
#include "model/task_status.def"
#undef STATUS
};

static const bool status_final[] = {
#define STATUS(name, word, final, meaning) [TASK_##name] = final,
#include "model/task_status.def"
#undef STATUS
};

static const struct str waiting_words[] = {
#define WAITING(name, word, meaning) [WAIT_##name] = {word, sizeof(word) - 1},
#include "model/waiting.def"
#undef WAITING
};

static const struct str event_words[] = {
#define EVENT(name, word, meaning) [EVENT_##name] = {word, sizeof(word) - 1},
#include "model/event_kind.def"
#undef EVENT
};

static const struct str role_words[] = {
#define ROLE(name, word, meaning) [ROLE_INDEX_##name] = {word, sizeof(word) - 1},
#include "model/role.def"
#undef ROLE
};

// The row that holds the word, or `count`. Linear: the tables are short and their words differ
// early.
static unsigned word_find(const struct str *words, unsigned first, unsigned count,
                          struct str word) {
  unsigned row = first;
  while (row < count && !str_eq(words[row], word)) row++;
  return row;
}

bool task_status_is_final(enum task_status status) {
  assert(status < TASK_STATUS_COUNT);
  return status_final[status];
}

struct str task_status_word(enum task_status status) {
  assert(status < TASK_STATUS_COUNT);
  return status_words[status];
}

bool task_status_parse(struct str word, enum task_status *out) {
  unsigned row = word_find(status_words, 0, TASK_STATUS_COUNT, word);
  if (row == TASK_STATUS_COUNT) return false;
  *out = (enum task_status)row;
  return true;
}

struct str waiting_word(enum waiting waiting) {
  assert(waiting < WAITING_COUNT);
  return waiting == WAIT_NONE ? STR_NONE : waiting_words[waiting];
}

bool waiting_parse(struct str word, enum waiting *out) {
  unsigned row = word_find(waiting_words, WAIT_NONE + 1, WAITING_COUNT, word);
  if (row == WAITING_COUNT) return false;
  *out = (enum waiting)row;
  return true;
}

struct str event_word(enum event_kind kind) {
  assert(kind < EVENT_KIND_COUNT);
  return event_words[kind];
}

struct str role_word(enum role_index role) {
  assert(role < ROLE_COUNT);
  return role_words[role];
}

bool role_parse(struct str word, enum role *out) {
  unsigned row = word_find(role_words, 0, ROLE_COUNT, word);
  if (row == ROLE_COUNT) return false;
  *out = (enum role)(1U << row);
  return true;
}
