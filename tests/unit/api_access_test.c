// api_access_test.c: who asks and what he may do: keys, tokens, roles, tenants, a server without
// any key; and what follows from what does not open.
#include "tests/world/api_ask.h"

#include "api/jwt_testing.h"

#include <time.h>

#define TASKS "/api/v1/tasks"
static const char NEEDED[] =
    "send an API key as Authorization: Bearer KEY or x-api-key: KEY, or a token as Authorization: "
    "Bearer TOKEN";
static const char UNKNOWN[] = "the API key is not known, or was revoked";

static struct asked *list_as(const char *headers) { return ask_as(headers, "GET " TASKS, NULL); }

// --- keys ----------------------------------------------------------------------------------------

static void a_key_opens_as_bearer_or_by_its_header(void **state) {
  (void)state;
  assert_status(list_as("Authorization: Bearer " ADMIN_KEY), 200);
  assert_status(list_as("authorization: bearer  " ADMIN_KEY), 200);
  assert_status(list_as(AS_ADMIN), 200);
  assert_status(list_as(AS_ADMIN "\nAuthorization: Bearer " ADMIN_KEY), 200);
  assert_status(list_as(AS_ADMIN "\nAuthorization: Basic YTpi"), 200);
}

static void without_a_key_nothing_opens_but_what_is_open(void **state) {
  (void)state;
  static const char *const closed[] = {"", "Authorization: Bearer", "Authorization: Basic YTpi",
                                       "Cookie: key=1"};
  for (size_t i = 0; i < COUNT_OF(closed); i++) {
    struct asked *a = list_as(closed[i]);
    assert_refused(a, 401, "unauthenticated", NEEDED);
    assert_header(a, "WWW-Authenticate", "Bearer");
  }
  assert_refused(list_as("x-api-key: wrong"), 401, "unauthenticated", UNKNOWN);
  assert_refused(list_as("x-api-key: tk_aaaaaaaa_b"), 401, "unauthenticated", UNKNOWN);
  assert_status(ask_as("", "GET /livez", NULL), 200);
}

static void a_credential_that_is_not_one_is_not_understood(void **state) {
  (void)state;
  const struct {
    const char *headers, *detail;
  } rows[] = {
      {AS_ADMIN "\nAuthorization: Bearer other",
       "Authorization and x-api-key hold different credentials; send one"},
      {AS_ADMIN "\n" AS_ADMIN, "the header x-api-key must come only once"},
      {"Authorization: Bearer a\nAuthorization: Bearer a",
       "the header Authorization must come only once"},
      {"x-api-key: a\x01", "the credential in x-api-key holds a control character"},
      {"Authorization: Bearer a\x7f", "the credential in Authorization holds a control character"},
      {say("x-api-key: %016385d", 0), "the credential in x-api-key is too long to be one"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_refused(list_as(rows[i].headers), 400, "bad_request", rows[i].detail);
  assert_status(list_as(say("x-api-key: %016384d", 0)), 401);
}

static void a_key_is_made_and_shown_once(void **state) {
  (void)state;
  struct asked *a = ask("POST /api/v1/keys",
                        "{\"name\":\"ci\",\"roles\":[\"producer\",\"reader\"],\"service\":\"svc\","
                        "\"expiresInMs\":5000}");
  assert_status(a, 201);
  const char *id = text_at(a, "key.id"), *secret = text_at(a, "secret");
  assert_int_equal(strlen(secret), 55);
  assert_int_equal(strncmp(secret, say("tk_%s_", id), 12), 0);
  assert_json(a, "key.roles", "[\"producer\",\"reader\"]");
  assert_text(a, "key.tenant", "default");
  assert_text(a, "key.service", "svc");
  assert_number(a, "key.expiresAt", WORLD_START_MS + 5000);
  const char *headers = say("x-api-key: %s", secret);
  assert_status(list_as(headers), 200);
  a = ask("GET /api/v1/keys", NULL);
  assert_number(a, "count", 1);
  assert_text(a, "keys.0.name", "ci");
  assert_no(a, "keys.0.secret");
  assert_number(a, "keys.0.lastUsedAt", WORLD_START_MS);
  world_pass(5000);
  assert_refused(list_as(headers), 401, "unauthenticated", "the API key has expired");
}

static void what_is_wrong_with_a_key_is_told(void **state) {
  (void)state;
#define KEY "\"name\":\"k\",\"roles\":[\"reader\"]"
  static const struct refusal rows[] = {
      {"POST /api/v1/keys", "{\"name\":\"k\",\"roles\":[]}", "/roles",
       "roles must name at least one role"},
      {"POST /api/v1/keys", "{\"name\":\"k\",\"roles\":[\"root\"]}", "/roles",
       "roles are producer, worker, reader, admin and user"},
      {"POST /api/v1/keys", "{" KEY ",\"expiresAt\":1790000001000,\"expiresInMs\":1}",
       "/expiresInMs", "expiresInMs and expiresAt exclude each other"},
      {"POST /api/v1/keys", "{" KEY ",\"expiresAt\":1}", "/expiresAt",
       "expiresAt is past; the key would never open"},
      {"POST /api/v1/keys", "{" KEY ",\"tenant\":\"a b\"}", "/tenant",
       "tenant must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
  assert_refused(ask_as(AS_ADMIN "\nIdempotency-Key: 1", "POST /api/v1/keys", "{" KEY "}"), 400,
                 "bad_request", "Idempotency-Key is not taken here: it would keep the secret");
  assert_number(ask("GET /api/v1/keys", NULL), "count", 0);
}

static void a_key_opens_what_its_roles_say(void **state) {
  (void)state;
  static const struct {
    const char *role, *line, *detail;  // NULL: it opens
  } rows[] = {
      {"reader", "GET " TASKS, NULL},
      {"reader", "POST " TASKS, "this route needs a key with the role producer or admin"},
      {"reader", "POST /api/v1/claims", "this route needs a key with the role worker or admin"},
      {"worker", "POST " TASKS, "this route needs a key with the role producer or admin"},
      {"worker", "GET " TASKS, NULL},
      {"producer", "GET /api/v1/keys", "this route needs a key with the role admin"},
      {"admin", "GET /api/v1/keys", NULL},
      {"user", "GET " TASKS,
       "this route needs a key with the role producer or worker or reader or admin"},
      {"producer", "GET /api/v1/jobs",
       "this route is for users: send a token as Authorization: Bearer TOKEN, not an API key"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *key = make_key(say("{\"name\":\"k\",\"roles\":[\"%s\"]}", rows[i].role));
    struct asked *a = ask_as(key, rows[i].line, NULL);
    if (rows[i].detail)
      assert_refused(a, 403, "forbidden", rows[i].detail);
    else
      assert_status(a, 200);
  }
}

static void a_key_is_rotated_with_an_overlap(void **state) {
  (void)state;
  const char *old = make_key("{\"name\":\"k\",\"roles\":[\"reader\"]}");
  const char *id = text_at(ask("GET /api/v1/keys", NULL), "keys.0.id");
  const char *line = say("POST /api/v1/keys/%s/rotate", id);
  struct asked *a = ask(line, "{\"overlapMs\":60000}");
  assert_status(a, 201);
  assert_text(a, "replaced.id", id);
  assert_text(a, "replaced.replacedBy", text_at(a, "key.id"));
  assert_number(a, "replaced.expiresAt", WORLD_START_MS + 60000);
  assert_json(a, "key.expiresAt", "null");
  const char *new = say("x-api-key: %s", text_at(a, "secret"));
  assert_status(list_as(new), 200);
  assert_status(list_as(old), 200);
  world_pass(60000);
  assert_status(list_as(old), 401);
  assert_status(list_as(new), 200);
  assert_refused(ask(line, NULL), 409, "conflict",
                 say("the key was rotated already; rotate key %s", text_at(a, "key.id")));
}

static void what_is_wrong_with_a_rotation_is_told(void **state) {
  (void)state;
  make_key("{\"name\":\"k\",\"roles\":[\"reader\"]}");
  const char *id = text_at(ask("GET /api/v1/keys", NULL), "keys.0.id");
  const char *line = say("POST /api/v1/keys/%s/rotate", id);
  assert_wrong(ask(line, "{\"overlapMs\":2592000001}"), "/overlapMs",
               "overlapMs must be from 0 to 2592000000");
  assert_wrong(ask(line, "{\"expiresAt\":1790000001000,\"expiresInMs\":1}"), "/expiresInMs",
               "expiresInMs and expiresAt exclude each other");
  assert_status(ask_as(AS_ADMIN "\nIdempotency-Key: 1", line, NULL), 400);
  assert_refused(ask("POST /api/v1/keys/aaaaaaaa/rotate", NULL), 404, "not_found",
                 "there is no key aaaaaaaa here; `taskyard key list` or GET /api/v1/keys shows the "
                 "ids of all");
}

static void the_key_of_the_settings_has_no_id(void **state) {
  (void)state;
  static const char detail[] =
      "that is the key of the setting api_key (API_KEY), which has no id: it is changed there, and "
      "with a restart";
  const char *path = "/api/v1/keys/an%20admin%20key%20of%20the%20world";
  assert_refused(ask(say("DELETE %s", path), NULL), 404, "not_found", detail);
  assert_refused(ask(say("POST %s/rotate", path), NULL), 404, "not_found", detail);
}

static void a_revoked_key_opens_nothing(void **state) {
  (void)state;
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"admin\"]}");
  const char *line =
      say("DELETE /api/v1/keys/%s", text_at(ask("GET /api/v1/keys", NULL), "keys.0.id"));
  struct asked *a = ask(line, NULL);
  assert_status(a, 200);
  assert_number(a, "key.revokedAt", WORLD_START_MS);
  assert_refused(list_as(key), 401, "unauthenticated", UNKNOWN);
}

static void nobody_waits_for_longer_than_his_key_opens(void **state) {
  (void)state;
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"worker\"],\"expiresInMs\":5000}");
  struct asked *a = ask_as(key, "POST /api/v1/claims", "{\"waitMs\":60000}");
  world_pass(4999);
  assert_waits(a);
  world_pass(1);
  assert_status(a, 200);
  assert_number(a, "count", 0);
}

// --- tenants -------------------------------------------------------------------------------------

static void tenants_do_not_see_each_other(void **state) {
  (void)state;
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"admin\"],\"tenant\":\"acme\"}");
  const char *id = make_task("{\"type\":\"a\"}");
  struct asked *a = ask_as(key, "POST " TASKS, "{\"type\":\"b\"}");
  assert_text(a, "task.tenantId", "acme");
  assert_number(list_as(key), "count", 1);
  assert_number(list_as(AS_ADMIN), "count", 1);
  assert_refused(ask_as(key, say("GET " TASKS "/%s", id), NULL), 404, "not_found",
                 "there is no such task");
  a = ask_as(key, "GET /api/v1/keys", NULL);
  assert_text(a, "keys.0.tenant", "acme");
  static const char other[] = "{\"name\":\"x\",\"roles\":[\"reader\"],\"tenant\":\"default\"}";
  assert_wrong(ask_as(key, "POST /api/v1/keys", other), "/tenant",
               "a key of this tenant makes keys of this tenant only");
}

// --- tokens --------------------------------------------------------------------------------------

static void a_token_names_its_user_roles_and_tenant(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.jwt.tenant_claim = STR("org");
  ask_open(&settings);
  const char *ann = as_user("ann", ",\"roles\":[\"producer\"],\"org\":\"acme\"");
  assert_number(list_as(ann), "count", 0);  // the tenant is made
  struct asked *a = ask_as(ann, "POST " TASKS, "{\"type\":\"a\"}");
  assert_text(a, "task.tenantId", "acme");
  a = ask_as(ann, say("GET " TASKS "/%s/events", text_at(a, "task.id")), NULL);
  assert_text(a, "events.0.actor", "jwt:ann");
  assert_refused(ask_as(ann, "POST /api/v1/claims", "{}"), 403, "forbidden",
                 "this route needs a token with the role worker or admin");
  assert_number(list_as(AS_ADMIN), "count", 0);
}

static void a_tenant_that_a_token_names_is_made_before_all_else(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.jwt.tenant_claim = STR("org");
  ask_open(&settings);
  const char *ann = as_user("ann", ",\"roles\":[\"producer\"],\"org\":\"new\"");
  assert_wrong(ask_as(ann, "POST " TASKS, "{}"), "/type", "type is missing");
  assert_status(ask_as(ann, "POST " TASKS, "{\"type\":\"a\"}"), 201);
  const char *bob = as_user("bob", ",\"roles\":[\"worker\"],\"org\":\"newer\"");
  assert_status(ask_as(bob, "POST " TASKS "/no-id/claim", NULL), 404);
}

// Tokens tell the time of the wall, on which the world's clock has no say: some seconds are left to
// it between the two looks at it.
static void nobody_waits_for_longer_than_his_token_opens(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  struct arena arena;
  settings.api.jwt.leeway_ms = 0;
  ask_open(&settings);
  arena_init(&arena, 1024);
  struct str claims = arena_printf(&arena, "{\"sub\":\"ann\",\"roles\":[\"worker\"],\"exp\":%lld}",
                                   (long long)time(NULL) + 50);
  struct str token = token_of(&arena, STR("{\"alg\":\"HS256\"}"), claims);
  struct asked *a = ask_as(say("Authorization: Bearer %.*s", STR_FMT(token)), "POST /api/v1/claims",
                           "{\"waitMs\":60000}");
  arena_fini(&arena);
  world_pass(30000);
  assert_waits(a);
  world_pass(20000);
  assert_status(a, 200);
  assert_number(a, "count", 0);
}

static void a_token_that_is_none_is_challenged(void **state) {
  (void)state;
  struct asked *a = list_as("Authorization: Bearer a.b.c");
  assert_status(a, 401);
  assert_text(a, "code", "unauthenticated");
  assert_header(a, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
}

// --- too many ------------------------------------------------------------------------------------

static void an_address_fails_so_often_in_a_minute(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.auth_failures_max = 2;
  ask_open(&settings);
  assert_status(list_as("x-api-key: wrong"), 401);
  assert_status(list_as("x-api-key: wrong"), 401);
  struct asked *a = list_as("x-api-key: wrong");
  assert_refused(a, 429, "too_many",
                 "too many authentications from this address have failed; a valid key still works");
  assert_header(a, "Retry-After", "30");
  assert_status(list_as(AS_ADMIN), 200);
  ask_from("192.0.2.7", NULL);
  assert_status(list_as("x-api-key: wrong"), 401);
  ask_from(NULL, NULL);
  world_pass(60000);
  assert_status(list_as("x-api-key: wrong"), 401);
}

// --- a server without a key ----------------------------------------------------------------------

static void open_without_a_key(bool is_public) {
  struct world_settings settings = ask_usual();
  settings.api.admin_key = STR_NONE;
  settings.api.jwt.ways = 0;
  settings.api.is_public = is_public;
  ask_open(&settings);
}

static void without_any_key_this_machine_may_do_everything(void **state) {
  (void)state;
  open_without_a_key(false);
  static const char *const names[] = {"localhost", "LOCALHOST:8503", "127.0.0.1:80", "127.9.9.9",
                                      "[::1]:8503"};
  static const char *const others[] = {"evil.example", "localhost.evil.example",
                                       "localhost:x",  "10.0.0.1",
                                       "[::1]x",       "127.0.0.1.evil.example.com"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    ask_from(NULL, names[i]);
    assert_status(list_as(""), 200);
    assert_status(list_as(say("Origin: http://%s", names[i])), 200);
    assert_refused(list_as("Origin: http://evil.example"), 403, "forbidden",
                   "without an API key, requests from pages of another origin are refused");
  }
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    ask_from(NULL, others[i]);
    assert_refused(list_as(""), 403, "forbidden",
                   say("without an API key this server answers to localhost only, not to Host: %s",
                       others[i]));
  }
}

static void an_operator_may_open_it_to_all(void **state) {
  (void)state;
  open_without_a_key(true);
  ask_from("192.0.2.7", "tasks.example");
  assert_status(list_as(""), 200);
  assert_status(list_as("Origin: http://evil.example"), 403);
}

static void the_first_key_makes_the_others(void **state) {
  (void)state;
  open_without_a_key(false);
  static const struct refusal rows[] = {
      {"POST /api/v1/keys", "{\"name\":\"k\",\"roles\":[\"reader\"]}", "/roles",
       "the first key must be an admin: it makes the others"},
      {"POST /api/v1/keys", "{\"name\":\"k\",\"roles\":[\"admin\"],\"tenant\":\"acme\"}", "/tenant",
       "the first key must be of the tenant default: it makes those of others"},
  };
  ask_each_refused("", rows, COUNT_OF(rows), 422, "invalid_field");
  struct asked *a = ask_as("", "POST /api/v1/keys", "{\"name\":\"k\",\"roles\":[\"admin\"]}");
  assert_status(a, 201);
  const char *key = say("x-api-key: %s", text_at(a, "secret"));
  assert_refused(list_as(""), 401, "unauthenticated",
                 "send an API key as Authorization: Bearer KEY or x-api-key: KEY");
  assert_status(list_as(key), 200);
  a = ask_as(key, say("DELETE /api/v1/keys/%s", text_at(a, "key.id")), NULL);
  assert_refused(a, 409, "conflict", "this is the last admin key; make another one first");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(a_key_opens_as_bearer_or_by_its_header),
      ASK_TEST(without_a_key_nothing_opens_but_what_is_open),
      ASK_TEST(a_credential_that_is_not_one_is_not_understood),
      ASK_TEST(a_key_is_made_and_shown_once),
      ASK_TEST(what_is_wrong_with_a_key_is_told),
      ASK_TEST(a_key_opens_what_its_roles_say),
      ASK_TEST(a_key_is_rotated_with_an_overlap),
      ASK_TEST(what_is_wrong_with_a_rotation_is_told),
      ASK_TEST(the_key_of_the_settings_has_no_id),
      ASK_TEST(a_revoked_key_opens_nothing),
      ASK_TEST(nobody_waits_for_longer_than_his_key_opens),
      ASK_TEST(tenants_do_not_see_each_other),
      ASK_TEST(a_token_names_its_user_roles_and_tenant),
      ASK_TEST(a_tenant_that_a_token_names_is_made_before_all_else),
      ASK_TEST(nobody_waits_for_longer_than_his_token_opens),
      ASK_TEST(a_token_that_is_none_is_challenged),
      ASK_TEST(an_address_fails_so_often_in_a_minute),
      ASK_TEST(without_any_key_this_machine_may_do_everything),
      ASK_TEST(an_operator_may_open_it_to_all),
      ASK_TEST(the_first_key_makes_the_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
