// sections.c: turns [type NAME] and [queue NAME] into struct type and struct queue.
#include "app/sections.h"

#include "app/value.h"
#include "base/nearest.h"
#include "model/limits.h"

#define OWNER_TYPE struct type
#define OWNER_QUEUE struct queue

const struct section_key SECTION_KEYS[] = {
#define SECTION_KEY(section, name, kind, field, min, max, meaning)                                 \
  {SECTION_##section, name, KIND_##kind, offsetof(OWNER_##section, field), min, max, meaning},
#define SECTION_LATER(section, name)
#include "app/sections.def"
#undef SECTION_KEY
#undef SECTION_LATER
};
const size_t SECTION_KEY_COUNT = sizeof SECTION_KEYS / sizeof SECTION_KEYS[0];

static const struct later_key {
  enum section_kind section;
  const char *name;
} LATER_KEYS[] = {
#define SECTION_KEY(...)
#define SECTION_LATER(section, name) {SECTION_##section, name},
#include "app/sections.def"
#undef SECTION_KEY
#undef SECTION_LATER
};

enum {
  TENANT_DEFAULT = 1,
  KEY_COUNT = sizeof SECTION_KEYS / sizeof SECTION_KEYS[0],
  LATER_COUNT = sizeof LATER_KEYS / sizeof LATER_KEYS[0]
};

// Where a type names a part of its backoff, these are the other parts (docs/settings.md says so).
static const struct backoff BACKOFF_DEFAULT = {BACKOFF_EXPONENTIAL, 1000, 3600 * 1000, 20};

// Room for one more element: the arrays double inside the arena, which frees them all together.
static void *grow(struct arena *a, void *old, size_t count, size_t bytes) {
  bool is_full = (count & (count - 1)) == 0;
  if (!is_full) return old;
  void *wider = arena_zero(a, bytes * (count ? count * 2 : 1));
  if (count) memcpy(wider, old, bytes * count);
  return wider;
}

static enum err add_type(struct settings *s, struct str name, const char *where,
                         struct fault *why) {
  for (size_t i = 0; i < s->type_count; i++)
    if (str_eq(s->types[i].name, name))
      return fault_set(why, ERR_INVALID, "%s: [type %.*s] stands here a second time", where,
                       STR_FMT(name));
  s->types = grow(&s->arena, s->types, s->type_count, sizeof *s->types);
  s->types[s->type_count++] = (struct type){.tenant = TENANT_DEFAULT,
                                            .name = name,
                                            .priority = VERSION_NONE,
                                            .timeout_ms = -1,
                                            .keep = {KEEP_UNSAID, KEEP_UNSAID, KEEP_UNSAID}};
  return ERR_OK;
}

static enum err add_queue(struct settings *s, struct str name, const char *where,
                          struct fault *why) {
  for (size_t i = 0; i < s->queue_count; i++)
    if (str_eq(s->queues[i].name, name))
      return fault_set(why, ERR_INVALID, "%s: [queue %.*s] stands here a second time", where,
                       STR_FMT(name));
  s->queues = grow(&s->arena, s->queues, s->queue_count, sizeof *s->queues);
  s->queues[s->queue_count++] = (struct queue){.tenant = TENANT_DEFAULT, .name = name};
  return ERR_OK;
}

enum err sections_open(struct sections *s, struct settings *settings, struct str header,
                       const char *where, struct fault *why) {
  struct str name = header, word = str_cut(&name, ' ');
  bool is_type = str_eq(word, STR("type"));
  if (!is_type && !str_eq(word, STR("queue")))
    return fault_set(why, ERR_INVALID,
                     "%s: [%.*s] is no section; there are [type NAME] and [queue NAME]", where,
                     STR_FMT(header));
  struct value_rule rule = {.kind = KIND_NAME};
  struct str given = str_is_none(name) ? STR("") : str_trim(name), copy;
  if (!value_parse(&rule, given, &settings->arena, &copy))
    return value_refuse(&rule, where, is_type ? "the name of a type" : "the name of a queue", given,
                        why);
  s->kind = is_type ? SECTION_TYPE : SECTION_QUEUE;
  s->seen = 0;
  return is_type ? add_type(settings, copy, where, why) : add_queue(settings, copy, where, why);
}

static const char *section_word(enum section_kind kind) {
  return kind == SECTION_TYPE ? "type" : "queue";
}

static enum err refuse_unknown(const struct sections *s, struct str key, const char *where,
                               struct fault *why) {
  for (size_t i = 0; i < LATER_COUNT; i++)
    if (LATER_KEYS[i].section == s->kind && str_eq(key, str_of(LATER_KEYS[i].name)))
      return fault_set(why, ERR_INVALID, "%s: %.*s comes in a later version", where, STR_FMT(key));
  struct str names[KEY_COUNT];
  size_t count = 0;
  for (size_t i = 0; i < KEY_COUNT; i++)
    if (SECTION_KEYS[i].section == s->kind) names[count++] = str_of(SECTION_KEYS[i].name);
  struct buf hint;
  buf_init(&hint, FAULT_DETAIL_BYTES);
  nearest_tell(key, names, count, &hint);
  fault_set(why, ERR_INVALID, "%s: [%s] has no key %.*s%.*s", where, section_word(s->kind),
            STR_FMT(key), STR_FMT(buf_str(&hint)));
  buf_fini(&hint);
  return ERR_INVALID;
}

static const struct section_key *find_key(enum section_kind section, struct str key) {
  for (size_t i = 0; i < KEY_COUNT; i++)
    if (SECTION_KEYS[i].section == section && str_eq(key, str_of(SECTION_KEYS[i].name)))
      return &SECTION_KEYS[i];
  return NULL;
}

static bool is_backoff(const struct section_key *key) {
  return key->section == SECTION_TYPE && key->offset >= offsetof(struct type, backoff) &&
         key->offset < offsetof(struct type, backoff) + sizeof(struct backoff);
}

static void *open_section(enum section_kind kind, struct settings *s) {
  return kind == SECTION_TYPE ? (void *)&s->types[s->type_count - 1]
                              : (void *)&s->queues[s->queue_count - 1];
}

enum err sections_set(struct sections *s, struct settings *settings, struct str key,
                      struct str value, const char *where, struct fault *why) {
  const struct section_key *row = find_key(s->kind, key);
  if (!row) return refuse_unknown(s, key, where, why);
  uint64_t bit = 1ULL << (row - SECTION_KEYS);
  if (s->seen & bit)
    return fault_set(why, ERR_INVALID, "%s: %s stands here a second time", where, row->name);
  s->seen |= bit;
  void *owner = open_section(s->kind, settings);
  if (is_backoff(row)) {
    struct backoff *backoff = &((struct type *)owner)->backoff;
    if (backoff->delay_ms == 0) *backoff = BACKOFF_DEFAULT;
  }
  struct value_rule rule = {row->kind, row->min, row->max};
  if (!value_parse(&rule, value, &settings->arena, (char *)owner + row->offset))
    return value_refuse(&rule, where, row->name, value, why);
  return ERR_OK;
}

enum err sections_check(const struct settings *settings, struct fault *why) {
  for (size_t i = 0; i < settings->type_count; i++) {
    const struct type *t = &settings->types[i];
    if (t->backoff.delay_max_ms < t->backoff.delay_ms)
      return fault_set(why, ERR_INVALID,
                       "%.*s: [type %.*s] has a backoff_max below its backoff_delay",
                       STR_FMT(settings->file), STR_FMT(t->name));
  }
  return ERR_OK;
}
