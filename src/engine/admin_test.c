// admin_test.c: the edges of what an operator decides: which key, which name, how many, and who is
// told of what other servers made of the catalogue.
#include "base/hash.h"
#include "engine/inside.h"
#include "engine/testing.h"

static struct ask *keying(struct yard *y, const char *id, unsigned roles) {
  struct ask *a = ask_new(y, ORDER_KEY);
  a->order.in.key.key =
      (struct api_key){.id = ask_text(a, id), .name = ask_text(a, "ci"), .roles = roles};
  hash_sha256(str_of(id), a->order.in.key.key.hash);
  return a;
}

static struct ask *lasting(struct ask *key, int64_t ms) {
  key->order.in.key.lifetime_ms = ms;
  return key;
}

static struct ask *revoking(struct yard *y, const char *id) {
  struct ask *a = ask_new(y, ORDER_REVOKE);
  a->order.in.key.key.id = ask_text(a, id);
  return a;
}

static struct ask *rotating(struct yard *y, const char *old, const char *fresh) {
  struct ask *a = ask_new(y, ORDER_ROTATE);
  a->order.in.key.old.id = ask_text(a, old);
  a->order.in.key.key.id = ask_text(a, fresh);
  hash_sha256(str_of(fresh), a->order.in.key.key.hash);
  return a;
}

// --- which key -----------------------------------------------------------------------------------

static void assert_refused(struct ask *a, enum err err, const char *says) {
  assert_int_equal(ask(a), err);
  if (!strstr(a->order.fault.detail, says)) fail_msg("%s", a->order.fault.detail);
}

// It would stand in the log and in the answer.
static void a_secret_that_is_sent_for_an_id_is_not_said_again(void **state) {
  struct yard *y = *state;
  struct ask *whole = revoking(y, "tk_abc_0123456789");
  assert_refused(whole, ERR_NOT_FOUND, "the characters between tk_ and the next _");
  assert_null(strstr(whole->order.fault.detail, "0123456789"));
}

static void what_cannot_be_an_id_is_not_said_again(void **state) {
  struct yard *y = *state;
  char name[LIMIT_NAME_BYTES + 2];
  memset(name, 'k', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  struct ask *over = revoking(y, name), *within = revoking(y, name + 1);
  assert_refused(over, ERR_NOT_FOUND, "there is no key here");
  assert_refused(within, ERR_NOT_FOUND, "there is no key kkkk");
  assert_refused(revoking(y, "k\x7f"), ERR_NOT_FOUND, "there is no key here");
  assert_refused(revoking(y, "k k"), ERR_NOT_FOUND, "there is no key here");
}

// Such an id makes no actor's name, so nobody can wait by it.
static void a_key_with_the_longest_id_is_revoked_like_any_other(void **state) {
  struct yard *y = *state;
  char id[LIMIT_NAME_BYTES + 1];
  memset(id, 'k', sizeof id - 1);
  id[sizeof id - 1] = '\0';
  struct ask *waits = parked(y, "t", 60000);
  assert_int_equal(ask(keying(y, id, ROLE_WORKER)), ERR_OK);
  struct ask *revoke = revoking(y, id);
  assert_int_equal(ask(revoke), ERR_OK);
  assert_int_equal(revoke->order.in.key.key.revoked_at, y->now);
  assert_waits(waits);
}

static void an_expired_key_is_not_rotated(void **state) {
  struct yard *y = *state;
  ask(lasting(keying(y, "k1", ROLE_WORKER), 10));
  y->now += 10;
  assert_refused(rotating(y, "k1", "k2"), ERR_CONFLICT, "the key has expired");
}

static void an_end_that_is_named_is_the_successor_s(void **state) {
  struct yard *y = *state;
  ask(lasting(keying(y, "k1", ROLE_WORKER), 100));
  struct ask *rotate = rotating(y, "k1", "k2");
  rotate->order.in.key.key.expires_at = y->now + 700;
  assert_int_equal(ask(rotate), ERR_OK);
  assert_int_equal(rotate->order.in.key.key.expires_at, y->now + 700);
}

// --- the last one --------------------------------------------------------------------------------

static void an_admin_that_opens_for_some_time_still_is_one(void **state) {
  struct yard *y = *state;
  ask(lasting(keying(y, "k1", ROLE_ADMIN), 1000));
  assert_refused(revoking(y, "k1"), ERR_CONFLICT, "the last admin key");
  struct ask *anyway = revoking(y, "k1");
  anyway->order.in.key.last_too = true;
  assert_int_equal(ask(anyway), ERR_OK);
}

// Each of them sees the other one open.
static void two_requests_at_once_revoke_one_admin_and_the_other_later(void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", ROLE_ADMIN)), ask(keying(y, "k2", ROLE_ADMIN));
  ask(keying(y, "k3", ROLE_ADMIN));
  struct ask *first = revoking(y, "k1"), *second = revoking(y, "k2");
  submit(first), submit(second);
  turn(y);
  assert_int_equal(first->err, ERR_OK);
  assert_int_equal(second->err, ERR_CONFLICT);
  assert_int_equal(ask(revoking(y, "k2")), ERR_OK);
  assert_int_equal(ask(revoking(y, "k3")), ERR_CONFLICT);
}

static struct ask *of_acme(struct ask *key) {
  key->order.in.key.tenant_name = ask_text(key, "acme");
  return key;
}

static void neither_a_worker_s_key_nor_another_tenant_s_makes_up_for_the_last_admin(void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", ROLE_ADMIN)), ask(keying(y, "k2", ROLE_WORKER));
  ask(of_acme(keying(y, "k3", ROLE_ADMIN)));
  assert_refused(revoking(y, "k1"), ERR_CONFLICT, "the last admin key");
}

static void what_a_unit_has_made_of_a_key_or_a_queue_is_its_tenant_s_own(void **state) {
  struct yard *y = *state;
  struct ask *key = of_acme(keying(y, "k1", ROLE_WORKER)), *foreign = revoking(y, "k1");
  struct ask *mine = pausing(y, "q", true), *theirs = pausing(y, "q", true);
  theirs->order.tenant = theirs->order.in.queue.tenant = 2;
  submit(key), submit(foreign), submit(mine), submit(theirs);
  turn(y);
  assert_int_equal(foreign->err, ERR_NOT_FOUND);
  assert_true(engine_queue_paused(y->e, 1, STR("q")));
  assert_true(engine_queue_paused(y->e, 2, STR("q")));
  struct ask *open = pausing(y, "q", false);
  assert_int_equal(ask(open), ERR_OK);
  assert_true(engine_queue_paused(y->e, 2, STR("q")));
}

// --- how many ------------------------------------------------------------------------------------

static const int64_t DAY_MS = 24LL * 3600 * 1000;

static bool has_key(struct yard *y, const char *id) {
  for (size_t i = 0; i < y->store.key_count; i++)
    if (str_eq(y->store.keys[i].id, str_of(id))) return true;
  return false;
}

// By the first of its ends: it may have been revoked, expired, or both in any order.
static void the_key_that_died_first_makes_room_first(void **state) {
  struct yard *y = *state;
  char id[16];
  ask(lasting(keying(y, "late", ROLE_WORKER), 40));
  ask(lasting(keying(y, "expired", ROLE_WORKER), 10));
  ask(lasting(keying(y, "revoked", ROLE_WORKER), 30));
  y->now += 20;
  ask(revoking(y, "expired")), ask(revoking(y, "revoked"));
  for (int i = 3; i < LIMIT_KEYS; i++) {
    snprintf(id, sizeof id, "k%d", i);
    submit(keying(y, id, ROLE_WORKER));
  }
  while (y->store.key_count < LIMIT_KEYS) turn(y);
  y->now += 30 * DAY_MS + 20;
  static const char *const GO[] = {"expired", "revoked", "late"};
  for (size_t i = 0; i < 3; i++) {
    snprintf(id, sizeof id, "new%zu", i);
    assert_true(has_key(y, GO[i]));
    assert_int_equal(ask(keying(y, id, ROLE_WORKER)), ERR_OK);
    assert_false(has_key(y, GO[i]));
  }
  assert_int_equal(ask(keying(y, "one more", ROLE_WORKER)), ERR_TOO_MANY);
}

static struct ask *typing(struct yard *y, const char *name) {
  struct ask *a = ask_new(y, ORDER_TYPE);
  a->order.in.type =
      (struct type){.tenant = 1, .name = ask_text(a, name), .priority = ABSENT, .timeout_ms = -1};
  return a;
}

static void made_up_names_of_types_are_kept_up_to_a_limit(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 1 << 20);
  struct catalog all = {.version = 1, .type_count = LIMIT_CHANNELS};
  all.types = ARENA_ARRAY(&a, struct type, LIMIT_CHANNELS);
  for (int i = 0; i < LIMIT_CHANNELS; i++)
    all.types[i] = (struct type){
        .tenant = 1, .name = arena_printf(&a, "t%d", i), .priority = ABSENT, .timeout_ms = -1};
  catalog_learn(y->e, &all);
  arena_fini(&a);
  assert_refused(typing(y, "one more"), ERR_TOO_MANY, "settings of 10000 types");
  assert_int_equal(ask(typing(y, "t7")), ERR_OK);
}

static int64_t priority_of(struct yard *y, int64_t tenant, const char *name) {
  struct arena a;
  struct type type = {.priority = ABSENT};
  arena_init(&a, 4096);
  engine_type(y->e, tenant, str_of(name), &a, &type);
  arena_fini(&a);
  return type.priority;
}

static struct type named(int64_t tenant, const char *name, int64_t priority) {
  return (struct type){
      .tenant = tenant, .name = str_of(name), .priority = priority, .timeout_ms = -1};
}

// Those that the store brings, and those that come later in between, before and behind them.
static void a_type_is_found_in_whatever_order_they_came(void **state) {
  struct yard *y = *state;
  struct type types[] = {named(2, "m", 1), named(1, "z", 2), named(1, "mm", 3), named(1, "m", 4)};
  struct catalog all = {.version = 1, .types = types, .type_count = 4};
  static const char *const later[] = {"mz", "a", "zz", "mma", "mm"};
  catalog_learn(y->e, &all);
  for (int i = 0; i < 5; i++) {
    struct ask *a = typing(y, later[i]);
    a->order.in.type.priority = 10 + i;
    assert_int_equal(ask(a), ERR_OK);
  }
  for (int i = 0; i < 5; i++) assert_int_equal(priority_of(y, 1, later[i]), 10 + i);
  assert_int_equal(priority_of(y, 2, "m"), 1);
  assert_int_equal(priority_of(y, 1, "z"), 2);
  assert_int_equal(priority_of(y, 1, "m"), 4);
  assert_int_equal(priority_of(y, 1, "n"), ABSENT);
  assert_int_equal(priority_of(y, 2, "mm"), ABSENT);
}

// --- as other servers have it --------------------------------------------------------------------

// As it is after a backup was restored there.
static void a_queue_that_the_store_has_no_word_of_any_more_is_open(void **state) {
  struct yard *y = *state;
  ask(pausing(y, "other", true)), ask(pausing(y, "default", true));
  struct id id = made(y, "t");
  struct ask *a = parked(y, "t", 60000);
  struct queue others[] = {{.tenant = 2, .name = STR("default"), .paused = true},
                           {.tenant = 1, .name = STR("other"), .paused = true}};
  const struct catalog all = {.version = 100, .queues = others, .queue_count = 2};
  catalog_learn(y->e, &all);
  assert_false(engine_queue_paused(y->e, 1, STR("default")));
  assert_true(engine_queue_paused(y->e, 1, STR("other")));
  turn(y);
  assert_got(a, id);
}

static void a_tenant_has_its_name_whatever_its_number_is(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  struct tenant tenants[] = {{.number = 1, .name = STR("default")},
                             {.number = 7, .name = STR("seven")},
                             {.number = 3, .name = STR("three")}};
  const struct catalog all = {.version = 100, .tenants = tenants, .tenant_count = 3};
  catalog_learn(y->e, &all);
  assert_text(engine_tenant_name(y->e, 1, &a), "default");
  assert_text(engine_tenant_name(y->e, 3, &a), "three");
  assert_text(engine_tenant_name(y->e, 7, &a), "seven");
  assert_text(engine_tenant_name(y->e, 2, &a), "default");  // of one that it has not heard of yet
  assert_int_equal(catalog_tenant_next(y->e), 8);
  arena_fini(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_secret_that_is_sent_for_an_id_is_not_said_again),
      YARD_TEST(what_cannot_be_an_id_is_not_said_again),
      YARD_TEST(a_key_with_the_longest_id_is_revoked_like_any_other),
      YARD_TEST(an_expired_key_is_not_rotated),
      YARD_TEST(an_end_that_is_named_is_the_successor_s),
      YARD_TEST(an_admin_that_opens_for_some_time_still_is_one),
      YARD_TEST(two_requests_at_once_revoke_one_admin_and_the_other_later),
      YARD_TEST(the_key_that_died_first_makes_room_first),
      YARD_TEST(made_up_names_of_types_are_kept_up_to_a_limit),
      YARD_TEST(a_type_is_found_in_whatever_order_they_came),
      YARD_TEST(a_queue_that_the_store_has_no_word_of_any_more_is_open),
      YARD_TEST(a_tenant_has_its_name_whatever_its_number_is),
      YARD_TEST(neither_a_worker_s_key_nor_another_tenant_s_makes_up_for_the_last_admin),
      YARD_TEST(what_a_unit_has_made_of_a_key_or_a_queue_is_its_tenant_s_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
