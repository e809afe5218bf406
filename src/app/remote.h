// remote.h: commands that call a server: where it is, with which key, and what it answered.
#ifndef APP_REMOTE_H
#define APP_REMOTE_H

#include "app/command.h"
#include "client/client.h"

// --url, --key, --key-file and --session: the second table of every command that calls a server.
extern const struct option_spec REMOTE_OPTIONS[];

// Whether it works in a session: by --session, else by TASKYARD_SESSION unless a key is given.
bool remote_in_session(const struct command *c);

// Refuses, by their names, those of `options` (ended by NULL) that were given although a session is
// meant. `because`: what a session has instead.
enum err remote_needs_key(struct command *c, const char *const *options, const char *because,
                          struct fault *why);

// A call that must succeed. Connects at the first one. `*document` is the answer, in the arena: a
// JSON object. NULL when it is not wanted.
enum err remote_call(struct command *c, struct arena *a, const struct client_call *call,
                     struct str *document, struct fault *why);

// A stream of events, of which nothing is left when this returns.
enum err remote_stream(struct command *c, struct arena *a, const struct client_call *call,
                       struct fault *why);

// GET of a path, and POST of a body; the answer lives as long as the command.
enum err remote_get(struct command *c, struct str path, struct str *document, struct fault *why);
enum err remote_post(struct command *c, struct str path, struct str body, struct str *document,
                     struct fault *why);

// Names what a refusal is about that says only that there is no such thing. Gives `err` back.
enum err remote_about(const char *what, enum err err, struct fault *why);

// An answer that lacks what it must have.
enum err remote_refuse_answer(struct fault *why);

// "/api/v1/tasks/ID", with `suffix` behind it ("/status", ""). The id is escaped.
struct str remote_path(struct arena *a, const char *collection, const char *id, const char *suffix);

// Members of an object of an answer. The raw value (STR_NONE when absent or null); a string; a
// number (0 when absent).
struct str reply_raw(struct str object, const char *key);
struct str reply_text(struct arena *a, struct str object, const char *key);
int64_t reply_i64(struct str object, const char *key);
bool reply_bool(struct str object, const char *key);

#endif
