// value_lists.h: settings that are lists, with blanks or commas between. Part of value.c.
#ifndef APP_VALUE_LISTS_H
#define APP_VALUE_LISTS_H

#include "app/value.h"

bool value_parse_networks(const struct value_rule *rule, struct str text, struct arena *a,
                          void *out);  // struct networks
bool value_parse_origins(const struct value_rule *rule, struct str text, struct arena *a,
                         void *out);  // struct origins
void value_show_networks(const void *value, struct buf *out);
void value_show_origins(const void *value, struct buf *out);

#endif
