// scripted.h: a PostgreSQL server of a few words, for what a real one cannot be made to say: it
// answers each statement with what a test has written down for it.
//
// It knows as much of the protocol as libpq needs: greeting, statements with and without names in
// pipelines, plain queries. Nothing is stored, and nothing else is checked.
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include <arpa/inet.h>
#include <endian.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

// What is said to statements that hold these words. The first reply that fits is given.
struct reply {
  // "^COMMIT": those that begin so; "startup": who connects; NULL: the end of the list
  const char *about;
  // Lines, each of which is
  //   7,true,'text,null,#0102   a row of numbers, truths, texts, and bytes that pass for a number
  //   $1                        in a row: the number that the statement's first parameter is
  //   !FATAL 57P01 sentence     an error; FATAL and PANIC end the session, "-" leaves a word out
  //   ~WARNING 01000 sentence   a notice
  //   @topic payload            a notification
  //   &                         nothing; but the end of a transaction is none
  //   !                         the connection ends without a word
  //   ?                         nothing, from now on
  const char *says;
  int times;           // it is given; 0: always
  void (*then)(void);  // called before, on the server's thread; may be NULL
  int given;           // so far; see scripted_given
};

enum { SCRIPTED_CLIENTS = 8, SCRIPTED_STATEMENTS = 64 };

struct scripted_client {
  int fd;  // 0: free
  char *in;
  size_t in_len, in_cap;
  struct buf out;
  struct arena arena;  // of the texts
  const char *names[SCRIPTED_STATEMENTS], *texts[SCRIPTED_STATEMENTS], *bound;
  size_t count;
  uint64_t first;              // parameter of `bound`, if it is a bigint
  bool greeted, open, failed;  // `open`: in a transaction; `failed`: skips up to the next sync
  bool ends, mute;             // says nothing more: goodbye was said, or for ever
  bool stays;                  // in a transaction that was ended
};

struct scripted {
  char url[128];
  struct reply *replies;  // lock
  atomic_bool deaf;       // takes nothing in
  atomic_bool over;
  int listener, bell[2];
  struct scripted_client clients[SCRIPTED_CLIENTS];
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t gave;  // lock
};

// What a server with a store in it says to those who open it. The schema is called "yard".
static struct reply scripted_usual[] = {
    {.about = "set_config", .says = "'off"},
    {.about = "relnatts", .says = "1,2\n3,4\n5,6"},
    {.about = "server_version_num", .says = "160000,false,'UTF8,'on,'on,'on,'"},
    {.about = "quote_ident", .says = "true,true,true,true"},
    {.about = "name = 'schema'", .says = "1,true"},
    {.about = "pg_try_advisory", .says = "true,0"},
    {.about = "SELECT 0::bigint", .says = "0,1700000000000\n1,1\n2,0"},
    {.about = "INSERT INTO yard.node", .says = "$1,'me,1,1,0"},
    {.about = "SELECT (extract", .says = "1700000000000"},
    {.about = "", .says = ""},
};

// --- what it says --------------------------------------------------------------------------------

static inline void scripted_u32(struct buf *out, uint32_t value) {
  value = htonl(value);
  buf_put(out, (struct str){(const char *)&value, sizeof value});
}

static inline void scripted_u16(struct buf *out, uint16_t value) {
  value = htons(value);
  buf_put(out, (struct str){(const char *)&value, sizeof value});
}

static inline void scripted_put(struct scripted_client *c, char kind, struct str body) {
  buf_char(&c->out, kind);
  scripted_u32(&c->out, (uint32_t)body.len + 4);
  buf_put(&c->out, body);
}

static inline void scripted_zero(struct buf *out) { buf_char(out, '\0'); }

static inline void scripted_parameter(struct scripted_client *c, const char *name,
                                      const char *value) {
  char body[128];
  int len = snprintf(body, sizeof body, "%s%c%s", name, 0, value);
  scripted_put(c, 'S', (struct str){body, (size_t)len + 1});
}

static inline void scripted_ready(struct scripted_client *c) {
  scripted_put(c, 'Z', c->open ? STR("T") : STR("I"));
}

static inline void scripted_greet(struct scripted_client *c) {
  scripted_put(c, 'R', STR("\0\0\0\0"));
  scripted_parameter(c, "server_version", "16.0");
  scripted_parameter(c, "client_encoding", "UTF8");
  scripted_parameter(c, "in_hot_standby", "off");
  scripted_parameter(c, "default_transaction_read_only", "off");
  scripted_parameter(c, "standard_conforming_strings", "on");
  scripted_put(c, 'K', STR("\0\0\x12\x67\0\0\0\7"));
  scripted_ready(c);
}

// "FATAL 57P01 sentence", as an error or a notice. True: it ends the session.
static inline bool scripted_fault(struct scripted_client *c, char kind, struct str words) {
  struct str severity = str_cut(&words, ' '), code = str_cut(&words, ' ');
  struct buf body;
  buf_init(&body, 1024);
  BUF_LIT(&body, "SERROR");
  scripted_zero(&body);
  const struct {
    char field;
    struct str value;
  } fields[] = {{'V', severity}, {'C', code}, {'M', words}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (str_is_none(fields[i].value) || str_eq(fields[i].value, STR("-"))) continue;
    buf_char(&body, fields[i].field);
    buf_put(&body, fields[i].value);
    scripted_zero(&body);
  }
  scripted_zero(&body);
  scripted_put(c, kind, buf_str(&body));
  buf_fini(&body);
  return str_eq(severity, STR("FATAL")) || str_eq(severity, STR("PANIC"));
}

static inline void scripted_notify(struct scripted_client *c, struct str words) {
  struct str topic = str_cut(&words, ' ');
  struct buf body;
  buf_init(&body, 16384);
  scripted_u32(&body, 1);
  buf_put(&body, topic);
  scripted_zero(&body);
  buf_put(&body, words);
  scripted_zero(&body);
  scripted_put(c, 'A', buf_str(&body));
  buf_fini(&body);
}

// --- rows ----------------------------------------------------------------------------------------

enum { SCRIPTED_BOOL = 16, SCRIPTED_INT8 = 20, SCRIPTED_TEXT = 25 };

static inline uint32_t scripted_type(struct str field) {
  if (field.len && field.at[0] == '\'') return SCRIPTED_TEXT;
  return str_eq(field, STR("true")) || str_eq(field, STR("false")) ? SCRIPTED_BOOL : SCRIPTED_INT8;
}

static inline void scripted_value(const struct scripted_client *c, struct buf *body,
                                  struct str field) {
  char text[24];
  uint64_t number;
  if (str_eq(field, STR("null"))) {
    scripted_u32(body, UINT32_MAX);
  } else if (scripted_type(field) == SCRIPTED_TEXT || field.at[0] == '#') {
    scripted_u32(body, (uint32_t)field.len - 1);
    buf_put(body, str_from(field, 1));
  } else if (scripted_type(field) == SCRIPTED_BOOL) {
    scripted_u32(body, 1);
    buf_char(body, field.len == 4 ? '\1' : '\0');
  } else {
    snprintf(text, sizeof text, "%.*s", STR_FMT(field));
    number = strcmp(text, "$1") == 0 ? c->first : (uint64_t)strtoll(text, NULL, 10);
    scripted_u32(body, sizeof number);
    scripted_u32(body, (uint32_t)(number >> 32));
    scripted_u32(body, (uint32_t)number);
  }
}

static inline size_t scripted_columns(struct str row) {
  size_t count = 0;
  for (; !str_is_none(row); count++) (void)str_cut(&row, ',');
  return count;
}

static inline void scripted_describe(struct scripted_client *c, struct str row) {
  struct buf body;
  buf_init(&body, 4096);
  scripted_u16(&body, (uint16_t)scripted_columns(row));
  while (!str_is_none(row)) {
    scripted_zero(&body);    // its name,
    scripted_u32(&body, 0);  // table
    scripted_u16(&body, 0);  // and place there
    scripted_u32(&body, scripted_type(str_cut(&row, ',')));
    scripted_u16(&body, UINT16_MAX);  // of any length
    scripted_u32(&body, UINT32_MAX);
    scripted_u16(&body, 1);  // binary
  }
  scripted_put(c, 'T', buf_str(&body));
  buf_fini(&body);
}

static inline void scripted_row(struct scripted_client *c, struct str row) {
  struct buf body;
  buf_init(&body, 4096);
  scripted_u16(&body, (uint16_t)scripted_columns(row));
  while (!str_is_none(row)) scripted_value(c, &body, str_cut(&row, ','));
  scripted_put(c, 'D', buf_str(&body));
  buf_fini(&body);
}

// --- answering -----------------------------------------------------------------------------------

static inline bool scripted_fits(const char *about, const char *text) {
  if (*about == '^') return strncmp(text, about + 1, strlen(about + 1)) == 0;
  return strstr(text, about) != NULL;
}

static inline struct reply *scripted_find(struct reply *replies, const char *text) {
  for (struct reply *r = replies; r && r->about; r++)
    if (scripted_fits(r->about, text) && (r->times == 0 || r->given < r->times)) return r;
  return NULL;
}

static inline const char *scripted_reply(struct scripted *s, const char *text) {
  pthread_mutex_lock(&s->lock);
  struct reply *reply = scripted_find(s->replies, text);
  void (*then)(void) = reply ? reply->then : NULL;
  pthread_mutex_unlock(&s->lock);
  if (then) then();
  if (!reply) return scripted_find(scripted_usual, text)->says;
  pthread_mutex_lock(&s->lock);
  reply->given++;
  pthread_cond_broadcast(&s->gave);
  pthread_mutex_unlock(&s->lock);
  return reply->says;
}

// False: the statement failed.
static inline bool scripted_say(struct scripted_client *c, struct str lines) {
  bool described = false;
  while (!str_is_none(lines) && lines.len) {
    struct str line = str_cut(&lines, '\n'), words = str_from(line, 1);
    switch (line.at[0]) {
    case '!': c->ends = words.len == 0 || scripted_fault(c, 'E', words); return false;
    case '?': c->mute = true; return false;
    case '&': c->stays = true; break;
    case '~': (void)scripted_fault(c, 'N', words); break;
    case '@': scripted_notify(c, words); break;
    default:
      if (!described) scripted_describe(c, line);
      described = true;
      scripted_row(c, line);
    }
  }
  return true;
}

static inline void scripted_answer(struct scripted *s, struct scripted_client *c,
                                   const char *text) {
  c->failed = !scripted_say(c, str_of(scripted_reply(s, text)));
  if (c->failed) return;
  if (strncmp(text, "BEGIN", 5) == 0) c->open = true;
  if (strncmp(text, "COMMIT", 6) == 0 || strncmp(text, "ROLLBACK", 8) == 0) c->open = c->stays;
  scripted_put(c, 'C', STR("SELECT 1\0"));
}

static inline const char *scripted_text(const struct scripted_client *c, const char *name) {
  const char *text = "";
  for (size_t i = 0; i < c->count; i++)
    if (strcmp(c->names[i], name) == 0) text = c->texts[i];
  return text;
}

static inline void scripted_prepare(struct scripted_client *c, const char *name) {
  size_t place = 0;
  while (place < c->count && strcmp(c->names[place], name) != 0) place++;
  if (place == SCRIPTED_STATEMENTS) place = 0;
  if (place == c->count) c->count++;
  c->names[place] = arena_cstr(&c->arena, str_of(name));
  c->texts[place] = arena_cstr(&c->arena, str_of(name + strlen(name) + 1));
  scripted_put(c, '1', STR(""));
}

// Behind the names of portal and statement: the parameters' formats, and their values.
static inline void scripted_bind(struct scripted_client *c, const char *body) {
  const char *statement = body + strlen(body) + 1, *at = statement + strlen(statement) + 1;
  uint16_t formats, count;
  uint32_t bytes;
  c->bound = scripted_text(c, statement);
  c->first = 0;
  memcpy(&formats, at, sizeof formats);
  at += sizeof formats * (1 + (size_t)ntohs(formats));
  memcpy(&count, at, sizeof count);
  if (count == 0) return;
  memcpy(&bytes, at + sizeof count, sizeof bytes);
  if (ntohl(bytes) != sizeof c->first) return;
  memcpy(&c->first, at + sizeof count + sizeof bytes, sizeof c->first);
  c->first = be64toh(c->first);
}

static inline void scripted_hear(struct scripted *s, struct scripted_client *c, char kind,
                                 const char *body) {
  if (kind == 'X') c->ends = true;
  if (kind == 'S' || kind == 'Q') c->failed = false;
  if (c->failed || c->ends || c->mute) return;
  switch (kind) {
  case 'P': scripted_prepare(c, body); break;
  case 'B':
    scripted_bind(c, body);
    scripted_put(c, '2', STR(""));
    break;
  case 'E': scripted_answer(s, c, c->bound); break;
  case 'Q':
    scripted_answer(s, c, body);
    if (!c->ends && !c->mute) scripted_ready(c);
    c->failed = false;
    break;
  case 'S': scripted_ready(c); break;
  }
}

// --- connections ---------------------------------------------------------------------------------

static inline void scripted_drop(struct scripted_client *c) {
  if (!c->fd) return;
  close(c->fd);
  mem_free(c->in);
  buf_fini(&c->out);
  arena_fini(&c->arena);
  *c = (struct scripted_client){0};
}

static inline void scripted_accept(struct scripted *s) {
  int fd = accept(s->listener, NULL, NULL);
  for (int i = 0; i < SCRIPTED_CLIENTS; i++) {
    struct scripted_client *c = &s->clients[i];
    if (c->fd) continue;
    c->fd = fd;
    c->in_cap = 1 << 20;
    c->in = mem_zero(c->in_cap);
    buf_init(&c->out, 1 << 20);
    arena_init(&c->arena, 1 << 16);
    return;
  }
  close(fd);
}

static inline void scripted_begin(struct scripted *s, struct scripted_client *c, uint32_t code) {
  enum { CANCEL = 80877102, PROTOCOL = 196608 };
  c->ends = code == CANCEL;
  if (code != PROTOCOL) return;
  c->greeted = true;
  if (scripted_say(c, str_of(scripted_reply(s, "startup")))) scripted_greet(c);
}

// Takes in what is whole of what has come.
static inline void scripted_take(struct scripted *s, struct scripted_client *c) {
  size_t at = 0;
  for (;;) {
    size_t head = c->greeted ? 1 : 0;
    uint32_t length, code;
    if (c->in_len - at < head + sizeof length) break;
    memcpy(&length, c->in + at + head, sizeof length);
    length = ntohl(length);
    if (c->in_len - at < head + length) break;
    if (c->greeted) {
      scripted_hear(s, c, c->in[at], c->in + at + 5);
    } else {
      memcpy(&code, c->in + at + 4, sizeof code);
      scripted_begin(s, c, ntohl(code));
    }
    at += head + length;
  }
  memmove(c->in, c->in + at, c->in_len - at);
  c->in_len -= at;
}

// What was said is on its way before the end of the session is.
static inline void scripted_send(struct scripted_client *c) {
  struct str out = buf_str(&c->out);
  for (size_t sent = 0; sent < out.len;) {
    ssize_t n = send(c->fd, out.at + sent, out.len - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += (size_t)n;
  }
  c->out.len = 0;
  if (c->ends) shutdown(c->fd, SHUT_WR);
}

static inline void scripted_serve(struct scripted *s, struct scripted_client *c) {
  ssize_t got = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
  if (got <= 0) {
    scripted_drop(c);
    return;
  }
  bool ended = c->ends;
  c->in_len += (size_t)got;
  if (ended)
    c->in_len = 0;
  else
    scripted_take(s, c);
  if (!ended) scripted_send(c);
}

static inline void *scripted_run(void *arg) {
  struct scripted *s = arg;
  while (!atomic_load(&s->over)) {
    struct pollfd fds[2 + SCRIPTED_CLIENTS] = {{s->bell[0], POLLIN, 0}, {s->listener, POLLIN, 0}};
    for (int i = 0; i < SCRIPTED_CLIENTS; i++) {
      bool hears = s->clients[i].fd && !atomic_load(&s->deaf);
      fds[2 + i] = (struct pollfd){hears ? s->clients[i].fd : -1, POLLIN, 0};
    }
    poll(fds, 2 + SCRIPTED_CLIENTS, -1);
    char byte;
    if (fds[0].revents && read(s->bell[0], &byte, 1) != 1) break;
    for (int i = 0; i < SCRIPTED_CLIENTS; i++)
      if (fds[2 + i].revents) scripted_serve(s, &s->clients[i]);
    if (fds[1].revents) scripted_accept(s);
  }
  for (int i = 0; i < SCRIPTED_CLIENTS; i++) scripted_drop(&s->clients[i]);
  return NULL;
}

// --- for tests -----------------------------------------------------------------------------------

static inline void scripted_ring(struct scripted *s) {
  assert_int_equal(write(s->bell[1], "x", 1), 1);
}

// From now on; what has been given before does not count. NULL: only what is usual.
static inline void scripted_says(struct scripted *s, struct reply *replies) {
  pthread_mutex_lock(&s->lock);
  for (struct reply *r = replies; r && r->about; r++) r->given = 0;
  s->replies = replies;
  pthread_mutex_unlock(&s->lock);
}

static inline int scripted_given(struct scripted *s, const struct reply *reply) {
  pthread_mutex_lock(&s->lock);
  int given = reply->given;
  pthread_mutex_unlock(&s->lock);
  return given;
}

// Waits until a reply was given so many times. False: it was not, in that time.
static inline bool scripted_within(struct scripted *s, const struct reply *reply, int times,
                                   int ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  int64_t ns = until.tv_nsec + ms % 1000 * INT64_C(1000000);
  until.tv_sec += ms / 1000 + ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  int late = 0;
  pthread_mutex_lock(&s->lock);
  while (reply->given < times && !late)
    late = pthread_cond_clockwait(&s->gave, &s->lock, CLOCK_REALTIME, &until);
  bool given = reply->given >= times;
  pthread_mutex_unlock(&s->lock);
  return given;
}

static inline void scripted_deafen(struct scripted *s) {
  atomic_store(&s->deaf, true);
  scripted_ring(s);
}

static inline void scripted_start(struct scripted *s) {
  *s = (struct scripted){0};
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof own;
  s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(s->listener, (struct sockaddr *)&own, sizeof own), 0);
  assert_int_equal(listen(s->listener, SCRIPTED_CLIENTS), 0);
  assert_int_equal(getsockname(s->listener, (struct sockaddr *)&own, &length), 0);
  assert_int_equal(pipe(s->bell), 0);
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->gave, NULL);
  snprintf(s->url, sizeof s->url,
           "postgresql://yard@127.0.0.1:%d/yard?sslmode=disable&gssencmode=disable",
           ntohs(own.sin_port));
  assert_int_equal(pthread_create(&s->thread, NULL, scripted_run, s), 0);
}

// All who are connected have closed, or are cut off.
static inline void scripted_stop(struct scripted *s) {
  atomic_store(&s->over, true);
  scripted_ring(s);
  pthread_join(s->thread, NULL);
  close(s->listener);
  close(s->bell[0]);
  close(s->bell[1]);
  pthread_cond_destroy(&s->gave);
  pthread_mutex_destroy(&s->lock);
}

#endif
