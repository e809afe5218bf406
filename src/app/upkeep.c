// upkeep.c: `taskyard check` and `taskyard backup`: look at a store without a server.
#include "app/command.h"
#include "app/print.h"
#include "app/stores.h"
#include "app/wrongs.h"
#include "model/limits.h"

#include <inttypes.h>
#include <stdio.h>

static const struct option_spec STORE_OPTIONS[] = {
    {"store", 0, "URL", "the store, instead of the one that the settings name"},
    {"config", 0, "FILE", "settings file, instead of taskyard.conf here or in /etc/taskyard"},
    {"trust-pages", 0, NULL, "SQLite only: take pages of the file although their sums do not hold"},
    {0}};
static const struct option_spec CHECK_OPTIONS[] = {
    {"store-schema", 0, "NAME", "PostgreSQL only: the schema that holds its tables"},
    {"json", 'j', NULL, "print one line of JSON an invariant"},
    {0}};
static const char *const CHECK_EXAMPLES[] = {"taskyard check",
                                             "taskyard check --store sqlite:backup.db", NULL};
static const char *const BACKUP_EXAMPLES[] = {
    "taskyard backup /var/backups/taskyard.db",
    "taskyard backup --store sqlite:taskyard.db copy.db && taskyard check --store sqlite:copy.db",
    NULL};

static enum err open_named(struct command *c, const struct settings *settings, bool has_schema,
                           struct store **out, struct fault *why) {
  if (!settings->store.path && !settings->store.address)
    return command_misused(c, why, "a store in memory can be neither checked nor copied");
  if (has_schema && !settings->store.address)
    return command_misused(c, why, "--store-schema is for PostgreSQL, and the store is a file");
  return stores_open(settings, true, out, why);
}

// The store that the settings name, for reading; a server may have it open. `schema`: of the
// option, NULL where there is none.
static enum err open_store(struct command *c, const char *schema, struct store **out,
                           struct fault *why) {
  struct settings_source source = {.config = options_value(&c->given, "config")};
  source.flags[SETTING_INDEX_store] = options_value(&c->given, "store");
  source.flags[SETTING_INDEX_store_schema] = schema;
  source.flags[SETTING_INDEX_trust_pages] = options_has(&c->given, "trust-pages") ? "yes" : NULL;
  struct settings settings;
  c->exit_code = EXIT_CONFIG;
  TRY(wrongs_load(source, LIMIT_WRONGS_TOLD, &settings, why));
  c->exit_code = EXIT_FAILURE;  // a store that cannot be read is no server that cannot be reached
  enum err err = open_named(c, &settings, schema != NULL, out, why);
  settings_fini(&settings);
  return err;
}

static void put_finding(const struct check_finding *f, struct buf *out) {
  if (f->violations == 0) buf_printf(out, "ok    %s\n", f->invariant);
  if (f->violations)
    buf_printf(out, "FAIL  %s: %" PRId64 " violation%s, first %.*s\n", f->invariant, f->violations,
               f->violations == 1 ? "" : "s", (int)f->example.len,
               f->example.len ? f->example.at : "");
}

static void put_finding_json(const struct check_finding *f, struct buf *out) {
  BUF_LIT(out, "{\"invariant\":");
  buf_json_str(out, str_of(f->invariant));
  buf_printf(out, ",\"violations\":%" PRId64 ",\"example\":", f->violations);
  if (str_is_none(f->example)) BUF_LIT(out, "null");
  if (!str_is_none(f->example)) buf_json_str(out, f->example);
  BUF_LIT(out, "}\n");
}

static enum err print_findings(struct command *c, const struct check_finding *findings,
                               size_t count, struct fault *why) {
  struct buf text;
  buf_init(&text, 1 << 20);
  size_t broken = 0;
  for (size_t i = 0; i < count; i++) {
    if (options_has(&c->given, "json")) put_finding_json(&findings[i], &text);
    if (!options_has(&c->given, "json")) put_finding(&findings[i], &text);
    broken += findings[i].violations > 0;
  }
  enum err err = print_text(&text, why);
  buf_fini(&text);
  if (err != ERR_OK || broken == 0) return err;
  return fault_set(
      why, ERR_STORE_BROKEN,
      "%zu of %zu invariants are violated; keep a copy of the store before anything else", broken,
      count);
}

static enum err run_check(struct command *c, struct fault *why) {
  struct store *store;
  struct check_finding *findings;
  size_t count;
  TRY(open_store(c, options_value(&c->given, "store-schema"), &store, why));
  // What is not there yet would look like damage.
  enum err err = store->ops->bulk_whole(store, why);
  if (err == ERR_OK) err = store->ops->check(store, &c->arena, &findings, &count, why);
  if (err == ERR_OK) err = print_findings(c, findings, count, why);
  store->ops->close(store);
  if (err == ERR_OK) c->exit_code = EXIT_DONE;
  return err;
}

static enum err run_backup(struct command *c, struct fault *why) {
  struct store *store;
  TRY(open_store(c, NULL, &store, why));
  const char *path = c->given.positionals[0];
  enum err err = store->ops->backup(store, path, why);
  store->ops->close(store);
  if (err != ERR_OK) return err;
  fprintf(stderr, "The copy is %s.\n", path);
  c->exit_code = EXIT_DONE;
  return ERR_OK;
}

const struct command_spec COMMAND_check = {
    .options =
        {.usage = "taskyard check [OPTION]…",
         .summary =
             "Verifies the invariants of a store, also while it is served. Exits with 1 when\n"
             "one is violated.",
         .options = CHECK_OPTIONS,
         .common = STORE_OPTIONS,
         .examples = CHECK_EXAMPLES},
    .run = run_check};

const struct command_spec COMMAND_backup = {
    .options = {.usage = "taskyard backup [OPTION]… FILE",
                .summary = "Writes a consistent copy of a store to FILE, also while it is served.",
                .options = STORE_OPTIONS,
                .positionals_min = 1,
                .positionals_max = 1,
                .examples = BACKUP_EXAMPLES},
    .run = run_backup};
