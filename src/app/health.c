// health.c: `taskyard health`: asks a server whether it takes work, as supervisors do.
#include "app/print.h"
#include "app/remote.h"

static const struct option_spec OPTIONS[] = {{0}};
static const char *const EXAMPLES[] = {
    "taskyard health", "taskyard health --url http://127.0.0.1:3000 && echo serves", NULL};

static enum err run(struct command *c, struct fault *why) {
  struct str document;
  TRY(remote_get(c, STR("/readyz"), &document, why));
  return print_line(document, why);
}

const struct command_spec COMMAND_health = {
    .options = {.usage = "taskyard health [OPTION]…",
                .summary =
                    "Asks the server whether it takes work, and prints what it says. No key is\n"
                    "needed. Exits with 69 when it does not answer, drains, or its store fails.",
                .options = OPTIONS,
                .common = REMOTE_OPTIONS,
                .examples = EXAMPLES},
    .run = run};
