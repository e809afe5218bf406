// words.c: looks words up in words.def.
#include "api/doors/words.h"

#include <assert.h>

static const struct {
  enum dialect dialect;
  enum task_status status;
  struct str word;
} WORDS[] = {
#define STATUS_WORD(dialect, status, word, meaning)                                                \
  {DIALECT_##dialect, TASK_##status, {word, sizeof(word) - 1}},
#include "api/doors/words.def"
#undef STATUS_WORD
};
enum { WORD_COUNT = sizeof WORDS / sizeof *WORDS };

struct str door_word(enum dialect dialect, enum task_status status) {
  for (size_t i = 0; i < WORD_COUNT; i++)
    if (WORDS[i].dialect == dialect && WORDS[i].status == status) return WORDS[i].word;
  assert(false && "each door has a word for each status");
  return STR_NONE;
}

unsigned door_statuses(enum dialect dialect, struct str word) {
  unsigned bits = 0;
  for (size_t i = 0; i < WORD_COUNT; i++)
    if (WORDS[i].dialect == dialect && str_eq(WORDS[i].word, word)) bits |= 1u << WORDS[i].status;
  return bits;
}
