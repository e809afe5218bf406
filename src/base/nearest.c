// nearest.c: which of the known names somebody probably meant who sent one that is none.
#include "base/nearest.h"

// A third of the word may be wrong, but one letter always; past that it is a guess, not help.
struct nearest nearest_begin(struct str word) {
  return (struct nearest){word, STR_NONE, word.len / 3 + 2};
}

void nearest_try(struct nearest *n, struct str name) {
  bool begun = n->word.len > 1 && str_starts(name, n->word);
  size_t distance = begun ? 1 : str_distance(n->word, name);
  if (distance >= n->distance || distance >= n->word.len) return;
  n->name = name;
  n->distance = distance;
}

// The last of the names that are shown is followed by a mark if there are more.
static void list_names(const struct str *names, size_t count, struct buf *out) {
  size_t begin = out->len;
  for (size_t i = 0; i < count; i++) {
    struct str gap = i ? STR(", ") : count > 1 ? STR("; known are ") : STR("; the only one is ");
    bool fits = out->len - begin + gap.len + names[i].len <= NEAREST_LIST_BYTES;
    buf_put(out, gap);
    buf_put(out, fits ? names[i] : STR("…"));
    if (!fits) return;
  }
}

void nearest_tell(struct str word, const struct str *names, size_t count, struct buf *out) {
  struct nearest n = nearest_begin(word);
  for (size_t i = 0; i < count; i++) nearest_try(&n, names[i]);
  if (count == 0)
    BUF_LIT(out, ", and none is known");
  else if (str_is_none(n.name))
    list_names(names, count, out);
  else
    buf_printf(out, "; did you mean %.*s?", STR_FMT(n.name));
}
