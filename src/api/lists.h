// lists.h: pages of tasks by an opaque cursor, for every route that lists them. Private to api/.
#ifndef API_LISTS_H
#define API_LISTS_H

#include "api/call.h"

struct list_call {
  struct task_filter filter;
  struct task_page page;
  uint64_t fingerprint;  // of the filter, so that a cursor is only good for its own list
};

// Limit and cursor of the query into the filter, and the caller's tenant; `usual` is the limit when
// none came. `err`: of the parameters before these, as call_also has it.
MUST_USE enum err list_take_page(struct call *c, enum err err, int64_t usual, int64_t max,
                                 struct list_call *list);
void list_put_cursor(struct buf *b, const struct list_call *list);  // quoted; null at the end

#endif
