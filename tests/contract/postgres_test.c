// postgres_test.c: what only the shared store promises: which databases it takes, and what becomes
// of units of work when the connection breaks.
#include "contract.h"

#include <sched.h>

#include "base/clock.h"
#include "proxy.h"

// --- opening -------------------------------------------------------------------------------------

// A database of the test's own, made as `how` says.
static void make_database(struct world *w, const char *how) {
  backdoor_do("CREATE DATABASE %s %s", w->schema, how);
}

static int drop_database(void **state) {
  struct world *w = *state;
  backdoor_do("DROP DATABASE IF EXISTS %s WITH (FORCE)", w->schema);
  return world_teardown(state);
}

#define DATABASE_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, drop_database)

static enum err open_there(struct world *w, struct postgres_settings settings, struct store **out) {
  char url[128];
  backdoor_url_of(w->schema, url, sizeof url);
  settings.schema = str_of(w->schema);
  *out = NULL;
  return postgres_store_open(url, &settings, out, &w->why);
}

static enum err open_here(struct world *w, struct postgres_settings settings, struct store **out) {
  settings.schema = str_of(w->schema);
  *out = NULL;
  return postgres_store_open(backdoor_url(), &settings, out, &w->why);
}

static void a_database_that_forgets_is_refused_unless_that_is_wanted(void **state) {
  struct world *w = *state;
  struct store *s;
  make_database(w, "");
  backdoor_do("ALTER DATABASE %s SET synchronous_commit = off", w->schema);
  FAILS(ERR_INVALID, open_there(w, (struct postgres_settings){0}, &s));
  assert_non_null(strstr(w->why.detail, "synchronous_commit"));
  OK(open_there(w, (struct postgres_settings){.unsafe = true}, &s));
  s->ops->close(s);
}

static void a_database_of_another_encoding_is_refused(void **state) {
  struct world *w = *state;
  struct store *s;
  make_database(w, "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  FAILS(ERR_INVALID, open_there(w, (struct postgres_settings){0}, &s));
  assert_non_null(strstr(w->why.detail, "LATIN1"));
  assert_non_null(strstr(w->why.detail, "UTF8"));
}

static void settings_of_the_database_do_not_matter(void **state) {
  struct world *w = *state;
  static const char *const settings[] = {
      "default_transaction_isolation = 'serializable'",
      "default_transaction_deferrable = on",
      "search_path = ''",
      "timezone = 'Pacific/Kiritimati'",
      "datestyle = 'SQL, DMY'",
      "bytea_output = 'escape'",
      "intervalstyle = 'sql_standard'",
      "extra_float_digits = 0",
      "client_encoding = 'LATIN1'",
      "statement_timeout = '200ms'",
      "lock_timeout = '200ms'",
      "enable_indexscan = off",
      "plan_cache_mode = 'force_custom_plan'",
      "row_security = off",
      "standard_conforming_strings = off",
  };
  make_database(w, "");
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    backdoor_do("ALTER DATABASE %s SET %s", w->schema, settings[i]);
  world_close(w);
  OK(open_there(w, (struct postgres_settings){0}, &w->store));
  world_open(w);
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("größe"));
  t->payload = STR("{\"path\":\"C:\\\\temp\\\\'é'\"}");
  OK(unit_apply(u));
  assert_str(world_read(w, t->id)->payload, t->payload);
  assert_str(world_read(w, t->id)->type, STR("größe"));
  struct unit *claim = unit_new(w);
  unit_claim(claim, world_pick(w, (struct pick){.limit = 1}).rows[0]);
  OK(unit_apply(claim));
  assert_int_equal(world_tally(w, 1).count[TASK_RUNNING], 1);
  assert_int_equal(world_check(w), 0);
  world_close(w);
}

static void a_schema_of_a_newer_version_is_refused(void **state) {
  struct world *w = *state;
  struct store *s;
  world_close(w);
  backdoor_do("UPDATE %s.meta SET value = 99 WHERE name = 'schema'", w->schema);
  FAILS(ERR_INVALID, open_here(w, (struct postgres_settings){0}, &s));
  assert_non_null(strstr(w->why.detail, "newer taskyard"));
  FAILS(ERR_INVALID, open_here(w, (struct postgres_settings){.read_only = true}, &s));
}

static void a_schema_that_was_made_by_other_steps_is_refused(void **state) {
  struct world *w = *state;
  static const char *const TEXTS[] = {"'1'", "NULL"};
  struct store *s;
  world_close(w);
  for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
    backdoor_do("UPDATE %s.meta SET text = %s WHERE name = 'schema'", w->schema, TEXTS[i]);
    FAILS(ERR_INVALID, open_here(w, (struct postgres_settings){0}, &s));
    assert_non_null(strstr(w->why.detail, w->schema));
    assert_non_null(strstr(w->why.detail, "made by a build between releases"));
    FAILS(ERR_INVALID, open_here(w, (struct postgres_settings){.read_only = true}, &s));
  }
}

static void a_schema_that_is_not_ours_is_refused_and_left_as_it_is(void **state) {
  struct world *w = *state;
  struct store *s;
  world_close(w);
  backdoor_do("DROP SCHEMA %s CASCADE", w->schema);
  backdoor_do("CREATE SCHEMA %s CREATE TABLE task (x integer)", w->schema);
  FAILS(ERR_INVALID, open_here(w, (struct postgres_settings){0}, &s));
  assert_non_null(strstr(w->why.detail, w->schema));
  assert_int_equal(backdoor_i64("SELECT count(*) FROM %s.task", w->schema), 0);
  assert_int_equal(
      backdoor_i64("SELECT count(*) FROM pg_tables WHERE schemaname = '%s'", w->schema), 1);
  backdoor_do("CREATE TABLE %s.meta (name text, value bigint)", w->schema);
  FAILS(ERR_INVALID, open_here(w, (struct postgres_settings){0}, &s));
  assert_non_null(strstr(w->why.detail, "holds tables of something else"));
}

static void a_read_only_store_is_never_made_and_stands_beside_a_server(void **state) {
  struct world *w = *state;
  struct store *s;
  struct id id = world_create(w, STR("resize"));
  const struct postgres_settings read_only = {.read_only = true};
  OK(open_here(w, read_only, &s));
  assert_int_equal(s->ops->lane_max(s), 0);
  struct store_reader *r = NULL;
  OK(s->ops->reader_open(s, &r, &w->why));
  struct task *t = NULL;
  OK(s->ops->read_task(r, &w->arena, 1, id, 0, &t, &w->why));
  id = world_create(w, STR("brand-new"));
  OK(s->ops->read_task(r, &w->arena, 1, id, 0, &t, &w->why));
  assert_str(t->type, STR("brand-new"));
  s->ops->reader_close(r);
  s->ops->close(s);

  world_close(w);
  backdoor_do("DROP SCHEMA %s CASCADE", w->schema);
  FAILS(ERR_INVALID, open_here(w, read_only, &s));
  assert_int_equal(
      backdoor_i64("SELECT count(*) FROM pg_namespace WHERE nspname = '%s'", w->schema), 0);
}

static void a_server_that_is_not_there_is_said_to_be_out_of_reach(void **state) {
  struct world *w = *state;
  struct store *s = NULL;
  FAILS(ERR_UNAVAILABLE,
        postgres_store_open("postgresql://postgres@127.0.0.1:1/postgres", NULL, &s, &w->why));
  assert_non_null(strstr(w->why.detail, "127.0.0.1"));
  FAILS(ERR_INVALID, postgres_store_open("postgresql://%zz", NULL, &s, &w->why));
  assert_null(s);
}

struct opening {
  struct world *w;
  struct store *store;
  struct fault why;
  enum err err;
  pthread_t thread;
};

static void *open_one(void *arg) {
  struct opening *o = arg;
  const struct postgres_settings settings = {.schema = str_of(o->w->schema)};
  o->err = postgres_store_open(backdoor_url(), &settings, &o->store, &o->why);
  return NULL;
}

// libpq's own words may repeat a part of the address.
static void an_address_that_is_wrong_is_told_without_its_password(void **state) {
  struct world *w = *state;
  static const struct {
    const char *url, *told;
    enum err err;
  } cases[] = {
      {"postgresql://u:secret@127.0.0.1/db?nothing=1", "\"nothing\"", ERR_INVALID},
      {"postgresql://u:secret%zz@127.0.0.1/db", "looks like", ERR_INVALID},
      {"host=127.0.0.1 password='secret", "looks like", ERR_INVALID},
      {"host=127.0.0.1 port", "missing \"=\"", ERR_INVALID},
      {"postgresql://u:secret@127.0.0.1:1/db", "is it running", ERR_UNAVAILABLE},
      {"postgresql://u:secret@/db?host=/nowhere", "are its sockets there", ERR_UNAVAILABLE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct store *s = NULL;
    FAILS(cases[i].err, postgres_store_open(cases[i].url, NULL, &s, &w->why));
    if (!strstr(w->why.detail, cases[i].told) || strstr(w->why.detail, "secret"))
      fail_msg("%s: %s", cases[i].url, w->why.detail);
  }
}

// It goes into statements as it is.
static void a_schema_s_name_is_of_letters_digits_and_underscores(void **state) {
  struct world *w = *state;
  struct store *s = NULL;
  static const char longest[] = "a123456789b123456789c123456789d123456789e123456789f12345678_901";
  static const char *const bad[] = {"9a",  "pg_a", "A",   "-a",   "{a",      "a-b",
                                    "a b", "a;b",  "a{b", "a\"b", "\xc3\xa4"};
  assert_int_equal(strlen(longest), 63);
  struct postgres_settings settings = {.schema = str_of(longest)};
  OK(postgres_store_open(backdoor_url(), &settings, &s, &w->why));
  s->ops->close(s);
  backdoor_do("DROP SCHEMA %s CASCADE", longest);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    settings.schema = str_of(bad[i]);
    FAILS(ERR_INVALID, postgres_store_open(backdoor_url(), &settings, &s, &w->why));
  }
  settings.schema = arena_printf(&w->arena, "%s2", longest);
  FAILS(ERR_INVALID, postgres_store_open(backdoor_url(), &settings, &s, &w->why));
}

static void servers_that_start_together_on_an_empty_schema_all_succeed(void **state) {
  struct world *w = *state;
  world_close(w);
  for (int round = 0; round < 3; round++) {
    struct opening all[6] = {{0}};
    backdoor_do("DROP SCHEMA %s CASCADE", w->schema);
    for (int i = 0; i < 6; i++) {
      all[i].w = w;
      assert_int_equal(pthread_create(&all[i].thread, NULL, open_one, &all[i]), 0);
    }
    for (int i = 0; i < 6; i++) pthread_join(all[i].thread, NULL);
    for (int i = 0; i < 6; i++) {
      if (all[i].err != ERR_OK) print_error("%s\n", all[i].why.detail);
      assert_int_equal(all[i].err, ERR_OK);
      all[i].store->ops->close(all[i].store);
    }
  }
  world_open(w);
  world_create(w, STR("resize"));
  assert_int_equal(world_check(w), 0);
}

// --- check ---------------------------------------------------------------------------------------

static bool check_finds(struct world *w, const char *invariant) {
  struct check_finding *findings = NULL;
  size_t count = 0;
  bool found = false;
  OK(w->ops->check(w->store, &w->arena, &findings, &count, &w->why));
  for (size_t i = 0; i < count; i++)
    found |= findings[i].violations > 0 && strstr(findings[i].invariant, invariant);
  return found;
}

// Does `what` for each table that a case may harm; $ stands for its name.
static void each_table(const char *what) {
  static const char *const tables[] = {"task",  "live",       "done",    "event", "log",
                                       "tally", "tally_move", "channel", "meta",  "api_key"};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    char text[128];
    size_t used = 0;
    for (const char *at = what; *at; at++)
      used += (size_t)snprintf(text + used, sizeof text - used, "%.*s", *at == '$' ? 99 : 1,
                               *at == '$' ? tables[i] : at);
    backdoor_do("%s", text);
  }
}

static void check_finds_what_was_broken_behind_the_stores_back(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  unit_finish(u, world_load(w, world_create(w, STR("resize")), 0), TASK_COMPLETED);
  unit_create(u, STR("resize"));
  OK(unit_apply(u));
  const struct {
    const char *harm, *invariant;
  } cases[] = {
      {"INSERT INTO done (SELECT *, NULL FROM live)", "exactly one place"},
      {"DELETE FROM live", "exactly one place"},
      {"DELETE FROM task", "without its task"},
      {"INSERT INTO log SELECT tenant, gen_random_uuid(), 3, 0, 'x' FROM live", "without its task"},
      {"UPDATE tally_move SET pending = 5", "tallies equal"},
      {"INSERT INTO tally VALUES (1, 1, 0, 0, 0, 0, 0, 0, 1)", "tallies equal"},
      {"UPDATE task SET channel = 99", "own tenant"},
      {"UPDATE live SET channel = 99", "own tenant"},
      {"UPDATE event SET channel = 99", "own tenant"},
      {"ALTER TABLE channel DROP CONSTRAINT channel_tenant_queue_type_key;"
       " INSERT INTO channel SELECT tenant, 99, queue, type FROM channel",
       "one channel"},
      {"DROP INDEX task_unique; UPDATE task SET unique_key = 'same'", "unique key"},
      {"UPDATE live SET status = 9", "one known status"},
      {"UPDATE done SET status = 1", "one known status"},
      {"UPDATE live SET waiting = 0", "exactly while it is pending"},
      {"UPDATE live SET waiting = 4", "has a time"},
      {"UPDATE live SET status = 1", "has a lease"},
      {"UPDATE live SET lease = 3", "has no lease"},
      {"UPDATE live SET attempt = 9", "more attempts"},
      {"UPDATE live SET completed_at = 9", "has an end"},
      {"UPDATE done SET wake_at = 9", "has an end"},
      {"UPDATE event SET task = gen_random_uuid()", "has an event"},
      {"DELETE FROM event WHERE seq = 2", "without a gap"},
      {"INSERT INTO log SELECT tenant, id, 3, 0, 'x' FROM live", "log lines"},
      {"DELETE FROM meta WHERE name = 'catalogue'", "has a version"},
      {"INSERT INTO api_key VALUES ('k', 9, 'n', 1, '', 1, 0, 0)", "known tenant"},
  };
  assert_int_equal(world_check(w), 0);
  backdoor_do("SET search_path = %s", w->schema);
  each_table("CREATE TABLE good_$ AS TABLE $");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    backdoor_do("%s", cases[i].harm);
    if (!check_finds(w, cases[i].invariant)) fail_msg("missed: %s", cases[i].harm);
    each_table("DELETE FROM $; INSERT INTO $ TABLE good_$");
  }
  backdoor_do("RESET search_path");
  assert_int_equal(world_check(w), 0);
}

// --- connections that break between calls --------------------------------------------------------

// Ends every connection of the store's on the server, and returns when they are gone.
static void terminate_all(struct world *w) {
  char where[160];
  snprintf(where, sizeof where, "pid <> pg_backend_pid() AND position('%s.' in query) > 0",
           w->schema);
  backdoor_i64("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE %s", where);
  while (backdoor_i64("SELECT count(*) FROM pg_stat_activity WHERE %s", where) > 0) sched_yield();
}

// As the engine does: again after a conflict, and for a while when the store is out of reach.
static struct row *load_patiently(struct world *w, struct id id) {
  struct want_id want = {.tenant = 1, .id = id};
  struct load load = {.arena = &w->arena, .ids = &want, .id_count = 1};
  enum err err = ERR_CONFLICT;
  int64_t began = clock_mono_us();
  while (err == ERR_CONFLICT || (err == ERR_UNAVAILABLE && clock_mono_us() - began < 10000000))
    err = w->ops->load(w->lane, &load, &w->why);
  OK(err);
  return want.row;
}

static void a_unit_whose_connection_ends_before_its_apply_changes_nothing(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  unit_create(u, STR("brand-new"));
  terminate_all(w);
  FAILS(ERR_CONFLICT, unit_apply(u));
  struct row *row = load_patiently(w, id);
  assert_int_equal(row->task.status, TASK_PENDING);
  struct unit *again = unit_new(w);
  unit_claim(again, row);
  OK(unit_apply(again));
  assert_int_equal(backdoor_i64("SELECT count(*) FROM %s.event", w->schema), 2);
  assert_int_equal(backdoor_i64("SELECT count(*) FROM %s.task", w->schema), 1);
}

static void a_lane_and_a_reader_whose_connections_ended_at_rest_go_on(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  world_read(w, id);
  terminate_all(w);
  assert_non_null(load_patiently(w, id));
  w->ops->abandon(w->lane);
  struct task *t = NULL;
  enum err err = w->ops->read_task(w->reader, &w->arena, 1, id, 0, &t, &w->why);
  int64_t began = clock_mono_us();
  while (err == ERR_UNAVAILABLE && clock_mono_us() - began < 10000000)
    err = w->ops->read_task(w->reader, &w->arena, 1, id, 0, &t, &w->why);
  OK(err);
  OK(w->ops->tend(w->lane, true, &w->why));
  assert_int_equal(world_check(w), 0);
}

static void a_lane_that_was_closed_amid_a_unit_gives_up_what_it_held(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  world_load(w, id, 0);
  w->ops->lane_close(w->lane);
  w->lane = NULL;
  OK(w->ops->lane_open(w->store, &w->lane, &w->why));
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  OK(unit_apply(u));
}

// --- commits whose answer is lost ----------------------------------------------------------------

// A store behind a proxy, of which a commit waits on the server until the test lets it go on.
struct commit {
  struct world *w;
  struct proxy proxy;
  struct id id;
  struct unit *unit;
  pthread_t thread;
  enum err err;
};

static void *run_commit(void *arg) {
  struct commit *c = arg;
  c->err = unit_apply(c->unit);
  return NULL;
}

enum { HOLD = 4711 };  // a lock of the test's own: (HOLD, pid)

// Which backend waits for it.
static void put_waiting(char *out, size_t bytes) {
  snprintf(out, bytes, "locktype = 'advisory' AND NOT granted AND classid = %d AND objid = %d",
           HOLD, (int)getpid());
}

static int64_t waiting(void) {
  char where[128];
  put_waiting(where, sizeof where);
  return backdoor_i64("SELECT count(*) FROM pg_locks WHERE %s", where);
}

static void start_commit(struct commit *c, struct world *w) {
  c->w = w;
  c->id = world_create(w, STR("resize"));
  proxy_start(&c->proxy);
  world_close(w);
  w->url = c->proxy.url;
  world_open(w);
  // Triggers of this kind run amid the commit.
  backdoor_do(
      "CREATE FUNCTION %s.hold() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN PERFORM pg_advisory_xact_lock_shared(%d, %d); RETURN NULL; END'",
      w->schema, HOLD, (int)getpid());
  backdoor_do(
      "CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON %s.event DEFERRABLE INITIALLY"
      " DEFERRED FOR EACH ROW EXECUTE FUNCTION %s.hold()",
      w->schema, w->schema);
  backdoor_do("SELECT pg_advisory_lock(%d, %d)", HOLD, (int)getpid());
  c->unit = unit_new(w);
  unit_claim(c->unit, world_load(w, c->id, 0));
  assert_int_equal(pthread_create(&c->thread, NULL, run_commit, c), 0);
  while (waiting() == 0) sched_yield();
}

static void let_it_go_on(void) {
  backdoor_do("SELECT pg_advisory_unlock(%d, %d)", HOLD, (int)getpid());
}

static void until_it_is_visible(struct commit *c) {
  while (backdoor_i64("SELECT count(*) FROM %s.event", c->w->schema) < 2) sched_yield();
}

static void end_commit(struct commit *c, enum err err, enum task_status status) {
  struct world *w = c->w;
  pthread_join(c->thread, NULL);
  if (c->err != ERR_OK) print_message("%s: %s\n", err_code(c->err), w->why.detail);
  assert_int_equal(c->err, err);
  struct row *row = load_patiently(w, c->id);
  assert_int_equal(row->task.status, status);
  w->ops->abandon(w->lane);
  assert_int_equal(world_check(w), 0);
  world_close(w);
  proxy_stop(&c->proxy);
  w->url = NULL;
}

static void a_commit_whose_answer_was_lost_is_known_to_be_done(void **state) {
  struct commit c = {0};
  start_commit(&c, *state);
  atomic_store(&c.proxy.swallows, true);
  let_it_go_on();
  until_it_is_visible(&c);
  proxy_cut(&c.proxy);
  end_commit(&c, ERR_OK, TASK_RUNNING);
}

static void a_commit_that_goes_on_while_its_outcome_is_asked_for_is_waited_for(void **state) {
  struct commit c = {0};
  start_commit(&c, *state);
  proxy_cut(&c.proxy);
  while (backdoor_i64("SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                      " AND query LIKE '%%pg_xact_status%%'") == 0)
    sched_yield();
  let_it_go_on();
  end_commit(&c, ERR_OK, TASK_RUNNING);
}

static void a_commit_that_the_server_gave_up_is_known_not_to_be_done(void **state) {
  struct commit c = {0};
  char where[128];
  start_commit(&c, *state);
  put_waiting(where, sizeof where);
  backdoor_do("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE %s", where);
  while (waiting() > 0) sched_yield();
  let_it_go_on();
  end_commit(&c, ERR_CONFLICT, TASK_PENDING);
}

int main(void) {
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  const struct CMUnitTest tests[] = {
      DATABASE_TEST(a_database_that_forgets_is_refused_unless_that_is_wanted),
      DATABASE_TEST(a_database_of_another_encoding_is_refused),
      DATABASE_TEST(settings_of_the_database_do_not_matter),
      CONTRACT_TEST(a_schema_of_a_newer_version_is_refused),
      CONTRACT_TEST(a_schema_that_was_made_by_other_steps_is_refused),
      CONTRACT_TEST(a_schema_that_is_not_ours_is_refused_and_left_as_it_is),
      CONTRACT_TEST(a_read_only_store_is_never_made_and_stands_beside_a_server),
      CONTRACT_TEST(a_server_that_is_not_there_is_said_to_be_out_of_reach),
      CONTRACT_TEST(an_address_that_is_wrong_is_told_without_its_password),
      CONTRACT_TEST(a_schema_s_name_is_of_letters_digits_and_underscores),
      CONTRACT_TEST(servers_that_start_together_on_an_empty_schema_all_succeed),
      CONTRACT_TEST(check_finds_what_was_broken_behind_the_stores_back),
      CONTRACT_TEST(a_unit_whose_connection_ends_before_its_apply_changes_nothing),
      CONTRACT_TEST(a_lane_and_a_reader_whose_connections_ended_at_rest_go_on),
      CONTRACT_TEST(a_lane_that_was_closed_amid_a_unit_gives_up_what_it_held),
      CONTRACT_TEST(a_commit_whose_answer_was_lost_is_known_to_be_done),
      CONTRACT_TEST(a_commit_that_goes_on_while_its_outcome_is_asked_for_is_waited_for),
      CONTRACT_TEST(a_commit_that_the_server_gave_up_is_known_not_to_be_done),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
