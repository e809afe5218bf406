// words.h: splits one line into the words of a command, as a shell does. Private to worker/.
#ifndef WORKER_WORDS_H
#define WORKER_WORDS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

// Blanks separate words. '…' is taken as it stands; in "…" a backslash quotes ", \, $, ` and a line
// end; outside, a backslash quotes any character. Nothing is expanded: $, *, ~, | and the like are
// plain characters. `*argv` ends with NULL and lives in the arena.
//
// ERR_INVALID: an open quote, a backslash at the end, or no word at all.
MUST_USE enum err words_split(struct str line, struct arena *a, char ***argv, struct fault *why);

#endif
