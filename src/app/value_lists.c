// value_lists.c: settings that are lists of addresses or of origins.
#include "app/value_lists.h"

// What stands before the next blank or comma.
static struct str next_word(struct str *rest) {
  size_t end = 0;
  while (end < rest->len && rest->at[end] != ' ' && rest->at[end] != ',') end++;
  struct str word = {rest->at, end};
  *rest = end < rest->len ? str_from(*rest, end + 1) : STR_NONE;
  return word;
}

bool value_parse_networks(const struct value_rule *rule, struct str text, struct arena *a,
                          void *out) {
  (void)rule;
  struct network *all = ARENA_ARRAY(a, struct network, text.len + 1);  // more than words
  size_t count = 0;
  while (!str_is_none(text)) {
    struct str word = next_word(&text);
    if (word.len == 0) continue;
    if (!network_parse(word, &all[count++])) return false;
  }
  *(struct networks *)out = (struct networks){all, count};
  return true;
}

bool value_parse_origins(const struct value_rule *rule, struct str text, struct arena *a,
                         void *out) {
  (void)rule;
  struct str *all = ARENA_ARRAY(a, struct str, text.len + 1);  // more than words
  struct origins found = {.at = all};
  while (!str_is_none(text)) {
    struct str word = next_word(&text);
    if (word.len == 0) continue;
    bool is_star = str_eq(word, STR("*"));
    if (!is_star && !origin_is_good(word)) return false;
    found.any |= is_star;
    if (!is_star) all[found.count++] = arena_dup(a, word);
  }
  *(struct origins *)out = found;
  return true;
}

void value_show_networks(const void *value, struct buf *out) {
  const struct networks *all = value;
  for (size_t i = 0; i < all->count; i++) {
    char text[ADDRESS_TEXT_BYTES + 4];
    network_text(&all->at[i], text);
    if (i) buf_char(out, ' ');
    buf_put(out, str_of(text));
  }
}

void value_show_origins(const void *value, struct buf *out) {
  const struct origins *all = value;
  for (size_t i = 0; i < all->count; i++) {
    if (i) buf_char(out, ' ');
    buf_put(out, all->at[i]);
  }
  if (all->any) buf_put(out, all->count ? STR(" *") : STR("*"));
}
