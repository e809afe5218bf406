// imported.h: a document of the task repository service's collection, and the task it becomes.
#ifndef APP_IMPORTED_H
#define APP_IMPORTED_H

#include "base/arena.h"
#include "base/buf.h"

enum imported_kind {
  IMPORTED_PENDING,
  IMPORTED_PROCESSING,
  IMPORTED_COMPLETED,
  IMPORTED_FAILED,
  IMPORTED_CANCELLED,
  IMPORTED_KINDS  // of a line that is no document
};

struct imported {
  enum imported_kind kind;
  bool history;                       // it has ended, and is to become an ended task
  struct str json;                    // the whole document
  struct str id, type, status;        // none is absent in a good one
  struct str tenant, batch, service;  // STR_NONE: absent
  struct str tags, metadata;          // JSON
  struct str results, error;          // JSON; a text
  int64_t priority;                   // of ours
};

// Reads a document of plain, checked JSON, which must live as long as `out`. NULL, or a sentence on
// what is wrong with it. `history`: ended ones are to become ended tasks.
const char *imported_read(struct arena *a, struct str json, bool history, struct imported *out);

bool imported_has_ended(const struct imported *doc);
struct str imported_word(enum imported_kind kind);

// The body that creates its task, and the one that ends it.
void imported_put_task(const struct imported *doc, struct buf *out);
void imported_put_end(const struct imported *doc, struct str lease_token, struct buf *out);

#endif
