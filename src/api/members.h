// members.h: the members of a JSON object whose names must not repeat: of tokens and of their keys.
// Private to api/.
#ifndef API_MEMBERS_H
#define API_MEMBERS_H

#include "base/arena.h"
#include "base/json.h"

struct member {
  struct str name;   // escapes resolved
  struct str value;  // as it came
};

struct members {
  struct member *at;
  size_t count;
};

// False when `value`, which json_check accepted, is no object, has more members than that, or one
// name twice, however it is spelled.
bool members_read(struct arena *a, struct str value, size_t count_max, struct members *out);
struct str members_find(const struct members *m, struct str name);  // STR_NONE: absent
// The text of a string of at most that many bytes. False when the member is something else; absent
// is true, and leaves `*out`.
bool members_text(struct arena *a, const struct members *m, struct str name, size_t bytes_max,
                  struct str *out);

#endif
