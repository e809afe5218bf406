// settings_typos.h: variables that look like a setting of ours but are none.
#ifndef APP_SETTINGS_TYPOS_H
#define APP_SETTINGS_TYPOS_H

#include <stdio.h>

// Warns of each TASKYARD_… variable of the environment that is nearly the name of a setting. Others
// are left alone: they may belong to a program beside us.
void settings_typos_tell(FILE *to);

#endif
