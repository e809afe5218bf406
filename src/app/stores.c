// stores.c: opens the store that the settings name, of whichever kind.
#include "app/stores.h"

#include <unistd.h>

#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"

static enum err open_postgres(const struct settings *s, bool read_only, struct store **out,
                              struct fault *why) {
  const struct postgres_settings settings = {.schema = s->store_schema,
                                             .node = s->node,
                                             .lanes = (size_t)s->lanes,
                                             .unsafe = s->unsafe_store,
                                             .read_only = read_only};
  return postgres_store_open(s->store.address, &settings, out, why);
}

bool stores_exists(const struct settings *s) {
  return s->store.address || (s->store.path && access(s->store.path, F_OK) == 0);
}

enum err stores_open(const struct settings *s, bool read_only, struct store **out,
                     struct fault *why) {
  if (s->store.address) return open_postgres(s, read_only, out, why);
  const struct sqlite_settings settings = {.read_only = read_only,
                                           .unverified = s->trust_pages,
                                           .checkpoint_pages = s->checkpoint_pages};
  return sqlite_store_open(s->store.path, &settings, out, why);
}

enum err stores_open_session(const struct settings *s, struct store **out, struct fault *why) {
  const struct sqlite_settings settings = {.bytes_max = s->session_bytes};
  return sqlite_store_open(NULL, &settings, out, why);
}
