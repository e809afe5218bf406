// machine.c: asks the system about itself.
#include "bench/machine.h"

#include <limits.h>
#include <linux/magic.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef TASKYARD_VERSION
#define TASKYARD_VERSION "unknown"
#endif

static void read_processor(char *out, size_t size) {
  char line[256];
  snprintf(out, size, "unknown");
  FILE *file = fopen("/proc/cpuinfo", "re");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !colon) continue;
    line[strcspn(line, "\n")] = '\0';
    snprintf(out, size, "%.120s", colon + 2);
    break;
  }
  fclose(file);
}

static const char *file_system_name(const char *directory) {
  static const struct {
    long magic;
    const char *name;
  } known[] = {{EXT4_SUPER_MAGIC, "ext4"},
               {XFS_SUPER_MAGIC, "xfs"},
               {BTRFS_SUPER_MAGIC, "btrfs"},
               {OVERLAYFS_SUPER_MAGIC, "overlayfs"}};
  struct statfs where;
  if (statfs(directory, &where) != 0) return "unknown";
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i].magic == (long)where.f_type) return known[i].name;
  return "another file system";
}

void bench_machine_read(const char *directory, struct machine *out) {
  struct utsname name;
  memset(out, 0, sizeof *out);
  out->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  out->memory_mb = (size_t)sysconf(_SC_PHYS_PAGES) / 1024 * (size_t)sysconf(_SC_PAGESIZE) / 1024;
  read_processor(out->processor, sizeof out->processor);
  if (uname(&name) == 0)
    snprintf(out->kernel, sizeof out->kernel, "%.60s %.60s", name.sysname, name.release);
  snprintf(out->file_system, sizeof out->file_system, "%s", file_system_name(directory));
  snprintf(out->compiler, sizeof out->compiler, "%s%.40s",
#ifdef __clang__
           "",  // clang's version starts with its name
#else
           "gcc ",
#endif
           __VERSION__);
  snprintf(out->taskyard, sizeof out->taskyard, "%s", TASKYARD_VERSION);
  time_t now = time(NULL);
  struct tm utc;
  strftime(out->date, sizeof out->date, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
}

size_t bench_machine_stripped_bytes(const char *program, const char *directory) {
  extern char **environ;
  char copy[512], original[PATH_MAX];
  if (!realpath(program, original)) return 0;  // /proc/self/exe would be strip itself
  snprintf(copy, sizeof copy, "%s/stripped", directory);
  char *const arguments[] = {"strip", "-o", copy, original, NULL};
  pid_t child;
  int status = 0;
  if (posix_spawnp(&child, "strip", NULL, NULL, arguments, environ) != 0) return 0;
  waitpid(child, &status, 0);
  struct stat file;
  size_t bytes = status == 0 && stat(copy, &file) == 0 ? (size_t)file.st_size : 0;
  unlink(copy);
  return bytes;
}
