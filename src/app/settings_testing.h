// settings_testing.h: what the tests of settings share: a file, variables and flags to load from.
// Included once by each.
#ifndef APP_SETTINGS_TESTING_H
#define APP_SETTINGS_TESTING_H

#include "app/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings settings;
static struct fault why;
static struct settings_source source;
static char file[] = "taskyard-settings-XXXXXX";
static const char *variables[8][2];

static const char *read_env(const char *name) {
  for (size_t i = 0; variables[i][0]; i++)
    if (strcmp(variables[i][0], name) == 0) return variables[i][1];
  return NULL;
}

static inline int start(void **state) {
  (void)state;
  memcpy(file, "taskyard-settings-XXXXXX", sizeof file);
  int fd = mkstemp(file);
  if (fd < 0 || close(fd) != 0) return -1;
  memset(variables, 0, sizeof variables);
  why = (struct fault){0};
  source = (struct settings_source){.env = read_env, .config = file};
  return 0;
}

static inline int stop(void **state) {
  (void)state;
  return unlink(file);
}

static inline void write_file(const char *content) {
  FILE *out = fopen(file, "we");
  assert_non_null(out);
  assert_true(fputs(content, out) >= 0);
  assert_int_equal(fclose(out), 0);
}

static inline void set_env(const char *name, const char *value) {
  size_t i = 0;
  while (variables[i][0]) i++;
  variables[i][0] = name;
  variables[i][1] = value;
}

static inline void load(void) {
  enum err err = settings_load(&source, &settings, &why);
  if (err != ERR_OK) print_error("%s\n", why.detail);
  assert_int_equal(err, ERR_OK);
}

// `sentence` without the name of the file, which begins it.
static inline void assert_refused(const char *sentence) {
  assert_int_not_equal(settings_load(&source, &settings, &why), ERR_OK);
  bool names_file = str_starts(str_of(why.detail), str_of(file));
  assert_string_equal(names_file ? why.detail + strlen(file) : why.detail, sentence);
}

static inline void assert_origin(enum setting_index which, const char *expected) {
  assert_string_equal(settings.origin[which].at, expected);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, start, stop)

#endif
