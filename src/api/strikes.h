// strikes.h: how many authentications of an address failed lately. Private to api/; the loop's
// thread only.
//
// Each address has a token bucket, kept as the one time at which it is full again (GCRA): it holds
// as many as may fail in a minute, and fills in a minute. An address is an IPv4 address, or the
// first 64 bits of an IPv6 one, which is what one customer gets.
#ifndef API_STRIKES_H
#define API_STRIKES_H

#include "base/str.h"

enum { STRIKE_SETS = 1024, STRIKE_WAYS = 4 };

struct bucket {
  int64_t full_at_us;
};

struct strike_entry {
  uint64_t address;
  struct bucket bucket;  // full since long ago: the place is free
};

// Bounded: an address goes into one of a few places, and pushes out the one there that has the
// least on its account. The hash has a secret, so that nobody can choose whom to push out.
struct strikes {
  uint64_t secret;
  struct strike_entry entries[STRIKE_SETS][STRIKE_WAYS];
};

void strikes_init(struct strikes *s, uint64_t secret);

// The authentication of `peer`, the text of an address, failed. True while no more than
// `per_minute` did; else `*retry_after_s` tells when the next may. `now_us` never goes back.
bool strikes_take(struct strikes *s, struct str peer, int64_t per_minute, int64_t now_us,
                  int *retry_after_s);

// Takes one from a bucket of `per_minute`, if there is one; else tells how long until there is.
bool bucket_take(struct bucket *b, int64_t per_minute, int64_t now_us, int64_t *wait_us);

#endif
