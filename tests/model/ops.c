// ops.c: operations as text, for the line that plays a sequence again, and as dice throw them.
#include <stdio.h>
#include <stdlib.h>

#include "game.h"

const char *const OP_NAME[OP_COUNT] = {
#define OPERATION(name, weight, subject, meaning) [OP_##name] = #name,
#include "operations.def"
#undef OPERATION
};
const bool OP_HAS_SUBJECT[OP_COUNT] = {
#define OPERATION(name, weight, subject, meaning) [OP_##name] = subject,
#include "operations.def"
#undef OPERATION
};
static const unsigned WEIGHT[OP_COUNT] = {
#define OPERATION(name, weight, subject, meaning) [OP_##name] = weight,
#include "operations.def"
#undef OPERATION
};
const char *const STATE_NAME[STATE_COUNT] = {
#define STATE(name, meaning) [STATE_##name] = #name,
#include "states.def"
#undef STATE
};

static enum op_kind throw_kind(struct dice *d) {
  unsigned all = 0;
  for (size_t i = 0; i < OP_COUNT; i++) all += WEIGHT[i];
  size_t at = dice_below(d, all), i = 0;
  while (at >= WEIGHT[i]) at -= WEIGHT[i++];
  return (enum op_kind)i;
}

// Half of the numbers are 0, the plainest.
struct op op_throw(struct dice *d) {
  struct op op = {.kind = throw_kind(d)};
  for (size_t i = 0; i < OP_NUMBERS; i++)
    if (dice_chance(d, 1, 2)) op.n[i] = (unsigned char)dice_below(d, OP_NUMBER_MAX);
  op.n[0] = (unsigned char)dice_below(d, OP_NUMBER_MAX);
  return op;
}

// NAME:1,0,2 with the zeros at its end left out.
static int print_one(const struct op *op, char *out, size_t room) {
  size_t numbers = OP_NUMBERS;
  while (numbers && op->n[numbers - 1] == 0) numbers--;
  int used = snprintf(out, room, "%s", OP_NAME[op->kind]);
  for (size_t i = 0; i < numbers && (size_t)used < room; i++)
    used += snprintf(out + used, room - (size_t)used, "%c%d", i ? ',' : ':', op->n[i]);
  return used;
}

size_t ops_print(const struct op *ops, size_t count, char *out, size_t room) {
  size_t used = 0;
  out[0] = 0;
  for (size_t i = 0; i < count && used + 1 < room; i++) {
    if (i) out[used++] = ' ';
    used += (size_t)print_one(&ops[i], out + used, room - used);
  }
  return used;
}

static bool parse_one(struct str word, struct op *out) {
  struct str name = str_cut(&word, ':');
  size_t kind = 0, i = 0;
  while (kind < OP_COUNT && !str_eq(name, str_of(OP_NAME[kind]))) kind++;
  if (kind == OP_COUNT) return false;
  *out = (struct op){.kind = (enum op_kind)kind};
  while (!str_is_none(word)) {
    int64_t number;
    if (i == OP_NUMBERS || !str_to_i64(str_cut(&word, ','), &number)) return false;
    if (number < 0 || number >= OP_NUMBER_MAX) return false;
    out->n[i++] = (unsigned char)number;
  }
  return true;
}

bool ops_parse(const char *text, struct op *out, size_t *count) {
  struct str rest = str_of(text);
  *count = 0;
  while (!str_is_none(rest)) {
    struct str word = str_cut(&rest, ' ');
    if (word.len == 0) continue;
    if (*count == GAME_OPS_MAX || !parse_one(word, &out[*count])) return false;
    ++*count;
  }
  return true;
}
