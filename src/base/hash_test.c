// hash_test.c: digests against the published values.
#include "base/hash.h"

#include "base/buf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect_sha256(struct str data, const char *wanted) {
  uint8_t digest[SHA256_BYTES];
  struct buf hex;
  buf_init(&hex, 2 * SHA256_BYTES);
  hash_sha256(data, digest);
  buf_hex(&hex, digest, sizeof digest);
  assert_true(str_eq(buf_str(&hex), str_of(wanted)));
  buf_fini(&hex);
}

static void sha256_gives_the_values_of_fips_180(void **state) {
  (void)state;
  expect_sha256(STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect_sha256(STR_NONE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect_sha256(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect_sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void *digest_many(void *wrong) {
  static const uint8_t first[] = {0xba, 0x78, 0x16, 0xbf};
  for (int i = 0; i < 1000; i++) {
    uint8_t digest[SHA256_BYTES];
    hash_sha256(STR("abc"), digest);
    *(int *)wrong += memcmp(digest, first, sizeof first) != 0;
  }
  return NULL;
}

static void threads_do_not_disturb_each_other(void **state) {
  (void)state;
  pthread_t threads[4];
  int wrong[4] = {0};
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, digest_many, &wrong[i]), 0);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(wrong[i], 0);
  }
}

static void equality_sees_every_byte(void **state) {
  (void)state;
  char a[32], b[32];
  memset(a, 7, sizeof a);
  memset(b, 7, sizeof b);
  assert_true(hash_equal(a, b, sizeof a));
  for (size_t i = 0; i < sizeof b; i++) {
    b[i] ^= 1;
    assert_false(hash_equal(a, b, sizeof a));
    b[i] ^= 1;
  }
}

static void crc32_gives_the_check_value_of_the_standard(void **state) {
  (void)state;
  assert_true(hash_crc32(STR("123456789")) == 0xcbf43926U);
  assert_true(hash_crc32(STR("")) == 0);
  assert_true(hash_crc32(STR_NONE) == 0);
}

static void fnv_gives_its_published_values(void **state) {
  (void)state;
  assert_true(hash_fast(STR("")) == UINT64_C(0xcbf29ce484222325));
  assert_true(hash_fast(STR("a")) == UINT64_C(0xaf63dc4c8601ec8c));
  assert_true(hash_fast(STR("foobar")) == UINT64_C(0x85944171f73967e8));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sha256_gives_the_values_of_fips_180),
      cmocka_unit_test(threads_do_not_disturb_each_other),
      cmocka_unit_test(equality_sees_every_byte),
      cmocka_unit_test(crc32_gives_the_check_value_of_the_standard),
      cmocka_unit_test(fnv_gives_its_published_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
