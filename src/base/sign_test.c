// sign_test.c: signatures of RFC 7515 and 8037, their damage, and keys that must not be made.
#include "base/sign.h"

#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// RFC 7515, the payload of appendices A.1 to A.3.
#define CLAIMS                                                                                     \
  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

#define RSA_N                                                                                      \
  "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4" \
  "QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdb" \
  "BYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-D" \
  "WNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"

static const struct vector {
  enum sign_way way;
  const char *a, *b;  // the key's numbers
  const char *text, *signature;
} VECTORS[] = {
    {SIGN_HS256,
     "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "",
     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS,
     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    {SIGN_RS256, RSA_N, "AQAB", "eyJhbGciOiJSUzI1NiJ9." CLAIMS,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
     "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
     "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
     "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {SIGN_ES256, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
     "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "eyJhbGciOiJFUzI1NiJ9." CLAIMS,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {SIGN_EDDSA, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};
enum { VECTOR_COUNT = 4 };

static struct arena arena;
static struct sign_key *keys[VECTOR_COUNT];
static struct fault why;

static struct str bytes(const char *text) {
  struct str out = STR_NONE;
  assert_true(base64url_decode(&arena, str_of(text), &out));
  return out;
}

static enum err make(const struct vector *v, struct sign_key **out) {
  switch (v->way) {
  case SIGN_HS256: return sign_key_secret(bytes(v->a), out, &why);
  case SIGN_RS256: return sign_key_rsa(bytes(v->a), bytes(v->b), out, &why);
  case SIGN_ES256: return sign_key_p256(bytes(v->a), bytes(v->b), out, &why);
  default: return sign_key_ed25519(bytes(v->a), out, &why);
  }
}

static int start(void **state) {
  (void)state;
  arena_init(&arena, 4096);
  for (size_t i = 0; i < VECTOR_COUNT; i++)
    if (make(&VECTORS[i], &keys[i]) != ERR_OK) return -1;
  return 0;
}

static int stop(void **state) {
  (void)state;
  for (size_t i = 0; i < VECTOR_COUNT; i++) sign_key_free(keys[i]);
  arena_fini(&arena);
  return 0;
}

static bool holds(size_t key, struct str text, struct str signature) {
  return sign_check(keys[key], text, signature);
}

static void words_are_those_of_jose(void **state) {
  (void)state;
  static const char *const WORDS[] = {"HS256", "RS256", "ES256", "EdDSA"};
  enum sign_way way;
  for (unsigned i = 0; i < SIGN_WAYS; i++) {
    assert_true(str_eq(sign_word((enum sign_way)i), str_of(WORDS[i])));
    assert_true(sign_parse(str_of(WORDS[i]), &way));
    assert_int_equal(way, i);
  }
  static const char *const OTHERS[] = {"none",   "hs256", "HS512", "RS",
                                       "RS2567", "eddsa", "",      "PS256"};
  for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
    assert_false(sign_parse(str_of(OTHERS[i]), &way));
}

static void the_signatures_of_the_rfcs_hold_more_than_once(void **state) {
  (void)state;
  for (size_t i = 0; i < VECTOR_COUNT; i++) {
    assert_int_equal(sign_key_way(keys[i]), VECTORS[i].way);
    struct str signature = bytes(VECTORS[i].signature);
    assert_true(holds(i, str_of(VECTORS[i].text), signature));
    assert_true(holds(i, str_of(VECTORS[i].text), signature));
  }
}

static void every_flipped_bit_of_a_signature_breaks_it(void **state) {
  (void)state;
  for (size_t i = 0; i < VECTOR_COUNT; i++) {
    struct str good = bytes(VECTORS[i].signature);
    char *bad = arena_cstr(&arena, good);
    for (size_t bit = 0; bit < good.len * 8; bit++) {
      bad[bit / 8] = (char)(bad[bit / 8] ^ 1 << bit % 8);
      if (holds(i, str_of(VECTORS[i].text), (struct str){bad, good.len}))
        fail_msg("way %zu, bit %zu", i, bit);
      bad[bit / 8] = (char)(bad[bit / 8] ^ 1 << bit % 8);
    }
  }
}

static void a_change_of_the_text_breaks_the_signature(void **state) {
  (void)state;
  for (size_t i = 0; i < VECTOR_COUNT; i++) {
    struct str good = str_of(VECTORS[i].text), signature = bytes(VECTORS[i].signature);
    char *bad = arena_cstr(&arena, good);
    for (size_t at = 0; at < good.len; at++) {
      bad[at] ^= 1;
      assert_false(holds(i, (struct str){bad, good.len}, signature));
      bad[at] ^= 1;
    }
    assert_false(holds(i, str_from(good, 1), signature));
    assert_false(holds(i, (struct str){good.at, good.len - 1}, signature));
    assert_false(holds(i, STR(""), signature));
  }
}

static void a_signature_has_one_length(void **state) {
  (void)state;
  for (size_t i = 0; i < VECTOR_COUNT; i++) {
    struct str good = bytes(VECTORS[i].signature), text = str_of(VECTORS[i].text);
    struct str longer = arena_printf(&arena, "%.*sx", STR_FMT(good));
    for (size_t len = 0; len < good.len; len++)
      assert_false(holds(i, text, (struct str){good.at, len}));
    assert_false(holds(i, text, longer));
    char *padded = arena_zero(&arena, good.len + 1);
    memcpy(padded + 1, good.at, good.len);
    assert_false(holds(i, text, (struct str){padded, good.len + 1}));
  }
}

static void a_key_serves_its_own_way_only(void **state) {
  (void)state;
  for (size_t i = 0; i < VECTOR_COUNT; i++)
    for (size_t j = 0; j < VECTOR_COUNT; j++)
      assert_int_equal(holds(i, str_of(VECTORS[j].text), bytes(VECTORS[j].signature)), i == j);
}

// The psychic signature: r and s are 0, or the order of the curve, which is 0 again.
static void an_ecdsa_signature_of_zeros_does_not_hold(void **state) {
  (void)state;
  struct str order = bytes("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
  char *pair = arena_zero(&arena, 64);
  struct str text = str_of(VECTORS[2].text), signature = {pair, 64};
  assert_false(holds(2, text, signature));
  memcpy(pair, order.at, 32);
  assert_false(holds(2, text, signature));
  memcpy(pair + 32, order.at, 32);
  assert_false(holds(2, text, signature));
  pair[31] = pair[63] = 1;
  assert_false(holds(2, text, signature));
}

static void an_ecdsa_signature_in_der_does_not_hold(void **state) {
  (void)state;
  struct str raw = bytes(VECTORS[2].signature);
  char der[72] = {0x30, 69, 2, 32};
  memcpy(der + 4, raw.at, 32);
  memcpy(der + 36, (char[]){2, 33, 0}, 3);
  memcpy(der + 39, raw.at + 32, 32);
  assert_false(holds(2, str_of(VECTORS[2].text), (struct str){der, 71}));
}

static void weak_and_broken_rsa_keys_are_not_made(void **state) {
  (void)state;
  struct sign_key *key = NULL;
  struct str n = bytes(RSA_N), e = bytes("AQAB");
  char *even = arena_cstr(&arena, n), *large = arena_zero(&arena, 2000);
  even[n.len - 1] = (char)(even[n.len - 1] & ~1);
  memset(large, 1, 2000);
  assert_int_equal(sign_key_rsa((struct str){n.at, 128}, e, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa((struct str){n.at, n.len - 1}, e, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa((struct str){even, n.len}, e, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa((struct str){large, 2000}, e, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa(STR_NONE, e, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa(n, STR_NONE, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa(n, STR(""), &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa(n, STR("\1"), &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa(n, STR("\2"), &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_rsa(n, STR("123456789"), &key, &why), ERR_INVALID);
  assert_null(key);
}

static void an_exponent_of_one_byte_is_one(void **state) {
  (void)state;
  struct sign_key *key = NULL;
  assert_int_equal(sign_key_rsa(bytes(RSA_N), STR("\3"), &key, &why), ERR_OK);
  assert_int_equal(sign_key_way(key), SIGN_RS256);
  sign_key_free(key);
}

static void points_beside_the_curve_are_no_keys(void **state) {
  (void)state;
  struct sign_key *key = NULL;
  struct str x = bytes(VECTORS[2].a), y = bytes(VECTORS[2].b);
  char zeros[33] = {0};
  assert_int_equal(sign_key_p256(y, x, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_p256(x, x, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_p256((struct str){zeros, 32}, (struct str){zeros, 32}, &key, &why),
                   ERR_INVALID);
  assert_int_equal(sign_key_p256((struct str){x.at, 31}, y, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_p256(x, (struct str){zeros, 33}, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_p256(STR_NONE, STR_NONE, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_ed25519((struct str){x.at, 31}, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_ed25519((struct str){zeros, 33}, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_ed25519(STR_NONE, &key, &why), ERR_INVALID);
  assert_null(key);
}

static void a_secret_has_32_bytes_or_more(void **state) {
  (void)state;
  struct sign_key *key = NULL;
  assert_int_equal(sign_key_secret(STR_NONE, &key, &why), ERR_INVALID);
  assert_int_equal(sign_key_secret(STR("0123456789012345678901234567890"), &key, &why),
                   ERR_INVALID);
  assert_non_null(strstr(why.detail, "32 bytes"));
  assert_null(key);
  assert_int_equal(sign_key_secret(STR("01234567890123456789012345678901"), &key, &why), ERR_OK);
  sign_key_free(key);
  sign_key_free(NULL);
}

#define SIGN_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      SIGN_TEST(words_are_those_of_jose),
      SIGN_TEST(the_signatures_of_the_rfcs_hold_more_than_once),
      SIGN_TEST(every_flipped_bit_of_a_signature_breaks_it),
      SIGN_TEST(a_change_of_the_text_breaks_the_signature),
      SIGN_TEST(a_signature_has_one_length),
      SIGN_TEST(a_key_serves_its_own_way_only),
      SIGN_TEST(an_ecdsa_signature_of_zeros_does_not_hold),
      SIGN_TEST(an_ecdsa_signature_in_der_does_not_hold),
      SIGN_TEST(weak_and_broken_rsa_keys_are_not_made),
      SIGN_TEST(an_exponent_of_one_byte_is_one),
      SIGN_TEST(points_beside_the_curve_are_no_keys),
      SIGN_TEST(a_secret_has_32_bytes_or_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
