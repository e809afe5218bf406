// guard.c: rights and core files that a server does without.
#include "app/guard.h"

#include <sys/prctl.h>

#include "base/log.h"

bool guard_has_secrets(const struct settings *s) {
  return !str_is_none(s->api_key) || !str_is_none(s->jwt_secret) || s->store.address;
}

// Old kernels and some sandboxes refuse; the server is no worse off than before.
static void give_up(int option, unsigned long value, const char *what) {
  if (prctl(option, value, 0UL, 0UL, 0UL) != 0)
    log_event(LOG_WARN, "the system does not let the server give something up",
              LOG_STR("what", str_of(what)));
}

void guard_process(const struct settings *s) {
  give_up(PR_SET_NO_NEW_PRIVS, 1, "new privileges");
  if (guard_has_secrets(s) && !s->core_dumps) give_up(PR_SET_DUMPABLE, 0, "core dumps");
}
