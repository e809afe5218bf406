// wrongs.h: loads settings for a command, which says all that is wrong with them.
#ifndef APP_WRONGS_H
#define APP_WRONGS_H

#include "app/settings.h"

// As settings_load. Of several things that are wrong all but the last go to standard error, a line
// each; the last is `why`, for the command to end with. Past `max` they are only counted, by `why`.
MUST_USE enum err wrongs_load(struct settings_source source, size_t max, struct settings *out,
                              struct fault *why);

#endif
