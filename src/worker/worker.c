// worker.c: `taskyard worker`: reads its command line.
#include "worker/worker.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/options.h"
#include "base/rand.h"
#include "model/limits.h"
#include "worker/crew.h"
#include "worker/demo.h"
#include "worker/exec.h"
#include "worker/spawn.h"
#include "worker/words.h"

#include <stdio.h>
#include <unistd.h>

enum {
  STATUS_USAGE = 64,  // as in sysexits.h
  CONCURRENCY_DEMO = 4,
  GRACE_MS_DEFAULT = 10000,
  DRAIN_MS_DEFAULT = 30000,
  GRACE_MS_MAX = 60 * 60 * 1000,
};

static const struct option_spec worker_options[] = {
    {"exec", 'e', "COMMAND", "the program to run for each task, with its arguments"},
    {"text", 0, NULL, "a payload that is a JSON string arrives as its text, without quotes"},
    {"demo", 0, NULL, "run the demo types instead; with --queue and no --type, all of that queue"},
    {"type", 't', "TYPE", "take tasks of this type; may be repeated"},
    {"queue", 'q', "QUEUE", "take tasks of this queue only; may be repeated"},
    {"sessions", 0, NULL, "take tasks of sessions, whoever's, instead of durable ones"},
    {"concurrency", 'c', "N", "run up to N tasks at a time (1; with --demo 4)"},
    {"worker-id", 0, "ID", "what this worker is called (host name, process id, chance)"},
    {"lease", 0, "TIME", "how long a task stays ours without a heartbeat (as the task says)"},
    {"grace", 0, "TIME", "between SIGTERM and SIGKILL when a program must stop (10s)"},
    {"drain", 0, "TIME", "how long running tasks may go on after SIGTERM (30s)"},
    {"once", 0, NULL, "run one task, waiting for it if need be, then end"},
    {"until-empty", 0, NULL, "end as soon as no task is ready"},
    {"url", 0, "URL", "the server (TASKYARD_URL, or http://127.0.0.1:8503)"},
    {"key-file", 0, "FILE", "file whose first line is the API key; else TASKYARD_KEY"},
    {"key", 0, "KEY", "the API key itself; it shows in the list of processes"},
    {"log-level", 0, "LEVEL", "error, warn, info or debug (info)"},
    {0},
};

static const char *const worker_examples[] = {
    "taskyard worker --type shout --text --exec 'tr a-z A-Z'",
    "taskyard worker --type thumbnail --exec './thumbnail.sh --size 200' --concurrency 4",
    "taskyard worker --type sync --exec \"sh -c './sync.sh || exit 75'\"",
    "taskyard worker --demo",
    "taskyard worker --demo --queue task-queue --concurrency 5",
    "taskyard worker --demo --sessions",
    NULL,
};

const struct option_command worker_usage = {
    .usage = "taskyard worker --type TYPE… --exec COMMAND [OPTION]…",
    .summary =
        "Runs a program for each task. COMMAND is split into words as a shell does, but\n"
        "nothing in it is expanded; for that, use sh -c '...'. The program gets\n"
        "  stdin        the payload, JSON\n"
        "  environment  TASKYARD_TASK_ID, _TYPE, _QUEUE, _ATTEMPT, _MAX_ATTEMPTS,\n"
        "               _WORKER_ID and _NAME, and TRACEPARENT\n"
        "and tells\n"
        "  stdout       the result: JSON as it is, other text as a JSON string\n"
        "  stderr       lines for the task's log\n"
        "  fd 3         its progress, in lines like: progress 40 resize: page 2 of 5\n"
        "  exit code    0 completes the task; 75 fails the attempt and asks for another,\n"
        "               after the task's backoff and while attempts are left; any other\n"
        "               code, or a signal, fails the task for good, with the last lines of\n"
        "               stderr as its error\n"
        "A program that must stop gets SIGTERM, and SIGKILL after --grace. SIGTERM makes\n"
        "the worker drain; a second one ends it at once. What is unfinished is given back.",
    .options = worker_options,
    .examples = worker_examples,
};

// What the command line asks for.
struct setup {
  struct crew_plan crew;
  struct exec exec;
};

static enum err setup_read(const struct options *given, struct arena *a, struct setup *out,
                           struct fault *why);

static int print_help(void) {
  struct buf text;
  buf_init(&text, 64 << 10);
  options_help(&worker_usage, &text);
  (void)fwrite(text.at, 1, text.len, stdout);
  buf_fini(&text);
  return 0;
}

int worker_command(int argc, char **argv) {
  struct arena a;
  arena_init(&a, 16 << 10);
  struct options given;
  struct setup setup = {0};
  struct fault why = {0};
  int status = STATUS_USAGE;
  enum err err = options_parse(&worker_usage, argc - 1, argv + 1, &a, &given, &why);
  if (err == ERR_OK && given.help) {
    status = print_help();
  } else {
    if (err == ERR_OK) err = setup_read(&given, &a, &setup, &why);
    if (err == ERR_OK) err = crew_run(&setup.crew, &status, &why);
    if (err != ERR_OK)
      (void)fprintf(stderr, "taskyard worker: %s\nTry `taskyard worker --help`.\n", why.detail);
  }
  arena_fini(&a);
  return status;
}

static const char *const *list_of(const struct options *given, const char *name, struct arena *a) {
  const char **list = ARENA_ARRAY(a, const char *, options_count(given, name) + 1);
  const char *value;
  size_t at = 0, count = 0;
  while (options_next(given, name, &at, &value)) list[count++] = value;
  return list;
}

static const char *worker_name(const struct options *given, struct arena *a) {
  const char *name = options_value(given, "worker-id");
  if (name) return name;
  char host[65] = "worker";
  (void)gethostname(host, sizeof host - 1);
  return arena_printf(a, "%s-%d-%04x", host, (int)getpid(), (unsigned)rand_below(1 << 16)).at;
}

static enum err handler_read(const struct options *given, struct arena *a, struct setup *out,
                             struct fault *why) {
  const char *command = options_value(given, "exec");
  bool demo = options_has(given, "demo");
  if (demo == (command != NULL)) return fault_set(why, ERR_INVALID, "give either --exec or --demo");
  if (demo) {
    out->crew.slot.handler = demo_run;
    return ERR_OK;
  }
  if (options_count(given, "type") == 0)
    return fault_set(why, ERR_INVALID, "--type is missing: which tasks is the program for?");
  struct fault inner = {0};
  enum err err = words_split(str_of(command), a, &out->exec.argv, &inner);
  if (err == ERR_OK) err = spawn_check(out->exec.argv[0], &inner);
  if (err != ERR_OK) return fault_set(why, err, "--exec: %s", inner.detail);
  out->exec.text = options_has(given, "text");
  out->crew.slot.handler = exec_run;
  out->crew.slot.handler_self = &out->exec;
  return ERR_OK;
}

static enum err times_read(const struct options *given, struct setup *out, int64_t *lease_ms,
                           struct fault *why) {
  out->exec.grace_ms = GRACE_MS_DEFAULT;
  out->crew.drain_ms = DRAIN_MS_DEFAULT;
  out->crew.concurrency = options_has(given, "demo") ? CONCURRENCY_DEMO : 1;
  if (options_has(given, "once")) out->crew.concurrency = 1;
  TRY(options_i64(given, "concurrency", 1, CREW_SLOTS_MAX, &out->crew.concurrency, why));
  TRY(options_duration_ms(given, "lease", LIMIT_LEASE_MS_MIN, LIMIT_LEASE_MS, lease_ms, why));
  TRY(options_duration_ms(given, "grace", 0, GRACE_MS_MAX, &out->exec.grace_ms, why));
  TRY(options_duration_ms(given, "drain", 0, GRACE_MS_MAX, &out->crew.drain_ms, why));
  if (options_has(given, "once") && out->crew.concurrency > 1)
    return fault_set(why, ERR_INVALID, "--once runs one task; --concurrency does not go with it");
  return ERR_OK;
}

static enum err log_read(const struct options *given, struct fault *why) {
  enum log_level level = LOG_INFO;
  const char *word = options_value(given, "log-level");
  if (word && !log_level_parse(str_of(word), &level))
    return fault_set(why, ERR_INVALID, "--log-level is error, warn, info or debug, not %s", word);
  log_setup(level, isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON);
  return ERR_OK;
}

static enum err server_read(const struct options *given, struct arena *a,
                            struct client_settings *out, struct fault *why) {
  struct client_settings server = client_settings_from_env();
  const char *key_file = options_value(given, "key-file");
  if (options_has(given, "url")) server.url = str_of(options_value(given, "url"));
  if (key_file) TRY(client_key_read(key_file, a, &server.key, why));
  if (options_has(given, "key")) server.key = str_of(options_value(given, "key"));
  *out = server;
  return ERR_OK;
}

static enum err setup_read(const struct options *given, struct arena *a, struct setup *out,
                           struct fault *why) {
  int64_t lease_ms = 0;
  TRY(log_read(given, why));
  TRY(handler_read(given, a, out, why));
  TRY(times_read(given, out, &lease_ms, why));

  TRY(server_read(given, a, &out->crew.slot.server, why));
  out->crew.slot.once = options_has(given, "once");
  out->crew.slot.until_empty = options_has(given, "until-empty");
  out->crew.slot.sessions = options_has(given, "sessions");
  // A queue without types is taken whole: whoever waits there should hear that nobody knows his.
  bool all_demos = options_has(given, "demo") && options_count(given, "type") == 0 &&
                   options_count(given, "queue") == 0;
  struct wish_parts parts = {
      .types = all_demos ? demo_types : list_of(given, "type", a),
      .queues = list_of(given, "queue", a),
      .worker = worker_name(given, a),
      .lease_ms = lease_ms,
      .sessions = out->crew.slot.sessions,
  };
  out->crew.slot.wish = wish_make(a, &parts);
  out->crew.name = parts.worker;
  return ERR_OK;
}
