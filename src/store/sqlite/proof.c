// proof.c: a file system for SQLite that writes down what is done to files, and fails on demand.
//
// Compiled into builds with -Dproof=enabled only; base/proof.def says how it is steered. With
// TASKYARD_PROOF_RECORD a file gets a record of each change before it is made, and of each sync
// after it was: 'W' write, 'T' truncate, 'S' sync, 'O' a file came to be, 'D' delete. A record is
// that letter, the number of the file's name, offset, length (32, 64 and 32 bits), and the bytes of
// a write or the name of an 'O' or 'D'. A proof makes of it what a disk may hold after power loss.
#ifndef TASKYARD_PROOF
#define TASKYARD_PROOF 1  // for the analysers, which read every source
#endif
#include "store/sqlite/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/proof.h"

enum { SECTOR = 512 };

struct file {
  sqlite3_file base;
  uint32_t name;       // of the file's name, in records
  bool is_recorded;    // not shared memory and not a temporary file
  sqlite3_file *real;  // right behind
};

struct record {
  uint32_t kind, name;
  uint64_t offset;
  uint32_t length, zero;
};

static sqlite3_vfs *real_vfs;
static int record_fd = -1;
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;

static struct file *of(sqlite3_file *f) { return (struct file *)f; }
static sqlite3_file *real(sqlite3_file *f) { return of(f)->real; }

// --- the record ----------------------------------------------------------------------------------

static void write_down(char kind, uint32_t name, sqlite3_int64 offset, const void *bytes,
                       size_t length) {
  if (record_fd < 0) return;
  struct record r = {(uint32_t)kind, name, (uint64_t)offset, (uint32_t)length, 0};
  struct iovec parts[] = {{&r, sizeof r}, {(void *)bytes, length}};
  pthread_mutex_lock(&record_lock);
  if (writev(record_fd, parts, length ? 2 : 1) != (ssize_t)(sizeof r + length)) abort();
  pthread_mutex_unlock(&record_lock);
}

static uint32_t number_of(const char *name) {
  return (uint32_t)hash_crc32((struct str){name, strlen(name)});
}

// --- spoiled calls -------------------------------------------------------------------------------

// Fails as the file system of SQLite does: the code it gives, and errno.
static int fail(enum proof_action action, int code) {
  errno = action == PROOF_EIO ? EIO : ENOSPC;
  return code;
}

static bool is_spoiled(enum proof_action action) {
  return action == PROOF_EIO || action == PROOF_ENOSPC || action == PROOF_SHORT;
}

// The first half of a write, up to the end of a sector: disks write a sector whole or not at all.
static int first_half(sqlite3_int64 offset, int length) {
  sqlite3_int64 cut = (offset + length / 2) / SECTOR * SECTOR - offset;
  return cut > 0 ? (int)cut : 0;
}

static int spoil_write(sqlite3_file *f, const void *bytes, int length, sqlite3_int64 offset,
                       enum proof_action action) {
  int half = first_half(offset, length);
  if (action == PROOF_CRASH_AMID && half == 0) half = length;
  if ((action == PROOF_CRASH_AMID || action == PROOF_SHORT) && half > 0) {
    if (of(f)->is_recorded) write_down('W', of(f)->name, offset, bytes, (size_t)half);
    real(f)->pMethods->xWrite(real(f), bytes, half, offset);
  }
  if (action == PROOF_CRASH_AMID) proof_die();
  return fail(action, action == PROOF_EIO ? SQLITE_IOERR_WRITE : SQLITE_FULL);
}

// --- files ---------------------------------------------------------------------------------------

static int file_close(sqlite3_file *f) { return real(f)->pMethods->xClose(real(f)); }

static int file_read(sqlite3_file *f, void *out, int length, sqlite3_int64 offset) {
  enum proof_action action = proof_io(PROOF_READ);
  if (is_spoiled(action)) return fail(action, SQLITE_IOERR_READ);
  return real(f)->pMethods->xRead(real(f), out, length, offset);
}

static int file_write(sqlite3_file *f, const void *bytes, int length, sqlite3_int64 offset) {
  enum proof_action action = proof_io(PROOF_WRITE);
  if (action != PROOF_NONE) return spoil_write(f, bytes, length, offset, action);
  if (of(f)->is_recorded) write_down('W', of(f)->name, offset, bytes, (size_t)length);
  return real(f)->pMethods->xWrite(real(f), bytes, length, offset);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size) {
  enum proof_action action = proof_io(PROOF_TRUNCATE);
  if (is_spoiled(action)) return fail(action, SQLITE_IOERR_TRUNCATE);
  if (of(f)->is_recorded) write_down('T', of(f)->name, size, NULL, 0);
  int code = real(f)->pMethods->xTruncate(real(f), size);
  if (action == PROOF_CRASH_AMID) proof_die();
  return code;
}

static int file_sync(sqlite3_file *f, int flags) {
  enum proof_action action = proof_io(PROOF_SYNC);
  if (is_spoiled(action)) return fail(action, SQLITE_IOERR_FSYNC);
  if (proof_word(PROOF_sync_never)) return SQLITE_OK;
  int code = real(f)->pMethods->xSync(real(f), flags);
  if (code == SQLITE_OK && of(f)->is_recorded) write_down('S', of(f)->name, 0, NULL, 0);
  if (action == PROOF_CRASH_AMID) proof_die();
  return code;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out) {
  enum proof_action action = proof_io(PROOF_STAT);
  if (is_spoiled(action)) return fail(action, SQLITE_IOERR_FSTAT);
  return real(f)->pMethods->xFileSize(real(f), out);
}

static int file_lock(sqlite3_file *f, int level) {
  enum proof_action action = proof_io(PROOF_LOCK);
  if (is_spoiled(action)) return fail(action, SQLITE_IOERR_LOCK);
  return real(f)->pMethods->xLock(real(f), level);
}

static int file_unlock(sqlite3_file *f, int level) {
  return real(f)->pMethods->xUnlock(real(f), level);
}

static int file_is_reserved(sqlite3_file *f, int *out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int file_control(sqlite3_file *f, int what, void *with) {
  return real(f)->pMethods->xFileControl(real(f), what, with);
}

static int file_sector(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }

static int file_device(sqlite3_file *f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int shm_map(sqlite3_file *f, int page, int bytes, int extend, void volatile **out) {
  enum proof_action action = proof_io(PROOF_SHM);
  if (is_spoiled(action))
    return fail(action, action == PROOF_EIO ? SQLITE_IOERR_SHMMAP : SQLITE_IOERR_SHMSIZE);
  int code = real(f)->pMethods->xShmMap(real(f), page, bytes, extend, out);
  if (action == PROOF_CRASH_AMID) proof_die();
  return code;
}

static int shm_lock(sqlite3_file *f, int offset, int count, int flags) {
  enum proof_action action = proof_io(PROOF_LOCK);
  if (is_spoiled(action) && (flags & SQLITE_SHM_LOCK)) return fail(action, SQLITE_IOERR_SHMLOCK);
  return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
}

static void shm_barrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }

static int shm_unmap(sqlite3_file *f, int remove) {
  return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

// --- names ---------------------------------------------------------------------------------------

static bool is_kept(int flags) {
  return (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
  (void)vfs;
  struct file *file = of(f);
  *file = (struct file){.real = (sqlite3_file *)(file + 1)};
  enum proof_action action = proof_io(PROOF_OPEN);
  if (is_spoiled(action)) return fail(action, SQLITE_CANTOPEN);
  bool is_new = name && is_kept(flags) && access(name, F_OK) != 0;
  int code = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
  if (file->real->pMethods == NULL) return code;
  file->base.pMethods = &methods;
  file->is_recorded = name && is_kept(flags);
  file->name = file->is_recorded ? number_of(name) : 0;
  // The file itself is made by store/sqlite/file.c, so it is new while it is empty.
  sqlite3_int64 size = -1;
  if ((flags & SQLITE_OPEN_MAIN_DB) && (flags & SQLITE_OPEN_READWRITE))
    file->real->pMethods->xFileSize(file->real, &size);
  if (name && (is_new || size == 0)) write_down('O', file->name, 0, name, strlen(name));
  if (action == PROOF_CRASH_AMID) proof_die();
  return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int synced) {
  (void)vfs;
  enum proof_action action = proof_io(PROOF_DELETE);
  if (is_spoiled(action)) return fail(action, SQLITE_IOERR_DELETE);
  write_down('D', number_of(name), synced, name, strlen(name));
  int code = real_vfs->xDelete(real_vfs, name, synced);
  if (action == PROOF_CRASH_AMID) proof_die();
  return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
  (void)vfs;
  enum proof_action action = proof_io(PROOF_STAT);
  if (is_spoiled(action)) return fail(action, SQLITE_IOERR_ACCESS);
  return real_vfs->xAccess(real_vfs, name, flags, out);
}

void sqlite_proof_setup(void) {
  static sqlite3_vfs vfs;
  const char *path = getenv("TASKYARD_PROOF_RECORD");
  if (path) record_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  real_vfs = sqlite3_vfs_find(NULL);
  vfs = *real_vfs;
  vfs.pNext = NULL;
  vfs.zName = "proof";
  vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  vfs.xAccess = vfs_access;
  sqlite3_vfs_register(&vfs, 1);
}

void sqlite_proof_opened(sqlite3 *db) {
  if (proof_word(PROOF_sync_normal)) sqlite3_exec(db, "PRAGMA synchronous = NORMAL", 0, 0, 0);
}

// --- SQLite's allocations ------------------------------------------------------------------------

static sqlite3_mem_methods heap;

static void *sql_malloc(int bytes) { return proof_sql_mem_fails() ? NULL : heap.xMalloc(bytes); }

static void *sql_realloc(void *old, int bytes) {
  return proof_sql_mem_fails() ? NULL : heap.xRealloc(old, bytes);
}

void sqlite_proof_config(void) {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &heap);
  sqlite3_mem_methods spoiled = heap;
  spoiled.xMalloc = sql_malloc;
  spoiled.xRealloc = sql_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &spoiled);
}
