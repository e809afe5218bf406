// settings.c: gathers the settings from defaults, file, environment and flags, in this order.
#include "app/settings.h"

#include "app/ini_file.h"
#include "app/sections.h"
#include "app/value.h"
#include "base/options.h"
#include "base/sign.h"
#include "client/client.h"
#include "model/limits.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct setting SETTINGS[SETTINGS_COUNT] = {
#define SETTING(field, name, kind, ...) {name, KIND_##kind, __VA_ARGS__},
#define SETTING_ALIAS(...)
#include "app/settings.def"
#undef SETTING
#undef SETTING_ALIAS
};

const struct setting_alias SETTING_ALIASES[] = {
#define SETTING(...)
#define SETTING_ALIAS(env, field, kind, meaning) {env, SETTING_INDEX_##field, KIND_##kind, meaning},
#include "app/settings.def"
#undef SETTING
#undef SETTING_ALIAS
};
const size_t SETTING_ALIAS_COUNT = sizeof SETTING_ALIASES / sizeof SETTING_ALIASES[0];

static const size_t FIELD_OFFSETS[SETTINGS_COUNT] = {
#define SETTING(field, ...) offsetof(struct settings, field),
#define SETTING_ALIAS(...)
#include "app/settings.def"
#undef SETTING
#undef SETTING_ALIAS
};

static const char *const USUAL_FILES[] = {"taskyard.conf", "/etc/taskyard/taskyard.conf"};
enum { USUAL_FILE_COUNT = 2, SETTINGS_BLOCK_BYTES = 4096 };

static enum err load_defaults(struct settings *s);
static enum err load_file(struct settings *s, struct fault *why);
static enum err load_env(struct settings *s, struct fault *why);
static enum err load_flags(struct settings *s, struct fault *why);
static enum err load_secret(struct settings *s, enum setting_index which, struct fault *why);
static enum err check_tokens(const struct settings *s, struct fault *why);

// Past what is wrong, if there is somebody to tell of it.
static enum err go_on(struct settings *s, enum err err, const struct fault *why) {
  if (err == ERR_OK || s->source.wrong == NULL) return err;
  s->source.wrong(s->source.self, why);
  s->is_wrong = true;
  return ERR_OK;
}

enum err settings_load(const struct settings_source *source, struct settings *out,
                       struct fault *why) {
  struct settings s = {.source = *source};
  arena_init(&s.arena, SETTINGS_BLOCK_BYTES);
  enum err err = load_defaults(&s);
  if (err == ERR_OK) err = go_on(&s, load_file(&s, why), why);
  if (err == ERR_OK) err = load_env(&s, why);
  if (err == ERR_OK) err = load_flags(&s, why);
  if (err == ERR_OK) err = go_on(&s, load_secret(&s, SETTING_INDEX_api_key, why), why);
  if (err == ERR_OK) err = go_on(&s, load_secret(&s, SETTING_INDEX_jwt_secret, why), why);
  if (err == ERR_OK) err = go_on(&s, check_tokens(&s, why), why);
  if (err == ERR_OK && s.is_wrong) err = ERR_INVALID;
  if (err == ERR_OK)
    *out = s;
  else
    settings_fini(&s);
  return err;
}

void settings_fini(struct settings *s) { arena_fini(&s->arena); }

// --- one value -----------------------------------------------------------------------------------

static void *field_of(struct settings *s, enum setting_index which) {
  return (char *)s + FIELD_OFFSETS[which];
}

static bool is_part(enum setting_kind kind) {
  return kind == KIND_LISTEN_HOST || kind == KIND_LISTEN_PORT || kind == KIND_JOBS_STORAGE;
}

// A part joins what is there, so its origin joins too: "taskyard.conf:1, PORT".
static void note_origin(struct settings *s, enum setting_index which, enum setting_kind kind,
                        struct str origin) {
  struct str *noted = &s->origin[which];
  if (is_part(kind) && !str_eq(*noted, STR("default")))
    *noted = arena_printf(&s->arena, "%.*s, %.*s", STR_FMT(*noted), STR_FMT(origin));
  else
    *noted = arena_dup(&s->arena, origin);
}

// `where` begins the sentence of a refusal, `origin` is what `taskyard config` shows.
static enum err set(struct settings *s, enum setting_index which, enum setting_kind kind,
                    struct str text, const char *where, struct str origin, struct fault *why) {
  struct value_rule rule = {kind, SETTINGS[which].min, SETTINGS[which].max};
  if (!value_parse(&rule, text, &s->arena, field_of(s, which)))
    return value_refuse(&rule, where, SETTINGS[which].name, text, why);
  note_origin(s, which, kind, origin);
  return ERR_OK;
}

static enum err load_defaults(struct settings *s) {
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    enum err err = set(s, (enum setting_index)i, SETTINGS[i].kind, str_of(SETTINGS[i].fallback),
                       "settings.def", STR("default"), NULL);
    assert(err == ERR_OK);
  }
  return ERR_OK;
}

// --- the file ------------------------------------------------------------------------------------

struct file_reading {
  struct settings *settings;
  struct sections sections;
  bool is_lost;  // in a section that is none
  bool seen[SETTINGS_COUNT];
};

static enum err refuse_key(struct str key, const char *where, struct fault *why) {
  const char *names[SETTINGS_COUNT + 1] = {0};
  for (size_t i = 0; i < SETTINGS_COUNT; i++) names[i] = SETTINGS[i].name;
  const char *nearest = options_nearest(key.at, names);
  if (nearest)
    return fault_set(why, ERR_INVALID, "%s: there is no setting %.*s; did you mean %s?", where,
                     STR_FMT(key), nearest);
  return fault_set(why, ERR_INVALID,
                   "%s: there is no setting %.*s; `taskyard config` lists them all", where,
                   STR_FMT(key));
}

static enum err read_section(void *self, struct str header, const char *where, struct fault *why) {
  struct file_reading *r = self;
  enum err err = sections_open(&r->sections, r->settings, header, where, why);
  r->is_lost = err != ERR_OK;
  return go_on(r->settings, err, why);
}

static enum err take_entry(struct file_reading *r, struct str key, struct str value,
                           const char *where, struct fault *why) {
  if (r->sections.kind != SECTION_TOP)
    return sections_set(&r->sections, r->settings, key, value, where, why);
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    if (!str_eq(key, str_of(SETTINGS[i].name))) continue;
    if (r->seen[i])
      return fault_set(why, ERR_INVALID, "%s: %s stands here a second time", where,
                       SETTINGS[i].name);
    r->seen[i] = true;
    return set(r->settings, (enum setting_index)i, SETTINGS[i].kind, value, where, str_of(where),
               why);
  }
  return refuse_key(key, where, why);
}

static enum err read_entry(void *self, struct str key, struct str value, const char *where,
                           struct fault *why) {
  struct file_reading *r = self;
  return r->is_lost ? ERR_OK : go_on(r->settings, take_entry(r, key, value, where, why), why);
}

// An empty variable counts as absent: that is how compose files pass "not set".
static const char *env_value(const struct settings *s, const char *name) {
  const char *value = s->source.env ? s->source.env(name) : getenv(name);
  return value && *value ? value : NULL;
}

static const char *find_file(const struct settings *s) {
  if (s->source.config) return s->source.config;
  const char *named = env_value(s, "TASKYARD_CONFIG");
  if (named) return named;
  for (size_t i = 0; i < USUAL_FILE_COUNT; i++)
    if (access(USUAL_FILES[i], F_OK) == 0) return USUAL_FILES[i];
  return NULL;
}

static enum err load_file(struct settings *s, struct fault *why) {
  const char *path = find_file(s);
  if (!path) return ERR_OK;
  struct file_reading r = {.settings = s};
  struct ini_file_hooks hooks = {&r, read_section, read_entry};
  s->file = arena_dup(&s->arena, str_of(path));
  TRY(ini_file_read(path, &hooks, why));
  return sections_check(s, why);
}

// --- environment and flags -----------------------------------------------------------------------

// The documents' names come first, so that TASKYARD_… wins over them.
static enum err load_env(struct settings *s, struct fault *why) {
  for (size_t i = 0; i < SETTING_ALIAS_COUNT; i++) {
    const struct setting_alias *alias = &SETTING_ALIASES[i];
    const char *value = env_value(s, alias->env);
    if (value == NULL) continue;
    struct str text = str_of(value), origin = str_of(alias->env);
    TRY(go_on(s, set(s, alias->of, alias->kind, text, alias->env, origin, why), why));
  }
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    const char *env = SETTINGS[i].env, *value = env_value(s, env);
    if (value == NULL) continue;
    struct str text = str_of(value), origin = str_of(env);
    TRY(go_on(s, set(s, (enum setting_index)i, SETTINGS[i].kind, text, env, origin, why), why));
  }
  return ERR_OK;
}

static enum err load_flags(struct settings *s, struct fault *why) {
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    const char *value = s->source.flags[i];
    if (!value) continue;
    struct str flag = arena_printf(&s->arena, "--%s", SETTINGS[i].flag);
    struct str text = str_of(value);
    TRY(go_on(s, set(s, (enum setting_index)i, SETTINGS[i].kind, text, flag.at, flag, why), why));
  }
  return ERR_OK;
}

// The setting that names its file follows each secret in settings.def.
static enum err load_secret(struct settings *s, enum setting_index which, struct fault *why) {
  enum setting_index in_file = (enum setting_index)(which + 1);
  struct str path = *(struct str *)field_of(s, in_file), secret;
  if (str_is_none(path)) return ERR_OK;
  if (!str_is_none(*(struct str *)field_of(s, which)))
    return fault_set(why, ERR_INVALID, "both %s (%.*s) and %s (%.*s) are set; keep one",
                     SETTINGS[which].name, STR_FMT(s->origin[which]), SETTINGS[in_file].name,
                     STR_FMT(s->origin[in_file]));
  TRY(client_key_read(path.at, &s->arena, &secret, why));
  return set(s, which, KIND_SECRET, secret, path.at, path, why);
}

// --- what follows from them ----------------------------------------------------------------------

bool settings_is_public(const struct settings *s) {
  struct str host = s->listen.host;
  struct in_addr address;
  if (inet_pton(AF_INET, host.at, &address) == 1)
    return ntohl(address.s_addr) >> 24 != IN_LOOPBACKNET;
  return !str_eq(host, STR("localhost")) && !str_eq(host, STR("::1"));
}

enum {
  WITH_SECRET = 1 << SIGN_HS256,
  WITH_JWKS = 1 << SIGN_RS256 | 1 << SIGN_ES256 | 1 << SIGN_EDDSA
};

unsigned settings_algorithms(const struct settings *s) {
  bool secret = !str_is_none(s->jwt_secret), jwks = !str_is_none(s->jwks);
  unsigned usual = (secret ? WITH_SECRET : 0u) | (jwks ? WITH_JWKS : 0u);
  return usual && s->jwt_algorithms ? s->jwt_algorithms : usual;
}

static enum err check_tokens(const struct settings *s, struct fault *why) {
  bool secret = !str_is_none(s->jwt_secret), jwks = !str_is_none(s->jwks);
  unsigned ways = settings_algorithms(s);
  if (secret && s->jwt_secret.len < SIGN_SECRET_BYTES_MIN)
    return fault_set(why, ERR_INVALID,
                     "%.*s: jwt_secret must have at least %d bytes, as in `openssl rand -hex 32`",
                     STR_FMT(s->origin[SETTING_INDEX_jwt_secret]), SIGN_SECRET_BYTES_MIN);
  if (secret && !(ways & WITH_SECRET))
    return fault_set(why, ERR_INVALID, "jwt_secret is set, but jwt_algorithms has no HS256");
  if (secret && !jwks && ways & WITH_JWKS)
    return fault_set(why, ERR_INVALID,
                     "jwt_algorithms has more than HS256, but there is no jwks with keys for them");
  return ERR_OK;
}

void settings_jobs_off(const struct settings *s, struct buf *out) {
  const struct {
    bool missing;
    const char *what;
  } needs[] = {
      {!s->jobs, "jobs = yes (ENABLE_QUEUE=true, and STORAGE=prisma if at all)"},
      {!s->store.path && !s->store.address,
       "store = sqlite:PATH or postgresql://… in place of memory:"},
      {!settings_algorithms(s), "jwt_secret or jwks, for the tokens of users"},
  };
  size_t count = 0;
  for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
    if (!needs[i].missing) continue;
    buf_put(out, count++ ? STR("; ") : STR("the job API is off; set "));
    buf_put(out, str_of(needs[i].what));
  }
}

// The defaults of the task repository service and of its client.
static bool is_well_known(struct str key) {
  return str_eq(key, STR("dev_api_key")) || str_eq(key, STR("default-api-key"));
}

enum err settings_check_exposure(const struct settings *s, bool key_exists, struct fault *why) {
  if (!settings_is_public(s)) return ERR_OK;
  struct str host = s->listen.host;
  if (is_well_known(s->api_key) && !s->allow_default_key)
    return fault_set(why, ERR_INVALID,
                     "listening on %.*s with the well-known key %.*s would let everyone in; set "
                     "another API_KEY, or give --allow-default-key",
                     STR_FMT(host), STR_FMT(s->api_key));
  if (!key_exists && str_is_none(s->api_key) && !settings_algorithms(s) && !s->allow_public)
    return fault_set(
        why, ERR_INVALID,
        "listening on %.*s without an API key would let everyone in; set API_KEY, listen "
        "on 127.0.0.1, or give --allow-public",
        STR_FMT(host));
  return ERR_OK;
}

void settings_show(const struct settings *s, enum setting_index which, struct buf *out) {
  value_show(SETTINGS[which].kind, (const char *)s + FIELD_OFFSETS[which], out);
}

bool settings_same(const struct settings *a, const struct settings *b, enum setting_index which) {
  size_t at = FIELD_OFFSETS[which];
  return value_same(SETTINGS[which].kind, (const char *)a + at, (const char *)b + at);
}
