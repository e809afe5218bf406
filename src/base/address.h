// address.h: addresses of the internet as values: read, written, and held against networks.
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/str.h"

// Both kinds in one shape; an IPv4 address is kept as the IPv6 address that stands for it, so that
// ::ffff:192.0.2.1, which a socket for both kinds gives, is 192.0.2.1.
struct address {
  uint8_t bytes[16];
};

enum { ADDRESS_TEXT_BYTES = 46 };  // of the longest, with its NUL

// "192.0.2.1", "2001:db8::1", nothing else: no port, no brackets, no zone, no blanks.
bool address_parse(struct str text, struct address *out);
struct str address_text(const struct address *a, char out[ADDRESS_TEXT_BYTES]);  // the shortest

// What one subscriber has, as a rule: an IPv4 address itself, of an IPv6 address its network of 64
// bits, within which whoever has it can take any other.
struct address address_home(const struct address *a);

struct network {
  struct address address;
  unsigned bits;  // of its 128 that count
};

struct networks {
  const struct network *at;
  size_t count;
};

// An address, or one with the length of a prefix: "10.0.0.0/8". Bits behind it must be zero.
bool network_parse(struct str text, struct network *out);
// A network of IPv6 addresses has no IPv4 address in it, however short its prefix is.
bool network_has(const struct network *n, const struct address *a);
void network_text(const struct network *n, char out[ADDRESS_TEXT_BYTES + 4]);

#endif
