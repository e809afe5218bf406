// texts_fuzz.c: the short texts that carry numbers: ids, times, durations, lease tokens, marks.
//
// What must hold: what is read is written again as something that reads the same; numbers are read
// as a plain reader reads them; whatever bytes come, a JSON string is made of them.
#include "fuzz.h"

#include "api/decode.h"
#include "app/moment.h"
#include "base/id.h"
#include "base/json.h"
#include "base/utf8.h"
#include "model/words.h"
#include "store/mark.h"

static void check_id(struct str text) {
  struct id id, again;
  char written[ID_TEXT_BYTES];
  if (!id_parse(text, &id)) return;
  id_text(id, written);
  HOLDS(str_eq_nocase(text, (struct str){written, ID_TEXT_BYTES}), "an id is written as it came");
  HOLDS(id_parse((struct str){written, ID_TEXT_BYTES}, &again) && id_eq(id, again),
        "and read again");
  again = id_from_key(id_key(id), id.lo);
  HOLDS(id_eq(id, again), "a key and the random half make the id");
}

// Decimal digits, perhaps a sign, in the range of int64_t: read by counting up in 128 bits.
static bool plain_i64(struct str s, int64_t *out) {
  size_t at = s.len && (s.at[0] == '-' || s.at[0] == '+');
  if (at == s.len) return false;
  __int128 value = 0;
  for (size_t i = at; i < s.len; i++) {
    if (s.at[i] < '0' || s.at[i] > '9') return false;
    if (value <= UINT64_MAX) value = value * 10 + (s.at[i] - '0');
  }
  if (at && s.at[0] == '-') value = -value;
  if (value > INT64_MAX || value < INT64_MIN) return false;
  *out = (int64_t)value;
  return true;
}

static void check_numbers(struct str text) {
  int64_t ours = 0, plain = 0, ms = -1;
  bool good = str_to_i64(text, &ours), plain_good = plain_i64(text, &plain);
  HOLDS(good == plain_good && ours == plain, "numbers are read as they stand");
  if (str_to_duration_ms(text, &ms)) HOLDS(ms >= 0, "a duration is none that runs backwards");
  uint64_t word = 0;
  if (!hex_parse(text, &word)) return;
  char again[17];
  snprintf(again, sizeof again, "%016llx", (unsigned long long)word);
  HOLDS(str_eq(text, str_of(again)), "hexadecimal words have one spelling");
  struct lease_token token = token_lease(text);
  HOLDS(token.lease != 0 && token.session == 0, "a token names a lease or none");
}

static void check_shown(int64_t ms) {
  struct buf shown;
  int64_t again = -1;
  buf_init(&shown, 128);
  moment_show(ms, &shown);
  if (ms >= 0 && ms < 253402300800000) {  // to the end of the year 9999
    HOLDS(shown.len == 24 && moment_parse(buf_str(&shown), &again),
          "a moment that is shown is read");
    HOLDS(again == ms, "and is the same: %lld, not %lld", (long long)again, (long long)ms);
  }
  for (size_t i = 19; i < shown.len; i++)
    HOLDS(memchr("0123456789.:-Z", shown.at[i], 14) &&
              !(shown.at[i - 1] == '.' && shown.at[i] == '-'),
          "a moment is shown well: %.*s", STR_FMT(buf_str(&shown)));
  buf_fini(&shown);
}

static void check_moment(struct str text) {
  int64_t ms = -1;
  if (!moment_parse(text, &ms)) return;
  HOLDS(ms >= 0, "a moment is none before 1970: %.*s", STR_FMT(text));
  check_shown(ms);
}

static void check_mark(struct arena *a, struct str text) {
  struct bulk_mark mark = {0}, again = {0};
  if (!mark_parse(text, a, &mark)) return;
  struct buf written;
  buf_init(&written, 4096);
  mark_put(&mark, &written);
  HOLDS(mark_parse(buf_str(&written), a, &again) && mark_eq(&mark, &again), "a mark comes back");
  buf_fini(&written);
}

static void check_json_string(struct arena *a, struct str text) {
  struct buf written;
  struct json_error error;
  struct str value;
  bool nul;
  buf_init(&written, text.len * 6 + 16);
  buf_json_str(&written, text);
  HOLDS(!written.overflow && json_check(buf_str(&written), &value, &error),
        "any bytes make a string");
  struct str read = json_string(a, value, &nul);
  bool clean = true;
  for (const char *at = text.at, *end = at + text.len; at < end && clean;) {
    size_t length = utf8_length(at, end);
    clean = length > 0;
    at += length;
  }
  if (clean) HOLDS(str_eq(read, text), "text comes back as it was");
  buf_fini(&written);
}

static void check_words(struct str text) {
  enum task_status status;
  enum waiting waiting;
  enum role role;
  if (task_status_parse(text, &status)) HOLDS(str_eq(text, task_status_word(status)), "a status");
  if (waiting_parse(text, &waiting))
    HOLDS(str_eq(text, waiting_word(waiting)), "what is waited for");
  if (role_parse(text, &role)) HOLDS(role && !(role & (role - 1)), "a role is one bit");
  struct str rest = text, head = str_cut(&rest, ':');
  if (str_is_none(rest)) return;
  size_t there = str_distance(head, rest), back = str_distance(rest, head);
  HOLDS(there == back, "a distance is the same both ways");
  // Of words that are too long it is unknown, be they equal or not.
  if (there != SIZE_MAX) HOLDS((there == 0) == str_eq(head, rest), "a distance is one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str text = exact_copy((struct str){(const char *)data, size});
  struct arena a;
  arena_init(&a, 4096);
  check_id(text);
  check_numbers(text);
  check_moment(text);
  if (size >= 8) {
    int64_t ms;
    memcpy(&ms, data, sizeof ms);
    check_shown(ms >> (data[0] & 31));
  }
  check_mark(&a, text);
  check_json_string(&a, text);
  check_words(text);
  arena_fini(&a);
  exact_free(text);
  return 0;
}
