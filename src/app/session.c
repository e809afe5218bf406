// session.c: `taskyard session`: which sessions there are, and the end of one, for the operator.
#include "app/moment.h"
#include "app/print.h"
#include "app/remote.h"
#include "app/table.h"
#include "base/clock.h"
#include "base/json.h"

#include <unistd.h>

static const struct option_spec OPTIONS[] = {
    {"json", 'j', NULL, "what the server answered, one line a session"}, {0}};
static const char *const EXAMPLES[] = {"taskyard session list", "taskyard session end 9f2c1d70be4a",
                                       NULL};
static const char *const WORDS[] = {"list", "end", NULL};
static const char *const TITLES[] = {"SESSION", "STARTED", "IDLE", NULL};

static struct str started_text(struct command *c, struct str session) {
  struct buf text;
  buf_init(&text, 64);
  moment_show(reply_i64(session, "startedAt"), &text);
  struct str copy = arena_dup(&c->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static struct str idle_text(struct command *c, struct str session) {
  int64_t now = clock_now(clock_real());
  struct buf text;
  buf_init(&text, 64);
  moment_show_age(now - reply_i64(session, "idleMs"), now, &text);
  struct str copy = arena_dup(&c->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static void add(struct command *c, struct table *table, struct str session) {
  table_add(table,
            (const struct table_cell[]){{reply_text(&c->arena, session, "sessionKey"), STYLE_PLAIN},
                                        {started_text(c, session), STYLE_DIM},
                                        {idle_text(c, session), STYLE_PLAIN}});
}

static enum err list(struct command *c, struct fault *why) {
  struct str document, name, session;
  TRY(remote_get(c, STR("/api/v1/sessions/stats"), &document, why));
  struct str sessions = reply_raw(document, "sessions");
  if (str_is_none(sessions) && !str_is_none(reply_raw(document, "session")))
    return fault_set(why, ERR_FORBIDDEN,
                     "in a session only its own numbers can be seen; the list is for an admin: ask "
                     "with --key-file FILE");
  if (str_is_none(sessions)) return remote_refuse_answer(why);
  struct term term = term_of(STDOUT_FILENO);
  struct table table;
  table_init(&table, &c->arena, TITLES);
  struct json_walk walk = json_walk(sessions);
  while (json_next(&walk, &name, &session)) {
    if (options_has(&c->given, "json")) TRY(print_line(session, why));
    add(c, &table, session);
  }
  return options_has(&c->given, "json") ? ERR_OK : table_show(&table, &term, why);
}

static enum err end(struct command *c, const char *key, struct fault *why) {
  struct client_call call = {.method = "DELETE",
                             .path = remote_path(&c->arena, "sessions", key, "")};
  struct str document;
  TRY(remote_about(key, remote_call(c, &c->arena, &call, &document, why), why));
  if (options_has(&c->given, "json")) return print_line(document, why);
  return print_line(arena_printf(&c->arena, "%s\tended", key), why);
}

static enum err run(struct command *c, struct fault *why) {
  size_t count = c->given.positional_count;
  const char *word = count ? c->given.positionals[0] : "list";
  if (strcmp(word, "list") == 0 && count <= 1) return list(c, why);
  if (strcmp(word, "end") != 0 || count < 2)
    return command_misused(c, why, "say session list, or session end KEY");
  for (size_t i = 1; i < count; i++) TRY(end(c, c->given.positionals[i], why));
  return ERR_OK;
}

const struct command_spec COMMAND_session = {
    .options = {.usage = "taskyard session [list | end KEY…]",
                .summary = "Lists the sessions that a server has, and ends them with their tasks, "
                           "for an\nadmin. Whoever is in a session ends it with --session KEY.",
                .options = OPTIONS,
                .common = REMOTE_OPTIONS,
                .positionals_max = OPTIONS_ANY,
                .examples = EXAMPLES},
    .words = WORDS,
    .run = run};
