// link.h: rings of members that carry their own links: added, removed and walked without memory.
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include <stdbool.h>
#include <stddef.h>

// A ring is a link of its own; a member that is in no ring is alone.
struct link {
  struct link *prev, *next;
};

// The struct of that type whose `member` is the link.
#define LINK_OF(type, member, link) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void link_init(struct link *l) { l->prev = l->next = l; }
static inline bool link_is_alone(const struct link *l) { return l->next == l; }

static inline void link_append(struct link *ring, struct link *l) {
  l->prev = ring->prev;
  l->next = ring;
  ring->prev->next = l;
  ring->prev = l;
}

// Harmless for one that is alone.
static inline void link_remove(struct link *l) {
  l->prev->next = l->next;
  l->next->prev = l->prev;
  link_init(l);
}

#endif
