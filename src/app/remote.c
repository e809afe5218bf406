// remote.c: calls a server for a command.
#include "app/remote.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

const struct option_spec REMOTE_OPTIONS[] = {
    {"url", 0, "URL", "server to call; else TASKYARD_URL, else http://127.0.0.1:8503"},
    {"key-file", 0, "FILE", "file whose first line is the API key; else TASKYARD_KEY"},
    {"key", 0, "KEY",
     "the API key itself; it shows in the list of processes, so prefer the others"},
    {"session", 0, "KEY",
     "work in this session, without an API key; else TASKYARD_SESSION, if no key is given"},
    {0}};

static bool has_key_option(const struct command *c) {
  return options_has(&c->given, "key") || options_has(&c->given, "key-file");
}

static struct str session_of(const struct command *c) {
  const char *given = options_value(&c->given, "session"), *set = getenv("TASKYARD_SESSION");
  if (given) return str_of(given);
  return set && *set && !has_key_option(c) ? str_of(set) : STR_NONE;
}

bool remote_in_session(const struct command *c) { return !str_is_none(session_of(c)); }

enum err remote_needs_key(struct command *c, const char *const *options, const char *because,
                          struct fault *why) {
  struct buf given;
  size_t count = 0;
  if (!remote_in_session(c)) return ERR_OK;
  buf_init(&given, FAULT_DETAIL_BYTES);
  for (; *options; options++) {
    if (!options_has(&c->given, *options)) continue;
    buf_printf(&given, "%s--%s", count++ ? ", " : "", *options);
  }
  struct str names = arena_dup(&c->arena, buf_str(&given));
  buf_fini(&given);
  if (count == 0) return ERR_OK;
  return command_misused(c, why,
                         "%.*s: %s; leave %s out, or give an API key (--key-file FILE) in place of "
                         "the session",
                         STR_FMT(names), because, count > 1 ? "them" : "it");
}

// What the command line says wins over the environment; of each a server takes one.
static enum err choose_session(struct command *c, struct client_settings *settings,
                               struct fault *why) {
  bool given = options_has(&c->given, "session");
  settings->session = session_of(c);
  if (str_is_none(settings->session)) return ERR_OK;
  if (given && has_key_option(c))
    return fault_set(why, ERR_INVALID, "say --session or a key, not both: tasks are in one place");
  if (!given && !str_is_none(settings->key))
    return fault_set(why, ERR_INVALID,
                     "TASKYARD_KEY and TASKYARD_SESSION are both set; unset one, or say --session "
                     "or --key-file");
  settings->key = STR_NONE;
  return ERR_OK;
}

static enum err open_client(struct command *c, struct fault *why) {
  struct client_settings settings = client_settings_from_env();
  const char *url = options_value(&c->given, "url");
  const char *key = options_value(&c->given, "key");
  const char *key_file = options_value(&c->given, "key-file");
  if (url) settings.url = str_of(url);
  if (key_file) TRY(client_key_read(key_file, &c->arena, &settings.key, why));
  if (key) settings.key = str_of(key);
  TRY(choose_session(c, &settings, why));
  return client_open(&settings, &c->client, why);
}

static enum err connect_server(struct command *c, struct fault *why) {
  enum err err = open_client(c, why);
  if (err == ERR_INVALID) c->exit_code = EXIT_USAGE;
  return err;
}

enum err remote_refuse_answer(struct fault *why) {
  return fault_set(why, ERR_INTERNAL,
                   "the answer is not what Taskyard answers; is one at this URL?");
}

enum err remote_about(const char *what, enum err err, struct fault *why) {
  struct fault told = *why;
  return err == ERR_NOT_FOUND ? fault_set(why, err, "%s: %s", what, told.detail) : err;
}

// The server names headers; a command has options for them.
static void advise(struct fault *why) {
  size_t len = strlen(why->detail);
  if (strstr(why->detail, "X-App-Session"))
    snprintf(why->detail + len, sizeof why->detail - len,
             " (by this command: --session KEY, or --key-file FILE)");
}

enum err remote_call(struct command *c, struct arena *a, const struct client_call *call,
                     struct str *document, struct fault *why) {
  if (!c->client) TRY(connect_server(c, why));
  struct client_reply reply;
  enum err err = client_expect(c->client, a, call, &reply, why);
  if (err == ERR_UNAUTHENTICATED) advise(why);
  TRY(err);
  struct json_error error;
  struct str value;
  if (!json_check(reply.body, &value, &error) || json_kind(value) != JSON_OBJECT)
    return remote_refuse_answer(why);
  if (document) *document = value;
  return ERR_OK;
}

enum err remote_stream(struct command *c, struct arena *a, const struct client_call *call,
                       struct fault *why) {
  struct client_reply reply;
  if (!c->client) TRY(connect_server(c, why));
  enum err err = client_expect(c->client, a, call, &reply, why);
  if (err == ERR_UNAUTHENTICATED) advise(why);
  return err;
}

enum err remote_get(struct command *c, struct str path, struct str *document, struct fault *why) {
  struct client_call call = {.method = "GET", .path = path};
  return remote_call(c, &c->arena, &call, document, why);
}

enum err remote_post(struct command *c, struct str path, struct str body, struct str *document,
                     struct fault *why) {
  struct client_call call = {.method = "POST", .path = path, .body = body};
  return remote_call(c, &c->arena, &call, document, why);
}

struct str remote_path(struct arena *a, const char *collection, const char *id,
                       const char *suffix) {
  struct str escaped = client_escape(a, str_of(id));
  return arena_printf(a, "/api/v1/%s/%.*s%s", collection, STR_FMT(escaped), suffix);
}

struct str reply_raw(struct str object, const char *key) {
  struct json_walk members = json_walk(object);
  struct str name, value;
  while (json_next(&members, &name, &value))
    if (str_eq(name, str_of(key))) return json_kind(value) == JSON_NULL ? STR_NONE : value;
  return STR_NONE;
}

struct str reply_text(struct arena *a, struct str object, const char *key) {
  struct str value = reply_raw(object, key);
  if (str_is_none(value) || json_kind(value) != JSON_STRING) return STR_NONE;
  return json_string(a, value, NULL);
}

int64_t reply_i64(struct str object, const char *key) {
  struct str value = reply_raw(object, key);
  int64_t number = 0;
  if (!str_is_none(value) && json_kind(value) == JSON_NUMBER) (void)json_integer(value, &number);
  return number;
}

bool reply_bool(struct str object, const char *key) {
  struct str value = reply_raw(object, key);
  return !str_is_none(value) && json_kind(value) == JSON_TRUE;
}
