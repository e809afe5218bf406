// jwks_test.c: which keys a JWKS brings, and which of them a token gets.
#include "api/jwks.h"

#include "api/jwt_testing.h"
#include "base/log.h"
#include "model/limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ALL = (1 << SIGN_WAYS) - 1 };

static struct jwks *keys;
static struct fault why;

static int start(void **state) {
  (void)state;
  log_setup(LOG_ERROR, LOG_TEXT);  // keys that are passed over are warned of
  keys = NULL;
  return 0;
}

static int stop(void **state) {
  (void)state;
  jwks_free(keys);
  return 0;
}

static size_t count_of(struct str text) {
  jwks_free(keys);
  keys = NULL;
  return jwks_new(text, STR_NONE, ALL, &keys, &why) == ERR_OK ? jwks_count(keys) : 0;
}

static void keys_of_four_kinds_are_read(void **state) {
  (void)state;
  struct str text = JWKS(RS_JWK("r") "," ES_JWK("e") "," ED_JWK(
      "o") ",{\"kty\":\"oct\",\"kid\":"
           "\"s\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}");
  assert_int_equal(count_of(text), 4);
  static const struct str NAMES[] = {{"s", 1}, {"r", 1}, {"e", 1}, {"o", 1}};
  for (unsigned i = 0; i < SIGN_WAYS; i++) {
    const struct sign_key *key = jwks_find(keys, (enum sign_way)i, NAMES[i]);
    assert_non_null(key);
    assert_int_equal(sign_key_way(key), i);
    assert_ptr_equal(jwks_find(keys, (enum sign_way)i, STR_NONE), key);
    assert_null(jwks_find(keys, (enum sign_way)i, NAMES[(i + 1) % SIGN_WAYS]));
    assert_null(jwks_find(keys, (enum sign_way)i, STR("")));
  }
}

static void only_wanted_ways_are_read(void **state) {
  (void)state;
  struct str text = JWKS(RS_JWK("r") "," ES_JWK("e"));
  assert_int_equal(jwks_new(text, STR_NONE, 1 << SIGN_ES256, &keys, &why), ERR_OK);
  assert_int_equal(jwks_count(keys), 1);
  jwks_free(keys);
  keys = NULL;
  assert_int_equal(jwks_new(text, STR_NONE, 1 << SIGN_EDDSA, &keys, &why), ERR_INVALID);
  assert_null(keys);
}

static void what_is_no_jwks_is_refused(void **state) {
  (void)state;
  static const char *const WRONG[] = {"",
                                      "{",
                                      "[]",
                                      "7",
                                      "\"keys\"",
                                      "{}",
                                      "{\"keys\":null}",
                                      "{\"keys\":{}}",
                                      "{\"keys\":[]}",
                                      "{\"keys\":[1,\"a\",null,[]]}",
                                      "{\"keys\":[{}]}",
                                      "{\"keys\":[{\"kty\":\"EC\"}]}",
                                      "{\"keys\":[{\"kty\":7}]}"};
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
    if (count_of(str_of(WRONG[i]))) fail_msg("%s was taken", WRONG[i]);
  assert_int_equal(count_of(STR("{\"keys\":[" ES_JWK("e") "],\"keys\":[]}")), 0);
}

static void keys_for_other_things_are_passed_over(void **state) {
  (void)state;
#define EC_WITH(more)                                                                              \
  "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES_X "\",\"y\":\"" ES_Y "\"," more "}"
  assert_int_equal(count_of(JWKS(EC_WITH("\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],"
                                         "\"alg\":\"ES256\",\"x5c\":[\"a\"]"))),
                   1);
  assert_int_equal(count_of(JWKS(EC_WITH("\"use\":\"enc\""))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"use\":1"))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"key_ops\":[\"sign\"]"))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"key_ops\":[1]"))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"key_ops\":\"verify\""))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"alg\":\"ES384\""))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"alg\":null"))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"kid\":null"))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"y\":\"" ES_Y "\""))), 0);
  assert_int_equal(count_of(JWKS(EC_WITH("\"use\":\"enc\"") "," ES_JWK("e"))), 1);
}

static void of_two_keys_with_a_name_the_first_counts(void **state) {
  (void)state;
  assert_int_equal(count_of(JWKS(ES_JWK("a") "," ES_JWK("a"))), 1);
  assert_int_equal(count_of(JWKS(ES_JWK("a") "," ED_JWK("a"))), 2);
  assert_int_equal(count_of(JWKS(ES_JWK("a") "," ES_JWK("b"))), 2);
  assert_non_null(jwks_find(keys, SIGN_ES256, STR("b")));
  assert_null(jwks_find(keys, SIGN_ES256, STR_NONE));
  assert_null(jwks_find(keys, SIGN_ES256, STR("c")));
}

static void a_key_without_a_name_serves_any_name_while_it_is_alone(void **state) {
  (void)state;
  assert_int_equal(count_of(JWKS(EC_WITH("\"use\":\"sig\"") "," ES_JWK("a"))), 2);
  const struct sign_key *named = jwks_find(keys, SIGN_ES256, STR("a"));
  const struct sign_key *other = jwks_find(keys, SIGN_ES256, STR("whatever"));
  assert_true(named && other && named != other);
  assert_null(jwks_find(keys, SIGN_ES256, STR_NONE));
  assert_int_equal(count_of(JWKS(EC_WITH("\"use\":\"sig\"") "," EC_WITH("\"use\":\"sig\""))), 2);
  assert_null(jwks_find(keys, SIGN_ES256, STR("whatever")));
}

static void a_secret_goes_with_any_jwks_or_none(void **state) {
  (void)state;
  assert_int_equal(jwks_new(STR_NONE, STR(SECRET), ALL, &keys, &why), ERR_OK);
  assert_int_equal(jwks_count(keys), 1);
  assert_non_null(jwks_find(keys, SIGN_HS256, STR("any")));
  assert_null(jwks_find(keys, SIGN_RS256, STR_NONE));
  jwks_free(keys);
  assert_int_equal(jwks_new(JWKS(ES_JWK("e")), STR(SECRET), ALL, &keys, &why), ERR_OK);
  assert_int_equal(jwks_count(keys), 2);
  jwks_free(keys);
  keys = NULL;
  assert_int_equal(jwks_new(STR_NONE, STR("short"), ALL, &keys, &why), ERR_INVALID);
  assert_int_equal(jwks_new(STR_NONE, STR_NONE, ALL, &keys, &why), ERR_OK);
  assert_int_equal(jwks_count(keys), 0);
}

static void a_jwks_has_a_largest_number_of_keys(void **state) {
  (void)state;
  struct buf text;
  buf_init(&text, LIMIT_JWKS_BYTES);
  BUF_LIT(&text, "{\"keys\":[");
  for (int i = 0; i < LIMIT_JWKS_KEYS; i++)
    buf_printf(&text, "%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%d\",\"x\":\"" ED_X "\"}",
               i ? "," : "", i);
  size_t len = text.len;
  BUF_LIT(&text, "]}");
  assert_int_equal(count_of(buf_str(&text)), LIMIT_JWKS_KEYS);
  text.len = len;
  BUF_LIT(&text, ",{}]}");
  assert_int_equal(count_of(buf_str(&text)), 0);
  buf_fini(&text);
}

#define JWKS_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      JWKS_TEST(keys_of_four_kinds_are_read),
      JWKS_TEST(only_wanted_ways_are_read),
      JWKS_TEST(what_is_no_jwks_is_refused),
      JWKS_TEST(keys_for_other_things_are_passed_over),
      JWKS_TEST(of_two_keys_with_a_name_the_first_counts),
      JWKS_TEST(a_key_without_a_name_serves_any_name_while_it_is_alone),
      JWKS_TEST(a_secret_goes_with_any_jwks_or_none),
      JWKS_TEST(a_jwks_has_a_largest_number_of_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
