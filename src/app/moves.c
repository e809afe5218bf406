// moves.c: `taskyard cancel` and `taskyard retry`: moves that a person makes with tasks.
#include "app/payload.h"
#include "app/print.h"
#include "app/remote.h"
#include "app/table.h"

#include <stdio.h>
#include <unistd.h>

static const struct option_spec CANCEL_OPTIONS[] = {
    {"reason", 'r', "TEXT", "kept in the task's history, and told to its worker"},
    {"grace", 'g', "DURATION", "time that a worker has to stop; 10s if not given"},
    {"json", 'j', NULL, "print the whole task, one line a task"},
    {0}};
static const char *const CANCEL_EXAMPLES[] = {
    "taskyard cancel 0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59 --reason 'wrong file'",
    "taskyard list --status pending --type resize --all | cut -f1 | xargs -r taskyard cancel",
    NULL};

static const struct option_spec RETRY_OPTIONS[] = {
    {"json", 'j', NULL, "print the whole task, one line a task"}, {0}};
static const char *const RETRY_EXAMPLES[] = {
    "taskyard retry 0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59",
    "taskyard list --status failed,abandoned --all | cut -f1 | xargs -r taskyard retry", NULL};

static enum err show(struct command *c, struct str task, const struct term *term,
                     struct fault *why) {
  if (options_has(&c->given, "json")) return print_line(task, why);
  struct str status = reply_text(&c->arena, task, "status");
  bool is_asked = str_eq(status, STR("running")) && reply_bool(task, "cancelRequested");
  struct buf line;
  buf_init(&line, 4096);
  term_text(term, STYLE_PLAIN, reply_text(&c->arena, task, "id"), &line);
  buf_char(&line, '\t');
  term_text(term, term_status_style(status), status, &line);
  if (is_asked) BUF_LIT(&line, ", asked to stop");
  enum err err = print_line(buf_str(&line), why);
  buf_fini(&line);
  return err;
}

static enum err move_one(struct command *c, const char *id, const char *move, struct str body,
                         const struct term *term, struct fault *why) {
  struct str document;
  TRY(remote_post(c, remote_path(&c->arena, "tasks", id, move), body, &document, why));
  struct str task = reply_raw(document, "task");
  return str_is_none(task) ? remote_refuse_answer(why) : show(c, task, term, why);
}

// Whether the next id is worth a try: a refusal concerns one task, the rest concerns all.
static bool is_refusal(enum err err) { return err == ERR_NOT_FOUND || err == ERR_WRONG_STATUS; }

// One refused task does not keep the others from their move; the command fails at the end.
static enum err move_all(struct command *c, const char *move, struct str body, struct fault *why) {
  struct term term = term_of(STDOUT_FILENO);
  for (size_t i = 0; i < c->given.positional_count; i++) {
    const char *id = c->given.positionals[i];
    struct fault refusal = {0};
    enum err err = move_one(c, id, move, body, &term, &refusal);
    if (err != ERR_OK && !is_refusal(err)) {
      *why = refusal;
      return err;
    }
    if (err == ERR_OK) continue;
    fprintf(stderr, "taskyard: %s: %s\n", id, refusal.detail);
    c->exit_code = EXIT_FAILURE;
  }
  return ERR_OK;
}

static enum err run_cancel(struct command *c, struct fault *why) {
  const char *reason = options_value(&c->given, "reason");
  int64_t grace_ms = 0;
  enum err err = options_duration_ms(&c->given, "grace", 0, 600000, &grace_ms, why);
  if (err != ERR_OK) {
    c->exit_code = EXIT_USAGE;
    return err;
  }
  struct str body = STR("{");
  if (reason) {
    struct str quoted = payload_quote(&c->arena, str_of(reason));
    body = arena_printf(&c->arena, "{\"reason\":%.*s", STR_FMT(quoted));
  }
  if (options_has(&c->given, "grace"))
    body = arena_printf(&c->arena, "%.*s%s\"graceMs\":%lld", STR_FMT(body), reason ? "," : "",
                        (long long)grace_ms);
  body = arena_printf(&c->arena, "%.*s}", STR_FMT(body));
  return move_all(c, "/cancel", body, why);
}

static enum err run_retry(struct command *c, struct fault *why) {
  return move_all(c, "/retry", STR("{}"), why);
}

const struct command_spec COMMAND_cancel = {
    .options =
        {.usage = "taskyard cancel [OPTION]… ID…",
         .summary =
             "Stops tasks. A running one is asked to stop, and loses its lease if its worker\n"
             "does not within the grace time.",
         .options = CANCEL_OPTIONS,
         .common = REMOTE_OPTIONS,
         .positionals_min = 1,
         .positionals_max = OPTIONS_ANY,
         .examples = CANCEL_EXAMPLES},
    .run = run_cancel};

const struct command_spec COMMAND_retry = {
    .options = {.usage = "taskyard retry [OPTION]… ID…",
                .summary = "Sends failed, cancelled and abandoned tasks back to work.",
                .options = RETRY_OPTIONS,
                .common = REMOTE_OPTIONS,
                .positionals_min = 1,
                .positionals_max = OPTIONS_ANY,
                .examples = RETRY_EXAMPLES},
    .run = run_retry};
