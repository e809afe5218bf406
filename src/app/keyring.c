// keyring.c: a thread that reads a JWKS when it is time.
#include "app/keyring.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "client/client.h"
#include "model/limits.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { FETCH_MS = 5000 };  // the first one holds up the start of the server

struct keyring {
  const struct settings *settings;
  struct api *api;
  struct client *client;       // NULL: it is a file
  struct str target;           // of the URL: path and query
  uint8_t seen[SHA256_BYTES];  // of the text that the API has; the thread's
  pthread_t thread;

  pthread_mutex_t mutex;   // guards all below
  pthread_cond_t changed;  // there may be something to do
  bool quit;
  bool wanted;       // a token named an unknown key
  bool reload;       // at once
  bool failed;       // the last try did
  int64_t tried_us;  // when that was
};

// --- reading -------------------------------------------------------------------------------------

static bool is_url(struct str place) {
  return str_starts(place, STR("http://")) || str_starts(place, STR("https://"));
}

static enum err read_file(const char *path, struct arena *a, struct str *out, struct fault *why) {
  FILE *file = fopen(path, "re");
  if (!file)
    return fault_set(why, ERR_INVALID, "the JWKS %s cannot be read: %s", path, strerror(errno));
  char *text = arena_alloc(a, LIMIT_JWKS_BYTES + 1);
  size_t len = fread(text, 1, LIMIT_JWKS_BYTES + 1, file);
  bool broken = ferror(file) != 0;
  (void)fclose(file);
  if (broken) return fault_set(why, ERR_INVALID, "the JWKS %s cannot be read", path);
  if (len > LIMIT_JWKS_BYTES)
    return fault_set(why, ERR_INVALID, "the JWKS %s is over %d bytes", path, LIMIT_JWKS_BYTES);
  *out = (struct str){text, len};
  return ERR_OK;
}

static enum err fetch(struct keyring *k, struct arena *a, struct str *out, struct fault *why) {
  const struct client_call call = {.method = "GET", .path = k->target};
  struct client_reply reply;
  TRY(client_send(k->client, a, &call, &reply, why));
  if (reply.status != 200)
    return fault_set(why, ERR_UNAVAILABLE, "the server of the JWKS answered %d", reply.status);
  *out = reply.body;
  return ERR_OK;
}

// Most readings bring what is known, which is not worth a line.
static enum err hand_over(struct keyring *k, struct str text, struct fault *why) {
  uint8_t hash[SHA256_BYTES];
  size_t count = 0;
  hash_sha256(text, hash);
  if (hash_equal(hash, k->seen, sizeof hash)) return ERR_OK;
  TRY(api_take_jwks(k->api, text, &count, why));
  memcpy(k->seen, hash, sizeof hash);
  log_event(LOG_INFO, "the keys of tokens were read", LOG_STR("jwks", k->settings->jwks),
            LOG_I64("keys", (int64_t)count));
  return ERR_OK;
}

static enum err read_keys(struct keyring *k, struct fault *why) {
  struct arena a;
  struct str text;
  arena_init(&a, 16 * 1024);
  enum err err =
      k->client ? fetch(k, &a, &text, why) : read_file(k->settings->jwks.at, &a, &text, why);
  if (err == ERR_OK) err = hand_over(k, text, why);
  arena_fini(&a);
  return err;
}

static void tell_failure(const struct keyring *k, const struct fault *why) {
  log_event(LOG_WARN, "the keys of tokens could not be read; those that are there stay",
            LOG_STR("jwks", k->settings->jwks), LOG_STR("reason", str_of(why->detail)));
}

// --- the thread ----------------------------------------------------------------------------------

// When to read next; INT64_MAX: not by time.
static int64_t due_us(const struct keyring *k) {
  if (k->reload) return 0;
  if (k->wanted || k->failed) return k->tried_us + k->settings->jwks_cooldown_ms * 1000;
  return k->client ? k->tried_us + k->settings->jwks_refresh_ms * 1000 : INT64_MAX;
}

static void wait_until(struct keyring *k, int64_t due) {
  if (due == INT64_MAX) {
    pthread_cond_wait(&k->changed, &k->mutex);
    return;
  }
  struct timespec at = {.tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000};
  (void)pthread_cond_timedwait(&k->changed, &k->mutex, &at);
}

static void *keep(void *self) {
  struct keyring *k = self;
  pthread_mutex_lock(&k->mutex);
  while (!k->quit) {
    int64_t due = due_us(k);
    if (clock_mono_us() < due) {
      wait_until(k, due);
      continue;
    }
    k->wanted = k->reload = false;
    pthread_mutex_unlock(&k->mutex);
    struct fault why = {0};
    bool failed = read_keys(k, &why) != ERR_OK;
    pthread_mutex_lock(&k->mutex);
    k->failed = failed;
    k->tried_us = clock_mono_us();
    if (failed && !k->quit) tell_failure(k, &why);
  }
  pthread_mutex_unlock(&k->mutex);
  return NULL;
}

static void note(struct keyring *k, bool *what) {
  pthread_mutex_lock(&k->mutex);
  *what = true;
  pthread_cond_signal(&k->changed);
  pthread_mutex_unlock(&k->mutex);
}

void keyring_want(struct keyring *k) { note(k, &k->wanted); }

void keyring_reload(struct keyring *k) { note(k, &k->reload); }

// --- lifetime ------------------------------------------------------------------------------------

// Whoever can change the keys on their way can sign tokens.
static void tell_of_plain_http(const struct client *client, struct str url) {
  if (client_is_local(client) || str_starts(url, STR("https:"))) return;
  log_event(LOG_WARN, "the keys of tokens come over plain HTTP; use https", LOG_STR("jwks", url));
}

// The client wants the server's address; the rest of the URL goes with each call.
static enum err open_client(struct keyring *k, struct fault *why) {
  struct str url = k->settings->jwks;
  if (!is_url(url)) return ERR_OK;
  size_t host = str_find(url, ':') + 3, end = host;
  while (end < url.len && !memchr("/?#", url.at[end], 3)) end++;
  k->target = str_from(url, end);
  const struct client_settings settings = {.url = {url.at, end},
                                           .timeout_ms = FETCH_MS,
                                           .reply_bytes_max = LIMIT_JWKS_BYTES,
                                           .advice = "check the setting jwks"};
  if (client_open(&settings, &k->client, why) == ERR_OK) {
    tell_of_plain_http(k->client, url);  // a URL with a password would not have been taken
    return ERR_OK;
  }
  return fault_set(why, ERR_INVALID,
                   "jwks must be the path of a file or a URL, as in "
                   "https://login.example.com/jwks.json, without a user");
}

static void start_thread(struct keyring *k) {
  pthread_condattr_t monotonic;
  (void)pthread_condattr_init(&monotonic);
  (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  (void)pthread_cond_init(&k->changed, &monotonic);
  (void)pthread_condattr_destroy(&monotonic);
  (void)pthread_mutex_init(&k->mutex, NULL);
  int failed = pthread_create(&k->thread, NULL, keep, k);
  assert(!failed);
}

enum err keyring_open(const struct settings *settings, struct api *api, struct keyring **out,
                      struct fault *why) {
  struct keyring *k = mem_zero(sizeof *k);
  k->settings = settings;
  k->api = api;
  enum err err = open_client(k, why);
  if (err == ERR_OK) {
    err = read_keys(k, why);
    k->failed = err != ERR_OK;
    k->tried_us = clock_mono_us();
    if (k->client && k->failed) {
      tell_failure(k, why);
      err = ERR_OK;
    }
  }
  if (err != ERR_OK) {
    client_close(k->client);
    mem_free(k);
    return err;
  }
  start_thread(k);
  *out = k;
  return ERR_OK;
}

void keyring_close(struct keyring *k) {
  if (k == NULL) return;
  note(k, &k->quit);
  if (k->client) client_interrupt(k->client);
  pthread_join(k->thread, NULL);
  pthread_mutex_destroy(&k->mutex);
  pthread_cond_destroy(&k->changed);
  client_close(k->client);
  mem_free(k);
}
