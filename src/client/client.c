// client.c: one kept-open connection to a server, and calls over it.
#include "client/client.h"

#include "base/buf.h"
#include "base/mem.h"
#include "client/problem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum {
  TIMEOUT_MS_DEFAULT = 30000,
  CONNECT_TIMEOUT_MS = 10000,
  STREAM_SILENCE_S = 60,        // twice the longest heartbeat: nobody is there any more
  POLL_MS = 60000,              // only the longest nap between two looks: any event ends it
  REPLY_BYTES_MAX = 128 << 20,  // twice the largest body a server can be set to
  REPLY_BYTES_KEPT = 1 << 20,   // a larger buffer is given back after the call
};

struct client {
  CURL *easy;
  CURLM *multi;
  char *url;      // without the slash at its end
  char *auth;     // a whole header line; NULL: none
  char *session;  // the same
  bool is_local;  // the URL is of this machine
  int64_t timeout_ms;
  const char *advice;  // NULL: ours
  size_t reply_bytes_max;
  struct buf reply;
  const struct client_call *call;  // under way
  atomic_bool interrupted;
};

static enum err url_check(const char *url, bool *is_local, struct fault *why);
static enum err key_line(const char *name, const char *what, struct str key, char **out,
                         struct fault *why);
static void easy_prepare(struct client *c);

static void library_start(void) { (void)curl_global_init(CURL_GLOBAL_DEFAULT); }

enum err client_open(const struct client_settings *settings, struct client **out,
                     struct fault *why) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, library_start);

  struct client *c = mem_zero(sizeof *c);
  struct str url = settings->url;
  while (url.len > 0 && url.at[url.len - 1] == '/') url.len--;
  c->url = mem_copy(url.at, url.len);
  c->timeout_ms = settings->timeout_ms ? settings->timeout_ms : TIMEOUT_MS_DEFAULT;
  c->advice = settings->advice;
  c->reply_bytes_max = settings->reply_bytes_max ? settings->reply_bytes_max : REPLY_BYTES_MAX;
  buf_init(&c->reply, c->reply_bytes_max);

  enum err err = url_check(c->url, &c->is_local, why);
  if (err == ERR_OK) err = key_line("Authorization: Bearer", "API", settings->key, &c->auth, why);
  if (err == ERR_OK)
    err = key_line("X-App-Session:", "session", settings->session, &c->session, why);
  if (err == ERR_OK) {
    c->easy = curl_easy_init();
    c->multi = curl_multi_init();
    if (!c->easy || !c->multi) err = fault_set(why, ERR_INTERNAL, "libcurl cannot be started");
  }
  if (err != ERR_OK) {
    client_close(c);
    return err;
  }
  easy_prepare(c);
  *out = c;
  return ERR_OK;
}

void client_close(struct client *c) {
  if (!c) return;
  if (c->easy) curl_easy_cleanup(c->easy);
  if (c->multi) (void)curl_multi_cleanup(c->multi);
  buf_fini(&c->reply);
  mem_free(c->auth);
  mem_free(c->session);
  mem_free(c->url);
  mem_free(c);
}

void client_interrupt(struct client *c) {
  atomic_store(&c->interrupted, true);
  (void)curl_multi_wakeup(c->multi);
}

bool client_is_local(const struct client *c) { return c->is_local; }

// A name may begin with "127." and be of any machine.
static bool host_is_loopback(const char *host) {
  struct in_addr address;
  if (inet_pton(AF_INET, host, &address) == 1) return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
  return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

// A wrong URL is told at once, and not as a failure to connect later.
static enum err url_check(const char *url, bool *is_local, struct fault *why) {
  CURLU *parts = curl_url();
  char *scheme = NULL, *host = NULL, *query = NULL, *user = NULL;
  bool good = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_QUERY, &query, 0) == CURLUE_NO_QUERY &&
              curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
  if (good) *is_local = host_is_loopback(host);
  curl_free(user);
  curl_free(query);
  curl_free(host);
  curl_free(scheme);
  curl_url_cleanup(parts);
  if (good) return ERR_OK;
  return fault_set(why, ERR_INVALID,
                   "the server's URL must look like http://127.0.0.1:8503, without user or query");
}

// Control characters in a key would become header lines of their own.
static enum err key_line(const char *name, const char *what, struct str key, char **out,
                         struct fault *why) {
  if (str_is_none(key)) return ERR_OK;
  for (size_t i = 0; i < key.len; i++)
    if (key.at[i] <= ' ' || key.at[i] > '~')
      return fault_set(why, ERR_INVALID,
                       "the %s key holds a blank or a character that no key has; it is printable "
                       "ASCII without blanks",
                       what);
  struct buf line;
  buf_init(&line, key.len + 64);
  buf_printf(&line, "%s ", name);
  buf_put(&line, key);
  *out = mem_copy(line.at, line.len);
  buf_fini(&line);
  return ERR_OK;
}

// A refusal comes whole, also where a stream was asked for.
static size_t take_body(char *at, size_t size, size_t count, void *self) {
  struct client *c = self;
  size_t bytes = size * count;
  long status = 0;
  (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
  if (c->call->take && status >= 200 && status <= 299)
    return c->call->take(c->call->self, (struct str){at, bytes}) ? bytes : 0;
  buf_bytes(&c->reply, at, bytes);
  return c->reply.overflow ? 0 : bytes;
}

// Sockets of a worker must not leak into the programs that it runs.
static curl_socket_t open_socket(void *self, curlsocktype purpose, struct curl_sockaddr *to) {
  (void)self, (void)purpose;
  return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static long connect_timeout_ms(const struct client *c) {
  return (long)(c->timeout_ms < CONNECT_TIMEOUT_MS ? c->timeout_ms : CONNECT_TIMEOUT_MS);
}

// What all calls have in common. An option that this libcurl does not know would be a build fault,
// so the results of setting these are not looked at.
static void easy_prepare(struct client *c) {
  CURL *e = c->easy;
  (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  (void)curl_easy_setopt(e, CURLOPT_USERAGENT, "taskyard");
  (void)curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
  (void)curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
  (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
  (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms(c));
  // A proxy of the environment cannot reach this machine's loopback.
  if (c->is_local) (void)curl_easy_setopt(e, CURLOPT_PROXY, "");
}

static struct curl_slist *headers_of(const struct client *c, struct arena *a,
                                     const struct client_call *call) {
  // libcurl would ask large requests to wait for "100 Continue", a round trip that helps nobody
  // here.
  struct curl_slist *list = curl_slist_append(NULL, "Expect:");
  if (!str_is_none(call->body)) list = curl_slist_append(list, "Content-Type: application/json");
  if (c->auth) list = curl_slist_append(list, c->auth);
  if (c->session) list = curl_slist_append(list, c->session);
  if (call->minimal) list = curl_slist_append(list, "Prefer: return=minimal");
  if (call->take) list = curl_slist_append(list, "Accept: text/event-stream");
  if (!str_is_none(call->last_event_id)) {
    struct str line = arena_printf(a, "Last-Event-ID: %.*s", STR_FMT(call->last_event_id));
    list = curl_slist_append(list, line.at);
  }
  if (!str_is_none(call->idempotency_key)) {
    struct str key = call->idempotency_key;
    struct str line = arena_printf(a, "Idempotency-Key: \"%.*s\"", STR_FMT(key));
    list = curl_slist_append(list, line.at);
  }
  return list;
}

static void easy_aim(struct client *c, struct arena *a, const struct client_call *call,
                     struct curl_slist *headers) {
  CURL *e = c->easy;
  struct str url = arena_printf(a, "%s%.*s", c->url, STR_FMT(call->path));
  bool body = !str_is_none(call->body);
  bool post = strcmp(call->method, "POST") == 0;
  (void)curl_easy_setopt(e, CURLOPT_URL, url.at);
  (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
  (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
                         call->take ? 0L : (long)(c->timeout_ms + call->wait_ms));
  // A stream is never silent for longer than its heartbeat.
  (void)curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, call->take ? 1L : 0L);
  (void)curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, call->take ? (long)STREAM_SILENCE_S : 0L);
  (void)curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);  // takes back a POST of the call before
  if (body || post) {
    (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? call->body.len : 0));
    (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, body ? call->body.at : "");
  }
  (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
}

// Drives the transfer to its end. CURLE_ABORTED_BY_CALLBACK: interrupted; an answer that is there
// already still counts, since it may bring a task whose lease would otherwise be wasted.
static CURLcode transfer(struct client *c) {
  int running = atomic_load(&c->interrupted) ? -1 : 1;
  while (running > 0) {
    bool interrupted = atomic_load(&c->interrupted);
    if (curl_multi_perform(c->multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (running > 0 && interrupted) running = -1;
    if (running > 0 && curl_multi_poll(c->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
      return CURLE_FAILED_INIT;
  }
  if (running < 0) return CURLE_ABORTED_BY_CALLBACK;
  int left = 0;
  CURLMsg *message = curl_multi_info_read(c->multi, &left);
  assert(message && message->msg == CURLMSG_DONE);
  return message->data.result;
}

static bool is_connected(const struct client *c) {
  curl_off_t us = 0;
  (void)curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
  return us > 0;
}

static enum err transfer_fault(const struct client *c, CURLcode code, struct fault *why) {
  switch (code) {
  case CURLE_ABORTED_BY_CALLBACK:
    return fault_set(why, ERR_UNAVAILABLE, "the call to %s was interrupted", c->url);
  case CURLE_COULDNT_CONNECT:
    return fault_set(why, ERR_UNAVAILABLE, "no server answers at %s; %s", c->url,
                     c->advice ? c->advice
                               : "is `taskyard serve` running there? (--url or TASKYARD_URL say "
                                 "where to look)");
  case CURLE_COULDNT_RESOLVE_HOST:
    return fault_set(why, ERR_UNAVAILABLE, "the host of %s is not known; %s", c->url,
                     c->advice ? c->advice : "check --url or TASKYARD_URL");
  case CURLE_WRITE_ERROR:
    return fault_set(why, ERR_UNAVAILABLE, "the answer of %s is over %zu bytes", c->url,
                     c->reply_bytes_max);
  case CURLE_OPERATION_TIMEDOUT:
    if (c->call->take && is_connected(c))
      return fault_set(why, ERR_UNAVAILABLE, "%s sent nothing for %d s", c->url, STREAM_SILENCE_S);
    if (!is_connected(c))
      return fault_set(why, ERR_UNAVAILABLE, "%s cannot be reached: no connection within %ld s",
                       c->url, (connect_timeout_ms(c) + 999) / 1000);
    return fault_set(why, ERR_UNAVAILABLE, "%s did not answer within %lld s", c->url,
                     (long long)(c->timeout_ms + c->call->wait_ms + 999) / 1000);
  default:
    return fault_set(why, ERR_UNAVAILABLE, "the call to %s failed: %s", c->url,
                     curl_easy_strerror(code));
  }
}

enum err client_send(struct client *c, struct arena *a, const struct client_call *call,
                     struct client_reply *out, struct fault *why) {
  struct curl_slist *headers = headers_of(c, a, call);
  c->call = call;
  easy_aim(c, a, call, headers);
  buf_clear(&c->reply);
  CURLcode code = CURLE_FAILED_INIT;
  if (curl_multi_add_handle(c->multi, c->easy) == CURLM_OK) {
    code = transfer(c);
    (void)curl_multi_remove_handle(c->multi, c->easy);
  }
  curl_slist_free_all(headers);
  if (code != CURLE_OK) return transfer_fault(c, code, why);

  long status = 0;
  curl_off_t retry_after_s = 0;
  (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
  (void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
  *out = (struct client_reply){(int)status, arena_dup(a, buf_str(&c->reply)),
                               (int64_t)retry_after_s * 1000};
  if (c->reply.cap > REPLY_BYTES_KEPT) {
    buf_fini(&c->reply);
    buf_init(&c->reply, c->reply_bytes_max);
  }
  return ERR_OK;
}

enum err client_expect(struct client *c, struct arena *a, const struct client_call *call,
                       struct client_reply *out, struct fault *why) {
  struct client_reply reply;
  TRY(client_send(c, a, call, &reply, why));
  if (reply.status < 200 || reply.status > 299) return problem_fault(a, &reply, why);
  *out = reply;
  return ERR_OK;
}

struct str client_escape(struct arena *a, struct str raw) {
  static const char hex[] = "0123456789ABCDEF";
  static const char plain[] =  // RFC 3986 section 2.3
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  char *text = arena_alloc(a, raw.len * 3 + 1);
  size_t len = 0;
  for (size_t i = 0; i < raw.len; i++) {
    unsigned char c = (unsigned char)raw.at[i];
    if (c != 0 && strchr(plain, c)) {
      text[len++] = (char)c;
      continue;
    }
    text[len++] = '%';
    text[len++] = hex[c >> 4];
    text[len++] = hex[c & 15];
  }
  text[len] = '\0';
  return (struct str){text, len};
}
