// settings_typos.h: variables that look like a setting of ours but are none, and those of others.
#ifndef APP_SETTINGS_TYPOS_H
#define APP_SETTINGS_TYPOS_H

#include "base/buf.h"

#include <stdio.h>

// Warns of each TASKYARD_… variable of the environment that is nearly the name of a setting. Others
// are left alone: they may belong to a program beside us. And of each one of foreign.def, which
// somebody may believe in.
void settings_typos_tell(FILE *to);

// Rows of a table in docs/settings.md.
void settings_typos_docs(struct buf *out);

#endif
