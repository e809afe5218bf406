// catalog_test.c: queues, types, keys and tenants: what an operator sets, and what is kept of it.
#include "engine/testing.h"

#include "base/hash.h"
#include "engine/testing_keys.h"

static enum key_state state_of(struct yard *y, const char *id, struct principal *who,
                               struct arena *a) {
  uint8_t hash[SHA256_BYTES];
  hash_sha256(str_of(id), hash);
  enum key_state state;
  bool good = engine_key_check(y->e, str_of(id), hash, a, who, &state);
  assert_int_equal(good, state == KEY_GOOD);
  return state;
}

static bool opens(struct yard *y, const char *id, struct principal *who, struct arena *a) {
  return state_of(y, id, who, a) == KEY_GOOD;
}

static struct ask *rotating(struct yard *y, const char *old, const char *fresh,
                            int64_t overlap_ms) {
  struct ask *a = ask_new(y, ORDER_ROTATE);
  a->order.in.key.old.id = ask_text(a, old);
  a->order.in.key.key.id = ask_text(a, fresh);
  a->order.in.key.overlap_ms = overlap_ms;
  hash_sha256(str_of(fresh), a->order.in.key.key.hash);
  return a;
}

static void a_key_opens_from_its_commit_until_it_is_revoked(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  struct principal who;
  assert_false(engine_has_keys(y->e));
  assert_int_equal(ask(keying(y, "k1", NULL)), ERR_OK);
  assert_true(engine_has_keys(y->e));
  assert_true(opens(y, "k1", &who, &a));
  assert_int_equal(who.tenant, 1);
  assert_int_equal(who.roles, ROLE_WORKER);
  assert_text(who.tenant_name, "default");
  assert_text(who.actor, "key:k1");
  uint8_t wrong[SHA256_BYTES] = {1};
  enum key_state found;
  assert_false(engine_key_check(y->e, STR("k1"), wrong, &a, &who, &found));
  assert_int_equal(found, KEY_UNKNOWN);
  y->now += 5;
  struct ask *revoke = revoking(y, "k1");
  assert_int_equal(ask(revoke), ERR_OK);
  assert_int_equal(revoke->order.in.key.key.revoked_at, y->now);
  assert_false(opens(y, "k1", &who, &a));
  assert_true(engine_has_keys(y->e));  // a server with keys stays closed
  assert_int_equal(last_event(y), EVENT_KEY_REVOKED);
  size_t events = y->store.event_count;
  assert_int_equal(ask(revoking(y, "k1")), ERR_OK);  // again: nothing more happens
  assert_int_equal(y->store.event_count, events);
  assert_int_equal(ask(revoking(y, "k2")), ERR_NOT_FOUND);
  arena_fini(&a);
}

static void a_key_opens_until_its_end(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  struct principal who;
  struct ask *by_end = keying(y, "k1", NULL), *by_length = keying(y, "k2", NULL);
  by_end->order.in.key.key.expires_at = y->now + 10;
  by_end->order.in.key.key.service = ask_text(by_end, "mail");
  by_length->order.in.key.lifetime_ms = 20;
  ask(by_end), ask(by_length);
  assert_int_equal(by_length->order.in.key.key.expires_at, y->now + 20);
  assert_true(opens(y, "k1", &who, &a));
  assert_text(who.service, "mail");
  y->now += 9;
  assert_true(opens(y, "k1", &who, &a));
  y->now += 1;
  assert_int_equal(state_of(y, "k1", &who, &a), KEY_EXPIRED);
  assert_true(opens(y, "k2", &who, &a));
  assert_text(who.service, NULL);
  uint8_t wrong[SHA256_BYTES] = {1};
  enum key_state found;
  assert_false(engine_key_check(y->e, STR("k1"), wrong, &a, &who, &found));
  assert_int_equal(found, KEY_UNKNOWN);
  ask(revoking(y, "k1"));
  assert_int_equal(state_of(y, "k1", &who, &a), KEY_REVOKED);
  arena_fini(&a);
}

static void a_key_that_would_never_open_is_refused(void **state) {
  struct yard *y = *state;
  struct ask *a = keying(y, "k1", "acme");
  a->order.in.key.key.expires_at = y->now;
  assert_int_equal(ask(a), ERR_INVALID);
  assert_string_equal(a->order.fault.fields[0].pointer, "/expiresAt");
  assert_int_equal(y->store.key_count, 0);
  assert_int_equal(y->store.tenant_count, 1);
  assert_int_equal(y->store.event_count, 0);
}

static void of_a_rotated_key_both_open_during_the_overlap(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  struct principal who;
  struct ask *first = keying(y, "k1", "acme");
  first->order.in.key.key.service = ask_text(first, "mail");
  ask(first);
  struct ask *rotate = rotating(y, "k1", "k2", 50);
  rotate->order.tenant = 2;
  assert_int_equal(ask(rotate), ERR_OK);
  struct api_key *keys;
  assert_int_equal(engine_keys(y->e, 2, &a, &keys), 2);
  assert_int_equal(keys[0].expires_at, y->now + 50);
  assert_text(keys[0].replaced_by, "k2");
  assert_text(keys[1].name, "ci");
  assert_int_equal(keys[1].expires_at, 0);
  assert_int_equal(last_event(y), EVENT_KEY_ROTATED);
  assert_true(opens(y, "k1", &who, &a));
  assert_true(opens(y, "k2", &who, &a));
  assert_int_equal(who.tenant, 2);
  assert_int_equal(who.roles, ROLE_WORKER);
  assert_text(who.service, "mail");
  y->now += 50;
  assert_int_equal(state_of(y, "k1", &who, &a), KEY_EXPIRED);
  assert_true(opens(y, "k2", &who, &a));
  arena_fini(&a);
}

static void a_rotation_does_not_prolong_a_life(void **state) {
  struct yard *y = *state;
  struct ask *first = keying(y, "k1", NULL);
  first->order.in.key.lifetime_ms = 100;
  ask(first);
  y->now += 90;
  struct ask *second = rotating(y, "k1", "k2", 1000), *third = rotating(y, "k2", "k3", 0);
  assert_int_equal(ask(second), ERR_OK);
  assert_int_equal(second->order.in.key.old.expires_at, y->now + 10);
  assert_int_equal(second->order.in.key.key.expires_at, y->now + 100);
  third->order.in.key.lifetime_ms = 500;  // unless someone says so
  assert_int_equal(ask(third), ERR_OK);
  assert_int_equal(third->order.in.key.old.expires_at, y->now);
  assert_int_equal(third->order.in.key.key.expires_at, y->now + 500);
}

static void a_key_is_rotated_once_and_only_while_it_opens(void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", NULL)), ask(keying(y, "k4", NULL));
  struct ask *one = rotating(y, "k1", "k2", 50), *other = rotating(y, "k1", "k3", 50);
  submit(one), submit(other);
  turn(y);  // in one unit
  assert_int_equal(one->order.err, ERR_OK);
  assert_int_equal(other->order.err, ERR_CONFLICT);
  assert_int_equal(y->store.key_count, 3);
  y->now += 60;
  assert_int_equal(ask(rotating(y, "k1", "k3", 0)), ERR_CONFLICT);
  ask(revoking(y, "k4"));
  assert_int_equal(ask(rotating(y, "k4", "k5", 0)), ERR_CONFLICT);
  struct ask *foreign = rotating(y, "k2", "k5", 0), *absent = rotating(y, "k9", "k5", 0);
  foreign->order.tenant = 2;
  assert_int_equal(ask(foreign), ERR_NOT_FOUND);
  assert_int_equal(ask(absent), ERR_NOT_FOUND);
  assert_int_equal(y->store.key_count, 3);
}

static void who_waits_without_a_key_is_sent_back_by_the_first_one(void **state) {
  struct yard *y = *state;
  struct ask *claim = claiming(y, "t", NULL, 1, 60000), *other = parked(y, "t", 60000);
  claim->order.actor = ask_text(claim, "local");
  ask(claim);
  assert_waits(claim);
  ask(keying(y, "k1", NULL));
  assert_nothing(claim);
  assert_waits(other);
}

// It was let in before there was a key, and comes to its turn behind that.
static void who_comes_late_without_a_key_does_not_wait(void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", NULL));
  struct ask *claim = claiming(y, "t", NULL, 1, 60000);
  claim->order.actor = ask_text(claim, "local");
  ask(claim);
  assert_nothing(claim);
}

// Else it would be given a task up to a minute later.
static void who_waits_by_a_key_that_gets_an_end_is_sent_back(void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", NULL)), ask(keying(y, "k2", NULL)), ask(keying(y, "k3", NULL));
  struct ask *claims[3], *watch = watching(y, made(y, "other"), 60000);
  for (int i = 0; i < 3; i++) {
    claims[i] = claiming(y, "t", NULL, 1, 60000);
    claims[i]->order.actor = arena_printf(&claims[i]->arena, "key:k%d", i + 1);
    submit(claims[i]);
  }
  watch->order.actor = ask_text(watch, "key:k1");
  submit(watch);
  turn(y);
  ask(revoking(y, "k1"));
  assert_nothing(claims[0]);
  assert_int_equal(watch->answers, 1);
  assert_waits(claims[1]);
  ask(rotating(y, "k2", "k4", 5000));
  assert_nothing(claims[1]);
  assert_got(claims[2], made(y, "t"));
}

// It was let in before the key got an end, and comes to its turn behind that.
static void who_comes_late_by_a_key_that_got_an_end_waits_no_longer_than_it_opens(void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", NULL)), ask(keying(y, "k2", NULL));
  struct id other = made(y, "other");
  ask(revoking(y, "k1")), ask(rotating(y, "k2", "k3", 5000));
  struct ask *claim = claiming(y, "t", NULL, 1, 60000), *watch = watching(y, other, 60000);
  struct ask *rotated = claiming(y, "t", NULL, 1, 60000);
  claim->order.actor = ask_text(claim, "key:k1");
  watch->order.actor = ask_text(watch, "key:k1");
  rotated->order.actor = ask_text(rotated, "key:k2");
  submit(claim), submit(watch), submit(rotated);
  turn(y);
  assert_nothing(claim);
  assert_int_equal(watch->answers, 1);
  assert_waits(rotated);
  pass(y, 4999);
  assert_waits(rotated);
  pass(y, 1);
  assert_nothing(rotated);
}

static void the_last_admin_that_opens_is_not_revoked(void **state) {
  struct yard *y = *state;
  struct ask *lasting = keying(y, "k1", NULL), *ending = keying(y, "k2", NULL);
  lasting->order.in.key.key.roles = ending->order.in.key.key.roles = ROLE_ADMIN;
  ending->order.in.key.lifetime_ms = 10;
  ask(lasting), ask(ending);
  y->now += 10;
  assert_int_equal(ask(revoking(y, "k1")), ERR_CONFLICT);
  assert_int_equal(ask(revoking(y, "k2")), ERR_OK);  // it opens nothing any more
}

static const int64_t DAY_MS = 24LL * 3600 * 1000;

static void fill_with_keys(struct yard *y) {
  char id[16];
  for (int i = 0; i < LIMIT_KEYS; i++) {
    snprintf(id, sizeof id, "k%d", i);
    submit(keying(y, id, i % 2 ? "acme" : NULL));
  }
  while (y->store.key_count < LIMIT_KEYS) turn(y);
}

static bool has_key(struct yard *y, const char *id) {
  for (size_t i = 0; i < y->store.key_count; i++)
    if (str_eq(y->store.keys[i].id, str_of(id))) return true;
  return false;
}

static void keys_that_died_long_ago_make_room_and_no_others(void **state) {
  struct yard *y = *state;
  fill_with_keys(y);
  assert_int_equal(ask(keying(y, "one more", NULL)), ERR_TOO_MANY);
  struct ask *foreign = revoking(y, "k7");
  foreign->order.tenant = 2;
  ask(revoking(y, "k4")), ask(rotating(y, "k6", "k6b", 0));  // the latter finds no room
  y->now += 10;
  ask(foreign);
  y->now += 30 * DAY_MS - 11;
  assert_int_equal(ask(keying(y, "one more", NULL)), ERR_TOO_MANY);
  y->now += 1;
  struct ask *never = keying(y, "never", NULL);  // what is refused makes no room
  never->order.in.key.key.expires_at = y->now;
  assert_int_equal(ask(never), ERR_INVALID);
  assert_true(has_key(y, "k4"));
  assert_int_equal(ask(keying(y, "one more", NULL)), ERR_OK);
  assert_false(has_key(y, "k4"));
  assert_int_equal(y->store.key_count, LIMIT_KEYS);
  struct event *removed = &y->store.events[y->store.event_count - 2];
  assert_int_equal(removed->kind, EVENT_KEY_REMOVED);
  assert_text(removed->note, "k4");
  assert_text(removed->actor, "system");
  assert_int_equal(removed->tenant, 1);
  assert_int_equal(ask(keying(y, "two more", NULL)), ERR_TOO_MANY);
  assert_int_equal(ask(revoking(y, "k4")), ERR_NOT_FOUND);
  y->now += 10;
  assert_int_equal(ask(rotating(y, "k6", "k6b", 0)), ERR_OK);
  assert_false(has_key(y, "k7"));
  assert_int_equal(y->store.events[y->store.event_count - 3].tenant, 2);
}

static void of_several_new_keys_in_a_unit_each_gets_a_place_of_its_own(void **state) {
  struct yard *y = *state;
  fill_with_keys(y);
  ask(revoking(y, "k2")), ask(revoking(y, "k4"));
  y->now += 30 * DAY_MS;
  struct ask *asks[] = {keying(y, "a", NULL), keying(y, "b", NULL), keying(y, "c", NULL)};
  for (int i = 0; i < 3; i++) submit(asks[i]);
  turn(y);
  assert_int_equal(asks[0]->order.err, ERR_OK);
  assert_int_equal(asks[1]->order.err, ERR_OK);
  assert_int_equal(asks[2]->order.err, ERR_TOO_MANY);
  assert_false(has_key(y, "k2") || has_key(y, "k4"));
  assert_int_equal(y->store.key_count, LIMIT_KEYS);
}

static void a_key_tells_when_it_was_last_used(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  struct principal who;
  struct api_key *keys;
  ask(keying(y, "k1", NULL)), ask(keying(y, "k2", NULL));
  size_t applies = y->store.applies;
  uint8_t wrong[SHA256_BYTES] = {1};
  enum key_state found;
  assert_true(opens(y, "k1", &who, &a));
  assert_false(engine_key_check(y->e, STR("k2"), wrong, &a, &who, &found));
  assert_int_equal(engine_keys(y->e, 1, &a, &keys), 2);
  assert_int_equal(keys[0].used_at, y->now);
  assert_int_equal(keys[1].used_at, 0);
  assert_int_equal(y->store.applies, applies);  // nothing is written for it
  int64_t used = y->now;
  y->now += 50;
  ask(revoking(y, "k1"));
  assert_false(opens(y, "k1", &who, &a));
  engine_keys(y->e, 1, &a, &keys);
  assert_int_equal(keys[0].used_at, used);
  arena_fini(&a);
}

static void an_unknown_key_is_named_with_what_to_do(void **state) {
  struct yard *y = *state;
  struct ask *typo = revoking(y, "k9"), *binary = revoking(y, "k\xff\n");
  assert_int_equal(ask(typo), ERR_NOT_FOUND);
  assert_non_null(strstr(typo->order.fault.detail, "there is no key k9 here"));
  assert_non_null(strstr(typo->order.fault.detail, "taskyard key list"));
  assert_int_equal(ask(binary), ERR_NOT_FOUND);
  assert_non_null(strstr(binary->order.fault.detail, "there is no key here"));
}

static void a_tenant_is_made_by_the_first_key_that_names_it(void **state) {
  struct yard *y = *state;
  struct ask *a = keying(y, "k1", "acme"), *b = keying(y, "k2", "acme");
  struct ask *c = keying(y, "k3", "globex");
  submit(a), submit(b), submit(c);
  turn(y);
  struct arena arena;
  arena_init(&arena, 4096);
  struct principal one, two, three;
  assert_true(opens(y, "k1", &one, &arena));
  assert_true(opens(y, "k2", &two, &arena));
  assert_true(opens(y, "k3", &three, &arena));
  assert_int_equal(one.tenant, 2);
  assert_int_equal(two.tenant, 2);
  assert_int_equal(three.tenant, 3);
  assert_text(two.tenant_name, "acme");
  struct api_key *keys;
  assert_int_equal(engine_keys(y->e, 2, &arena, &keys), 2);
  assert_int_equal(engine_keys(y->e, 1, &arena, &keys), 0);
  struct ask *foreign = revoking(y, "k1");  // of tenant 2, asked for by tenant 1
  assert_int_equal(ask(foreign), ERR_NOT_FOUND);
  assert_int_equal(ask(keying(y, "k4", "acme")), ERR_OK);
  assert_true(opens(y, "k4", &one, &arena));
  assert_int_equal(one.tenant, 2);
  arena_fini(&arena);
}

static struct ask *naming(struct yard *y, const char *tenant) {
  struct ask *a = ask_new(y, ORDER_TENANT);
  a->order.in.tenant.name = ask_text(a, tenant);
  return a;
}

static void a_tenant_is_made_by_its_name_once(void **state) {
  struct yard *y = *state;
  struct ask *one = naming(y, "acme"), *two = naming(y, "acme"), *other = naming(y, "globex");
  assert_int_equal(engine_tenant(y->e, STR("acme")), 0);
  submit(one), submit(two), submit(other);
  turn(y);
  assert_int_equal(one->order.err, ERR_OK);
  assert_int_equal(one->order.in.tenant.number, 2);
  assert_int_equal(two->order.in.tenant.number, 2);
  assert_int_equal(other->order.in.tenant.number, 3);
  assert_int_equal(engine_tenant(y->e, STR("acme")), 2);
  assert_int_equal(engine_tenant(y->e, STR("default")), 1);
  assert_int_equal(y->store.event_count, 0);
  uint64_t commits = engine_stats(y->e).commits;
  assert_int_equal(ask(naming(y, "acme")), ERR_OK);
  assert_int_equal(engine_stats(y->e).commits, commits);  // there was nothing to write
}

static void tenants_are_made_up_to_a_limit(void **state) {
  struct yard *y = *state;
  char name[16];
  for (int i = 1; i < LIMIT_TENANTS; i++) {
    snprintf(name, sizeof name, "t%d", i);
    submit(naming(y, name));
  }
  turn(y);
  assert_int_equal(y->store.tenant_count, LIMIT_TENANTS);
  assert_int_equal(ask(naming(y, "one more")), ERR_TOO_MANY);
  assert_int_equal(ask(naming(y, "t1")), ERR_OK);
}

static void a_type_is_replaced_as_a_whole(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  struct type found, *all;
  for (int i = 0; i < 3; i++) {
    struct ask *type = ask_new(y, ORDER_TYPE);
    type->order.in.type = (struct type){.tenant = 1, .name = ask_text(type, "t"), .priority = i};
    if (i == 0) type->order.in.type.queue = ask_text(type, "side");
    assert_int_equal(ask(type), ERR_OK);
  }
  assert_int_equal(engine_types(y->e, 1, &a, &all), 1);
  assert_true(engine_type(y->e, 1, STR("t"), &a, &found));
  assert_int_equal(found.priority, 2);
  assert_text(found.queue, NULL);
  assert_false(engine_type(y->e, 2, STR("t"), &a, &found));
  assert_int_equal(last_event(y), EVENT_TYPE_CHANGED);
  arena_fini(&a);
}

static void pausing_what_is_paused_is_no_event(void **state) {
  struct yard *y = *state;
  ask(pausing(y, "q", true));
  assert_int_equal(last_event(y), EVENT_QUEUE_PAUSED);
  ask(pausing(y, "q", true));
  assert_int_equal(y->store.event_count, 1);
  ask(pausing(y, "q", false));
  assert_int_equal(last_event(y), EVENT_QUEUE_RESUMED);
  ask(pausing(y, "never seen", false));
  assert_int_equal(y->store.event_count, 2);
}

static void made_up_names_of_queues_are_kept_up_to_a_limit(void **state) {
  struct yard *y = *state;
  char name[16];
  for (int i = 0; i < LIMIT_CHANNELS; i++) {
    snprintf(name, sizeof name, "q%d", i);
    submit(pausing(y, name, true));
  }
  turn(y);
  assert_int_equal(y->store.queue_count, LIMIT_CHANNELS);
  assert_int_equal(ask(pausing(y, "one more", true)), ERR_TOO_MANY);
  assert_int_equal(ask(pausing(y, "q0", false)), ERR_OK);
  assert_int_equal(ask(pausing(y, "q0", true)), ERR_OK);
}

static void the_catalog_survives_a_restart(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  ask(pausing(y, "q", true));
  ask(keying(y, "k1", "acme"));
  engine_close(y->e);
  yard_open_engine(y);
  struct principal who;
  assert_true(engine_queue_paused(y->e, 1, STR("q")));
  assert_false(engine_queue_paused(y->e, 2, STR("q")));
  assert_true(opens(y, "k1", &who, &a));
  assert_text(engine_tenant_name(y->e, who.tenant, &a), "acme");
  struct queue *queues;
  assert_int_equal(engine_queues(y->e, 1, &a, &queues), 1);
  arena_fini(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_key_opens_from_its_commit_until_it_is_revoked),
      YARD_TEST(a_key_opens_until_its_end),
      YARD_TEST(a_key_that_would_never_open_is_refused),
      YARD_TEST(of_a_rotated_key_both_open_during_the_overlap),
      YARD_TEST(a_rotation_does_not_prolong_a_life),
      YARD_TEST(a_key_is_rotated_once_and_only_while_it_opens),
      YARD_TEST(who_waits_without_a_key_is_sent_back_by_the_first_one),
      YARD_TEST(who_comes_late_without_a_key_does_not_wait),
      YARD_TEST(who_waits_by_a_key_that_gets_an_end_is_sent_back),
      YARD_TEST(who_comes_late_by_a_key_that_got_an_end_waits_no_longer_than_it_opens),
      YARD_TEST(the_last_admin_that_opens_is_not_revoked),
      YARD_TEST(keys_that_died_long_ago_make_room_and_no_others),
      YARD_TEST(of_several_new_keys_in_a_unit_each_gets_a_place_of_its_own),
      YARD_TEST(a_key_tells_when_it_was_last_used),
      YARD_TEST(an_unknown_key_is_named_with_what_to_do),
      YARD_TEST(a_tenant_is_made_by_the_first_key_that_names_it),
      YARD_TEST(a_tenant_is_made_by_its_name_once),
      YARD_TEST(tenants_are_made_up_to_a_limit),
      YARD_TEST(a_type_is_replaced_as_a_whole),
      YARD_TEST(pausing_what_is_paused_is_no_event),
      YARD_TEST(made_up_names_of_queues_are_kept_up_to_a_limit),
      YARD_TEST(the_catalog_survives_a_restart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
