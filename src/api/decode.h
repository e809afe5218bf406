// decode.h: JSON in: bodies and queries to plain structs, by table. Private to api/.
//
// A table row says where a member goes and what it may be; decoding names every wrong member by its
// JSON Pointer. The same rows describe the bodies in openapi.json and docs/api.md.
#ifndef API_DECODE_H
#define API_DECODE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

enum field_kind {
  FIELD_TEXT,      // string of min … max bytes, without U+0000     → struct str
  FIELD_NAME,      // 1 … 128 of A-Z a-z 0-9 . _ : / -              → struct str
  FIELD_INT,       // integer min … max                             → int64_t
  FIELD_BOOL,      //                                               → bool
  FIELD_ID,        // a task's id                                   → struct id
  FIELD_TOKEN,     // a lease token                                 → struct lease_token
  FIELD_FRACTION,  // number 0 … 1, kept as percent                 → int64_t
  FIELD_JSON,      // any value, as it is                           → struct str
  FIELD_OBJECT,    // an object of at most max bytes, as it is      → struct str
  FIELD_TAGS,      // an object of strings, as it is                → struct str
  FIELD_NAMES,     // array of at most max names                    → struct names
  FIELD_TEXTS,     // array of at most max strings                  → struct names
  FIELD_ARRAY,     // array, as it is                               → struct str
};

struct names {
  struct str *at;
  size_t count;
};

struct lease_token {
  int64_t lease;     // 0: none came
  uint32_t session;  // the number of the session that the task is of; 0: it is kept in the store
};

struct field {
  const char *name;
  enum field_kind kind;
  bool required;
  int64_t min, max;
  size_t offset;  // into the struct that is filled
  const char *meaning;
};

enum { FIELDS_MAX = 64 };  // of one table: a bit for each

struct fields {
  const struct field *at;
  size_t count;
  bool open;  // others may come too, and are passed over
};
#define FIELDS(array) ((struct fields){(array), sizeof(array) / sizeof *(array), false})

// Where in the body a value stands; rendered as a JSON Pointer only when something is wrong.
struct where {
  const struct where *up;
  const char *key;  // NULL: `index` counts
  size_t index;
};
const char *where_pointer(struct arena *a, const struct where *w, const char *key);

// Fills `out`, which holds the defaults. `seen` (may be NULL) gets bit i set when fields.at[i]
// came, and `nulls` when it came as null: null leaves the default and is refused for a required
// field. Every wrong member adds to `why`, which must not be NULL; behind the FAULT_FIELDS_MAX that
// it keeps decoding ends.
MUST_USE enum err decode_object(struct arena *a, struct str json, struct fields fields,
                                const struct where *where, void *out, uint64_t *seen,
                                uint64_t *nulls, struct fault *why);

#define NAME_RULE "1 to 128 characters of A-Z a-z 0-9 . _ : / -"
bool name_is_good(struct str name);
bool hex_parse(struct str text, uint64_t *out);  // 16 lower-case hexadecimal digits

// The lease that a token names: 16 hexadecimal digits, and before them s, 8 of the session's number
// and a dot if it is one of a session. One that was never ours names LEASE_NONE, which holds no
// task: that is a lost lease, not a malformed field.
enum { LEASE_NONE = -1 };
struct lease_token token_lease(struct str token);

#endif
