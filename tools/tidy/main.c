// main.c: runs the house rules over the tree: tidy [--stats], in the root.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tidy.h"

enum { PATH_BYTES = 1024 };

static const char *const KINDS[] = {".c",      ".h",       ".def",   ".sql", ".py",
                                    ".sh",     ".md",      ".build", ".ini", ".conf",
                                    "/LAYERS", "Makefile", "LICENSE"};

// The whole file with a NUL behind it, which the caller frees; NULL when it cannot be read.
static char *read_whole(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  char *text = NULL;
  size_t length = 0, room = 1 << 16;
  do {
    room *= 2;
    text = realloc(text, room);
    if (!text) abort();
    length += fread(text + length, 1, room - length - 1, file);
  } while (length == room - 1);
  text[length] = 0;
  fclose(file);
  return text;
}

static bool is_ours(const char *path, const char *text) {
  if (tidy_starts(text, "#!")) return true;
  for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
    if (tidy_ends(path, KINDS[i])) return true;
  return false;
}

// True when a meson.build in the file's folder, or in one around it, names the file.
static bool is_built(const char *path) {
  char folder[PATH_BYTES + 2];
  snprintf(folder, sizeof folder, "./%s", path);
  for (char *slash; (slash = strrchr(folder, '/'));) {
    char build[PATH_BYTES + 16], name[PATH_BYTES + 2];
    snprintf(name, sizeof name, "'%s'", path + (slash - folder - 1));
    *slash = 0;
    snprintf(build, sizeof build, "%s/meson.build", folder);
    char *text = read_whole(build);
    bool named = text && strstr(text, name);
    free(text);
    if (named) return true;
  }
  return false;
}

static void check_built(struct tidy *t, const char *path) {
  bool program = !tidy_starts(path, "tests/") && !tidy_starts(path, "examples/");
  if (program && tidy_ends(path, ".c") && !tidy_is_test(path) && !is_built(path))
    tidy_report(t, path, 1, "no meson.build names it, so it is never compiled");
}

static void check_file(struct tidy *t, const char *path) {
  char *text = read_whole(path);
  if (text && is_ours(path, text)) {
    tidy_check(t, path, text);
    check_built(t, path);
  }
  free(text);
}

static int is_visible(const struct dirent *entry) {
  return entry->d_name[0] != '.' && strcmp(entry->d_name, "build") != 0 &&
         strcmp(entry->d_name, "node_modules") != 0 && strcmp(entry->d_name, "__pycache__") != 0;
}

static void check_folder(struct tidy *t, const char *folder) {
  struct dirent **entries = NULL;
  int count = scandir(folder[0] ? folder : ".", &entries, is_visible, alphasort);
  for (int i = 0; i < count; i++) {
    char path[PATH_BYTES];
    struct stat info;
    snprintf(path, sizeof path, "%s%s%s", folder, folder[0] ? "/" : "", entries[i]->d_name);
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) check_folder(t, path);
    if (lstat(path, &info) == 0 && S_ISREG(info.st_mode)) check_file(t, path);
    free(entries[i]);
  }
  free(entries);
}

int main(int argc, char **argv) {
  struct tidy t = {.out = stdout};
  bool stats = argc == 2 && strcmp(argv[1], "--stats") == 0;
  char *layers = read_whole("src/LAYERS");
  if (!layers || !layers_read(&t.layers, layers)) {
    fprintf(stderr,
            "tidy: src/LAYERS is missing or not understood; run it in the project's root\n");
    return 2;
  }
  free(layers);
  check_folder(&t, "");
  if (stats) functions_print(&t);
  free(t.functions);
  return t.findings ? 1 : 0;
}
