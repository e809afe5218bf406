// address.c: addresses of the internet: read, written, and held against networks.
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t V4_PREFIX[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct address *a) {
  return memcmp(a->bytes, V4_PREFIX, sizeof V4_PREFIX) == 0;
}

bool address_parse(struct str text, struct address *out) {
  char copy[ADDRESS_TEXT_BYTES];
  if (str_is_none(text) || text.len >= sizeof copy || memchr(text.at, '\0', text.len)) return false;
  memcpy(copy, text.at, text.len);
  copy[text.len] = '\0';
  memcpy(out->bytes, V4_PREFIX, sizeof V4_PREFIX);
  if (inet_pton(AF_INET, copy, out->bytes + sizeof V4_PREFIX) == 1) return true;
  return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

struct str address_text(const struct address *a, char out[ADDRESS_TEXT_BYTES]) {
  bool v4 = is_v4(a);
  const void *bytes = v4 ? a->bytes + sizeof V4_PREFIX : a->bytes;
  (void)inet_ntop(v4 ? AF_INET : AF_INET6, bytes, out, ADDRESS_TEXT_BYTES);
  return str_of(out);
}

struct address address_home(const struct address *a) {
  struct address home = *a;
  if (!is_v4(a)) memset(home.bytes + 8, 0, 8);
  return home;
}

// --- networks ------------------------------------------------------------------------------------

static bool bit_of(const struct address *a, unsigned i) {
  return a->bytes[i / 8] >> (7 - i % 8) & 1;
}

static bool parse_bits(struct str text, unsigned most, unsigned *out) {
  unsigned value = 0;
  if (text.len == 0 || text.len > 3) return false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] < '0' || text.at[i] > '9') return false;
    value = value * 10 + (unsigned)(text.at[i] - '0');
  }
  *out = value;
  return value <= most;
}

bool network_parse(struct str text, struct network *out) {
  struct str rest = text, address = str_cut(&rest, '/');
  if (!address_parse(address, &out->address)) return false;
  bool v4 = is_v4(&out->address);
  unsigned most = v4 ? 32 : 128, bits = most;
  if (!str_is_none(rest) && !parse_bits(rest, most, &bits)) return false;
  out->bits = v4 ? 96 + bits : bits;
  for (unsigned i = out->bits; i < 128; i++)
    if (bit_of(&out->address, i)) return false;
  return true;
}

bool network_has(const struct network *n, const struct address *a) {
  if (is_v4(&n->address) != is_v4(a)) return false;
  for (unsigned i = 0; i < n->bits; i++)
    if (bit_of(&n->address, i) != bit_of(a, i)) return false;
  return true;
}

void network_text(const struct network *n, char out[ADDRESS_TEXT_BYTES + 4]) {
  char text[ADDRESS_TEXT_BYTES];
  struct str address = address_text(&n->address, text);
  unsigned bits = is_v4(&n->address) ? n->bits - 96 : n->bits;
  if (n->bits == 128)
    snprintf(out, ADDRESS_TEXT_BYTES + 4, "%.*s", STR_FMT(address));
  else
    snprintf(out, ADDRESS_TEXT_BYTES + 4, "%.*s/%u", STR_FMT(address), bits);
}
