// jwt_test.c: what a token must be to say who asks: by sentence, by damage, and while keys change.
#include "api/jwt.h"

#include "api/jwt_testing.h"
#include "base/rand.h"
#include "model/limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW = 1700000000, ALL = (1 << SIGN_WAYS) - 1 };

static struct arena arena;
static struct jwt jwt;
static struct jwt_who who;
static struct fault why;
static int wanted;

static void count_wanted(void *self) { ++*(int *)self; }

static struct jwt_settings settings(void) {
  return (struct jwt_settings){.ways = ALL,
                               .secret = STR(SECRET),
                               .tenant_claim = STR("tenant"),
                               .leeway_ms = 30000,
                               .roles = ROLE_READER,
                               .keys_wanted = count_wanted,
                               .self = &wanted};
}

static void with(struct jwt_settings fresh) {
  jwt_fini(&jwt);
  jwt_init(&jwt, &fresh);
}

static int start(void **state) {
  (void)state;
  arena_init(&arena, 64 * 1024);
  struct jwt_settings fresh = settings();
  jwt_init(&jwt, &fresh);
  why = (struct fault){0};
  wanted = 0;
  return 0;
}

static int stop(void **state) {
  (void)state;
  jwt_fini(&jwt);
  arena_fini(&arena);
  return 0;
}

static enum err check(struct str token) {
  why = (struct fault){0};
  return jwt_check(&jwt, token, NOW, &arena, &who, &why);
}

static void take(struct str jwks) {
  size_t count = 0;
  assert_int_equal(jwt_take_jwks(&jwt, jwks, &count, &why), ERR_OK);
  assert_true(count > 0);
}

static struct str claiming(const char *claims) {
  return token_of(&arena, STR("{\"alg\":\"HS256\"}"), str_of(claims));
}

#define GOOD "\"sub\":\"ann\",\"exp\":1700000300"

static void assert_good(const char *claims) {
  if (check(claiming(claims)) != ERR_OK) fail_msg("%s: %s", claims, why.detail);
}

static void assert_refused(struct str token, const char *sentence) {
  if (check(token) != ERR_UNAUTHENTICATED) fail_msg("taken, but: %s", sentence);
  if (strstr(why.detail, sentence) == NULL) fail_msg("%s, not: %s", why.detail, sentence);
}

static void refuse_claims(const char *claims, const char *sentence) {
  assert_refused(claiming(claims), sentence);
}

static void refuse_header(const char *header, const char *sentence) {
  assert_refused(token_of(&arena, str_of(header), STR("{" GOOD "}")), sentence);
}

static void a_token_of_each_way_names_its_subject(void **state) {
  (void)state;
  take(JWKS(RS_JWK("r") "," ES_JWK("e") "," ED_JWK("o")));
  struct str tokens[] = {STR(RS_TOKEN), STR(ES_TOKEN), STR(ED_TOKEN), claiming("{" GOOD "}")};
  for (size_t i = 0; i < 4; i++) {
    who = (struct jwt_who){0};
    assert_int_equal(check(tokens[i]), ERR_OK);
    assert_true(str_eq(who.subject, STR("ann")));
    assert_true(str_eq(who.tenant, STR("default")));
    assert_int_equal(who.roles, ROLE_READER);
  }
  assert_int_equal(wanted, 0);
}

static void a_way_that_is_not_configured_is_refused(void **state) {
  (void)state;
  struct jwt_settings fresh = settings();
  fresh.ways = ALL & ~(1u << SIGN_ES256);
  with(fresh);
  take(JWKS(RS_JWK("r") "," ES_JWK("e")));
  assert_refused(STR(ES_TOKEN), "algorithm is none that this server takes");
  assert_int_equal(check(STR(RS_TOKEN)), ERR_OK);
  refuse_header("{\"alg\":\"none\"}", "algorithm is none that this server takes");
  refuse_header("{\"alg\":\"HS512\"}", "algorithm is none that this server takes");
}

static void headers_say_what_is_wrong_with_them(void **state) {
  (void)state;
  refuse_header("", "its header is not JSON");
  refuse_header("{}", "its header must have alg");
  refuse_header("{\"alg\":null}", "its header must have alg");
  refuse_header("[\"HS256\"]", "its header must be an object");
  refuse_header("{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "none of them twice");
  refuse_header("{\"alg\":\"HS256\",\"\\u0061lg\":1}", "none of them twice");
  refuse_header("{\"alg\":\"HS256\",\"crit\":[]}", "has crit");
  refuse_header("{\"alg\":\"HS256\",\"typ\":\"JWE\"}", "its typ must be JWT");
  refuse_header("{\"alg\":\"HS256\",\"kid\":7}", "its kid must be a string");
  assert_refused(STR("a.b"), "three parts");
  assert_refused(STR("a.b.c.d"), "three parts");
  assert_refused(STR("aaaa.bbbb.c"), "its signature is not base64url");
  assert_refused(STR("a=.bbbb.cccc"), "its header is not base64url");
  assert_refused(STR(""), "three parts");
}

static struct str long_token(size_t header_bytes, size_t claims_bytes) {
  struct buf text;
  buf_init(&text, 1 << 20);
  for (size_t i = 0; i < header_bytes; i++) buf_char(&text, 'A');
  buf_char(&text, '.');
  for (size_t i = 0; i < claims_bytes; i++) buf_char(&text, 'A');
  BUF_LIT(&text, ".AAAA");
  struct str token = arena_dup(&arena, buf_str(&text));
  buf_fini(&text);
  return token;
}

static void a_token_has_a_largest_size(void **state) {
  (void)state;
  assert_refused(long_token(4, LIMIT_JWT_BYTES), "over 16384 bytes");
  assert_refused(long_token(LIMIT_JWT_HEADER_BYTES + 4, 4), "header is over 4096 bytes");
  assert_refused(long_token(LIMIT_JWT_HEADER_BYTES, 4), "its header is not JSON");
}

static void times_are_held_against_the_clock_with_leeway(void **state) {
  (void)state;
  assert_good("{\"sub\":\"a\",\"exp\":1699999971}");
  refuse_claims("{\"sub\":\"a\",\"exp\":1699999970}", "has expired");
  assert_good("{" GOOD ",\"nbf\":1700000030,\"iat\":1700000030}");
  assert_int_equal(who.expires_at, 1700000330000);
  assert_good("{\"sub\":\"a\",\"exp\":1700000000.25}");
  assert_int_equal(who.expires_at, 1700000030250);
  refuse_claims("{" GOOD ",\"nbf\":1700000031}", "not valid yet");
  refuse_claims("{" GOOD ",\"iat\":1700000031}", "issued in the future");
  assert_good("{\"sub\":\"a\",\"exp\":1.7000003e9,\"nbf\":0}");
  refuse_claims("{\"sub\":\"a\"}", "it must have exp");
  refuse_claims("{\"sub\":\"a\",\"exp\":null}", "its exp must be seconds");
  refuse_claims("{\"sub\":\"a\",\"exp\":1700000300000}", "its exp must be seconds");
  refuse_claims("{" GOOD ",\"nbf\":\"1\"}", "its nbf must be seconds");
  refuse_claims("{" GOOD ",\"iat\":-1}", "its iat must be seconds");
  refuse_claims("{" GOOD ",\"exp\":1}", "none of them twice");
}

static void issuer_and_audience_are_checked_where_they_are_set(void **state) {
  (void)state;
  assert_good("{" GOOD ",\"iss\":\"anyone\"}");
  refuse_claims("{" GOOD ",\"iss\":7}", "its iss must be a string");
  refuse_claims("{" GOOD ",\"aud\":\"yard\"}", "jwt_audience sets it");
  struct jwt_settings fresh = settings();
  fresh.issuer = STR("us");
  fresh.audience = STR("yard");
  with(fresh);
  assert_good("{" GOOD ",\"iss\":\"us\",\"aud\":\"yard\"}");
  assert_good("{" GOOD ",\"iss\":\"us\",\"aud\":[\"a\",\"yard\"]}");
  refuse_claims("{" GOOD ",\"aud\":\"yard\"}", "another issuer");
  refuse_claims("{" GOOD ",\"iss\":\"us\"}", "another audience");
  refuse_claims("{" GOOD ",\"iss\":\"us\",\"aud\":[]}", "another audience");
  refuse_claims("{" GOOD ",\"iss\":\"us\",\"aud\":null}", "its aud must be");
  refuse_claims("{" GOOD ",\"iss\":\"us\",\"aud\":[\"yard\",null]}", "its aud must be");
}

static void assert_roles(const char *claim, unsigned roles) {
  assert_good(arena_printf(&arena, "{" GOOD ",\"roles\":%s}", claim).at);
  assert_int_equal(who.roles, roles);
}

static void roles_are_words_in_a_text_or_an_array(void **state) {
  (void)state;
  assert_roles("[\"admin\",\"king\"]", ROLE_ADMIN);
  assert_roles("\" worker  producer\"", ROLE_WORKER | ROLE_PRODUCER);
  assert_roles("\"\"", ROLE_READER);
  assert_roles("[]", ROLE_READER);
  assert_roles("[\"ADMIN\",\"admin \"]", ROLE_READER);
  refuse_claims("{" GOOD ",\"roles\":[[\"admin\"]]}", "its roles must be strings");
  refuse_claims("{" GOOD ",\"roles\":null}", "its roles must be");
}

static void subject_and_tenant_are_bounded_and_clean(void **state) {
  (void)state;
  assert_good("{" GOOD ",\"tenant\":\"acme\"}");
  assert_true(str_eq(who.tenant, STR("acme")));
  refuse_claims("{" GOOD ",\"tenant\":\"a b\"}", "its tenant must be");
  refuse_claims("{" GOOD ",\"tenant\":null}", "its tenant must be");
  refuse_claims("{\"exp\":1700000300}", "it must have sub");
  refuse_claims("{\"exp\":1700000300,\"sub\":\"\"}", "it must have sub");
  refuse_claims("{\"exp\":1700000300,\"sub\":\"a\\u0000\"}", "it must have sub");
  refuse_claims("{\"exp\":1700000300,\"sub\":\"a\\u009f\"}", "it must have sub");
  assert_good("{\"exp\":1700000300,\"sub\":\"\\u00a0\"}");
  struct jwt_settings fresh = settings();
  fresh.tenant_claim = STR_NONE;
  with(fresh);
  assert_good("{" GOOD ",\"tenant\":\"acme\"}");
  assert_true(str_eq(who.tenant, STR("default")));
}

static void an_unknown_key_is_asked_for_and_no_other_fault_is(void **state) {
  (void)state;
  assert_refused(STR(ES_TOKEN), "key is not known");
  assert_int_equal(wanted, 1);
  take(JWKS(ES_JWK("another")));
  assert_refused(STR(ES_TOKEN), "key is not known");
  assert_int_equal(wanted, 2);
  take(JWKS(ES_JWK("e")));
  assert_int_equal(check(STR(ES_TOKEN)), ERR_OK);
  refuse_claims("{\"sub\":\"a\",\"exp\":1}", "has expired");
  assert_refused(STR("a.b.c"), "malformed");
  assert_int_equal(wanted, 2);
}

static void a_broken_jwks_leaves_the_keys_that_are_there(void **state) {
  (void)state;
  size_t count = 77;
  take(JWKS(ES_JWK("e")));
  assert_int_equal(jwt_take_jwks(&jwt, STR("{"), &count, &why), ERR_INVALID);
  assert_int_equal(jwt_take_jwks(&jwt, STR("{\"keys\":[]}"), &count, &why), ERR_INVALID);
  assert_int_equal(count, 77);
  assert_int_equal(check(STR(ES_TOKEN)), ERR_OK);
  take(JWKS(ED_JWK("o")));
  take(JWKS(RS_JWK("r")));  // before anyone looked at the one before
  assert_int_equal(check(STR(RS_TOKEN)), ERR_OK);
  assert_int_equal(check(claiming("{" GOOD "}")), ERR_OK);  // the secret stays
  assert_refused(STR(ES_TOKEN), "key is not known");
}

static void what_was_proven_holds_for_its_keys_only(void **state) {
  (void)state;
  take(JWKS(ES_JWK("e")));
  for (int i = 0; i < 3; i++) assert_int_equal(check(STR(ES_TOKEN)), ERR_OK);
  char *changed = arena_cstr(&arena, STR(ES_TOKEN));
  size_t len = strlen(changed), signature = len - 86;
  for (size_t at = signature; at < len; at++) {
    char old = changed[at];
    changed[at] = old == 'A' ? 'Q' : 'A';
    assert_int_equal(check((struct str){changed, len}), ERR_UNAUTHENTICATED);
    changed[at] = old;
  }
  assert_int_equal(jwt_check(&jwt, STR(ES_TOKEN), 2000000030, &arena, &who, &why),
                   ERR_UNAUTHENTICATED);
  assert_non_null(strstr(why.detail, "has expired"));
  take(
      JWKS("{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
           "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
           "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"));
  assert_refused(STR(ES_TOKEN), "signature is not that of its key");
  take(JWKS(ES_JWK("e")));
  assert_int_equal(check(STR(ES_TOKEN)), ERR_OK);
}

// Well signed, so that the reader of claims meets it.
static void damage_never_disturbs_the_check(void **state) {
  (void)state;
  static const char WHOLE[] = "{" GOOD
                              ",\"iss\":\"a\",\"aud\":[\"b\"],\"roles\":[\"admin\"],"
                              "\"tenant\":\"acme\",\"nbf\":0,\"iat\":1,\"x\":{\"y\":[1,null]}}";
  static const char PIECES[] = "\"{}[],:\\u0019enrtfals\x00\xff\xc3 ";
  struct jwt_settings fresh = settings();
  fresh.audience = STR("b");
  with(fresh);
  for (int round = 0; round < 20000; round++) {
    char text[sizeof WHOLE];
    size_t len = round % 3 ? sizeof WHOLE - 1 : (size_t)rand_below(sizeof WHOLE - 1);
    memcpy(text, WHOLE, sizeof WHOLE);
    for (int64_t n = rand_below(3); n >= 0; n--)
      text[rand_below(sizeof WHOLE - 1)] = PIECES[rand_below(sizeof PIECES - 1)];
    struct str damaged = {text, len};
    enum err as_claims = check(token_of(&arena, STR("{\"alg\":\"HS256\"}"), damaged));
    assert_true(as_claims == ERR_OK || as_claims == ERR_UNAUTHENTICATED);
    assert_int_equal(check(token_of(&arena, damaged, STR("{" GOOD "}"))), ERR_UNAUTHENTICATED);
    arena_reset(&arena);
  }
}

static void a_token_stands_while_its_key_is_there(void **state) {
  (void)state;
  struct arena scratch;
  arena_init(&scratch, 4096);
  take(JWKS(ES_JWK("e") "," ED_JWK("o")));
  assert_int_equal(check(STR(ES_TOKEN)), ERR_OK);
  uint64_t serial = jwt.serial, of_secret = jwt.serial;
  struct str by_secret = claiming("{" GOOD "}");
  assert_true(jwt_stands(&jwt, STR("unchanged keys, so nobody looks"), NOW, &scratch, &serial));
  take(JWKS(ES_JWK("e")));
  assert_true(jwt_stands(&jwt, STR(ES_TOKEN), NOW, &scratch, &serial));
  take(JWKS(ED_JWK("o")));
  assert_false(jwt_stands(&jwt, STR(ES_TOKEN), NOW, &scratch, &serial));
  assert_true(jwt_stands(&jwt, by_secret, NOW, &scratch, &of_secret));
  arena_fini(&scratch);
}

// --- keys that change while tokens are checked ---------------------------------------------------

static atomic_bool enough;

static void *change_keys(void *self) {
  struct jwt *j = self;
  for (int i = 0; !atomic_load(&enough); i++) {
    size_t count;
    struct str jwks = i % 2 ? JWKS(ED_JWK("o")) : JWKS(ED_JWK("o") "," ES_JWK("e"));
    if (jwt_take_jwks(j, jwks, &count, NULL) != ERR_OK) return self;
  }
  return NULL;
}

static void keys_may_change_while_tokens_are_checked(void **state) {
  (void)state;
  pthread_t threads[2];
  void *failed = NULL;
  take(JWKS(ED_JWK("o")));
  atomic_store(&enough, false);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, change_keys, &jwt), 0);
  for (int i = 0; i < 500; i++) {
    assert_int_equal(check(STR(ED_TOKEN)), ERR_OK);
    arena_reset(&arena);
  }
  atomic_store(&enough, true);
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
}

#define JWT_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      JWT_TEST(a_token_of_each_way_names_its_subject),
      JWT_TEST(a_way_that_is_not_configured_is_refused),
      JWT_TEST(headers_say_what_is_wrong_with_them),
      JWT_TEST(a_token_has_a_largest_size),
      JWT_TEST(times_are_held_against_the_clock_with_leeway),
      JWT_TEST(issuer_and_audience_are_checked_where_they_are_set),
      JWT_TEST(roles_are_words_in_a_text_or_an_array),
      JWT_TEST(subject_and_tenant_are_bounded_and_clean),
      JWT_TEST(an_unknown_key_is_asked_for_and_no_other_fault_is),
      JWT_TEST(a_broken_jwks_leaves_the_keys_that_are_there),
      JWT_TEST(what_was_proven_holds_for_its_keys_only),
      JWT_TEST(a_token_stands_while_its_key_is_there),
      JWT_TEST(damage_never_disturbs_the_check),
      JWT_TEST(keys_may_change_while_tokens_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
