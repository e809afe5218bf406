// words.h: how the documents' front doors call the statuses of tasks. Private to api/.
#ifndef API_DOORS_WORDS_H
#define API_DOORS_WORDS_H

#include "model/words.h"

enum dialect { DIALECT_BULL, DIALECT_REPOSITORY, DIALECT_JOBS, DIALECT_SESSION, DIALECT_COUNT };

struct str door_word(enum dialect dialect, enum task_status status);
unsigned door_statuses(enum dialect dialect,
                       struct str word);  // bits 1 << enum task_status; 0: unknown

#endif
