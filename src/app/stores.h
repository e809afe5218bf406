// stores.h: opens the store that the settings name, of whichever kind.
#ifndef APP_STORES_H
#define APP_STORES_H

#include "app/settings.h"
#include "store/store.h"

// Whether there is one to be opened; else opening makes it. A database counts as there.
bool stores_exists(const struct settings *settings);

// `read_only`: to look at it beside a server that has it open. Not of memory.
MUST_USE enum err stores_open(const struct settings *settings, bool read_only, struct store **out,
                              struct fault *why);

// A store in memory for one session, of a bounded size.
MUST_USE enum err stores_open_session(const struct settings *settings, struct store **out,
                                      struct fault *why);

#endif
