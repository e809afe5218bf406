// layers.c: who may include whom, and which headers are caged, as src/LAYERS says.
#include <string.h>

#include "tidy.h"

bool layers_read(struct layers *layers, const char *text) {
  *layers = (struct layers){0};
  char line[256];
  for (const char *at = text; *at;) {
    size_t length = strcspn(at, "\n");
    if (length >= sizeof line) return false;
    memcpy(line, at, length);
    line[length] = 0;
    at += length + (at[length] == '\n');
    if (line[0] == 0 || line[0] == '#') continue;
    if (layers->row_count == TIDY_ROWS || layers->cage_count == TIDY_ROWS) return false;

    struct cage *cage = &layers->cages[layers->cage_count];
    if (sscanf(line, "cage %63s %63s", cage->header, cage->folder) == 2) {
      layers->cage_count++;
      continue;
    }
    struct layer *row = &layers->rows[layers->row_count++];
    const char *colon = strchr(line, ':');
    if (!colon || sscanf(line, "%63[^: ]", row->folder) != 1) return false;
    snprintf(row->below, sizeof row->below, " %s ", colon + 1);
  }
  return true;
}

static const struct layer *find_row(const struct layers *layers, const char *folder) {
  for (size_t i = 0; i < layers->row_count; i++)
    if (strcmp(layers->rows[i].folder, folder) == 0) return &layers->rows[i];
  return NULL;
}

// The row of a folder or of the nearest one around it; NULL when src/LAYERS knows none.
static const struct layer *row_of(const struct layers *layers, const char *path) {
  char folder[TIDY_NAME_BYTES * 2];
  snprintf(folder, sizeof folder, "%s", path);
  for (char *slash; (slash = strrchr(folder, '/'));) {
    *slash = 0;
    const struct layer *row = find_row(layers, folder);
    if (row) return row;
  }
  return NULL;
}

static const struct layer *row_of_source(const struct layers *layers, const char *path) {
  if (strcmp(path, "src/main.c") == 0) return find_row(layers, "main");
  return row_of(layers, tidy_starts(path, "src/") ? path + strlen("src/") : path);
}

static void check_own(struct tidy *t, const struct source *s, size_t line, const struct layer *row,
                      const char *header) {
  if (!strchr(header, '/')) {
    tidy_report(t, s->path, line, "name the folder too: \"%s/%s\"", row->folder, header);
    return;
  }
  const struct layer *other = row_of(&t->layers, header);
  if (other == row) return;
  if (!other) {
    tidy_report(t, s->path, line, "\"%s\" is in no folder of src/LAYERS", header);
    return;
  }
  char word[TIDY_NAME_BYTES + 2];
  snprintf(word, sizeof word, " %s ", other->folder);
  if (!strstr(row->below, word))
    tidy_report(t, s->path, line, "%s must not include \"%s\" (src/LAYERS)", row->folder, header);
}

static void check_cage(struct tidy *t, const struct source *s, size_t line, const struct layer *row,
                       const char *header) {
  for (size_t i = 0; i < t->layers.cage_count; i++) {
    const struct cage *cage = &t->layers.cages[i];
    size_t length = strlen(cage->header);
    bool caged = strncmp(header, cage->header, length) == 0 && strchr("/", header[length]);
    if (caged && strcmp(cage->folder, row->folder) != 0)
      tidy_report(t, s->path, line, "<%s> is caged in %s (src/LAYERS)", header, cage->folder);
  }
}

void layers_check(struct tidy *t, const struct source *s) {
  const struct layer *row = row_of_source(&t->layers, s->path);
  if (!row) {
    if (tidy_starts(s->path, "src/"))
      tidy_report(t, s->path, 1, "its folder has no row in src/LAYERS");
    return;
  }
  size_t line = 0;
  for (const char *at = s->text; *at;) {
    line++;
    char open, header[2 * TIDY_NAME_BYTES];
    if (sscanf(at, " # include %c%127[^\">\n]", &open, header) == 2) {
      if (open == '"') check_own(t, s, line, row, header);
      if (open == '<') check_cage(t, s, line, row, header);
    }
    at += strcspn(at, "\n");
    if (*at) at++;
  }
}
