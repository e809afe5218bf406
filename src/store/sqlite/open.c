// open.c: opens and closes the store, and the tables of its calls.
#include <assert.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/proof.h"
#include "store/sqlite/file.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/proof.h"
#include "store/sqlite/sums.h"
#include "store/sqlite/wal.h"

// Measured with bench/store. A larger cache brings nothing over the kernel's own, a very large one
// costs. A checkpoint holds up the orders that wait just then, so it must be rarer than one in a
// hundred of them, and the rarer it is the fewer pages are copied twice; past this the gain is
// small, and the stall and the recovery grow.
enum { CHECKPOINT_PAGES = 16000, CACHE_KIB = 8 << 10, READ_DEADLINE_MS = 5000, LIVE_LOOKS = 4 };

static pthread_once_t sqlite_once = PTHREAD_ONCE_INIT;

// SQLite's own heap, which must not run out either: a failed allocation can make it give a text
// that is there as NULL, say of a statement that it is wrong, or keep it from rolling back.
static sqlite3_mem_methods heap;

static void *alloc_or_die(int bytes) {
  void *at = heap.xMalloc(bytes);
  if (at == NULL) mem_exhausted();
  return at;
}

static void *resize_or_die(void *old, int bytes) {
  void *at = heap.xRealloc(old, bytes);
  if (at == NULL) mem_exhausted();
  return at;
}

static void die_without_memory(void) {
  if (proof_word(PROOF_heap_lenient)) return;
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &heap);
  sqlite3_mem_methods strict = heap;
  strict.xMalloc = alloc_or_die;
  strict.xRealloc = resize_or_die;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &strict);
}

// Counting each allocation takes a lock that all connections share.
static void sqlite_setup(void) {
  sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite_proof_config();
  die_without_memory();
  sqlite3_initialize();
  sqlite_proof_setup();
  sqlite_sums_setup();
}

static struct sqlite_settings settings_filled(const struct sqlite_settings *given) {
  struct sqlite_settings s = given ? *given : (struct sqlite_settings){0};
  if (s.checkpoint_pages <= 0) s.checkpoint_pages = (int64_t)proof_word(PROOF_checkpoint_pages);
  if (s.checkpoint_pages <= 0) s.checkpoint_pages = CHECKPOINT_PAGES;
  if (s.cache_kib <= 0) s.cache_kib = CACHE_KIB;
  if (s.read_deadline_ms <= 0) s.read_deadline_ms = READ_DEADLINE_MS;
  return s;
}

enum err sqlite_store_conn(const struct sqlite_store *s, enum conn_kind kind, int64_t cache_kib,
                           struct conn *out, struct fault *why) {
  bool lenient = s->settings.unverified || proof_word(PROOF_pages_unverified);
  const char *vfs = lenient ? SQLITE_SUMS_VFS_LENIENT : SQLITE_SUMS_VFS;
  return sqlite_conn_open(out, s->path, vfs, kind, cache_kib, why);
}

// A log that a server writes to just now may look damaged, but hardly each time.
static enum err check_live_wal(const char *path, struct fault *why) {
  enum err err = ERR_STORE_BROKEN;
  for (int i = 0; i < LIVE_LOOKS && err != ERR_OK; i++) err = sqlite_wal_check(path, why);
  return err;
}

static enum err open_to_read(struct sqlite_store *s, struct fault *why) {
  TRY(check_live_wal(s->path, why));
  TRY(sqlite_store_conn(s, CONN_READ, s->settings.cache_kib, &s->conn, why));
  // Not before, so that no lock file comes to be beside a store that is not there.
  return s->settings.alone ? sqlite_file_lock(s->path, &s->lock_fd, why) : ERR_OK;
}

static enum err open_file(struct sqlite_store *s, const char *path, struct fault *why) {
  TRY(sqlite_file_resolve(path, &s->path, why));
  TRY(sqlite_file_check(s->path, why));
  if (s->settings.read_only) return open_to_read(s, why);
  TRY(sqlite_file_lock(s->path, &s->lock_fd, why));
  TRY(sqlite_wal_check(s->path, why));
  TRY(sqlite_file_create(s->path, why));
  return sqlite_store_conn(s, CONN_WRITE, s->settings.cache_kib, &s->conn, why);
}

static enum err open_memory(struct sqlite_store *s, struct fault *why) {
  TRY(sqlite_store_conn(s, CONN_MEMORY, s->settings.cache_kib, &s->conn, why));
  return s->settings.bytes_max ? sqlite_conn_bound(&s->conn, s->settings.bytes_max, why) : ERR_OK;
}

enum err sqlite_store_open(const char *path, const struct sqlite_settings *settings,
                           struct store **out, struct fault *why) {
  pthread_once(&sqlite_once, sqlite_setup);
  struct sqlite_store *s = mem_zero(sizeof *s);
  s->store.ops = path ? &sqlite_file_ops : &sqlite_memory_ops;
  s->settings = settings_filled(settings);
  s->lock_fd = -1;
  enum err err = path ? open_file(s, path, why) : open_memory(s, why);
  if (err == ERR_OK)
    err = sqlite_migrate(&s->conn, path ? path : "memory", path && s->settings.read_only, why);
  if (err == ERR_OK)
    *out = &s->store;
  else
    s->store.ops->close(&s->store);
  return err;
}

static void store_close(struct store *store) {
  if (!store) return;
  struct sqlite_store *s = (struct sqlite_store *)store;
  assert(!s->lane_open);
  sqlite_conn_close(&s->conn);  // the last to close: copies the WAL into the file and removes it
  if (s->lock_fd >= 0) close(s->lock_fd);
  mem_free(s->path);
  mem_free(s);
}

#define OPS(store_name, in_memory)                                                                 \
  {                                                                                                \
    .name = store_name, .lane_reads = in_memory, .fleeting = in_memory,                            \
    .catalog = sqlite_catalog_read, .last_id = sqlite_last_id, .lane_max = sqlite_lane_max,        \
    .lane_open = sqlite_lane_open, .lane_close = sqlite_lane_close, .load = sqlite_load,           \
    .apply = sqlite_apply, .abandon = sqlite_lane_abandon, .wake_next = sqlite_lane_wake_next,     \
    .tend = sqlite_lane_tend, .reader_open = sqlite_reader_open,                                   \
    .reader_close = sqlite_reader_close, .read_task = sqlite_read_task,                            \
    .read_tasks = sqlite_read_tasks, .read_events = sqlite_read_events,                            \
    .read_newest = sqlite_read_newest, .read_logs = sqlite_read_logs,                              \
    .read_tallies = sqlite_read_tallies, .backup = sqlite_backup, .check = sqlite_check,           \
    .bulk_read = sqlite_bulk_read, .bulk_write = sqlite_bulk_write, .bulk_mark = sqlite_bulk_mark, \
    .bulk_finish = sqlite_bulk_finish, .bulk_whole = sqlite_bulk_whole, .close = store_close,      \
  }

const struct store_ops sqlite_file_ops = OPS("sqlite", false);
const struct store_ops sqlite_memory_ops = OPS("memory", true);
