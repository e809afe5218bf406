// server.h: the server: wires store, engine, HTTP and signals together and runs them.
#ifndef APP_SERVER_H
#define APP_SERVER_H

#include "app/settings.h"

struct engine;

// Serves until a signal asks it to stop, then drains. Blocks. The log is set up before.
// ERR_INVALID: the settings cannot be served with (the address, the key, the store's name).
MUST_USE enum err server_run(const struct settings *settings, struct fault *why);

// Level, format and file of the log, from the settings; also when they are loaded again.
MUST_USE enum err server_log_start(const struct settings *settings, struct fault *why);

// Makes what the [type] and [queue] sections say so, where the store says otherwise. Returns at
// once; the engine does it.
void server_declare(struct engine *engine, const struct settings *settings);

#endif
