// settings_docs.h: docs/settings.md, from the tables.
#ifndef APP_SETTINGS_DOCS_H
#define APP_SETTINGS_DOCS_H

#include "base/buf.h"

void settings_docs(struct buf *out);

#endif
