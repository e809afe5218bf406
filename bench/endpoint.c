// endpoint.c: from a URL and a key to an address and the header lines of every request.
#include <netdb.h>
#include <stdio.h>

#include "bench/wire.h"

static enum err resolve(const char *host, const char *port, struct endpoint *out,
                        struct fault *why) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  int failed = getaddrinfo(host, port, &hints, &found);
  if (failed) return fault_set(why, ERR_UNAVAILABLE, "%s:%s: %s", host, port, gai_strerror(failed));
  memcpy(&out->address, found->ai_addr, found->ai_addrlen);
  out->address_bytes = found->ai_addrlen;
  freeaddrinfo(found);
  return ERR_OK;
}

enum err bench_endpoint_parse(struct str url, struct str key, struct endpoint *out,
                              struct fault *why) {
  struct str rest = url, authority, host;
  if (!str_starts(url, STR("http://")))
    return fault_set(why, ERR_INVALID, "the URL must start with http://");
  rest = str_from(rest, sizeof "http://" - 1);
  authority = str_cut(&rest, '/');
  struct str port = authority;
  host = str_cut(&port, ':');
  if (str_is_none(port)) port = STR("80");
  char host_text[256], port_text[16];
  if (host.len == 0 || host.len >= sizeof host_text || port.len >= sizeof port_text)
    return fault_set(why, ERR_INVALID, "the URL must be http://HOST:PORT");
  snprintf(host_text, sizeof host_text, "%.*s", STR_FMT(host));
  snprintf(port_text, sizeof port_text, "%.*s", STR_FMT(port));
  TRY(resolve(host_text, port_text, out, why));

  bool with_key = !str_is_none(key) && key.len > 0;
  int length = snprintf(
      out->headers, sizeof out->headers, "Host: %.*s\r\nContent-Type: application/json\r\n%s%.*s%s",
      STR_FMT(authority), with_key ? "Authorization: Bearer " : "", with_key ? (int)key.len : 0,
      with_key ? key.at : "", with_key ? "\r\n" : "");
  if (length < 0 || (size_t)length >= sizeof out->headers)
    return fault_set(why, ERR_INVALID, "the host name or the key is too long");
  out->headers_bytes = (size_t)length;
  return ERR_OK;
}
