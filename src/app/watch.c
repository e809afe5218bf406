// watch.c: waits for tasks by long polls; each answer redraws the bar.
#include "app/watch.h"

#include "app/bar.h"
#include "app/print.h"
#include "app/remote.h"
#include "base/clock.h"
#include "model/limits.h"
#include "model/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
  REDRAW_MS = 500,  // how long a poll lasts where a bar is to be redrawn
  LINE_BYTES = 16 * 1024,
  POLL_BLOCK_BYTES = 64 * 1024,
};

struct watching {
  struct command *c;
  const struct watch *watch;
  struct term term;  // of standard error
  size_t count, at;  // which task of how many
  int64_t started_us;
};

static int64_t elapsed_ms(const struct watching *w) {
  return (clock_mono_us() - w->started_us) / 1000;
}

// How long the next poll may last; 0: the time is over.
static int64_t poll_ms(const struct watching *w) {
  int64_t ms = w->term.is_terminal ? REDRAW_MS : LIMIT_WAIT_MS;
  if (w->watch->timeout_ms == 0) return ms;
  int64_t left_ms = w->watch->timeout_ms - elapsed_ms(w);
  if (left_ms < 0) left_ms = 0;
  return left_ms < ms ? left_ms : ms;
}

static void draw(const struct watching *w, struct arena *a, struct str task) {
  if (!w->term.is_terminal) return;
  struct bar bar = {
      .status = reply_text(a, task, "status"),
      .step = reply_text(a, task, "currentStep"),
      .description = reply_text(a, task, "currentStepDescription"),
      .progress = reply_i64(task, "progress"),
      .elapsed_s = elapsed_ms(w) / 1000,
  };
  if (w->count > 1) bar.label = arena_printf(a, "%zu/%zu", w->at + 1, w->count);
  struct buf line;
  buf_init(&line, LINE_BYTES);
  bar_redraw(&w->term, &bar, &line);
  fwrite(line.at, 1, line.len, stderr);
  fflush(stderr);
  buf_fini(&line);
}

static void erase(const struct watching *w) {
  if (w->term.is_terminal) fputs("\r\033[K", stderr);
}

static enum err time_out(const struct watching *w, const char *id, struct str task, struct arena *a,
                         struct fault *why) {
  struct str status = reply_text(a, task, "status");
  w->c->exit_code = EXIT_TIMED_OUT;
  return fault_set(why, ERR_REQUEST_TIMEOUT, "the time is over; task %s is %.*s at %" PRId64 " %%",
                   id, STR_FMT(status), reply_i64(task, "progress"));
}

// Polls until the task has ended. The answers live in an arena of their own, which is emptied
// between polls: a task may run for days.
static enum err await(const struct watching *w, const char *id, struct arena *a, struct str *task,
                      struct fault *why) {
  while (true) {
    arena_reset(a);
    int64_t ms = poll_ms(w);
    struct str path = remote_path(a, "tasks", id, "");
    struct client_call call = {.method = "GET",
                               .path = arena_printf(a, "%.*s?waitMs=%" PRId64, STR_FMT(path), ms),
                               .wait_ms = ms};
    struct str document;
    TRY(remote_call(w->c, a, &call, &document, why));
    *task = reply_raw(document, "task");
    if (str_is_none(*task)) return remote_refuse_answer(why);
    draw(w, a, *task);
    enum task_status status;
    if (!task_status_parse(reply_text(a, *task, "status"), &status))
      return remote_refuse_answer(why);
    if (task_status_is_final(status)) return ERR_OK;
    if (w->watch->timeout_ms && poll_ms(w) == 0) return time_out(w, id, *task, a, why);
  }
}

static enum exit_code exit_code_of(struct str status) {
  static const enum exit_code codes[TASK_STATUS_COUNT] = {[TASK_COMPLETED] = EXIT_DONE,
                                                          [TASK_FAILED] = EXIT_TASK_FAILED,
                                                          [TASK_CANCELLED] = EXIT_TASK_CANCELLED,
                                                          [TASK_ABANDONED] = EXIT_TASK_ABANDONED};
  enum task_status parsed;
  return task_status_parse(status, &parsed) ? codes[parsed] : EXIT_FAILURE;
}

static void tell_error(const char *id, struct str status, struct str task, struct arena *a) {
  struct str error = reply_raw(task, "error");
  struct str message = str_is_none(error) ? STR_NONE : reply_text(a, error, "message");
  fprintf(stderr, "taskyard: task %s is %.*s%s%.*s\n", id, STR_FMT(status), message.len ? ": " : "",
          (int)message.len, message.len ? message.at : "");
}

static enum err tell(const struct watching *w, const char *id, struct str task, struct arena *a,
                     struct fault *why) {
  struct str status = reply_text(a, task, "status");
  enum exit_code code = exit_code_of(status);
  if (w->c->exit_code == EXIT_DONE) w->c->exit_code = (int)code;
  if (code != EXIT_DONE) tell_error(id, status, task, a);
  if (code != EXIT_DONE && !w->watch->as_json) return ERR_OK;
  struct str result = w->watch->as_json ? task : reply_raw(task, "result");
  return print_line(str_is_none(result) ? STR("null") : result, why);
}

enum err watch_tasks(struct command *c, const struct watch *watch, const char *const *ids,
                     size_t count, struct fault *why) {
  struct watching w = {.c = c,
                       .watch = watch,
                       .term = term_of(STDERR_FILENO),
                       .count = count,
                       .started_us = clock_mono_us()};
  struct arena a;
  arena_init(&a, POLL_BLOCK_BYTES);
  enum err err = ERR_OK;
  for (; w.at < count && err == ERR_OK; w.at++) {
    struct str task;
    err = remote_about(ids[w.at], await(&w, ids[w.at], &a, &task, why), why);
    erase(&w);
    if (err == ERR_OK) err = tell(&w, ids[w.at], task, &a, why);
  }
  arena_fini(&a);
  return err;
}

enum err watch_timeout(const struct command *c, int64_t *out_ms, struct fault *why) {
  *out_ms = 0;
  return options_duration_ms(&c->given, "timeout", 1, LIMIT_DELAY_MS, out_ms, why);
}
