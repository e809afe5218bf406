// migrate.c: `taskyard migrate`: moves a whole store into another one, and proves that nothing was
// lost. What was moved stays moved, so that an interrupted move goes on when it is repeated.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "app/command.h"
#include "app/meter.h"
#include "app/print.h"
#include "app/sums.h"
#include "app/table.h"
#include "app/value.h"
#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"

enum { PAGE_ROWS = 4000, PAGE_BLOCK_BYTES = 1 << 20, CACHE_KIB = 64 << 10 };

static const struct option_spec OPTIONS[] = {
    {"from", 0, "URL", "the store to move"},
    {"to", 0, "URL", "where to: a store that is empty or not there yet"},
    {"verify", 0, NULL, "move nothing, only compare the two"},
    {"from-schema", 0, "NAME", "schema of a PostgreSQL store to move (taskyard)"},
    {"to-schema", 0, "NAME", "schema of a PostgreSQL store to move to (taskyard)"},
    {"unsafe-store", 0, NULL, "move into a database server that a crash may cost data, too"},
    {0}};
static const char *const EXAMPLES[] = {
    "taskyard migrate --from sqlite:taskyard.db --to postgresql://taskyard@db/taskyard",
    "taskyard migrate --from sqlite:taskyard.db --to postgresql://taskyard@db/taskyard --verify",
    NULL};

static const struct {
  struct str name, moving, reading;
  bool counted;  // its length is known beforehand
} PARTS[BULK_PARTS] = {
    [BULK_CATALOG] = {STR("catalogue"), STR("moving the catalogue"), STR("reading the catalogue"),
                      false},
    [BULK_TASKS] = {STR("tasks"), STR("moving tasks"), STR("reading tasks"), true},
    [BULK_LOGS] = {STR("logs"), STR("moving logs"), STR("reading logs"), false},
    [BULK_EVENTS] = {STR("events"), STR("moving events"), STR("reading events"), true},
    [BULK_REPLAYS] = {STR("replays"), STR("moving kept answers"), STR("reading kept answers"),
                      false},
};

struct side {
  const char *option, *schema_option;
  struct store_url url;
  struct store *store;
  struct sum sums[BULK_PARTS];
};

struct move {
  struct command *c;
  struct side from, to;
  struct arena pages[2];  // the page under way, and the one before, in which its mark is
  struct buf row;         // for sums
  struct meter meter;
  int64_t source;  // identity of `from`
  int64_t total;   // rows of the counted parts of `from`
};

// --- stopping ------------------------------------------------------------------------------------

static volatile sig_atomic_t stopped_by;

static void on_signal(int number) { stopped_by = number; }

// The page under way is finished; a second signal ends the program at once, which is as safe.
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

static enum err look_whether_stopped(struct move *m, struct fault *why) {
  if (!stopped_by) return ERR_OK;
  m->c->exit_code = 128 + (int)stopped_by;
  return fault_set(why, ERR_UNAVAILABLE, "stopped by signal %d", (int)stopped_by);
}

// --- the two stores ------------------------------------------------------------------------------

static enum err read_url(struct command *c, struct side *side, struct fault *why) {
  const struct value_rule rule = {.kind = KIND_STORE};
  const char *text = options_value(&c->given, side->option);
  if (!value_parse(&rule, str_of(text), &c->arena, &side->url))
    return command_misused(c, why, "--%s must be sqlite:PATH or postgresql://USER@HOST/DATABASE",
                           side->option);
  if (!side->url.address && !side->url.path)
    return command_misused(c, why, "--%s names a store in memory, which nobody else can reach",
                           side->option);
  if (side->url.path && options_has(&c->given, side->schema_option))
    return command_misused(c, why, "--%s is for PostgreSQL, and --%s names a file",
                           side->schema_option, side->option);
  return ERR_OK;
}

// Nobody else may use it meanwhile: a file is locked, a database looked at with each part.
static enum err open_store(struct command *c, const struct side *side, bool write,
                           struct store **out, struct fault *why) {
  if (side->url.address) {
    const struct postgres_settings settings = {
        .schema = str_of(options_value(&c->given, side->schema_option)),
        .unsafe = options_has(&c->given, "unsafe-store"),
        .read_only = !write,
        .alone = true};
    return postgres_store_open(side->url.address, &settings, out, why);
  }
  const struct sqlite_settings settings = {
      .read_only = !write, .alone = true, .cache_kib = CACHE_KIB};
  return sqlite_store_open(side->url.path, &settings, out, why);
}

// A file can be named in many ways. A database too: its identity is looked at when it is open.
static bool is_same_file(const struct side *a, const struct side *b) {
  return a->url.path && b->url.path && sqlite_store_same(a->url.path, b->url.path);
}

static bool is_same_option(const struct command *c, const char *a, const char *b) {
  struct str first = str_of(options_value(&c->given, a));
  struct str second = str_of(options_value(&c->given, b));
  return str_eq(first, second);
}

static enum err open_both(struct move *m, bool write, struct fault *why) {
  struct command *c = m->c;
  if (!options_has(&c->given, "from") || !options_has(&c->given, "to"))
    return command_misused(c, why, "--from URL and --to URL are both needed");
  TRY(read_url(c, &m->from, why));
  TRY(read_url(c, &m->to, why));
  if (is_same_file(&m->from, &m->to) ||
      (is_same_option(c, "from", "to") && is_same_option(c, "from-schema", "to-schema")))
    return command_misused(c, why, "--from and --to name the same store");
  TRY(open_store(c, &m->from, false, &m->from.store, why));
  return open_store(c, &m->to, write, &m->to.store, why);
}

static void close_both(struct move *m) {
  if (m->from.store) m->from.store->ops->close(m->from.store);
  if (m->to.store) m->to.store->ops->close(m->to.store);
}

// --- before --------------------------------------------------------------------------------------

static enum err read_page(struct move *m, struct side *side, struct arena *a, enum bulk_part part,
                          const struct bulk_mark *after, size_t limit, struct bulk *out,
                          struct fault *why) {
  TRY(look_whether_stopped(m, why));
  arena_reset(a);
  return side->store->ops->bulk_read(side->store, a, part, after, limit, out, why);
}

// Half a store must not pass for a whole one.
static enum err require_whole(const struct side *side, struct fault *why) {
  struct fault reason = {0};
  enum err err = side->store->ops->bulk_whole(side->store, &reason);
  return err == ERR_OK ? err : fault_set(why, err, "--%s: %s", side->option, reason.detail);
}

static enum err look_at_source(struct move *m, struct fault *why) {
  TRY(require_whole(&m->from, why));
  const struct bulk_mark start = {0};
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    struct bulk page;
    TRY(read_page(m, &m->from, &m->pages[0], part, &start, 1, &page, why));
    m->source = page.last.source;
    if (PARTS[part].counted) m->total += page.total;
  }
  return ERR_OK;
}

// A new store has a tenant and nothing else.
static bool is_bare(const struct bulk *page) {
  const struct catalog *c = &page->catalog;
  return c->tenant_count <= 1 && c->key_count + c->queue_count + c->type_count == 0 &&
         page->task_count + page->log_count + page->event_count + page->replay_count == 0;
}

static enum err require_empty(struct move *m, struct fault *why) {
  const struct bulk_mark start = {0};
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    struct bulk page;
    TRY(read_page(m, &m->to, &m->pages[0], part, &start, 1, &page, why));
    if (page.last.source == m->source)
      return fault_set(why, ERR_CONFLICT, "--from and --to are the same store, or copies of one");
    if (!is_bare(&page))
      return fault_set(why, ERR_CONFLICT,
                       "the store of --to is not empty, and nothing was moved; name another one "
                       "(if it was moved there before: --verify compares the two)");
  }
  return ERR_OK;
}

// The catalogue is moved first, so its mark tells whether there was an earlier run.
static enum err look_at_target(struct move *m, struct fault *why) {
  struct store *to = m->to.store;
  struct bulk_mark mark;
  bool begun;
  TRY(to->ops->bulk_mark(to, &m->pages[0], BULK_CATALOG, &mark, &begun, why));
  if (!begun) return require_empty(m, why);
  if (mark.source != m->source)
    return fault_set(why, ERR_CONFLICT,
                     "the store of --to is half filled from another store than --from; finish "
                     "that move, or delete it");
  fprintf(stderr, "An earlier run was interrupted; this one goes on where it ended.\n");
  return ERR_OK;
}

// --- moving --------------------------------------------------------------------------------------

static enum err move_pages(struct move *m, enum bulk_part part, struct bulk_mark mark,
                           struct fault *why) {
  struct bulk page = {.more = true};
  // The mark's key lies in the arena of the page before.
  for (size_t turn = 1; page.more; turn ^= 1) {
    TRY(read_page(m, &m->from, &m->pages[turn], part, &mark, PAGE_ROWS, &page, why));
    TRY(m->to.store->ops->bulk_write(m->to.store, part, &page, why));
    mark = page.last;
    meter_tell(&m->meter, mark.rows);
  }
  return ERR_OK;
}

static enum err move_part(struct move *m, enum bulk_part part, struct fault *why) {
  struct store *to = m->to.store;
  struct bulk_mark mark;
  bool finished;
  arena_reset(&m->pages[0]);
  TRY(to->ops->bulk_mark(to, &m->pages[0], part, &mark, &finished, why));
  meter_part(&m->meter, PARTS[part].moving, PARTS[part].counted, mark.rows);
  if (finished) {
    meter_part_there(&m->meter);
    return ERR_OK;
  }
  TRY(move_pages(m, part, mark, why));
  meter_part_end(&m->meter);
  return ERR_OK;
}

static enum err move_all(struct move *m, struct fault *why) {
  TRY(look_at_source(m, why));
  TRY(look_at_target(m, why));
  meter_start(&m->meter, m->total);
  enum err err = ERR_OK;
  for (enum bulk_part part = 0; err == ERR_OK && part < BULK_PARTS; part++)
    err = move_part(m, part, why);
  meter_erase(&m->meter);
  if (err == ERR_OK && m->to.store->ops->bulk_written)
    err = m->to.store->ops->bulk_written(m->to.store, why);
  if (err != ERR_OK)
    fprintf(stderr,
            "What was moved is kept; repeat the same command to go on. If --from was served "
            "meanwhile, begin anew with a fresh --to.\n");
  return err;
}

// --- comparing -----------------------------------------------------------------------------------

static enum err sum_part(struct move *m, struct side *side, enum bulk_part part,
                         struct fault *why) {
  struct sum *sum = &side->sums[part];
  struct bulk_mark mark = {0};
  struct bulk page = {.more = true};
  meter_part(&m->meter, PARTS[part].reading, PARTS[part].counted, 0);
  for (size_t turn = 0; page.more; turn ^= 1) {
    TRY(read_page(m, side, &m->pages[turn], part, &mark, PAGE_ROWS, &page, why));
    sums_add(sum, part, &page, &m->row);
    mark = page.last;
    meter_tell(&m->meter, mark.rows);
  }
  meter_part_end(&m->meter);
  return ERR_OK;
}

static bool is_same(const struct move *m, enum bulk_part part) {
  const struct sum *from = &m->from.sums[part], *to = &m->to.sums[part];
  return from->rows == to->rows && from->check == to->check;
}

static enum err show_sums(struct move *m, struct fault *why) {
  static const char *const titles[] = {"part", "rows", "moved", "verified", NULL};
  struct arena *a = &m->c->arena;
  struct table table;
  table_init(&table, a, titles);
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    bool same = is_same(m, part);
    const struct table_cell cells[] = {
        {PARTS[part].name, STYLE_PLAIN},
        {arena_printf(a, "%" PRId64, m->from.sums[part].rows), STYLE_PLAIN},
        {arena_printf(a, "%" PRId64, m->to.sums[part].rows), STYLE_PLAIN},
        {same ? STR("ok") : STR("DIFFERENT"), same ? STYLE_GOOD : STYLE_BAD}};
    table_add(&table, cells);
  }
  struct term term = term_of(STDOUT_FILENO);
  return table_show(&table, &term, why);
}

static enum err sum_both(struct move *m, struct fault *why) {
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    TRY(sum_part(m, &m->from, part, why));
    TRY(sum_part(m, &m->to, part, why));
  }
  return ERR_OK;
}

// `*differ`: in how many parts.
static enum err compare(struct move *m, size_t *differ, struct fault *why) {
  if (m->total == 0) TRY(look_at_source(m, why));
  meter_start(&m->meter, 2 * m->total);
  enum err err = sum_both(m, why);
  meter_erase(&m->meter);
  TRY(err);
  *differ = 0;
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) *differ += !is_same(m, part);
  return show_sums(m, why);
}

// --- the command ---------------------------------------------------------------------------------

// The new store is opened for use only when it is known to hold the same.
static enum err move_and_compare(struct move *m, struct fault *why) {
  size_t differ;
  TRY(move_all(m, why));
  TRY(compare(m, &differ, why));
  if (differ > 0)
    return fault_set(why, ERR_STORE_BROKEN,
                     "the stores differ, and the new one stays closed; if the old one was served "
                     "between two runs, delete the new one or name a fresh --to, and begin anew");
  TRY(m->to.store->ops->bulk_finish(m->to.store, why));
  fprintf(stderr,
          "All is moved. The old store is as it was; start the servers with the new one.\n");
  return ERR_OK;
}

static enum err only_compare(struct move *m, struct fault *why) {
  size_t differ;
  TRY(require_whole(&m->to, why));
  TRY(compare(m, &differ, why));
  if (differ == 0) return ERR_OK;
  return fault_set(why, ERR_STORE_BROKEN, "the stores differ in %zu of %d parts", differ,
                   BULK_PARTS);
}

static enum err run(struct command *c, struct fault *why) {
  bool verify = options_has(&c->given, "verify");
  struct move m = {.c = c,
                   .from = {.option = "from", .schema_option = "from-schema"},
                   .to = {.option = "to", .schema_option = "to-schema"}};
  for (size_t i = 0; i < 2; i++) arena_init(&m.pages[i], PAGE_BLOCK_BYTES);
  buf_init(&m.row, SUMS_ROW_BYTES);
  catch_signals();
  c->exit_code = EXIT_FAILURE;  // a store that cannot be read is no server that cannot be reached
  enum err err = open_both(&m, !verify, why);
  if (err == ERR_OK) err = verify ? only_compare(&m, why) : move_and_compare(&m, why);
  close_both(&m);
  buf_fini(&m.row);
  for (size_t i = 0; i < 2; i++) arena_fini(&m.pages[i]);
  if (err == ERR_OK) c->exit_code = EXIT_DONE;
  return err;
}

const struct command_spec COMMAND_migrate = {
    .options = {.usage = "taskyard migrate --from URL --to URL [OPTION]…",
                .summary =
                    "Moves a whole store into another one: from SQLite to PostgreSQL or back. No\n"
                    "server may use either meanwhile. The old store is only read. Repeating an\n"
                    "interrupted command goes on where it ended. At the end both are read again\n"
                    "and compared row by row; exits with 1 when they differ.",
                .options = OPTIONS,
                .examples = EXAMPLES},
    .run = run};
