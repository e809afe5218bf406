// lifecycle_docs.c: writes docs/lifecycle.md: the statuses of a task and what leads to which.
#include "app/lifecycle_docs.h"

#include "engine/lifecycle.h"

#define INTRODUCTION                                                                               \
  "# The life of a task\n\n"                                                                       \
  "*Made by `taskyard docs lifecycle` from `src/engine/lifecycle.def` and its like; do not "       \
  "edit.*\n\n"                                                                                     \
  "What is not in this picture cannot happen. Every move is made by one compare-and-swap on the "  \
  "task's\nrevision and leaves an [event](api.md#words).\n\n"

static const char *const WORDS[] = {
#define MOVE_KIND(name, word, meaning) word,
#include "engine/move.def"
#undef MOVE_KIND
};

static const char *word_of(enum task_status status) { return task_status_word(status).at; }

static bool leads(enum task_status from, enum move move, enum task_status to) {
  enum task_status next;
  return lifecycle_next(from, move, &next) && next == to;
}

// One arrow for all moves from one status to another.
static bool put_arrow(enum task_status from, enum task_status to, struct buf *out) {
  const char *before = ": ";
  for (int move = 0; move < MOVE_COUNT; move++) {
    if (!leads(from, (enum move)move, to)) continue;
    if (before[0] == ':') buf_printf(out, "  %s --> %s", word_of(from), word_of(to));
    buf_printf(out, "%s%s", before, WORDS[move]);
    before = ", ";
  }
  if (before[0] == ':') return false;
  buf_char(out, '\n');
  return true;
}

static void put_diagram(struct buf *out) {
  BUF_LIT(out, "```mermaid\nstateDiagram-v2\n  [*] --> pending: create\n");
  for (int from = 0; from < TASK_STATUS_COUNT; from++) {
    bool leaves = false;
    for (int to = 0; to < TASK_STATUS_COUNT; to++)
      leaves |= put_arrow((enum task_status)from, (enum task_status)to, out);
    if (!leaves) buf_printf(out, "  %s --> [*]\n", word_of((enum task_status)from));
  }
  BUF_LIT(out, "```\n");
}

static void put_words(struct buf *out) {
  BUF_LIT(out, "\n## Statuses\n\n| status | final | meaning |\n|---|---|---|\n");
#define STATUS(name, word, final, meaning)                                                         \
  buf_printf(out, "| `%s` | %s | %s |\n", word, final ? "yes" : "no", meaning);
#include "model/task_status.def"
#undef STATUS
  BUF_LIT(out, "\n## What a pending task waits for\n\n| waitingFor | meaning |\n|---|---|\n");
#define WAITING(name, word, meaning)                                                               \
  if (word[0]) buf_printf(out, "| `%s` | %s |\n", word, meaning);
#include "model/waiting.def"
#undef WAITING
}

static void put_moves(struct buf *out) {
  BUF_LIT(out, "\n## Moves\n\n| move | meaning |\n|---|---|\n");
#define MOVE_KIND(name, word, meaning) buf_printf(out, "| %s | %s |\n", word, meaning);
#include "engine/move.def"
#undef MOVE_KIND
  BUF_LIT(out, "\n| from | move | to |\n|---|---|---|\n");
#define MOVE(from, move, to)                                                                       \
  buf_printf(out, "| `%s` | %s | `%s` |\n", word_of(TASK_##from), WORDS[MOVE_##move],              \
             word_of(TASK_##to));
#include "engine/lifecycle.def"
#undef MOVE
}

void lifecycle_docs(struct buf *out) {
  BUF_LIT(out, INTRODUCTION);
  put_diagram(out);
  put_words(out);
  put_moves(out);
}
