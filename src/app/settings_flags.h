// settings_flags.h: the flags that set settings, for serve, config, check and backup.
#ifndef APP_SETTINGS_FLAGS_H
#define APP_SETTINGS_FLAGS_H

#include "app/settings.h"
#include "base/options.h"

// --config, and one row for each setting that has a flag.
extern const struct option_spec SETTINGS_OPTIONS[];

// What the flags of `given` say; its command must have SETTINGS_OPTIONS among its tables.
struct settings_source settings_flags_read(const struct options *given);

#endif
