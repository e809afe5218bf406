// tallies.c: how many tasks there are, as readers see it.
#include "store/postgres/reads.h"

struct tallies {
  int64_t tenant;
  struct tally *list;
  size_t count;
};

static enum err read_tally(struct store_reader *r, struct result *result, struct tally *tally,
                           struct fault *why) {
  int64_t channel = result_i64(result);
  tally->ready = result_i64(result);
  for (size_t i = 0; i < TASK_STATUS_COUNT; i++) tally->count[i] = result_i64(result);
  return pg_reader_names(r, channel, &tally->queue, &tally->type, why);
}

static enum err ask_tallies(struct store_reader *r, struct arena *a, void *about,
                            struct fault *why) {
  struct tallies *t = about;
  struct call call = pg_call(&r->conn, QUERY_read_tallies);
  call_i64(&call, t->tenant);
  struct result result;
  TRY(pg_run(&call, &result, why));
  t->list = ARENA_ARRAY(a, struct tally, (size_t)result.count);
  t->count = 0;
  enum err err = ERR_OK;
  while (err == ERR_OK && result_next(&result)) {
    struct tally *tally = &t->list[t->count++];
    tally->tenant = t->tenant;
    err = read_tally(r, &result, tally, why);
  }
  result_free(&result);
  return err;
}

enum err pg_read_tallies(struct store_reader *r, struct arena *a, int64_t tenant,
                         struct tally **out, size_t *count, struct fault *why) {
  struct tallies t = {.tenant = tenant};
  TRY(pg_reader_ask(r, a, ask_tallies, &t, why));
  *out = t.list;
  *count = t.count;
  return ERR_OK;
}
