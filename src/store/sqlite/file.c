// file.c: what is done to the store's files besides what SQLite does: lock, create, publish.
//
// The database file itself is never opened here while SQLite may have it open: closing any handle
// of it would drop the locks that SQLite holds on it (POSIX locks belong to the process).
#include "store/sqlite/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/sqlite/sqlite.h"

enum { PATH_BYTES = PATH_MAX };  // what realpath fills at most

#define TOO_LONG "the path of the store is empty or too long"

// SQLite gives names like ":memory:" and "file:…" a meaning; behind a slash they are just names.
char *sqlite_file_plain(const char *path) {
  size_t length = strlen(path);
  if (length == 0 || *path == '/') return mem_copy(path, length);
  char *plain = mem_alloc(length + sizeof "./");
  snprintf(plain, length + sizeof "./", "./%s", path);
  return plain;
}

// --- where the file is ---------------------------------------------------------------------------

// WAL needs memory shared by all users of the file, and locks that hold: networks give neither.
// Numbers as in statfs(2).
static const struct {
  unsigned long type;
  const char *name;
} networks[] = {
    {0x6969, "NFS"},     {0x517b, "SMB"},      {0xff534d42, "CIFS"},   {0xfe534d42, "SMB2"},
    {0x5346414f, "AFS"}, {0x73757245, "Coda"}, {0x00c36400, "CephFS"}, {0x0bd00bd0, "Lustre"},
};

const char *sqlite_file_network_name(unsigned long type) {
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
    if (networks[i].type == type) return networks[i].name;
  return NULL;
}

// The folder of a path, with its slash; "./" when there is none.
static void folder_of(const char *path, char out[PATH_BYTES]) {
  const char *slash = strrchr(path, '/');
  int length = slash ? (int)(slash - path) + 1 : 2;
  snprintf(out, PATH_BYTES, "%.*s", length, slash ? path : "./");
}

static enum err refuse_folder(const char *folder, struct fault *why) {
  return fault_set(why, ERR_UNAVAILABLE,
                   "cannot use the folder %s: %s; make it, or name another store", folder,
                   strerror(errno));
}

// The name of a file that is not there yet, in the folder where it will be.
static enum err resolve_new(const char *path, char out[PATH_BYTES], struct fault *why) {
  char folder[PATH_BYTES], real[PATH_BYTES];
  struct stat st;
  int error = errno;
  if (lstat(path, &st) == 0)
    return fault_set(why, ERR_UNAVAILABLE, "cannot follow the link %s: %s; name the file itself",
                     path, strerror(error));
  folder_of(path, folder);
  if (!realpath(folder, real)) return refuse_folder(folder, why);
  const char *slash = strrchr(path, '/');
  int length = snprintf(out, PATH_BYTES, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
                        slash ? slash + 1 : path);
  return length < PATH_BYTES ? ERR_OK : fault_set(why, ERR_INVALID, TOO_LONG);
}

// A second name of the file itself would have a lock and a WAL of its own.
static enum err refuse_second_name(const char *path, struct fault *why) {
  struct stat st;
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink <= 1) return ERR_OK;
  return fault_set(why, ERR_INVALID,
                   "%s has %lld names (hard links), and under each the others would miss what is "
                   "new; remove all but one, or make copies with 'taskyard backup'",
                   path, (long long)st.st_nlink);
}

enum err sqlite_file_resolve(const char *path, char **out, struct fault *why) {
  char real[PATH_BYTES];
  if (!*path || strlen(path) >= PATH_BYTES) return fault_set(why, ERR_INVALID, TOO_LONG);
  if (!realpath(path, real)) TRY(resolve_new(path, real, why));
  if (strlen(real) > PATH_BYTES - sizeof ".lock") return fault_set(why, ERR_INVALID, TOO_LONG);
  TRY(refuse_second_name(real, why));
  *out = mem_copy(real, strlen(real));
  return ERR_OK;
}

bool sqlite_store_same(const char *a, const char *b) {
  struct stat first, second;
  return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

enum err sqlite_file_check(const char *path, struct fault *why) {
  char folder[PATH_BYTES];
  folder_of(path, folder);
  struct statfs fs;
  if (statfs(folder, &fs) != 0) return refuse_folder(folder, why);
  const char *name = sqlite_file_network_name((unsigned long)fs.f_type & 0xffffffffUL);
  if (name)
    return fault_set(why, ERR_UNAVAILABLE,
                     "%s is on a network file system (%s), where SQLite "
                     "loses data; put the store on a local disk",
                     path, name);
  return ERR_OK;
}

enum err sqlite_file_create(const char *path, struct fault *why) {
  // Only the owner may read it: it holds payloads and the hashes of keys.
  int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    close(fd);
    return ERR_OK;
  }
  if (errno == EEXIST) return ERR_OK;
  return fault_set(why, errno == ENOSPC ? ERR_DISK_FULL : ERR_UNAVAILABLE, "cannot create %s: %s",
                   path, strerror(errno));
}

// --- one server a file ---------------------------------------------------------------------------

static enum err refuse_locked(int fd, const char *path, struct fault *why) {
  char pid[24] = "";
  ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
  pid[got > 0 ? strcspn(pid, "\n") : 0] = '\0';
  return fault_set(why, ERR_UNAVAILABLE,
                   "%s is in use by another taskyard%s%s; stop that one or "
                   "choose another store",
                   path, *pid ? ", process " : "", pid);
}

enum err sqlite_file_lock(const char *path, int *out, struct fault *why) {
  char lock[PATH_BYTES];
  snprintf(lock, sizeof lock, "%s.lock", path);
  int fd = open(lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    return fault_set(why, errno == ENOSPC ? ERR_DISK_FULL : ERR_UNAVAILABLE,
                     "cannot open the lock file %s: %s; the folder must be writable for the "
                     "server's user",
                     lock, strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    enum err err = refuse_locked(fd, path, why);
    close(fd);
    return err;
  }
  // The number is only for the sentence above; the lock holds without it, on a full disk too.
  char pid[24];
  int length = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
  if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)length, 0) < 0) errno = 0;
  *out = fd;
  return ERR_OK;
}

// --- a finished file -----------------------------------------------------------------------------

static bool sync_path(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) return false;
  bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

enum err sqlite_file_publish(const char *from, const char *to, struct fault *why) {
  char folder[PATH_BYTES];
  folder_of(to, folder);
  // A link, unlike a rename, never replaces a file that came to be meanwhile.
  if (sync_path(from, O_RDONLY) && link(from, to) == 0 && unlink(from) == 0 &&
      sync_path(folder, O_RDONLY | O_DIRECTORY))
    return ERR_OK;
  if (errno == EEXIST)
    return fault_set(why, ERR_CONFLICT, "%s exists already; a backup never replaces a file", to);
  return fault_set(why, errno == ENOSPC ? ERR_DISK_FULL : ERR_UNAVAILABLE, "cannot write %s: %s",
                   to, strerror(errno));
}
