// backup.c: a consistent copy of the store, made while it is in use.
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"
#include "store/sqlite/file.h"
#include "store/sqlite/internal.h"

enum { BACKUP_CACHE_KIB = 2 << 10, SUFFIX_BYTES = 32 };

// VACUUM INTO reads one moment and writes a file without gaps. Writers go on meanwhile; only their
// WAL cannot start anew.
static enum err copy_into(struct conn *c, const char *path, struct fault *why) {
  struct use u;
  TRY(sqlite_use_sql(c, STR("VACUUM INTO ?"), &u, why));
  use_text(&u, str_of(path));
  enum err err = sqlite_use_run(&u, why);
  sqlite_use_close(&u);
  return err;
}

static enum err copy(struct sqlite_store *store, const char *path, struct fault *why) {
  struct conn c;
  if (store->path)
    TRY(sqlite_store_conn(store, CONN_READ, BACKUP_CACHE_KIB, &c, why));
  else
    sqlite_conn_borrow(&c, &store->conn);
  // To SQLite the new file is part of the connection, which therefore must be allowed to write.
  enum err err = sqlite_conn_exec(&c, "PRAGMA query_only = 0", why);
  if (err == ERR_OK) err = copy_into(&c, path, why);
  sqlite_conn_close(&c);
  return err;
}

// With the journal that SQLite leaves beside it when the disk failed.
static void drop(const char *partial) {
  size_t bytes = strlen(partial) + sizeof "-journal";
  char *journal = mem_alloc(bytes);
  snprintf(journal, bytes, "%s-journal", partial);
  unlink(partial);
  unlink(journal);
  mem_free(journal);
}

// Under its final name the copy appears whole and synced, or not at all.
enum err sqlite_backup(struct store *s, const char *path, struct fault *why) {
  if (access(path, F_OK) == 0)
    return fault_set(why, ERR_CONFLICT, "%s exists already; a backup never replaces a file", path);
  char *plain = sqlite_file_plain(path);
  size_t bytes = strlen(plain) + SUFFIX_BYTES;
  char *partial = mem_alloc(bytes);
  snprintf(partial, bytes, "%s.%016llx", plain, (unsigned long long)rand_u64());
  enum err err = sqlite_file_create(partial, why);
  if (err == ERR_OK) err = copy((struct sqlite_store *)s, partial, why);
  if (err == ERR_OK) err = sqlite_file_publish(partial, plain, why);
  if (err != ERR_OK) drop(partial);
  mem_free(partial);
  mem_free(plain);
  return err;
}
