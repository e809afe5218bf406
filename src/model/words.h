// words.h: the enums behind the *.def tables, and their words on the wire.
#ifndef MODEL_WORDS_H
#define MODEL_WORDS_H

#include "base/str.h"

enum task_status {
#define STATUS(name, word, final, meaning) TASK_##name,
#include "model/task_status.def"
#undef STATUS
  TASK_STATUS_COUNT
};

enum waiting {
#define WAITING(name, word, meaning) WAIT_##name,
#include "model/waiting.def"
#undef WAITING
  WAITING_COUNT
};

enum event_kind {
#define EVENT(name, word, meaning) EVENT_##name,
#include "model/event_kind.def"
#undef EVENT
  EVENT_KIND_COUNT
};

enum role_index {
#define ROLE(name, word, meaning) ROLE_INDEX_##name,
#include "model/role.def"
#undef ROLE
  ROLE_COUNT
};

enum role {  // bits
#define ROLE(name, word, meaning) ROLE_##name = 1 << ROLE_INDEX_##name,
#include "model/role.def"
#undef ROLE
  ROLE_ALL = (1 << ROLE_COUNT) - 1
};

bool task_status_is_final(enum task_status status);
struct str task_status_word(enum task_status status);
bool task_status_parse(struct str word, enum task_status *out);
struct str waiting_word(enum waiting waiting);  // STR_NONE for WAIT_NONE
bool waiting_parse(struct str word, enum waiting *out);
struct str event_word(enum event_kind kind);
struct str role_word(enum role_index role);
bool role_parse(struct str word, enum role *out);

#endif
