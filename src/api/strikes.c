// strikes.c: counts failed authentications by address, in memory of a fixed size.
#include "api/strikes.h"

#include "base/hash.h"

#include <arpa/inet.h>

static const int64_t MINUTE_US = 60 * 1000 * 1000;

bool bucket_take(struct bucket *b, int64_t per_minute, int64_t now_us, int64_t *wait_us) {
  int64_t full_at = b->full_at_us > now_us ? b->full_at_us : now_us;
  int64_t after = full_at + MINUTE_US / per_minute;
  if (after > now_us + MINUTE_US) {
    *wait_us = after - now_us - MINUTE_US;
    return false;
  }
  b->full_at_us = after;
  return true;
}

void strikes_init(struct strikes *s, uint64_t secret) { *s = (struct strikes){.secret = secret}; }

// IPv4 goes to where IPv6 has multicast, so that no two of them meet. What is no address, which
// cannot be, has a place of its own.
static uint64_t address_of(struct str peer) {
  char text[INET6_ADDRSTRLEN] = "";
  struct in6_addr v6;
  struct in_addr v4;
  uint64_t address = UINT64_MAX;
  if (peer.len < sizeof text && peer.len > 0) memcpy(text, peer.at, peer.len);
  if (inet_pton(AF_INET, text, &v4) == 1) return 0xffffffff00000000 | ntohl(v4.s_addr);
  if (inet_pton(AF_INET6, text, &v6) == 1) memcpy(&address, &v6, sizeof address);
  return address;
}

static struct strike_entry *set_of(struct strikes *s, uint64_t address) {
  uint64_t mixed[2] = {s->secret, address};
  uint64_t hash = hash_fast((struct str){(const char *)mixed, sizeof mixed});
  return s->entries[(hash ^ hash >> 32) % STRIKE_SETS];
}

static struct strike_entry *entry_of(struct strikes *s, uint64_t address) {
  struct strike_entry *set = set_of(s, address), *least = &set[0];
  for (size_t i = 0; i < STRIKE_WAYS; i++) {
    if (set[i].address == address) return &set[i];
    if (set[i].bucket.full_at_us < least->bucket.full_at_us) least = &set[i];
  }
  *least = (struct strike_entry){.address = address};
  return least;
}

bool strikes_take(struct strikes *s, struct str peer, int64_t per_minute, int64_t now_us,
                  int *retry_after_s) {
  int64_t wait_us = 0;
  if (bucket_take(&entry_of(s, address_of(peer))->bucket, per_minute, now_us, &wait_us))
    return true;
  *retry_after_s = (int)((wait_us + 999999) / 1000000);
  return false;
}
