// api_ask.h: asks the API of a world and looks at its answers, for the unit tests of its routes.
//
// A request is a line as HTTP has it, "POST /api/v1/tasks?waitMs=5", and header lines. An answer
// lives as long as the test, and so does every text that is made here. Where a test fails it says
// what was asked and answered.
#ifndef TESTS_WORLD_API_ASK_H
#define TESTS_WORLD_API_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/world/api_world.h"

#define ADMIN_KEY "an admin key of the world"
#define AS_ADMIN "x-api-key: " ADMIN_KEY
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

int ask_set_up(void **state);     // of each test: opens the usual world
int ask_tear_down(void **state);  // closes it
#define ASK_TEST(name) cmocka_unit_test_setup_teardown(name, ask_set_up, ask_tear_down)
struct world_settings ask_usual(void);
void ask_open(const struct world_settings *settings);  // another world, in its place

const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *many(size_t count, const char *text);  // with commas between
// Header lines with the token of a user; `members` more members of it, or "".
const char *as_user(const char *user, const char *members);

struct asked {
  struct world_answer answer;
  struct asked *next;
  const char *line, *body;
  struct str json;  // the answer's, once it was looked at
};
// `headers`: lines, "" for none. `body` NULL: none. The peer and the host of what follows are set
// with ask_from.
struct asked *ask_as(const char *headers, const char *line, const char *body);
struct asked *ask(const char *line, const char *body);  // as the admin
void ask_from(const char *peer, const char *host);      // until the end of the test

// What is at "tasks.0.id" of an answer; a failure where there is nothing.
#define json_at(asked, path) ask_json_at(asked, path, __FILE__, __LINE__)
#define text_at(asked, path) ask_text_at(asked, path, __FILE__, __LINE__)
#define number_at(asked, path) ask_number_at(asked, path, __FILE__, __LINE__)

#define assert_status(asked, status) ask_status(asked, status, __FILE__, __LINE__)
#define assert_waits(asked) ask_status(asked, 0, __FILE__, __LINE__)
#define assert_json(asked, path, json) ask_same(asked, path, json, __FILE__, __LINE__)
#define assert_text(asked, path, text) ask_text(asked, path, text, __FILE__, __LINE__)
#define assert_number(asked, path, number) ask_number(asked, path, number, __FILE__, __LINE__)
#define assert_no(asked, path) ask_no(asked, path, __FILE__, __LINE__)
// NULL: it has no such header.
#define assert_header(asked, name, value) ask_header(asked, name, value, __FILE__, __LINE__)
#define assert_body_has(asked, text) ask_body_has(asked, text, __FILE__, __LINE__)
// A problem document with this sentence.
#define assert_refused(asked, status, code, detail)                                                \
  ask_refused(asked, status, code, detail, __FILE__, __LINE__)
// The same of one wrong field, or parameter.
#define assert_wrong(asked, pointer, detail) ask_wrong(asked, pointer, detail, __FILE__, __LINE__)

struct str ask_json_at(struct asked *a, const char *path, const char *file, int line);
const char *ask_text_at(struct asked *a, const char *path, const char *file, int line);
int64_t ask_number_at(struct asked *a, const char *path, const char *file, int line);
void ask_status(struct asked *a, int status, const char *file, int line);
void ask_same(struct asked *a, const char *path, const char *json, const char *file, int line);
void ask_text(struct asked *a, const char *path, const char *text, const char *file, int line);
void ask_number(struct asked *a, const char *path, int64_t number, const char *file, int line);
void ask_no(struct asked *a, const char *path, const char *file, int line);
void ask_header(struct asked *a, const char *name, const char *value, const char *file, int line);
void ask_body_has(struct asked *a, const char *text, const char *file, int line);
void ask_refused(struct asked *a, int status, const char *code, const char *detail,
                 const char *file, int line);
void ask_wrong(struct asked *a, const char *pointer, const char *detail, const char *file,
               int line);

// A request that is refused, for tables of them.
struct refusal {
  const char *line, *body, *pointer, *detail;  // pointer NULL: of no field
};
void ask_each_refused(const char *headers, const struct refusal *rows, size_t count, int status,
                      const char *code);

// --- what most tests need ------------------------------------------------------------------------

const char *make_task(const char *body);  // its id
// Claims what is ready, for the worker w; the token of its lease.
const char *claim_task(const char *id);
struct asked *move_task(const char *id, const char *verb, const char *token, const char *more);
void complete_task(const char *id, const char *result);  // claimed for it
const char *make_key(const char *body);                  // header lines with its secret

#endif
