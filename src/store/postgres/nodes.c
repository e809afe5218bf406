// nodes.c: the processes that share the store, as they report themselves in table `node`.
#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/desk.h"

enum {
  SEEN_EVERY_US = 5 * 1000 * 1000,
  SEEN_AGAIN_US = 200 * 1000,  // the soonest, however often others come and go
  FORGOTTEN_MS = 60 * 1000,    // the row of one that was not seen for so long may go
  ENTER_TRIES = 5,
};

static bool has(const struct node_list *list, int64_t id) {
  size_t i = 0;
  while (i < list->count && list->all[i].id != id) i++;
  return i < list->count;
}

bool pg_nodes_known(struct news_desk *d, int64_t id) {
  pthread_mutex_lock(&d->lock);
  bool known = has(&d->lists[d->list], id);
  pthread_mutex_unlock(&d->lock);
  return known;
}

// --- reading them --------------------------------------------------------------------------------

static struct listed_node self(const struct news_desk *d, struct arena *a) {
  return (struct listed_node){.id = d->node,
                              .node = {.name = arena_dup(a, d->store->settings.node),
                                       .started_at = d->started_at,
                                       .seen_at = pg_now(&d->store->store),
                                       .self = true}};
}

static void begin_list(const struct news_desk *d, struct node_list *list, size_t others) {
  arena_reset(&list->arena);
  list->all = ARENA_ARRAY(&list->arena, struct listed_node, others + 1);
  list->all[0] = self(d, &list->arena);
  list->count = 1;
}

void pg_nodes_begin(struct news_desk *d) { begin_list(d, &d->lists[d->list], 0); }

// False: this one is not among them.
static bool take(struct news_desk *d, struct result *r, struct node_list *list) {
  bool entered = false;
  begin_list(d, list, (size_t)r->count);
  while (result_next(r)) {
    struct listed_node n = {.id = result_i64(r)};
    n.node.name = result_text(r, &list->arena);
    n.node.started_at = result_i64(r);
    n.node.seen_at = result_i64(r);
    if (n.id == d->node)
      atomic_store(&d->store->id_share, result_i64(r));
    else
      list->all[list->count++] = n;
    entered |= n.id == d->node;
  }
  return entered;
}

static void say_which(const struct node_list *some, const struct node_list *others,
                      const char *message) {
  for (size_t i = 0; i < some->count; i++)
    if (!has(others, some->all[i].id))
      log_event(LOG_INFO, message, LOG_STR("node", some->all[i].node.name));
}

// Logs and lists could not tell them apart.
static void warn_of_namesake(struct news_desk *d, const struct node_list *now) {
  bool has_namesake = false;
  for (size_t i = 1; i < now->count; i++)
    has_namesake |= str_eq(now->all[i].node.name, d->store->settings.node);
  if (has_namesake && !d->namesake_said)
    log_event(LOG_WARN, "another node has the name of this one; give each its own with --node",
              LOG_STR("node", d->store->settings.node));
  d->namesake_said = has_namesake;
}

static enum err too_many(const struct news_desk *d, struct fault *why) {
  return fault_set(why, ERR_TOO_MANY,
                   "%d servers use the schema %.*s, as many as may; stop one (one that crashed "
                   "makes room after %d s), or give this one another store_schema",
                   ID_SHARES, STR_FMT(d->store->settings.schema), FORGOTTEN_MS / 1000);
}

static enum err refresh(struct news_desk *d, struct fault *why) {
  struct call c = pg_call(&d->conn, QUERY_node_seen);
  struct result r;
  call_i64(&c, d->node);
  call_text(&c, d->store->settings.node);
  call_i64(&c, d->started_at);
  call_i64(&c, NODE_DEAD_MS);
  call_i64(&c, ID_SHARES);
  TRY(pg_run(&c, &r, why));
  const struct node_list *before = &d->lists[d->list];
  struct node_list *now = &d->lists[!d->list];
  pthread_mutex_lock(&d->lock);
  bool entered = take(d, &r, now);
  d->list = !d->list;
  pthread_mutex_unlock(&d->lock);
  atomic_store(&d->telling, now->count > 1 && !d->conn.pooled);
  result_free(&r);
  if (!entered) return too_many(d, why);
  say_which(now, before, "another node is there");
  say_which(before, now, "a node is gone");
  warn_of_namesake(d, now);
  return ERR_OK;
}

void pg_nodes_changed(struct news_desk *d) {
  int64_t soon_us = d->nodes_seen_us + SEEN_AGAIN_US;
  if (d->nodes_at_us > soon_us) d->nodes_at_us = soon_us;
}

// Rows of nodes that died hold shares of ids that a new one may need.
static enum err enter(struct news_desk *d, struct fault *why) {
  struct call c = pg_call(&d->conn, QUERY_node_forget);
  call_i64(&c, pg_now(&d->store->store) - FORGOTTEN_MS);
  TRY(pg_run_done(&c, why));
  enum err err = refresh(d, why);
  // Another one that started at the same moment took the same share.
  for (int i = 0; i < ENTER_TRIES && err == ERR_CONFLICT; i++) err = refresh(d, why);
  if (err == ERR_OK) d->entered = true;
  return err;
}

int64_t pg_id_share(struct store *s) {
  return atomic_load(&((struct postgres_store *)s)->id_share);
}

// Where only this fails, of a disk that is full say, the news go on. One too many does not begin.
enum err pg_nodes_refresh(struct news_desk *d, struct fault *why) {
  arena_reset(&d->scratch);
  d->nodes_seen_us = clock_mono_us();
  d->nodes_at_us = d->nodes_seen_us + SEEN_EVERY_US;
  struct fault reason = {0};
  enum err err = d->entered ? refresh(d, &reason) : enter(d, &reason);
  if (err == ERR_TOO_MANY && !d->entered) return fault_set(why, err, "%s", reason.detail);
  if (err != ERR_OK && !d->nodes_failed)
    log_event(LOG_WARN, "this node cannot say that it lives; the others take it for dead",
              LOG_STR("reason", str_of(reason.detail)));
  d->nodes_failed = err != ERR_OK;
  if (err == ERR_OK || pg_is_open(&d->conn)) return ERR_OK;
  return fault_set(why, err, "%s", reason.detail);
}

void pg_nodes_leave(struct news_desk *d) {
  struct fault why = {0};
  arena_reset(&d->scratch);
  struct call c = pg_call(&d->conn, QUERY_node_gone);
  call_i64(&c, d->node);
  if (pg_run_done(&c, &why) != ERR_OK)
    log_event(LOG_DEBUG, "the others take this node for alive a little longer",
              LOG_STR("reason", str_of(why.detail)));
}

enum err pg_nodes(struct store *s, struct arena *a, struct node **out, size_t *count,
                  struct fault *why) {
  (void)why;
  struct news_desk *d = ((struct postgres_store *)s)->desk;
  *out = NULL;
  *count = 0;
  if (!d) return ERR_OK;
  pthread_mutex_lock(&d->lock);
  const struct node_list *list = &d->lists[d->list];
  *out = ARENA_ARRAY(a, struct node, list->count);
  for (; *count < list->count; (*count)++) {
    (*out)[*count] = list->all[*count].node;
    (*out)[*count].name = arena_dup(a, list->all[*count].node.name);
  }
  pthread_mutex_unlock(&d->lock);
  return ERR_OK;
}
