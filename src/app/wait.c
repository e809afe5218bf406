// wait.c: `taskyard wait`: waits until tasks have ended.
#include "app/remote.h"
#include "app/watch.h"

static const struct option_spec OPTIONS[] = {
    {"timeout", 't', "DURATION", "wait no longer than this for all of them"},
    {"json", 'j', NULL, "print the whole task, one line a task"},
    {0}};

static const char *const EXAMPLES[] = {
    "taskyard wait 0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59",
    "taskyard wait --timeout 5m $(taskyard submit resize @photo.json)", NULL};

static enum err run(struct command *c, struct fault *why) {
  struct watch watch = {.as_json = options_has(&c->given, "json")};
  enum err err = watch_timeout(c, &watch.timeout_ms, why);
  if (err != ERR_OK) c->exit_code = EXIT_USAGE;
  if (err != ERR_OK) return err;
  return watch_tasks(c, &watch, c->given.positionals, c->given.positional_count, why);
}

const struct command_spec COMMAND_wait = {
    .options =
        {.usage = "taskyard wait [OPTION]… ID…",
         .summary =
             "Waits until the tasks have ended, shows their progress on a terminal, and prints\n"
             "their results. Exits with 0 when all completed, 10 when one failed,\n"
             "11 cancelled, 12 abandoned, 75 when the time was over.",
         .options = OPTIONS,
         .common = REMOTE_OPTIONS,
         .positionals_min = 1,
         .positionals_max = OPTIONS_ANY,
         .examples = EXAMPLES},
    .run = run};
