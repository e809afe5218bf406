// serve.c: `taskyard serve`: settings and log first, then the server.
#include "app/command.h"
#include "app/server.h"
#include "app/settings_flags.h"
#include "app/settings_typos.h"
#include "app/wrongs.h"
#include "model/limits.h"

#include <stdio.h>

static const char *const EXAMPLES[] = {"taskyard serve",
                                       "taskyard serve --listen 0.0.0.0:8503 --api-key-file key",
                                       "taskyard serve --store memory: --log-level debug", NULL};

static enum err run(struct command *c, struct fault *why) {
  struct settings_source source = settings_flags_read(&c->given);
  struct settings settings;
  c->exit_code = EXIT_CONFIG;
  TRY(wrongs_load(source, LIMIT_WRONGS_TOLD, &settings, why));
  settings_typos_tell(stderr);
  enum err err = server_log_start(&settings, why);
  if (err == ERR_OK) {
    err = server_run(&settings, why);
    c->exit_code = err == ERR_OK ? EXIT_DONE : err == ERR_INVALID ? EXIT_CONFIG : EXIT_FAILURE;
  }
  settings_fini(&settings);
  return err;
}

const struct command_spec COMMAND_serve = {
    .options = {.usage = "taskyard serve [OPTION]…",
                .summary =
                    "Runs the server until SIGTERM or Ctrl-C, which drain it. SIGHUP loads the\n"
                    "settings again and reopens the log. Each option can also come from the\n"
                    "environment or from a file; `taskyard config` shows what holds.",
                .options = SETTINGS_OPTIONS,
                .examples = EXAMPLES},
    .run = run};
