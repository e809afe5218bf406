// origin.c: origins of web pages: what is one, and which are listed.
#include "base/origin.h"

enum { HOST_BYTES = 253 };  // of the longest name that the DNS has

static bool is_host_byte(char c) {
  bool letter = (c | 32) >= 'a' && (c | 32) <= 'z', digit = c >= '0' && c <= '9';
  return letter || digit || c == '.' || c == '-' || c == '_';
}

static bool is_host(struct str host) {
  bool v6 = host.len > 4 && host.at[0] == '[' && host.at[host.len - 1] == ']';
  if (v6) host = (struct str){host.at + 1, host.len - 2};
  for (size_t i = 0; i < host.len; i++)
    if (!is_host_byte(host.at[i]) && !(v6 && host.at[i] == ':')) return false;
  return host.len > 0 && host.len <= HOST_BYTES;
}

// Browsers leave out the usual port, so an origin that has it would match nothing.
static bool is_port(struct str port, int64_t usual) {
  int64_t number;
  if (port.len == 0 || port.at[0] < '1' || port.at[0] > '9') return false;
  return str_to_i64(port, &number) && number <= 65535 && number != usual;
}

bool origin_is_good(struct str text) {
  bool tls = str_starts(text, STR("https://"));
  if (!tls && !str_starts(text, STR("http://"))) return false;
  struct str host = str_from(text, tls ? 8 : 7);
  size_t colon = host.len;
  while (colon > 0 && host.at[colon - 1] != ':' && host.at[colon - 1] != ']') colon--;
  if (colon == 0 || host.at[colon - 1] == ']') return is_host(host);
  struct str port = str_from(host, colon);
  return is_port(port, tls ? 443 : 80) && is_host((struct str){host.at, colon - 1});
}

bool origins_name(const struct origins *all, struct str origin) {
  for (size_t i = 0; i < all->count; i++)
    if (str_eq_nocase(all->at[i], origin)) return true;
  return false;
}
