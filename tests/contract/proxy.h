// proxy.h: the network between a store and its PostgreSQL, which a test can spoil: what the server
// says gets lost, or the connections break.
#ifndef PROXY_H
#define PROXY_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/contract/backdoor.h"

enum { PROXY_PAIRS = 32 };

struct proxy {
  char url[128];         // of the server, by this way
  atomic_bool swallows;  // what the server says, up to the next cut
  atomic_bool cuts;      // all connections; false again when that is done
  atomic_bool over;
  int listener, bell[2];  // a byte on the bell: look at the three above
  struct sockaddr_in server;
  int pairs[PROXY_PAIRS][2];  // client, server; 0: free
  pthread_t thread;
};

static inline void proxy_drop(int pair[2]) {
  close(pair[0]);
  close(pair[1]);
  pair[0] = pair[1] = 0;
}

static inline void proxy_accept(struct proxy *p) {
  int client = accept(p->listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);
  for (int i = 0; i < PROXY_PAIRS; i++) {
    if (p->pairs[i][0]) continue;
    p->pairs[i][0] = client;
    p->pairs[i][1] = server;
    if (connect(server, (struct sockaddr *)&p->server, sizeof p->server) != 0)
      proxy_drop(p->pairs[i]);
    return;
  }
  close(client);
  close(server);
}

// Moves what one side has said to the other.
static inline void proxy_move(struct proxy *p, int pair[2], int from) {
  char bytes[16384];
  ssize_t got = recv(pair[from], bytes, sizeof bytes, 0);
  bool lost = from == 1 && atomic_load(&p->swallows);
  for (ssize_t sent = 0, n; got > 0 && sent < got && !lost; sent += n) {
    n = send(pair[!from], bytes + sent, (size_t)(got - sent), MSG_NOSIGNAL);
    if (n < 0) got = -1;
  }
  if (got <= 0) proxy_drop(pair);
}

static inline void proxy_drop_all(struct proxy *p) {
  for (int i = 0; i < PROXY_PAIRS; i++)
    if (p->pairs[i][0]) proxy_drop(p->pairs[i]);
  atomic_store(&p->swallows, false);
  atomic_store(&p->cuts, false);
}

static inline void *proxy_run(void *arg) {
  struct proxy *p = arg;
  while (!atomic_load(&p->over)) {
    struct pollfd fds[2 + 2 * PROXY_PAIRS] = {{p->bell[0], POLLIN, 0}, {p->listener, POLLIN, 0}};
    for (int i = 0; i < 2 * PROXY_PAIRS; i++)
      fds[2 + i] = (struct pollfd){p->pairs[i / 2][0] ? p->pairs[i / 2][i % 2] : -1, POLLIN, 0};
    poll(fds, 2 + 2 * PROXY_PAIRS, -1);
    char byte;
    if (fds[0].revents && read(p->bell[0], &byte, 1) != 1) return NULL;
    for (int i = 0; i < 2 * PROXY_PAIRS; i++)
      if (fds[2 + i].revents && p->pairs[i / 2][0]) proxy_move(p, p->pairs[i / 2], i % 2);
    if (atomic_load(&p->cuts)) proxy_drop_all(p);
    if (fds[1].revents) proxy_accept(p);
  }
  return NULL;
}

static inline void proxy_ring(struct proxy *p) { assert_int_equal(write(p->bell[1], "x", 1), 1); }

// Breaks all connections, and returns when they are. New ones are let through.
static inline void proxy_cut(struct proxy *p) {
  atomic_store(&p->cuts, true);
  proxy_ring(p);
  while (atomic_load(&p->cuts)) sched_yield();
}

static inline void proxy_start(struct proxy *p) {
  PGconn *db = backdoor();
  *p = (struct proxy){.server = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)strtoul(PQport(db), NULL, 10)),
                                 .sin_addr.s_addr = inet_addr(PQhostaddr(db))}};
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof own;
  p->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(p->listener, (struct sockaddr *)&own, sizeof own), 0);
  assert_int_equal(listen(p->listener, PROXY_PAIRS), 0);
  assert_int_equal(getsockname(p->listener, (struct sockaddr *)&own, &length), 0);
  assert_int_equal(pipe(p->bell), 0);
  snprintf(p->url, sizeof p->url, "postgresql://%s@127.0.0.1:%d/%s", PQuser(db),
           ntohs(own.sin_port), PQdb(db));
  assert_int_equal(pthread_create(&p->thread, NULL, proxy_run, p), 0);
}

static inline void proxy_stop(struct proxy *p) {
  proxy_cut(p);
  atomic_store(&p->over, true);
  proxy_ring(p);
  pthread_join(p->thread, NULL);
  close(p->listener);
  close(p->bell[0]);
  close(p->bell[1]);
}

#endif
