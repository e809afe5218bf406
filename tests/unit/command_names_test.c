// command_names_test.c: the commands of an operator: keys, queues, types, sessions, health; and
// what they do in a session.
#include "tests/unit/asking.h"

#define ADMIN "admin-key-of-the-tests"

// A server that asks who comes, and serves sessions.
static int a_guarded_server(void **state) {
  if (place_begin(state) != 0) return -1;
  place_writes(*state, "admin.key", ADMIN "\n");
  (void)SERVE(*state, "--store", "sqlite:tasks.db", "--sessions", "--api-key-file", "admin.key");
  place_sets(*state, "TASKYARD_KEY", ADMIN);
  return 0;
}

// The id of the key with this name, from the list.
static const char *key_id(struct place *at, const char *name) {
  const struct program *p = RUN(at, "key", "list");
  struct str rest = str_of(p->out), mark = arena_printf(&at->arena, "\t%s\t", name);
  assert_exit(p, EXIT_DONE);
  while (rest.len) {
    struct str line = str_cut(&rest, '\n');
    const char *row = arena_cstr(&at->arena, line);
    if (strstr(row, mark.at)) return arena_cstr(&at->arena, str_cut(&line, '\t'));
  }
  program_fails(p, __FILE__, __LINE__, "it does not list the key %s", name);
  return NULL;
}

// --- keys ----------------------------------------------------------------------------------------

static void a_key_is_made_used_and_revoked(void **state) {
  struct place *at = *state;
  const struct program *p =
      RUN(at, "key", "create", "--name", "web", "--role", "reader", "--role", "producer");
  assert_exit(p, EXIT_DONE);
  assert_err(p, ", shown this once; keep it where TASKYARD_KEY comes from.\n");
  const char *secret = first_line(p);
  assert_exit(RUN(at, "submit", "t", "--key", secret), EXIT_DONE);
  place_writes(at, "web.key", secret);
  assert_exit(RUN(at, "list", "--key-file", "web.key"), EXIT_DONE);
  p = RUN(at, "key", "list", "--key", secret);
  assert_exit(p, EXIT_NOT_AUTHORISED);
  const char *id = key_id(at, "web");
  p = RUN(at, "key", "list");
  assert_out(p, arena_printf(&at->arena, "%s\tweb\tdefault\tproducer,reader\t", id).at);
  assert_null(strstr(p->out, secret));
  p = RUN(at, "key", "revoke", id);
  assert_exit(p, EXIT_DONE);
  assert_out_is(p, arena_printf(&at->arena, "%s\trevoked\n", id).at);
  p = RUN(at, "list", "--key", secret);
  assert_exit(p, EXIT_NOT_AUTHORISED);
  assert_out_is(p, "");
}

static void without_a_key_nobody_is_let_in(void **state) {
  struct place *at = *state;
  place_sets(at, "TASKYARD_KEY", "wrong");
  const struct program *p = RUN(at, "queue");
  assert_exit(p, EXIT_NOT_AUTHORISED);
  assert_err(p, "taskyard: ");
  assert_exit(RUN(at, "events", "--count", "1"), EXIT_NOT_AUTHORISED);
  place_sets(at, "TASKYARD_KEY", NULL);
  p = RUN(at, "list");
  assert_exit(p, EXIT_NOT_AUTHORISED);
  assert_err(p, " (by this command: --session KEY, or --key-file FILE)\n");
  place_sets(at, "TASKYARD_KEY", ADMIN);
}

static void a_key_is_rotated_and_both_open_for_a_while(void **state) {
  struct place *at = *state;
  const char *old = first_line(RUN(at, "key", "create", "--name", "mail", "--role", "reader",
                                   "--service", "mail", "--expires-in", "90d"));
  const char *id = key_id(at, "mail");
  const struct program *p = RUN(at, "key", "rotate", id, "--overlap", "2h", "--expires-in", "30d");
  assert_exit(p, EXIT_DONE);
  assert_err(p, arena_printf(&at->arena, "Key %s opens until 20", id).at);
  const char *fresh = first_line(p);
  assert_string_not_equal(fresh, old);
  assert_exit(RUN(at, "list", "--key", old), EXIT_DONE);
  assert_exit(RUN(at, "list", "--key", fresh), EXIT_DONE);
  assert_out(RUN(at, "key", "list", "--json"), "\"service\":\"mail\"");
  p = RUN(at, "key", "rotate", id);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "rotated already");
}

static void keys_can_be_told_as_json(void **state) {
  struct place *at = *state;
  const struct program *p =
      RUN(at, "key", "create", "-n", "json", "-r", "worker", "-t", "default", "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\"secret\":\"");
  assert_out(p, "\"roles\":[\"worker\"]");
  p = RUN(at, "key", "revoke", key_id(at, "json"), "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\"revokedAt\":1");
}

static void a_key_command_that_is_wrong_says_what_to_say(void **state) {
  static const struct {
    const char *words[8];
    const char *sentence;
  } WRONG[] = {
      {{"key", "create", "--name", "x"}, "key create needs --name and at least one --role"},
      {{"key", "create", "--role", "reader"}, "key create needs --name and at least one --role"},
      {{"key", "create", "-n", "n", "-r", "reader", "--expires-in", "soon"},
       "--expires-in must be a duration of at most "},
      {{"key", "create", "-n", "n", "-r", "reader", "--expires-in=0s"}, "--expires-in must be "},
      {{"key", "rotate", "4f9a1c02", "--overlap", "1w"}, "--overlap must be a duration"},
      {{"key", "rotate"}, "say key create --name NAME --role ROLE, key list, key rotate ID, or"},
      {{"key", "revoke"}, "say key create"},
      {{"key", "list", "x"}, "say key create"},
      {{"key"}, "taskyard: "},
  };
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
    const struct program *p = END(program_start(*state, PLAIN_WAY, WRONG[i].words));
    assert_exit(p, EXIT_USAGE);
    assert_err(p, WRONG[i].sentence);
  }
}

static void a_key_that_is_not_there_is_neither_rotated_nor_revoked(void **state) {
  struct place *at = *state;
  assert_exit(RUN(at, "key", "rotate", "nope"), EXIT_FAILURE);
  const struct program *p = RUN(at, "key", "revoke", "nope");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "there is no key nope here; `taskyard key list` or");
}

// --- queues, types, health -----------------------------------------------------------------------

static void queues_are_listed_paused_and_resumed(void **state) {
  struct place *at = *state;
  assert_exit(RUN(at, "submit", "t", "--queue", "images"), EXIT_DONE);
  assert_out_is(RUN(at, "queue", "pause", "images"), "images\tpaused\n");
  assert_out(RUN(at, "queue"), "images\tpaused\t1\t");
  const struct program *p = RUN(at, "queue", "list", "--json");
  assert_out(p, "{\"name\":\"images\",");
  assert_out_is(RUN(at, "queue", "resume", "images"), "images\tactive\n");
  assert_out(RUN(at, "queue", "resume", "images", "--json"), "\"paused\":false");
  p = RUN(at, "queue", "drop", "images");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "say queue list, queue pause NAME, or queue resume NAME");
  assert_exit(RUN(at, "queue", "pause"), EXIT_USAGE);
  assert_exit(RUN(at, "queue", "pause", "no such"), EXIT_FAILURE);
}

static void types_are_listed(void **state) {
  struct place *at = *state;
  assert_exit(RUN(at, "submit", "resize"), EXIT_DONE);
  assert_out(RUN(at, "type", "list"), "resize\t");
  assert_out(RUN(at, "type", "--json"), "{\"name\":\"resize\",");
  const struct program *p = RUN(at, "type", "drop");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "say type list");
}

static void health_needs_no_key(void **state) {
  struct place *at = *state;
  place_sets(at, "TASKYARD_KEY", NULL);
  const struct program *p = RUN(at, "health");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "{\"status\":\"ok\"}\n");
  place_sets(at, "TASKYARD_KEY", ADMIN);
}

// --- sessions ------------------------------------------------------------------------------------

static void a_task_lives_in_a_session(void **state) {
  struct place *at = *state;
  place_sets(at, "TASKYARD_KEY", NULL);
  place_sets(at, "TASKYARD_SESSION", "mine");
  const struct program *p = RUN(at, "submit", "demo", "{\"a\":1}", "--idempotency-key", "k");
  assert_exit(p, EXIT_DONE);
  const char *id = first_line(p);
  assert_out_is(RUN(at, "submit", "demo", "{\"a\":1}", "--idempotency-key", "k"), p->out);
  p = RUN(at, "list");
  assert_exit(p, EXIT_DONE);
  assert_out(p, arena_printf(&at->arena, "%s\tdemo\tpending\t0\t", id).at);
  assert_out(RUN(at, "get", id), "waiting for  worker\n");
  p = RUN(at, "submit", "demo", "--name", "By hand", "--hold");
  assert_out(RUN(at, "get", first_line(p)), "waiting for  start\nname         By hand\n");
  p = RUN(at, "session", "list");
  assert_exit(p, EXIT_NOT_AUTHORISED);
  assert_err(p, "in a session only its own numbers can be seen");
  assert_out_is(RUN(at, "session", "end", "mine"), "mine\tended\n");
  place_sets(at, "TASKYARD_SESSION", NULL);
  place_sets(at, "TASKYARD_KEY", ADMIN);
}

static void what_no_session_takes_is_refused_by_its_name(void **state) {
  static const struct {
    const char *words[12];
    const char *sentence;
  } WRONG[] = {
      {{"submit", "t", "--session", "s", "--queue", "q"},
       "taskyard: --queue: a task of a session has a type, a name, a description, metadata and a "
       "payload only; leave it out, or give an API key (--key-file FILE) in place of the "
       "session\n"},
      {{"submit", "t", "--session", "s", "--priority", "5", "--tag", "a=b"},
       "taskyard: --priority, --tag: a task of a session has"},
      {{"list", "--session", "s", "--type", "t"},
       "taskyard: --type: the tasks of a session are narrowed by --status only; leave it out"},
      {{"submit", "t", "--session", "s", "--from-lines"},
       "taskyard: a session takes one task at a time; submit each by itself\n"},
      {{"list", "--session", "not a key"}, "blank"},
  };
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
    const struct program *p = END(program_start(*state, PLAIN_WAY, WRONG[i].words));
    assert_exit(p, EXIT_USAGE);
    assert_err(p, WRONG[i].sentence);
  }
}

static void a_key_option_wins_over_a_session_of_the_environment(void **state) {
  struct place *at = *state;
  place_sets(at, "TASKYARD_SESSION", "mine");
  const struct program *p = RUN(at, "submit", "t", "--queue", "q", "--key", ADMIN);
  assert_exit(p, EXIT_DONE);
  place_sets(at, "TASKYARD_SESSION", NULL);
}

static void the_operator_lists_sessions_and_ends_them(void **state) {
  struct place *at = *state;
  assert_exit(RUN(at, "submit", "t", "--session", "one"), EXIT_DONE);
  const struct program *p = RUN(at, "session");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "one\t2");
  assert_out(RUN(at, "session", "list", "--json"), "{\"sessionKey\":\"one\",");
  p = RUN(at, "session", "end", "one", "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "{\"success\":true");
  p = RUN(at, "session", "end", "one");
  assert_exit(p, EXIT_FAILURE);
  assert_err_is(p, "taskyard: one: there is no such session\n");
  p = RUN(at, "session", "stop");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "say session list, or session end KEY");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_key_is_made_used_and_revoked),
      cmocka_unit_test(without_a_key_nobody_is_let_in),
      cmocka_unit_test(a_key_is_rotated_and_both_open_for_a_while),
      cmocka_unit_test(keys_can_be_told_as_json),
      cmocka_unit_test(a_key_command_that_is_wrong_says_what_to_say),
      cmocka_unit_test(a_key_that_is_not_there_is_neither_rotated_nor_revoked),
      cmocka_unit_test(queues_are_listed_paused_and_resumed),
      cmocka_unit_test(types_are_listed),
      cmocka_unit_test(health_needs_no_key),
      cmocka_unit_test(a_task_lives_in_a_session),
      cmocka_unit_test(what_no_session_takes_is_refused_by_its_name),
      cmocka_unit_test(a_key_option_wins_over_a_session_of_the_environment),
      cmocka_unit_test(the_operator_lists_sessions_and_ends_them),
  };
  return cmocka_run_group_tests(tests, a_guarded_server, place_end);
}
