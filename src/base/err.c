// err.c: the error table, and faults made from it.
#include "base/err.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
  int http_status;
  const char *code, *title;
};

static const struct err_row rows[] = {
#define ERR(name, status, code, title, when) [ERR_##name] = {status, code, title},
#include "base/err.def"
#undef ERR
};

int err_http_status(enum err err) {
  assert(err < ERR_COUNT);
  return rows[err].http_status;
}

const char *err_code(enum err err) {
  assert(err < ERR_COUNT);
  return rows[err].code;
}

const char *err_title(enum err err) {
  assert(err < ERR_COUNT);
  return rows[err].title;
}

// Ends a text that was cut to `room` bytes (its NUL included) with a mark, at a whole character.
static void cut_mark(char *text, size_t room) {
  static const char mark[] = "…";
  size_t keep = 0, length = 0;
  do {
    keep += length;
    length = utf8_length(text + keep, text + room - 1);
    if (length == 0) length = 1;
  } while (keep + length + sizeof mark <= room);
  memcpy(text + keep, mark, sizeof mark);
}

static void PRINTF_LIKE(3, 0) sentence(char *out, size_t room, const char *format, va_list args) {
  int wanted = vsnprintf(out, room, format, args);
  assert(wanted >= 0);
  if ((size_t)wanted >= room) cut_mark(out, room);
}

enum err fault_set(struct fault *why, enum err err, const char *format, ...) {
  if (!why) return err;
  why->err = err;
  why->field_count = 0;
  va_list args;
  va_start(args, format);
  sentence(why->detail, sizeof why->detail, format, args);
  va_end(args);
  return err;
}

enum err fault_field(struct fault *why, const char *pointer, const char *format, ...) {
  if (!why || why->field_count == FAULT_FIELDS_MAX) return ERR_INVALID;
  struct fault_field *field = &why->fields[why->field_count++];
  int wanted = snprintf(field->pointer, sizeof field->pointer, "%s", pointer);
  if ((size_t)wanted >= sizeof field->pointer) cut_mark(field->pointer, sizeof field->pointer);
  va_list args;
  va_start(args, format);
  sentence(field->detail, sizeof field->detail, format, args);
  va_end(args);
  if (why->field_count > 1) return ERR_INVALID;
  why->err = ERR_INVALID;
  memcpy(why->detail, field->detail, sizeof why->detail);
  return ERR_INVALID;
}
