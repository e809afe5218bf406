// settings.h: how the server is set up, and where each value came from.
//
// Order: flags, environment, file, defaults. The rows are in settings.def.
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/origin.h"
#include "model/nouns.h"

struct listen {
  struct str host;  // as written, without the brackets of IPv6; NUL-terminated
  int port;         // 0: any free one
};

struct store_url {
  struct str shown;     // as written, but for passwords
  const char *path;     // of the SQLite file; NULL: in memory, or in a database
  const char *address;  // of the PostgreSQL database, passwords and all; NULL: another store
};

enum log_choice { LOG_CHOICE_AUTO, LOG_CHOICE_TEXT, LOG_CHOICE_JSON };

// Of which tasks job_log.h writes.
enum log_jobs { LOG_JOBS_NO, LOG_JOBS_DOOR, LOG_JOBS_ALL };

// The kinds of settings.def. Texts are NUL-terminated; an empty TEXT, SECRET or PATH is STR_NONE.
// Durations are milliseconds, sizes bytes.
enum setting_kind {
  KIND_LISTEN,
  KIND_LISTEN_HOST,  // of an alias: sets only this part of a struct listen
  KIND_LISTEN_PORT,  // the same
  KIND_STORE,
  KIND_SCHEMA,
  KIND_TEXT,
  KIND_SECRET,
  KIND_PATH,
  KIND_COUNT,
  KIND_BYTES,
  KIND_DURATION,
  KIND_BOOL,
  KIND_LOG_LEVEL,
  KIND_LOG_FORMAT,
  KIND_ALGORITHMS,  // words, as bits of enum sign_way
  KIND_ROLES,       // words, as bits of enum role
  KIND_LOG_JOBS,
  KIND_MS,            // of an alias: a duration whose number alone is milliseconds
  KIND_DAYS,          // the same, whose number alone is days
  KIND_JOBS_STORAGE,  // of an alias: can only turn a switch off
  KIND_NETWORKS,      // addresses and networks, with blanks or commas between
  KIND_ORIGINS,       // origins of web pages, or *, with blanks or commas between
  KIND_NAME,          // of sections, see sections.def
  KIND_BACKOFF,       // the same
  KIND_BACKOFF_KIND,  // the same
  KIND_SHARE,         // the same; a percentage in int64_t
};
#define SETTING_TYPE_LISTEN struct listen
#define SETTING_TYPE_STORE struct store_url
#define SETTING_TYPE_SCHEMA struct str
#define SETTING_TYPE_TEXT struct str
#define SETTING_TYPE_SECRET struct str
#define SETTING_TYPE_PATH struct str
#define SETTING_TYPE_COUNT int64_t
#define SETTING_TYPE_BYTES int64_t
#define SETTING_TYPE_DURATION int64_t
#define SETTING_TYPE_BOOL bool
#define SETTING_TYPE_LOG_LEVEL enum log_level
#define SETTING_TYPE_LOG_FORMAT enum log_choice
#define SETTING_TYPE_ALGORITHMS unsigned
#define SETTING_TYPE_ROLES unsigned
#define SETTING_TYPE_LOG_JOBS enum log_jobs
#define SETTING_TYPE_NETWORKS struct networks
#define SETTING_TYPE_ORIGINS struct origins

enum setting_index {
#define SETTING(field, name, kind, ...) SETTING_INDEX_##field,
#define SETTING_ALIAS(...)
#include "app/settings.def"
#undef SETTING
#undef SETTING_ALIAS
  SETTINGS_COUNT
};

// Where settings come from; kept, so that SIGHUP can load them again.
struct settings_source {
  const char *(*env)(const char *name);  // NULL: the process's environment
  const char *config;                    // --config; NULL: TASKYARD_CONFIG or the usual places
  const char *flags[SETTINGS_COUNT];     // value of each flag; NULL: not given
  // Told of each thing that is wrong, and then the rest is looked at too. NULL: the first one ends
  // the loading.
  void (*wrong)(void *self, const struct fault *why);
  void *self;
};

struct settings {
#define SETTING(field, name, kind, ...) SETTING_TYPE_##kind field;
#define SETTING_ALIAS(...)
#include "app/settings.def"
#undef SETTING
#undef SETTING_ALIAS

  struct type *types;  // [type NAME] sections
  size_t type_count;
  struct queue *queues;  // [queue NAME] sections
  size_t queue_count;

  struct str file;                    // the file that was read; STR_NONE: none
  struct str origin[SETTINGS_COUNT];  // "default", "--listen", "TASKYARD_LISTEN", "taskyard.conf:3"
  struct settings_source source;
  bool is_wrong;       // while it is loaded: source.wrong was told of something
  struct arena arena;  // holds all of the above
};

// Reads files. On failure nothing is held; the sentence names the place and the range or nearest
// name.
MUST_USE enum err settings_load(const struct settings_source *source, struct settings *out,
                                struct fault *why);
void settings_fini(struct settings *s);

// True when `listen` is reachable from other machines.
bool settings_is_public(const struct settings *s);

// The algorithms of tokens that are taken, as bits of enum sign_way; 0: no tokens.
unsigned settings_algorithms(const struct settings *s);

// Why the job API is off, as a sentence for its callers that says what to set; nothing when it is
// on.
void settings_jobs_off(const struct settings *s, struct buf *out);

// Refuses to serve other machines without a key (`key_exists`: the store has one that is not
// revoked; api_key and tokens count by themselves), or with the well-known one, unless a setting
// allows it.
MUST_USE enum err settings_check_exposure(const struct settings *s, bool key_exists,
                                          struct fault *why);

// One row of settings.def, for those who print it.
struct setting {
  const char *name;
  enum setting_kind kind;
  const char *fallback;
  int64_t min, max;
  const char *env;
  const char *flag;  // without the dashes; "": none
  const char *meaning;
};
extern const struct setting SETTINGS[SETTINGS_COUNT];

struct setting_alias {
  const char *env;
  enum setting_index of;
  enum setting_kind kind;
  const char *meaning;
};
extern const struct setting_alias SETTING_ALIASES[];
extern const size_t SETTING_ALIAS_COUNT;

// The present value as a person would write it; a secret is masked.
void settings_show(const struct settings *s, enum setting_index which, struct buf *out);

// Whether both have the same value; secrets and passwords count.
bool settings_same(const struct settings *a, const struct settings *b, enum setting_index which);

#endif
