// stream_log.c: reads the log of a tenant's events for all of its streams, and keeps its newest
// part.
#include "api/sessions.h"
#include "api/streams.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
  READ_EVENTS = 500,         // in one reading
  PAUSE_US = 5 * 1000,       // between the beginnings of two: what comes meanwhile is read at once
  RETRY_US = 500 * 1000,     // after a failure
  POLL_US = 200 * 1000,      // of a shared store, for what other nodes did
  KEPT_BATCHES = 16,         // 2,048 events
  KEPT_BATCHES_SESSION = 2,  // of these there may be many
  KEPT_BYTES = 4 << 20,
  KNOWN_PROJECTS = 1024,
  READING_ARENA_BYTES = 64 << 10,
  BATCH_ARENA_BYTES = 16 << 10,
};

// --- a reader's work -----------------------------------------------------------------------------

struct known_project *known_new(void) {
  return mem_zero(sizeof(struct known_project) * KNOWN_PROJECTS);
}

// Of a name only this is kept, as much of a digest as nobody meets twice by chance.
uint64_t project_mark(struct str project) {
  uint8_t digest[SHA256_BYTES];
  uint64_t mark = 0;
  if (project.len == 0) return 0;
  hash_sha256(project, digest);
  for (size_t i = 0; i < sizeof mark; i++) mark = mark << 8 | digest[i];
  return mark ? mark : 1;
}

// Ids differ in their middle: they begin with the time, and their last bits say where they were
// made.
static struct known_project *known_place(struct known_project *known, struct id task) {
  uint64_t mixed = (task.hi ^ task.lo) * 0x9e3779b97f4a7c15u;
  return &known[mixed >> 32 & (KNOWN_PROJECTS - 1)];
}

// An event does not say which project its task is of. Of a deleted task that is known only while
// the table remembers it.
static enum err find_project(struct known_project *place, int64_t tenant,
                             const struct store_ops *ops, struct store_reader *reader,
                             struct arena *a, struct id task, struct fault *why) {
  struct task *found = NULL;
  enum err err = ops->read_task(reader, a, tenant, task, 0, &found, why);
  if (err == ERR_NOT_FOUND) return ERR_OK;
  TRY(err);
  *place = (struct known_project){task, project_mark(found->project)};
  return ERR_OK;
}

enum err projects_of(const struct event_page *page, int64_t tenant, struct known_project *known,
                     const struct store_ops *ops, struct store_reader *reader, struct arena *a,
                     uint64_t **out, struct fault *why) {
  uint64_t *projects = ARENA_ARRAY(a, uint64_t, page->count + 1);
  enum err err = ERR_OK;
  struct arena whole;  // of one task, whose payload may be large, at a time
  arena_init(&whole, READING_ARENA_BYTES);
  for (size_t i = 0; err == ERR_OK && i < page->count; i++) {
    struct id task = page->events[i].task;
    if (id_is_none(task)) continue;
    struct known_project *place = known_place(known, task);
    if (!id_eq(place->task, task)) {
      err = find_project(place, tenant, ops, reader, &whole, task, why);
      arena_reset(&whole);
    }
    if (id_eq(place->task, task)) projects[i] = place->project;
  }
  arena_fini(&whole);
  if (err == ERR_OK) *out = projects;
  return err;
}

void reading_run(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct reading *rd = (struct reading *)(void *)((char *)q - offsetof(struct reading, query));
  rd->projects = NULL;
  q->err = ops->read_events(reader, &rd->arena, &rd->filter, &rd->page, &q->fault);
  if (q->err == ERR_OK && rd->known)
    q->err = projects_of(&rd->page, rd->filter.tenant, rd->known, ops, reader, &rd->arena,
                         &rd->projects, &q->fault);
}

void reading_start(struct reading *rd, const struct follower *f,
                   void (*run)(struct query *, const struct store_ops *, struct store_reader *),
                   void (*done)(struct query *), void *context) {
  if (rd->arena.block_bytes == 0) arena_init(&rd->arena, READING_ARENA_BYTES);
  rd->filter.tenant = f->tenant;
  if (rd->filter.limit == 0) rd->filter.limit = READ_EVENTS;
  rd->busy = true;
  rd->page = (struct event_page){0};
  rd->query = (struct query){.run = run, .done = done, .context = context};
  if (f->session) session_enter(f->session);
  engine_query(f->engine, &rd->query);
}

void reading_over(struct reading *rd, const struct follower *f) {
  rd->busy = false;
  if (f->session) session_leave(f->session);
}

// --- what is kept --------------------------------------------------------------------------------

static void drop_first(struct follower *f) {
  struct batch *b = f->first;
  f->first = b->next;
  if (f->first == NULL) f->last = NULL;
  f->batch_count--;
  f->bytes -= b->bytes;
  arena_fini(&b->arena);
  mem_free(b);
}

static struct batch *batch_for(struct follower *f, bool has_projects) {
  struct batch *last = f->last;
  if (last && last->count < BATCH_EVENTS && last->has_projects == has_projects) return last;
  struct batch *b = mem_zero(sizeof *b);
  arena_init(&b->arena, BATCH_ARENA_BYTES);
  b->from = b->to = f->seen;
  b->has_projects = has_projects;
  if (last)
    last->next = b;
  else
    f->first = b;
  f->last = b;
  f->batch_count++;
  return b;
}

static void keep(struct follower *f, const struct event *event, const uint64_t *project) {
  struct batch *b = batch_for(f, project != NULL);
  struct event *copy = &b->events[b->count];
  *copy = *event;
  struct str *texts[] = {&copy->queue,  &copy->type, &copy->actor,
                         &copy->worker, &copy->note, &copy->text};
  size_t bytes = sizeof *copy;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    bytes += texts[i]->len;
    *texts[i] = arena_dup(&b->arena, *texts[i]);
  }
  b->projects[b->count++] = project ? *project : 0;
  b->to = f->seen = event->seq;
  b->bytes += bytes;
  f->bytes += bytes;
}

static void trim(struct follower *f) {
  size_t most = f->session ? KEPT_BATCHES_SESSION : KEPT_BATCHES;
  while (f->batch_count > 1 && (f->batch_count > most || f->bytes > KEPT_BYTES)) drop_first(f);
}

struct batch *follower_batch(const struct follower *f, int64_t seen) {
  for (struct batch *b = f->first; b; b = b->next)
    if (b->from <= seen && seen < b->to) return b;
  return NULL;
}

// --- following -----------------------------------------------------------------------------------

static void tell_all(struct follower *f, int64_t now_us) {
  for (struct stream *s = f->streams, *next; s; s = next) {
    next = s->next;
    stream_pump(s, now_us);
  }
}

static void on_read(struct query *q) {
  struct follower *f = q->context;
  struct reading *rd = &f->reading;
  int64_t now_us = clock_mono_us();
  reading_over(rd, f);
  if (q->err != ERR_OK) {
    f->stirred = true;
    f->asked_us = now_us + RETRY_US;
  }
  for (size_t i = 0; q->err == ERR_OK && i < rd->page.count; i++)
    keep(f, &rd->page.events[i], rd->projects ? &rd->projects[i] : NULL);
  bool more = q->err == ERR_OK && rd->page.more;
  arena_reset(&rd->arena);
  tell_all(f, now_us);
  trim(f);
  if (f->stream_count > 0 && (more || f->stirred)) follower_stir(f);
  follower_release(f);
}

static void ask(struct follower *f) {
  f->stirred = false;
  f->asked_us = clock_mono_us();
  f->poll_us = f->asked_us + POLL_US;
  if (engine_is_shared(f->engine)) streams_due(f->of, f->poll_us);
  f->reading.filter = (struct event_filter){.after = f->seen};
  if (f->projects_wanted == 0) {
    mem_free(f->reading.known);
    f->reading.known = NULL;
  }
  if (f->projects_wanted && f->reading.known == NULL) f->reading.known = known_new();
  reading_start(&f->reading, f, reading_run, on_read, f);
}

void follower_stir(struct follower *f) {
  f->stirred = true;
  if (f->reading.busy || f->seen < 0) return;
  int64_t from_us = f->asked_us + PAUSE_US;
  if (clock_mono_us() >= from_us)
    ask(f);
  else
    streams_due(f->of, from_us);
}

void follower_tick(struct follower *f, int64_t now_us) {
  if (f->reading.busy || f->seen < 0 || f->stream_count == 0) return;
  bool shared = engine_is_shared(f->engine);
  if (f->stirred || (shared && now_us >= f->poll_us))
    follower_stir(f);
  else if (shared)
    streams_due(f->of, f->poll_us);
}

void follower_begin(struct follower *f, int64_t newest) {
  if (f->seen >= 0) return;
  f->seen = newest;
  if (f->stirred || engine_is_shared(f->engine)) follower_stir(f);
}

// --- life ----------------------------------------------------------------------------------------

static void tell_lanes(struct streams *all, struct follower *f, bool followed) {
  if (f->session) {
    atomic_store(&f->session->followed, followed);
    return;
  }
  bool any = followed;
  for (const struct follower *other = all->followers; other; other = other->next)
    any |= other != f && other->session == NULL;
  atomic_store(&all->followed, any);
}

struct follower *follower_take(struct streams *all, struct call *c) {
  for (struct follower *f = all->followers; f; f = f->next)
    if (f->engine == c->engine && f->tenant == c->who.tenant) return f;
  struct follower *f = mem_zero(sizeof *f);
  *f = (struct follower){.of = all,
                         .next = all->followers,
                         .engine = c->engine,
                         .session = c->session,
                         .tenant = c->who.tenant,
                         .epoch = c->session ? c->session->number : all->epoch,
                         .seen = -1};
  all->followers = f;
  tell_lanes(all, f, true);
  return f;
}

void follower_free(struct follower *f) {
  struct follower **link = &f->of->followers;
  while (*link != f) link = &(*link)->next;
  *link = f->next;
  while (f->streams) stream_free(f->streams);
  while (f->first) drop_first(f);
  if (f->reading.arena.block_bytes) arena_fini(&f->reading.arena);
  mem_free(f->reading.known);
  mem_free(f);
}

void follower_release(struct follower *f) {
  if (f->stream_count > 0 || f->reading.busy) return;
  tell_lanes(f->of, f, false);
  follower_free(f);
}
