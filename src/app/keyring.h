// keyring.h: reads the keys of tokens, a JWKS in a file or at a URL, and hands them to the API;
// again when they may have changed. A thread of its own does it, so that nobody waits for a slow
// disk or a slow server.
//
// What fails is logged and tried again after the cool-down; the keys that are there stay in use.
#ifndef APP_KEYRING_H
#define APP_KEYRING_H

#include "api/api.h"
#include "app/settings.h"

struct keyring;

// Reads them for the first time, which blocks, and starts the thread. ERR_INVALID: the file has
// none, or the URL is no URL; a server that does not answer is only logged. Borrows the texts of
// the settings.
MUST_USE enum err keyring_open(const struct settings *settings, struct api *api,
                               struct keyring **out, struct fault *why);
void keyring_close(struct keyring *k);   // NULL is allowed
void keyring_want(struct keyring *k);    // any thread: read them, at most once in a cool-down
void keyring_reload(struct keyring *k);  // any thread: read them now

#endif
