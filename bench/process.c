// process.c: reads /proc.
#include "bench/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

enum { PROC_FILE_BYTES = 8192 };

// The first `size - 1` bytes of a file, as a slice of `into`.
static struct str read_file(const char *path, char *into, size_t size) {
  FILE *file = fopen(path, "re");
  if (!file) return STR_NONE;
  size_t got = fread(into, 1, size - 1, file);
  fclose(file);
  into[got] = '\0';
  return (struct str){into, got};
}

// The number after "NAME:" in lines of "name:  value unit"; 0 when there is none.
static int64_t line_number(struct str text, struct str name) {
  while (!str_is_none(text)) {
    struct str value = str_cut(&text, '\n');
    struct str key = str_cut(&value, ':');
    if (!str_eq(key, name) || str_is_none(value)) continue;
    size_t start = 0;
    while (start < value.len && (value.at[start] == ' ' || value.at[start] == '\t')) start++;
    value = str_from(value, start);
    struct str digits = str_cut(&value, ' ');
    int64_t number;
    return str_to_i64(digits, &number) ? number : 0;
  }
  return 0;
}

// schedstat counts nanoseconds where stat counts hundredths of a second.
static void add_thread(struct process_usage *usage, pid_t pid, const char *thread) {
  char path[96], text[PROC_FILE_BYTES];
  snprintf(path, sizeof path, "/proc/%d/task/%.32s/schedstat", (int)pid, thread);
  struct str schedstat = read_file(path, text, sizeof text);
  int64_t cpu_ns;
  if (!str_is_none(schedstat) && str_to_i64(str_cut(&schedstat, ' '), &cpu_ns))
    usage->cpu_us += cpu_ns / 1000;
  snprintf(path, sizeof path, "/proc/%d/task/%.32s/status", (int)pid, thread);
  usage->switches +=
      line_number(read_file(path, text, sizeof text), STR("voluntary_ctxt_switches"));
}

bool bench_process_read(pid_t pid, struct process_usage *out) {
  char path[64], text[PROC_FILE_BYTES];
  struct process_usage usage = {0};
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *threads = opendir(path);
  if (!threads) return false;
  for (struct dirent *entry; (entry = readdir(threads));) {
    if (entry->d_name[0] != '.') add_thread(&usage, pid, entry->d_name);
  }
  closedir(threads);
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  struct str status = read_file(path, text, sizeof text);
  usage.resident_kb = line_number(status, STR("VmRSS"));
  usage.resident_peak_kb = line_number(status, STR("VmHWM"));
  snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
  usage.write_bytes = line_number(read_file(path, text, sizeof text), STR("write_bytes"));
  *out = usage;
  return true;
}

// "cpu  user nice system idle iowait irq softirq steal …", in ticks.
int64_t bench_process_busy_us(void) {
  enum { COLUMNS = 8, IDLE = 3, IO_WAIT = 4 };
  char text[PROC_FILE_BYTES];
  struct str line = read_file("/proc/stat", text, sizeof text);
  if (str_is_none(line) || !str_starts(line, STR("cpu  "))) return 0;
  line = str_from(line, sizeof "cpu  " - 1);
  int64_t ticks = 0, value;
  for (int i = 0; i < COLUMNS && str_to_i64(str_cut(&line, ' '), &value); i++)
    if (i != IDLE && i != IO_WAIT) ticks += value;
  return ticks * (1000000 / sysconf(_SC_CLK_TCK));
}
