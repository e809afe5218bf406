// target.c: what a request asks for: the target's forms, and the host it must belong to.
#include "http/inside.h"

// Letters, digits and what registered names, addresses and ports are made of (RFC 3986 section
// 3.2.2). No user, no path, no blank, no list.
static const bool host_chars[256] = {
    ['-'] = true,         ['.'] = true,         ['_'] = true, ['~'] = true, ['%'] = true,
    [':'] = true,         ['['] = true,         [']'] = true, ['!'] = true, ['$'] = true,
    ['&'] = true,         ['\''] = true,        ['('] = true, [')'] = true, ['*'] = true,
    ['+'] = true,         ['0' ... '9'] = true, [';'] = true, ['='] = true, ['A' ... 'Z'] = true,
    ['a' ... 'z'] = true,
};

bool http_is_host(struct str value) {
  for (size_t i = 0; i < value.len; i++) {
    if (!host_chars[(unsigned char)value.at[i]]) return false;
  }
  return true;
}

static bool starts_nocase(struct str s, struct str prefix) {
  return s.len >= prefix.len && str_eq_nocase((struct str){s.at, prefix.len}, prefix);
}

// "http://host:port/path?query": the form that proxies are asked in, but every server must read.
static enum err cut_authority(struct str *target, struct str host, struct fault *why) {
  struct str rest = str_from(*target, str_find(*target, ':') + 3);
  size_t end = 0;
  while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?') end++;
  struct str authority = {rest.at, end};
  if (!str_is_none(host) && !str_eq_nocase(authority, host)) {
    return fault_set(why, ERR_BAD_REQUEST, "the request target names another host than Host");
  }
  *target = str_from(rest, end);
  return ERR_OK;
}

enum err http_target(struct http_request *r, struct str target, struct str host,
                     struct fault *why) {
  bool absolute = starts_nocase(target, STR("http://")) || starts_nocase(target, STR("https://"));
  if (absolute) TRY(cut_authority(&target, host, why));
  bool asterisk = r->method == HTTP_METHOD_OPTIONS && str_eq(target, STR("*"));
  bool origin = str_starts(target, STR("/"));
  if (!absolute && !origin && !asterisk) {
    return fault_set(why, ERR_BAD_REQUEST, "the request target must start with a slash");
  }
  if (str_find(target, '#') < target.len) {
    return fault_set(why, ERR_BAD_REQUEST, "the request target holds a fragment");
  }
  r->query = target;
  r->path = str_cut(&r->query, '?');
  if (r->path.len == 0) r->path = STR("/");
  return ERR_OK;
}
