// key.c: `taskyard key`: creates, lists, rotates and revokes API keys.
#include "app/moment.h"
#include "app/payload.h"
#include "app/print.h"
#include "app/remote.h"
#include "app/table.h"
#include "base/json.h"
#include "model/limits.h"

#include <stdio.h>
#include <unistd.h>

static const struct option_spec OPTIONS[] = {
    {"name", 'n', "TEXT", "create: what people call it"},
    {"role", 'r', "ROLE", "create: producer, worker, reader or admin; can be repeated"},
    {"tenant", 't', "NAME", "create: the tenant that it belongs to; your own if not given"},
    {"service", 's', "NAME", "create: the microservice whose own key it is"},
    {"expires-in", 'e', "DURATION",
     "create, rotate: opens for so long, as in 90d; else for ever, or as long as the one before"},
    {"overlap", 'o', "DURATION", "rotate: how long the old key opens still; 24h if not given"},
    {"json", 'j', NULL, "what the server answered, one line a key"},
    {0}};
static const char *const EXAMPLES[] = {
    "taskyard key create --name web --role producer",
    "taskyard key create --name gpu-1 --role worker > /etc/taskyard/worker.key",
    "taskyard key create --name mail --role worker --service mail --expires-in 90d",
    "taskyard key rotate 4f9a1c02 --overlap 2h > /etc/taskyard/worker.key",
    "taskyard key list",
    "taskyard key revoke 4f9a1c02",
    NULL};
static const char *const WORDS[] = {"create", "list", "rotate", "revoke", NULL};
static const char *const TITLES[] = {"ID",      "NAME",    "TENANT",  "ROLES",     "SERVICE",
                                     "CREATED", "EXPIRES", "REVOKED", "LAST USED", NULL};

// Adds a member with what the option says, if it is there.
static enum err write_duration(struct command *c, const char *option, const char *member,
                               int64_t min, int64_t max, struct buf *body, struct fault *why) {
  const char *text = options_value(&c->given, option);
  int64_t ms;
  if (text == NULL) return ERR_OK;
  if (!str_to_duration_ms(str_of(text), &ms) || ms < min || ms > max)
    return command_misused(c, why,
                           "--%s must be a duration of at most %lldd, as in 30m or 7d, not "
                           "\"%s\"",
                           option, (long long)(max / (24LL * 3600 * 1000)), text);
  if (body->len > 1) buf_char(body, ',');
  buf_printf(body, "\"%s\":%lld", member, (long long)ms);
  return ERR_OK;
}

static void write_text(struct command *c, const char *option, struct buf *body) {
  const char *text = options_value(&c->given, option);
  if (text == NULL) return;
  buf_printf(body, ",\"%s\":", option);
  buf_json_str(body, str_of(text));
}

static enum err write_request(struct command *c, struct buf *body, struct fault *why) {
  const char *name = options_value(&c->given, "name"), *role;
  size_t at = 0, count = 0;
  if (!name || !options_has(&c->given, "role"))
    return command_misused(c, why, "key create needs --name and at least one --role");
  BUF_LIT(body, "{\"name\":");
  buf_json_str(body, str_of(name));
  BUF_LIT(body, ",\"roles\":[");
  while (options_next(&c->given, "role", &at, &role)) {
    if (count++) buf_char(body, ',');
    buf_json_str(body, str_of(role));
  }
  buf_char(body, ']');
  write_text(c, "tenant", body);
  write_text(c, "service", body);
  TRY(write_duration(c, "expires-in", "expiresInMs", 1, LIMIT_KEY_LIFETIME_MS, body, why));
  buf_char(body, '}');
  return ERR_OK;
}

static enum err print_made(struct command *c, struct str document, struct fault *why) {
  if (options_has(&c->given, "json")) return print_line(document, why);
  struct str secret = reply_text(&c->arena, document, "secret");
  struct str key = reply_raw(document, "key");
  if (str_is_none(secret) || str_is_none(key)) return remote_refuse_answer(why);
  struct str id = reply_text(&c->arena, key, "id");
  if (id.len)
    fprintf(stderr, "Key %.*s, shown this once; keep it where TASKYARD_KEY comes from.\n",
            STR_FMT(id));
  return print_line(secret, why);
}

static enum err create(struct command *c, struct fault *why) {
  struct buf body;
  struct str document;
  buf_init(&body, 64 * 1024);
  enum err err = write_request(c, &body, why);
  if (err == ERR_OK) err = remote_post(c, STR("/api/v1/keys"), buf_str(&body), &document, why);
  buf_fini(&body);
  return err == ERR_OK ? print_made(c, document, why) : err;
}

static enum err write_rotation(struct command *c, struct buf *body, struct fault *why) {
  buf_char(body, '{');
  TRY(write_duration(c, "overlap", "overlapMs", 0, LIMIT_KEY_OVERLAP_MS, body, why));
  TRY(write_duration(c, "expires-in", "expiresInMs", 1, LIMIT_KEY_LIFETIME_MS, body, why));
  buf_char(body, '}');
  return ERR_OK;
}

static struct str moment_text(struct command *c, struct str key, const char *member) {
  struct buf text;
  buf_init(&text, 64);
  int64_t ms = reply_i64(key, member);
  if (ms) moment_show(ms, &text);
  struct str copy = arena_dup(&c->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static struct str roles_text(struct command *c, struct str key) {
  struct str roles = reply_raw(key, "roles"), name, role, joined = STR("");
  if (str_is_none(roles) || json_kind(roles) != JSON_ARRAY) return joined;
  struct json_walk walk = json_walk(roles);
  while (json_next(&walk, &name, &role))
    joined = arena_printf(&c->arena, "%.*s%s%.*s", STR_FMT(joined), joined.len ? "," : "",
                          STR_FMT(json_string(&c->arena, role, NULL)));
  return joined;
}

static struct str text_of(struct command *c, struct str key, const char *member) {
  struct str text = reply_text(&c->arena, key, member);
  return str_is_none(text) ? STR("") : text;
}

// Prints what a rotation made, and when the old key ends.
static enum err rotate(struct command *c, const char *id, struct fault *why) {
  struct buf body;
  struct str document;
  buf_init(&body, 1024);
  enum err err = write_rotation(c, &body, why);
  struct str path = remote_path(&c->arena, "keys", id, "/rotate");
  if (err == ERR_OK) err = remote_post(c, path, buf_str(&body), &document, why);
  buf_fini(&body);
  if (err != ERR_OK) return err;
  struct str old = reply_raw(document, "replaced");
  if (str_is_none(old)) return remote_refuse_answer(why);
  struct str end = moment_text(c, old, "expiresAt");
  fprintf(stderr, "Key %s opens until %.*s.\n", id, STR_FMT(end));
  return print_made(c, document, why);
}

static void add_key(struct command *c, struct table *table, struct str key) {
  struct str revoked = moment_text(c, key, "revokedAt");
  table_add(table, (const struct table_cell[]){{text_of(c, key, "id"), STYLE_PLAIN},
                                               {text_of(c, key, "name"), STYLE_PLAIN},
                                               {text_of(c, key, "tenant"), STYLE_PLAIN},
                                               {roles_text(c, key), STYLE_PLAIN},
                                               {text_of(c, key, "service"), STYLE_PLAIN},
                                               {moment_text(c, key, "createdAt"), STYLE_DIM},
                                               {moment_text(c, key, "expiresAt"), STYLE_DIM},
                                               {revoked, STYLE_WARN},
                                               {moment_text(c, key, "lastUsedAt"), STYLE_DIM}});
}

static enum err list(struct command *c, struct fault *why) {
  struct str document, name, key;
  TRY(remote_get(c, STR("/api/v1/keys"), &document, why));
  struct str keys = reply_raw(document, "keys");
  if (str_is_none(keys)) return remote_refuse_answer(why);
  struct term term = term_of(STDOUT_FILENO);
  struct table table;
  table_init(&table, &c->arena, TITLES);
  struct json_walk walk = json_walk(keys);
  while (json_next(&walk, &name, &key)) {
    if (options_has(&c->given, "json")) TRY(print_line(key, why));
    add_key(c, &table, key);
  }
  return options_has(&c->given, "json") ? ERR_OK : table_show(&table, &term, why);
}

static enum err revoke_key(struct command *c, const char *id, struct fault *why) {
  struct client_call call = {.method = "DELETE", .path = remote_path(&c->arena, "keys", id, "")};
  struct str document;
  TRY(remote_call(c, &c->arena, &call, &document, why));
  if (options_has(&c->given, "json")) return print_line(document, why);
  return print_line(arena_printf(&c->arena, "%s\trevoked", id), why);
}

static enum err run(struct command *c, struct fault *why) {
  size_t count = c->given.positional_count;
  const char *word = c->given.positionals[0];
  if (strcmp(word, "create") == 0 && count == 1) return create(c, why);
  if (strcmp(word, "list") == 0 && count == 1) return list(c, why);
  if (strcmp(word, "rotate") == 0 && count == 2) return rotate(c, c->given.positionals[1], why);
  if (strcmp(word, "revoke") != 0 || count < 2)
    return command_misused(c, why,
                           "say key create --name NAME --role ROLE, key list, key rotate ID, or "
                           "key revoke ID");
  for (size_t i = 1; i < count; i++) TRY(revoke_key(c, c->given.positionals[i], why));
  return ERR_OK;
}

const struct command_spec COMMAND_key = {
    .options =
        {.usage = "taskyard key create --name TEXT --role ROLE… | list | rotate ID | "
                  "revoke ID…",
         .summary =
             "Creates, lists, rotates and revokes API keys. The key itself is printed once,\n"
             "at its creation; the server keeps only a hash of it. To rotate a key is to\n"
             "make another one of its name, roles and service, while it opens for a while.",
         .options = OPTIONS,
         .common = REMOTE_OPTIONS,
         .positionals_min = 1,
         .positionals_max = OPTIONS_ANY,
         .examples = EXAMPLES},
    .words = WORDS,
    .run = run};
