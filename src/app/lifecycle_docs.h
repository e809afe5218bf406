// lifecycle_docs.h: docs/lifecycle.md, from the tables.
#ifndef APP_LIFECYCLE_DOCS_H
#define APP_LIFECYCLE_DOCS_H

#include "base/buf.h"

void lifecycle_docs(struct buf *out);

#endif
