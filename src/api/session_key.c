// session_key.c: whether a request is a session's, and of which session.
//
// A key is looked for where the document's original looks: the header X-App-Session, the parameter
// `session`, the cookie `app_session`, and, if the operator wants it, the caller's address. There
// is no session that all share who send nothing. Whoever knows a key is in its session, so keys are
// to be as hard to guess as what is kept there is private; the keys of addresses, which are easy to
// guess, are therefore taken from nobody but their own address.
#include <stdio.h>

#include "api/sessions.h"
#include "base/hash.h"

#define HEADER "X-App-Session"
#define PARAMETER STR("session")
#define COOKIE STR("app_session")
#define OF_ADDRESS STR("ip_")
enum { ADDRESS_KEY_BYTES = 3 + 16 };

// --- addresses -----------------------------------------------------------------------------------

static bool is_trusted(const struct call *c, const struct address *a) {
  const struct networks *proxies = &c->api->settings.sessions.proxies;
  for (size_t i = 0; i < proxies->count; i++)
    if (network_has(&proxies->at[i], a)) return true;
  return false;
}

// "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443".
static bool parse_hop(struct str hop, struct address *out) {
  struct str port = STR_NONE;
  if (str_starts(hop, STR("["))) {
    struct str rest = str_from(hop, 1);
    hop = str_cut(&rest, ']');
    if (str_is_none(rest) || (rest.len > 0 && rest.at[0] != ':')) return false;
    if (str_find(hop, ':') == hop.len) return false;
    if (rest.len > 0) port = str_from(rest, 1);
  } else if (str_find(hop, '.') < str_find(hop, ':')) {
    port = hop;
    hop = str_cut(&port, ':');
  }
  int64_t number;
  if (!str_is_none(port) && (!str_to_i64(port, &number) || number < 0 || number > 65535))
    return false;
  return address_parse(hop, out);
}

static enum err refuse_hops(struct call *c, const char *sentence) {
  return fault_set(&c->fault, ERR_BAD_REQUEST, "X-Forwarded-For %s", sentence);
}

// Takes the last hop of the list that `*rest` is.
static struct str last_hop(struct str *rest) {
  size_t from = rest->len;
  while (from > 0 && rest->at[from - 1] != ',') from--;
  struct str hop = str_trim(str_from(*rest, from));
  *rest = from > 0 ? (struct str){rest->at, from - 1} : STR_NONE;
  return hop;
}

// From the nearest hop on: each trusted proxy vouches for the one before it. What stands before the
// first one that nobody vouches for was written by a stranger, and is not even read.
static enum err walk_hops(struct call *c, struct str hops, size_t *count, bool *found,
                          struct address *out) {
  while (!*found && !str_is_none(hops)) {
    if (++*count > LIMIT_FORWARDED_HOPS) return refuse_hops(c, "has too many hops");
    if (!parse_hop(last_hop(&hops), out))
      return refuse_hops(c,
                         "holds a hop that is no address; the proxy before this server must "
                         "write addresses there");
    *found = !is_trusted(c, out);
  }
  return ERR_OK;
}

// The address of whoever asks: the peer's, unless that is a proxy whose word counts.
static enum err find_address(struct call *c, struct address *out) {
  size_t count = 0;
  if (!address_parse(c->http->peer, out))
    return fault_set(&c->fault, ERR_BAD_REQUEST, "the address of this connection has no session");
  bool found = !is_trusted(c, out);
  // Several headers are one list, in their order.
  for (size_t i = c->http->header_count; i-- > 0 && !found;) {
    if (!str_eq_nocase(c->http->headers[i].name, STR("x-forwarded-for"))) continue;
    TRY(walk_hops(c, c->http->headers[i].value, &count, &found, out));
  }
  return ERR_OK;
}

static enum err address_key(struct call *c, struct str *out) {
  struct address address;
  char text[ADDRESS_TEXT_BYTES];
  uint8_t digest[SHA256_BYTES];
  TRY(find_address(c, &address));
  hash_sha256(address_text(&address, text), digest);
  uint64_t head = 0;
  for (size_t i = 0; i < sizeof head; i++) head = head << 8 | digest[i];
  *out = arena_printf(c->arena, "ip_%016llx", (unsigned long long)head);
  return ERR_OK;
}

// --- keys that are sent --------------------------------------------------------------------------

static enum err refuse_twice(struct call *c, const char *where) {
  return fault_set(&c->fault, ERR_BAD_REQUEST, "%s must hold one session key, not several", where);
}

static enum err from_query(struct call *c, struct str *out) {
  struct str cursor = c->http->query, name, value;
  bool bad = false;
  while (http_query_next(c->http, &cursor, &name, &value, &bad)) {
    if (!str_eq(name, PARAMETER)) continue;
    if (!str_is_none(*out)) return refuse_twice(c, "the parameter session");
    *out = bad ? STR("") : value;
  }
  return ERR_OK;
}

static enum err from_cookie(struct call *c, struct str *out) {
  for (size_t i = 0; i < c->http->header_count; i++) {
    struct str all = c->http->headers[i].value;
    if (!str_eq_nocase(c->http->headers[i].name, STR("cookie"))) continue;
    while (!str_is_none(all)) {
      struct str value = str_cut(&all, ';');
      struct str name = str_trim(str_cut(&value, '='));
      if (!str_eq(name, COOKIE)) continue;
      if (!str_is_none(*out)) return refuse_twice(c, "the cookie app_session");
      *out = str_is_none(value) ? STR("") : str_trim(value);
    }
  }
  return ERR_OK;
}

static bool is_key_byte(char byte) {
  bool letter = (byte | 32) >= 'a' && (byte | 32) <= 'z', digit = byte >= '0' && byte <= '9';
  return letter || digit || byte == '.' || byte == '_' || byte == '~' || byte == '-';
}

static enum err check_key(struct call *c, struct str key) {
  bool good = key.len > 0 && key.len <= LIMIT_SESSION_KEY_BYTES;
  if (str_eq(key, STR("stats")))  // a word of the route /sessions/stats
    return fault_set(&c->fault, ERR_BAD_REQUEST, "a session cannot be called stats");
  for (size_t i = 0; good && i < key.len; i++) good = is_key_byte(key.at[i]);
  if (good) return ERR_OK;
  return fault_set(&c->fault, ERR_BAD_REQUEST,
                   "a session key must have 1 to %d characters of A-Z a-z 0-9 . _ ~ -",
                   LIMIT_SESSION_KEY_BYTES);
}

// Anybody can work out the key of an address that he knows.
static enum err check_sent(struct call *c, struct str key) {
  struct str own;
  TRY(check_key(c, key));
  if (!str_starts(key, OF_ADDRESS)) return ERR_OK;
  TRY(address_key(c, &own));
  if (str_eq(key, own)) return ERR_OK;
  return fault_set(
      &c->fault, ERR_BAD_REQUEST,
      "a session key that begins with ip_ is one of an address, and this one is not of "
      "yours; choose another");
}

// --- choosing ------------------------------------------------------------------------------------

// Browsers send a cookie, and come from their address, whatever page makes them ask.
static enum err check_origin(struct call *c) {
  if (auth_is_own_origin(c) || cors_names(c)) return ERR_OK;
  return fault_set(&c->fault, ERR_FORBIDDEN,
                   "a page of another origin gets no session by cookie or address: send "
                   "X-App-Session, and have the setting cors_origins name the page's origin");
}

static enum err refuse_none(struct call *c) {
  return fault_set(&c->fault, ERR_UNAUTHENTICATED,
                   "send a session key of your own as header X-App-Session, parameter session or "
                   "cookie app_session, or a credential; the setting session_by_ip would give each "
                   "address a session");
}

static enum err find_key(struct call *c, struct str *out) {
  *out = STR_NONE;
  TRY(call_header(c, HEADER, out));
  if (str_is_none(*out)) TRY(from_query(c, out));
  if (!str_is_none(*out)) return check_sent(c, *out);
  TRY(from_cookie(c, out));
  if (!str_is_none(*out)) {
    TRY(check_origin(c));
    return check_sent(c, *out);
  }
  if (!c->api->settings.sessions.by_address) return refuse_none(c);
  TRY(check_origin(c));
  return address_key(c, out);
}

static bool has_header(const struct call *c, const char *name) {
  return !str_is_none(http_header(c->http, str_of(name)));
}

static bool has_credential(const struct call *c) {
  return has_header(c, "Authorization") || has_header(c, "x-api-key");
}

static bool names_session(struct call *c) {
  return has_header(c, HEADER) || !str_is_none(http_query(c->http, PARAMETER, NULL));
}

static enum err refuse_both(struct call *c) {
  return fault_set(&c->fault, ERR_BAD_REQUEST,
                   "send either a credential, for tasks that are kept, or a session key, for those "
                   "of a session");
}

// Also on a server without keys, where it would be the local user's.
static enum err refuse_elsewhere(struct call *c) {
  return fault_set(&c->fault, ERR_UNAUTHENTICATED,
                   "a session has its own tasks and nothing else; this route needs a credential");
}

enum err session_off(struct call *c) {
  return fault_set(&c->fault, ERR_SESSIONS_OFF,
                   "this server serves no sessions: start it with TASKYARD_SESSIONS=yes (or "
                   "ENABLE_SESSION_ISOLATION=true)");
}

// Whoever ends a session does not begin one by it.
static enum err check_there(struct call *c, struct str key) {
  if (c->http->method != HTTP_METHOD_DELETE || sessions_find(c->api->sessions, key)) return ERR_OK;
  return fault_set(&c->fault, ERR_NOT_FOUND, "there is no such session");
}

static enum err enter(struct call *c, struct str key) {
  TRY(check_there(c, key));
  c->session_key = key;
  c->session = sessions_find(c->api->sessions, key);
  if (c->session == NULL) TRY(sessions_empty(c->api->sessions, &c->session, &c->fault));
  session_seen(c->session);
  c->engine = c->session->engine;
  c->who = (struct principal){.tenant = 1,
                              .tenant_name = STR_NONE,
                              .actor = arena_printf(c->arena, "session:%.*s", STR_FMT(key))};
  return ERR_OK;
}

bool session_has_begun(const struct call *c) { return c->session != c->api->sessions->empty; }

// All whose address is not one of the internet have one home.
static enum err find_home(struct call *c, struct address *out) {
  struct address address;
  *out = (struct address){0};
  if (!address_parse(c->http->peer, &address)) return ERR_OK;
  TRY(find_address(c, &address));
  *out = address_home(&address);
  return ERR_OK;
}

enum err session_begin(struct call *c) {
  struct address home;
  if (session_has_begun(c)) return ERR_OK;
  TRY(find_home(c, &home));
  TRY(sessions_begin(c->api->sessions, c->session_key, &home, &c->session, &c->fault));
  c->engine = c->session->engine;
  return ERR_OK;
}

static void tell_methods(struct call *c) {
  c->allow = route_allow(c, route_session_methods(c->route));
  fault_set(&c->fault, ERR_METHOD_NOT_ALLOWED, "of a session this route takes %.*s",
            STR_FMT(c->allow));
}

static enum err enter_session(struct call *c) {
  struct str key;
  c->door = &DOOR_session;
  if (c->route->session.handle == NULL) {
    tell_methods(c);
    return ERR_METHOD_NOT_ALLOWED;
  }
  c->entry = c->route->session;
  if (auth_is_open(c->api)) TRY(cors_allows(c) ? auth_check_host(c) : auth_check_local(c));
  TRY(find_key(c, &key));
  return enter(c, key);
}

static bool has_cookie(struct call *c) {
  struct str cookie = STR_NONE;
  struct fault fault = c->fault;
  bool has = from_cookie(c, &cookie) != ERR_OK || !str_is_none(cookie);
  c->fault = fault;
  return has;
}

// Whether a request without a credential is a session's. On a path that sessions have, what is not
// open to them is so only when the request names one, or would have one anyway; but not what
// workers ask, who on a server without keys send no credential either.
static bool is_for_session(struct call *c) {
  if (c->route->session.handle) return true;
  if (route_session_methods(c->route) == 0) return false;
  if (names_session(c)) return true;
  if (c->route->roles & ROLE_WORKER) return false;
  return c->api->settings.sessions.by_address || has_cookie(c);
}

void session_refused(struct call *c, enum err err) {
  if (c->api->sessions == NULL || c->route == NULL || has_credential(c)) return;
  if (!is_for_session(c)) return;
  c->door = &DOOR_session;
  if (err == ERR_METHOD_NOT_ALLOWED) tell_methods(c);
}

// With a credential nothing here counts but a session key that was sent as well.
enum err session_choose(struct call *c) {
  bool open = c->route->session.handle != NULL;
  if (c->api->sessions == NULL) {
    bool asks = open && names_session(c) && !has_credential(c);
    return asks ? session_off(c) : ERR_OK;
  }
  if (has_credential(c)) return open && names_session(c) ? refuse_both(c) : ERR_OK;
  if (is_for_session(c)) return enter_session(c);
  return c->route->roles && has_header(c, HEADER) ? refuse_elsewhere(c) : ERR_OK;
}
