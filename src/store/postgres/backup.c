// backup.c: copies of a PostgreSQL are made by its own tools.
#include "store/postgres/internal.h"

enum err pg_backup(struct store *s, const char *path, struct fault *why) {
  (void)s, (void)path;
  return fault_set(why, ERR_INVALID,
                   "the store is PostgreSQL: back it up with pg_dump or pg_basebackup, or copy it "
                   "with 'taskyard migrate --from postgresql://… --to sqlite:FILE'");
}
