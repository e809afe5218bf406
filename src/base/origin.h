// origin.h: origins of web pages, "https://app.example:8443", as browsers name them (RFC 6454).
#ifndef BASE_ORIGIN_H
#define BASE_ORIGIN_H

#include "base/str.h"

struct origins {
  const struct str *at;
  size_t count;
  bool any;  // "*" is among them
};

// http or https, a host, and a port unless it is the usual one; nothing behind it. What browsers
// never send is none: "null", which stands for pages of nobody in particular, is neither.
bool origin_is_good(struct str text);
// Whether it is named itself; "*" names nobody. Letters are the same in either case.
bool origins_name(const struct origins *all, struct str origin);

#endif
