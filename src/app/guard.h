// guard.h: what a server gives up for good before it talks to strangers.
#ifndef APP_GUARD_H
#define APP_GUARD_H

#include "app/settings.h"

// Whether a secret of the operator is in memory: the first API key, the secret of tokens, or the
// address of a database, which may hold a password.
bool guard_has_secrets(const struct settings *s);

// From now on neither this process nor a child gets rights by running a program (setuid, file
// capabilities). With secrets, and unless core_dumps allows it, no core file is written, and no
// process without CAP_SYS_PTRACE looks into this one's memory.
void guard_process(const struct settings *s);

#endif
