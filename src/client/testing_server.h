// testing_server.h: for tests: a server of one thread that gives the answers a test wants, and a
// client of it.
#ifndef CLIENT_TESTING_SERVER_H
#define CLIENT_TESTING_SERVER_H

#include "client/client.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { FAKE_REQUEST_BYTES = 4096 };

// Answers each request of one connection with `answer`; with NULL it only takes them.
struct testing_server {
  int listener;
  char url[64];
  pthread_mutex_t lock;
  const char *answer;                // lock
  char request[FAKE_REQUEST_BYTES];  // lock; the latest
  sem_t taken;                       // a request has been read
  pthread_t thread;
  struct arena arena;
  struct client *client;
};

static inline void fake_answers(struct testing_server *f, const char *answer) {
  pthread_mutex_lock(&f->lock);
  f->answer = answer;
  pthread_mutex_unlock(&f->lock);
}

// A copy of the latest request.
static inline const char *fake_request(struct testing_server *f) {
  pthread_mutex_lock(&f->lock);
  const char *copy = arena_dup(&f->arena, str_of(f->request)).at;
  pthread_mutex_unlock(&f->lock);
  return copy;
}

static bool read_request(int fd, char text[FAKE_REQUEST_BYTES]) {
  size_t len = 0;
  while (len < FAKE_REQUEST_BYTES - 1) {
    ssize_t got = read(fd, text + len, FAKE_REQUEST_BYTES - 1 - len);
    if (got <= 0) return false;
    len += (size_t)got;
    text[len] = '\0';
    const char *head_end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "content-length: ");
    if (!head_end) continue;
    int64_t body = 0;
    if (length) {
      struct str rest = str_of(length + 16);
      if (!str_to_i64((struct str){rest.at, strcspn(rest.at, "\r")}, &body)) return false;
    }
    if (len >= (size_t)(head_end + 4 - text) + (size_t)body) return true;
  }
  return false;
}

static void *serve(void *self) {
  struct testing_server *f = self;
  char text[FAKE_REQUEST_BYTES];
  int fd = accept(f->listener, NULL, NULL);
  while (fd >= 0 && read_request(fd, text)) {
    pthread_mutex_lock(&f->lock);
    memcpy(f->request, text, strlen(text) + 1);
    const char *answer = f->answer;
    pthread_mutex_unlock(&f->lock);
    sem_post(&f->taken);
    if (answer && write(fd, answer, strlen(answer)) < 0) break;
  }
  if (fd >= 0) close(fd);
  return NULL;
}

static int a_client_of_a_server(void **state) {
  struct testing_server *f = mem_zero(sizeof *f);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  f->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(f->listener, (struct sockaddr *)&at, size), 0);
  assert_int_equal(listen(f->listener, 4), 0);
  assert_int_equal(getsockname(f->listener, (struct sockaddr *)&at, &size), 0);
  snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
  sem_init(&f->taken, 0, 0);
  pthread_mutex_init(&f->lock, NULL);
  arena_init(&f->arena, 1 << 12);
  struct client_settings settings = {.url = str_of(f->url), .key = STR("tk_secret")};
  struct fault why;
  assert_int_equal(client_open(&settings, &f->client, &why), ERR_OK);
  assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
  *state = f;
  return 0;
}

// The thread is done with the listener before it is closed: a number that is closed may be given
// again.
static void end_server(struct testing_server *f) {
  if (f->listener < 0) return;
  shutdown(f->listener, SHUT_RDWR);
  pthread_join(f->thread, NULL);
  close(f->listener);
  f->listener = -1;
}

static int both_ended(void **state) {
  struct testing_server *f = *state;
  client_close(f->client);
  end_server(f);
  sem_destroy(&f->taken);
  pthread_mutex_destroy(&f->lock);
  arena_fini(&f->arena);
  mem_free(f);
  return 0;
}

#endif
