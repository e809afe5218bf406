// value.c: the kinds of settings: how each is read, shown and explained.
#include "app/value.h"

#include "app/value_alias.h"
#include "app/value_lists.h"
#include "base/sign.h"
#include "model/limits.h"
#include "model/words.h"

#include <ctype.h>
#include <inttypes.h>

struct unit {
  const char *name;
  int64_t factor;
};
// Biggest first, so that showing finds the shortest spelling.
static const struct unit DURATION_UNITS[] = {
    {"d", 24 * 3600 * 1000}, {"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};
static const struct unit SIZE_UNITS[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}};
enum { DURATION_UNIT_COUNT = 5, SIZE_UNIT_COUNT = 3, SHOWN_BYTES_MAX = 1 << 16 };

static bool in_range(const struct value_rule *rule, int64_t value) {
  return (rule->min == 0 && rule->max == 0) || (value >= rule->min && value <= rule->max);
}

static bool is_digits(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if (!isdigit((unsigned char)text.at[i])) return false;
  return text.len > 0;
}

static bool parse_i64(const struct value_rule *rule, struct str text, struct arena *a, void *out) {
  (void)a;
  int64_t value;
  if (!str_to_i64(text, &value) || !in_range(rule, value)) return false;
  *(int64_t *)out = value;
  return true;
}

static bool parse_duration(const struct value_rule *rule, struct str text, struct arena *a,
                           void *out) {
  (void)a;
  int64_t value;
  if (!str_to_duration_ms(text, &value) || !in_range(rule, value)) return false;
  *(int64_t *)out = value;
  return true;
}

// "1048576", "512KiB", "512K", "1 MiB"; K, M and G are powers of 1024 here, with or without "iB".
static bool parse_bytes(const struct value_rule *rule, struct str text, struct arena *a,
                        void *out) {
  (void)a;
  size_t digits = 0;
  while (digits < text.len && isdigit((unsigned char)text.at[digits])) digits++;
  int64_t value, factor = 1;
  if (!str_to_i64((struct str){text.at, digits}, &value)) return false;
  struct str suffix = str_trim(str_from(text, digits));
  if (suffix.len) {
    factor = 0;
    for (size_t i = 0; i < SIZE_UNIT_COUNT; i++) {
      struct str unit = str_of(SIZE_UNITS[i].name);
      if (str_eq_nocase(suffix, unit) || str_eq_nocase(suffix, (struct str){unit.at, 1}))
        factor = SIZE_UNITS[i].factor;
    }
  }
  if (factor == 0 || value > INT64_MAX / factor || !in_range(rule, value * factor)) return false;
  *(int64_t *)out = value * factor;
  return true;
}

static bool is_word_of(struct str text, const char *const words[], size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_eq_nocase(text, str_of(words[i]))) return true;
  return false;
}

static bool parse_bool(const struct value_rule *rule, struct str text, struct arena *a, void *out) {
  (void)rule, (void)a;
  static const char *const yes[] = {"yes", "true", "on", "1"};
  static const char *const no[] = {"no", "false", "off", "0"};
  bool is_yes = is_word_of(text, yes, 4);
  if (!is_yes && !is_word_of(text, no, 4)) return false;
  *(bool *)out = is_yes;
  return true;
}

static bool is_plain_text(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if (iscntrl((unsigned char)text.at[i])) return false;
  return true;
}

static bool parse_text(const struct value_rule *rule, struct str text, struct arena *a, void *out) {
  if (!is_plain_text(text) || (rule->max && (int64_t)text.len > rule->max)) return false;
  *(struct str *)out = text.len ? arena_dup(a, text) : STR_NONE;
  return true;
}

static bool parse_name(const struct value_rule *rule, struct str text, struct arena *a, void *out) {
  (void)rule;
  if (text.len == 0 || text.len > LIMIT_NAME_BYTES) return false;
  for (size_t i = 0; i < text.len; i++)
    if (!isalnum((unsigned char)text.at[i]) && !memchr("._:/-", text.at[i], 5)) return false;
  *(struct str *)out = arena_dup(a, text);
  return true;
}

static bool parse_listen_host(const struct value_rule *rule, struct str text, struct arena *a,
                              void *out) {
  (void)rule;
  bool bracketed = text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']';
  if (bracketed) text = (struct str){text.at + 1, text.len - 2};
  if (text.len == 0 || !is_plain_text(text)) return false;
  for (size_t i = 0; i < text.len; i++)
    if (memchr(" []/@", text.at[i], 5)) return false;
  ((struct listen *)out)->host = arena_dup(a, text);
  return true;
}

static bool parse_listen_port(const struct value_rule *rule, struct str text, struct arena *a,
                              void *out) {
  (void)rule, (void)a;
  int64_t port;
  if (!is_digits(text) || !str_to_i64(text, &port) || port > UINT16_MAX) return false;
  ((struct listen *)out)->port = (int)port;
  return true;
}

static bool parse_listen(const struct value_rule *rule, struct str text, struct arena *a,
                         void *out) {
  size_t colon = text.len;
  while (colon > 0 && text.at[colon - 1] != ':') colon--;
  if (colon == 0) return false;
  struct str host = {text.at, colon - 1};
  // An IPv6 address without brackets would leave in doubt which colon ends it.
  if (str_find(host, ':') < host.len && host.at[0] != '[') return false;
  struct listen listen = {0};
  if (!parse_listen_host(rule, host, a, &listen)) return false;
  if (!parse_listen_port(rule, str_from(text, colon), a, &listen)) return false;
  *(struct listen *)out = listen;
  return true;
}

// Puts the address up to its user's password and *** for that, and returns what follows; all of it
// when there is no password. It goes from the first colon to the last @, which is more than it has
// where someone forgot to write an @ as %40.
static struct str put_user(struct str url, struct buf *out) {
  size_t colon = str_find(url, '/') + 2, at = url.len;
  while (colon < url.len && url.at[colon] != ':') colon++;
  while (at > colon && url.at[at - 1] != '@') at--;
  if (at <= colon) return url;
  buf_put(out, (struct str){url.at, colon + 1});
  BUF_LIT(out, "***");
  return str_from(url, at - 1);
}

// The same for the next password among its options (password=, sslpassword=).
static struct str put_option(struct str rest, struct buf *out) {
  static const char name[] = "password=";
  const char *found = memmem(rest.at, rest.len, name, sizeof name - 1);
  size_t head = found ? (size_t)(found - rest.at) + sizeof name - 1 : rest.len;
  buf_put(out, (struct str){rest.at, head});
  if (found) BUF_LIT(out, "***");
  rest = str_from(rest, head);
  return str_from(rest, str_find(rest, '&'));
}

// The address of a database as people may see it.
static struct str hide_passwords(struct str url, struct arena *a) {
  struct buf out;
  buf_init(&out, 2 * url.len);
  struct str rest = put_user(url, &out);
  while (rest.len) rest = put_option(rest, &out);
  struct str shown = arena_dup(a, buf_str(&out));
  buf_fini(&out);
  return shown;
}

static bool is_postgres(struct str text) {
  return str_starts(text, STR("postgresql://")) || str_starts(text, STR("postgres://"));
}

// sqlite:///… means an absolute path to some programs and a relative one to others.
static bool parse_sqlite(struct str text, struct arena *a, struct store_url *out) {
  struct str path = text;
  if (!str_eq(str_cut(&path, ':'), STR("sqlite")) || str_is_none(path) || path.len == 0)
    return false;
  if (str_starts(path, STR("//"))) return false;
  out->path = arena_cstr(a, path);
  return true;
}

// What stands in the address of a database is between its library and the server.
static bool parse_store(const struct value_rule *rule, struct str text, struct arena *a,
                        void *out) {
  (void)rule;
  if (!is_plain_text(text)) return false;
  struct store_url url = {.shown = arena_dup(a, text)};
  if (is_postgres(text)) {
    url.address = arena_cstr(a, text);
    url.shown = hide_passwords(text, a);
  } else if (!str_eq(text, STR("memory:")) && !parse_sqlite(text, a, &url)) {
    return false;
  }
  *(struct store_url *)out = url;
  return true;
}

// A name that needs no quotes in SQL.
static bool parse_schema(const struct value_rule *rule, struct str text, struct arena *a,
                         void *out) {
  (void)rule;
  enum { SCHEMA_BYTES = 63 };  // PostgreSQL cuts longer ones
  if (text.len == 0 || text.len > SCHEMA_BYTES) return false;
  if (isdigit((unsigned char)text.at[0]) || str_starts(text, STR("pg_"))) return false;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.at[i];
    if (!islower(c) && !isdigit(c) && c != '_') return false;
  }
  *(struct str *)out = arena_dup(a, text);
  return true;
}

static bool parse_log_level(const struct value_rule *rule, struct str text, struct arena *a,
                            void *out) {
  (void)rule, (void)a;
  return log_level_parse(text, out);
}

static const char *const LOG_CHOICES[] = {
    [LOG_CHOICE_AUTO] = "auto", [LOG_CHOICE_TEXT] = "text", [LOG_CHOICE_JSON] = "json"};

static const char *const LOG_JOBS_WORDS[] = {
    [LOG_JOBS_NO] = "no", [LOG_JOBS_DOOR] = "door", [LOG_JOBS_ALL] = "all"};

// The number of the word among three; -1: it is none of them.
static int one_of_three(const char *const words[3], struct str text) {
  for (int i = 0; i < 3; i++)
    if (str_eq(text, str_of(words[i]))) return i;
  return -1;
}

static bool parse_log_format(const struct value_rule *rule, struct str text, struct arena *a,
                             void *out) {
  (void)rule, (void)a;
  int choice = one_of_three(LOG_CHOICES, text);
  if (choice >= 0) *(enum log_choice *)out = (enum log_choice)choice;
  return choice >= 0;
}

static bool parse_log_jobs(const struct value_rule *rule, struct str text, struct arena *a,
                           void *out) {
  (void)rule, (void)a;
  int which = one_of_three(LOG_JOBS_WORDS, text);
  if (which >= 0) *(enum log_jobs *)out = (enum log_jobs)which;
  return which >= 0;
}

static bool parse_backoff_kind(const struct value_rule *rule, struct str text, struct arena *a,
                               void *out) {
  (void)rule, (void)a;
  bool fixed = str_eq(text, STR("fixed"));
  if (!fixed && !str_eq(text, STR("exponential"))) return false;
  *(enum backoff_kind *)out = fixed ? BACKOFF_FIXED : BACKOFF_EXPONENTIAL;
  return true;
}

// A share between 0 and 1 with at most two decimals, as a percentage: "0.2" is 20.
static bool parse_share(const struct value_rule *rule, struct str text, struct arena *a,
                        void *out) {
  (void)rule, (void)a;
  struct str decimals = text, whole = str_cut(&decimals, '.');
  int64_t units = 0, part = 0;
  if (!is_digits(whole) || !str_to_i64(whole, &units) || units > 1) return false;
  if (!str_is_none(decimals)) {
    if (decimals.len > 2 || !is_digits(decimals)) return false;
    if (!str_to_i64(decimals, &part)) return false;
    if (decimals.len == 1) part *= 10;
  }
  if (units * 100 + part > 100) return false;
  *(int64_t *)out = units * 100 + part;
  return true;
}

static bool parse_algorithms(const struct value_rule *rule, struct str text, struct arena *a,
                             void *out) {
  (void)rule, (void)a;
  unsigned ways = 0;
  while (!str_is_none(text)) {
    enum sign_way way;
    struct str word = str_cut(&text, ' ');
    if (word.len == 0) continue;
    if (!sign_parse(word, &way)) return false;
    ways |= 1u << way;
  }
  *(unsigned *)out = ways;
  return true;
}

static bool parse_roles(const struct value_rule *rule, struct str text, struct arena *a,
                        void *out) {
  (void)rule, (void)a;
  unsigned roles = 0;
  bool none = str_eq(text, STR("none"));
  while (!none && !str_is_none(text)) {
    enum role role;
    struct str word = str_cut(&text, ' ');
    if (word.len == 0) continue;
    if (!role_parse(word, &role)) return false;
    roles |= role;
  }
  if (roles == 0 && !none) return false;
  *(unsigned *)out = roles;
  return true;
}

// Takes the next word of `*rest` when it is `name`, and the one after it as its value.
static bool parse_named(struct str *rest, struct str name, enum setting_kind kind, void *out,
                        bool *found) {
  struct str behind = *rest, word = str_cut(&behind, ' ');
  *found = !str_is_none(*rest) && str_eq(word, name);
  if (!*found) return true;
  if (str_is_none(behind)) return false;
  behind = str_trim(behind);
  struct str value = str_cut(&behind, ' ');
  *rest = str_is_none(behind) ? behind : str_trim(behind);
  struct value_rule rule = {.kind = kind, .max = kind == KIND_DURATION ? LIMIT_DELAY_MS : 0};
  return value_parse(&rule, value, NULL, out);
}

// "exponential 1s max 1h jitter 0.2", "fixed 10s": what is not named keeps its value.
static bool parse_backoff(const struct value_rule *rule, struct str text, struct arena *a,
                          void *out) {
  struct backoff backoff = *(struct backoff *)out;
  struct str rest = text, word = str_cut(&rest, ' ');
  if (!parse_backoff_kind(rule, word, a, &backoff.kind)) return false;
  if (!str_is_none(rest)) rest = str_trim(rest);
  if (!str_is_none(rest) && rest.len && isdigit((unsigned char)rest.at[0])) {
    struct value_rule delay = {KIND_DURATION, 1, LIMIT_DELAY_MS};
    if (!value_parse(&delay, str_cut(&rest, ' '), a, &backoff.delay_ms)) return false;
    if (!str_is_none(rest)) rest = str_trim(rest);
    if (backoff.delay_max_ms < backoff.delay_ms) backoff.delay_max_ms = backoff.delay_ms;
  }
  bool found;
  if (!parse_named(&rest, STR("max"), KIND_DURATION, &backoff.delay_max_ms, &found)) return false;
  if (!parse_named(&rest, STR("jitter"), KIND_SHARE, &backoff.jitter_percent, &found)) return false;
  if (!str_is_none(rest) && rest.len) return false;
  *(struct backoff *)out = backoff;
  return true;
}

static void show_i64(const void *value, struct buf *out) { buf_i64(out, *(const int64_t *)value); }

static void show_duration(const void *value, struct buf *out) {
  int64_t ms = *(const int64_t *)value;
  for (size_t i = 0; i < DURATION_UNIT_COUNT; i++) {
    if (ms == 0 || ms % DURATION_UNITS[i].factor) continue;
    buf_printf(out, "%" PRId64 "%s", ms / DURATION_UNITS[i].factor, DURATION_UNITS[i].name);
    return;
  }
  BUF_LIT(out, "0s");
}

static void show_bytes(const void *value, struct buf *out) {
  int64_t bytes = *(const int64_t *)value;
  for (size_t i = 0; i < SIZE_UNIT_COUNT; i++) {
    if (bytes == 0 || bytes % SIZE_UNITS[i].factor) continue;
    buf_printf(out, "%" PRId64 "%s", bytes / SIZE_UNITS[i].factor, SIZE_UNITS[i].name);
    return;
  }
  buf_i64(out, bytes);
}

static void show_bool(const void *value, struct buf *out) {
  buf_put(out, *(const bool *)value ? STR("yes") : STR("no"));
}

static void show_text(const void *value, struct buf *out) {
  buf_put(out, *(const struct str *)value);
}

static void show_secret(const void *value, struct buf *out) {
  if (((const struct str *)value)->len) BUF_LIT(out, "********");
}

static void show_listen(const void *value, struct buf *out) {
  const struct listen *listen = value;
  bool is_ipv6 = str_find(listen->host, ':') < listen->host.len;
  buf_printf(out, is_ipv6 ? "[%.*s]:%d" : "%.*s:%d", STR_FMT(listen->host), listen->port);
}

static void show_store(const void *value, struct buf *out) {
  buf_put(out, ((const struct store_url *)value)->shown);
}

static void show_log_level(const void *value, struct buf *out) {
  static const char *const words[] = {
      [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
  buf_put(out, str_of(words[*(const enum log_level *)value]));
}

static void show_log_format(const void *value, struct buf *out) {
  buf_put(out, str_of(LOG_CHOICES[*(const enum log_choice *)value]));
}

static void show_words(unsigned bits, unsigned count, struct str (*word)(unsigned),
                       struct buf *out) {
  for (unsigned i = 0, shown = 0; i < count; i++) {
    if (!(bits & 1u << i)) continue;
    if (shown++) buf_char(out, ' ');
    buf_put(out, word(i));
  }
}

static struct str algorithm_at(unsigned i) { return sign_word((enum sign_way)i); }

static struct str role_at(unsigned i) { return role_word((enum role_index)i); }

static void show_algorithms(const void *value, struct buf *out) {
  show_words(*(const unsigned *)value, SIGN_WAYS, algorithm_at, out);
}

static void show_roles(const void *value, struct buf *out) {
  if (*(const unsigned *)value == 0) BUF_LIT(out, "none");
  show_words(*(const unsigned *)value, ROLE_COUNT, role_at, out);
}

static void show_log_jobs(const void *value, struct buf *out) {
  buf_put(out, str_of(LOG_JOBS_WORDS[*(const enum log_jobs *)value]));
}

static void show_backoff(const void *value, struct buf *out) {
  const struct backoff *b = value;
  buf_put(out, b->kind == BACKOFF_FIXED ? STR("fixed ") : STR("exponential "));
  show_duration(&b->delay_ms, out);
  BUF_LIT(out, " max ");
  show_duration(&b->delay_max_ms, out);
  buf_printf(out, " jitter %g", (double)b->jitter_percent / 100);
}

// One row a kind. `range` shows the ends of a range; NULL: the kind has none.
static const struct kind {
  bool (*parse)(const struct value_rule *, struct str, struct arena *, void *);
  void (*show)(const void *, struct buf *);
  void (*range)(const void *, struct buf *);
  const char *expected, *example;
} KINDS[] = {
    [KIND_LISTEN] = {parse_listen, show_listen, NULL, "HOST:PORT with a port between 0 and 65535",
                     "127.0.0.1:8503 or [::1]:8503"},
    [KIND_LISTEN_HOST] = {parse_listen_host, NULL, NULL, "an address or host name", "127.0.0.1"},
    [KIND_LISTEN_PORT] = {parse_listen_port, NULL, NULL, "a port between 0 and 65535", "8503"},
    [KIND_STORE] = {parse_store, show_store, NULL,
                    "sqlite:PATH, postgresql://USER@HOST/DATABASE or memory:",
                    "sqlite:taskyard.db"},
    [KIND_SCHEMA] = {parse_schema, show_text, NULL,
                     "1 to 63 of a to z, 0 to 9 and _, beginning neither with a digit nor with pg_",
                     "taskyard"},
    [KIND_TEXT] = {parse_text, show_text, NULL, "one line of text", NULL},
    [KIND_SECRET] = {parse_text, show_secret, NULL, "one line of text", NULL},
    [KIND_PATH] = {parse_text, show_text, NULL, "a path", NULL},
    [KIND_COUNT] = {parse_i64, show_i64, show_i64, "a whole number", NULL},
    [KIND_BYTES] = {parse_bytes, show_bytes, show_bytes, "a size", "65536, 512KiB or 1MiB"},
    [KIND_DURATION] = {parse_duration, show_duration, show_duration, "a duration",
                       "250ms, 30s, 5m or 1h"},
    [KIND_MS] = {value_alias_ms, show_duration, show_duration, "milliseconds, or a duration",
                 "300000 or 5m"},
    [KIND_DAYS] = {value_alias_days, show_duration, show_duration, "days, or a duration",
                   "30 or 12h"},
    [KIND_BOOL] = {parse_bool, show_bool, NULL, "yes or no", NULL},
    [KIND_LOG_LEVEL] = {parse_log_level, show_log_level, NULL, "error, warn, info or debug", NULL},
    [KIND_LOG_FORMAT] = {parse_log_format, show_log_format, NULL, "auto, text or json", NULL},
    [KIND_ALGORITHMS] = {parse_algorithms, show_algorithms, NULL,
                         "some of HS256, RS256, ES256 and EdDSA with blanks between", NULL},
    [KIND_ROLES] = {parse_roles, show_roles, NULL,
                    "some of producer, worker, reader, admin and user with blanks between, or none",
                    NULL},
    [KIND_LOG_JOBS] = {parse_log_jobs, show_log_jobs, NULL, "no, door or all", NULL},
    [KIND_JOBS_STORAGE] = {value_alias_jobs_storage, NULL, NULL, "a word", "prisma"},
    [KIND_NETWORKS] = {value_parse_networks, value_show_networks, NULL,
                       "addresses and networks with blanks between",
                       "127.0.0.1 10.0.0.0/8 2001:db8::/32"},
    [KIND_ORIGINS] =
        {value_parse_origins, value_show_origins, NULL,
         "* and origins of web pages, blanks between, without a path or a / at the end",
         "https://app.example http://localhost:5173"},
    [KIND_NAME] = {parse_name, show_text, NULL, "1 to 128 letters, digits or . _ : / -", NULL},
    [KIND_BACKOFF] = {parse_backoff, show_backoff, NULL,
                      "exponential or fixed, a delay, and perhaps max and jitter",
                      "exponential 1s max 1h jitter 0.2"},
    [KIND_BACKOFF_KIND] = {parse_backoff_kind, NULL, NULL, "exponential or fixed", NULL},
    [KIND_SHARE] = {parse_share, NULL, NULL, "a share between 0 and 1", "0.25"},
};

bool value_parse(const struct value_rule *rule, struct str text, struct arena *a, void *out) {
  return KINDS[rule->kind].parse(rule, text, a, out);
}

static void expect(const struct value_rule *rule, struct buf *out) {
  const struct kind *kind = &KINDS[rule->kind];
  buf_put(out, str_of(kind->expected));
  if (kind->range && (rule->min || rule->max)) {
    BUF_LIT(out, " between ");
    kind->range(&rule->min, out);
    BUF_LIT(out, " and ");
    kind->range(&rule->max, out);
  }
  if (kind->example) buf_printf(out, ", as in %s", kind->example);
}

// A database address may hold a password, so it is kept out of messages like any secret.
static bool is_private(enum setting_kind kind) { return kind == KIND_SECRET || kind == KIND_STORE; }

static bool is_too_long(const struct value_rule *rule, struct str text) {
  return KINDS[rule->kind].parse == parse_text && is_plain_text(text);
}

enum err value_refuse(const struct value_rule *rule, const char *where, const char *name,
                      struct str text, struct fault *why) {
  if (is_too_long(rule, text))
    return fault_set(why, ERR_INVALID, "%s: %s must have at most %lld bytes, not %zu", where, name,
                     (long long)rule->max, text.len);
  enum { SENTENCE_BYTES = 160, SHOWN_BYTES = 48 };
  struct buf expected;
  buf_init(&expected, SENTENCE_BYTES);
  expect(rule, &expected);
  int shown = (int)(text.len < SHOWN_BYTES ? text.len : SHOWN_BYTES);
  if (is_private(rule->kind))
    fault_set(why, ERR_INVALID, "%s: %s must be %.*s", where, name, STR_FMT(buf_str(&expected)));
  else
    fault_set(why, ERR_INVALID, "%s: %s must be %.*s, not \"%.*s\"", where, name,
              STR_FMT(buf_str(&expected)), shown, text.at);
  buf_fini(&expected);
  return ERR_INVALID;
}

void value_show(enum setting_kind kind, const void *value, struct buf *out) {
  KINDS[kind].show(value, out);
}

static bool is_shown_alike(enum setting_kind kind, const void *a, const void *b) {
  struct buf one, other;
  buf_init(&one, SHOWN_BYTES_MAX);
  buf_init(&other, SHOWN_BYTES_MAX);
  value_show(kind, a, &one);
  value_show(kind, b, &other);
  bool same = str_eq(buf_str(&one), buf_str(&other));
  buf_fini(&one);
  buf_fini(&other);
  return same;
}

// What is masked is compared as it is.
bool value_same(enum setting_kind kind, const void *a, const void *b) {
  if (kind == KIND_SECRET) return str_eq(*(const struct str *)a, *(const struct str *)b);
  if (!is_shown_alike(kind, a, b)) return false;
  if (kind != KIND_STORE) return true;
  const char *one = ((const struct store_url *)a)->address;
  const char *other = ((const struct store_url *)b)->address;
  return one == other || (one && other && strcmp(one, other) == 0);
}
