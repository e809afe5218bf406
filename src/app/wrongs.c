// wrongs.c: loads settings for a command, which says all that is wrong with them.
#include "app/wrongs.h"

#include "app/command.h"

struct wrongs {
  size_t count, max;
  struct fault latest;
};

static void tell(void *self, const struct fault *why) {
  struct wrongs *w = self;
  if (w->count > 0 && w->count <= w->max) command_complain(&w->latest);
  w->count++;
  w->latest = *why;
}

enum err wrongs_load(struct settings_source source, size_t max, struct settings *out,
                     struct fault *why) {
  struct wrongs w = {.max = max};
  source.wrong = tell;
  source.self = &w;
  enum err err = settings_load(&source, out, why);
  if (err == ERR_OK) {  // they keep their source, to be loaded again from it
    out->source.wrong = NULL;
    out->source.self = NULL;
  }
  if (w.count > max)
    fault_set(why, err, "and %zu more; `taskyard config --check` tells all", w.count - max);
  return err;
}
