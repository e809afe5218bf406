// session_news.c: what of the sessions may be ready for their workers.
//
// A session's lanes tell of each task that may have become ready. What they tell is kept by queue
// and type as a hint, until a claim that would have got such a task got none: then there is none,
// and the session is passed over until there are news again. A hint may be wrong in one direction
// only: that a task is ready which is not.
#include "api/sessions.h"

#include "base/hash.h"

static bool is_same(const struct session_hint *a, const struct session_hint *b) {
  return a->any || (a->queue == b->queue && a->type == b->type);
}

// When there are too many, the last one stands for all that have no place.
static void merge(struct session_hints *to, const struct session_hint *hint) {
  size_t i = 0;
  while (i < to->count && !is_same(&to->at[i], hint)) i++;
  if (i == SESSION_HINTS) to->at[--i].any = true;
  struct session_hint *at = &to->at[i];
  if (i == to->count) {
    to->count++;
    *at = *hint;
    return;
  }
  at->any |= hint->any;
  at->news = hint->news;
  at->fresh += hint->fresh;
}

// --- from the lanes ------------------------------------------------------------------------------

bool session_hear(struct session *s, const struct event *event) {
  if (!event->ready) return false;
  const struct session_hint hint = {
      .queue = hash_fast(event->queue), .type = hash_fast(event->type), .fresh = 1};
  pthread_mutex_lock(&s->heard_lock);
  merge(&s->heard, &hint);
  pthread_mutex_unlock(&s->heard_lock);
  return true;
}

// --- on the loop's thread ------------------------------------------------------------------------

// What is taken was committed before, so a claim that is submitted from here on sees it.
static void take_heard(struct session *s, uint64_t news) {
  pthread_mutex_lock(&s->heard_lock);
  struct session_hints heard = s->heard;
  s->heard.count = 0;
  pthread_mutex_unlock(&s->heard_lock);
  for (size_t i = 0; i < heard.count; i++) {
    heard.at[i].news = news;
    merge(&s->hints, &heard.at[i]);
  }
}

void session_news_take(struct sessions *all) {
  if (!atomic_exchange(&all->stirred, false)) return;
  for (struct session *s = all->first; s; s = s->next)
    if (atomic_exchange(&s->stirred, false)) take_heard(s, ++all->news);
  all->fresh = true;
}

void session_wish_init(struct session_wish *wish, const struct claim_filter *f, struct arena *a) {
  *wish = (struct session_wish){.type_count = f->type_count, .queue_count = f->queue_count};
  wish->types = ARENA_ARRAY(a, uint64_t, f->type_count + 1);
  wish->queues = ARENA_ARRAY(a, uint64_t, f->queue_count + 1);
  for (size_t i = 0; i < f->type_count; i++) wish->types[i] = hash_fast(f->types[i]);
  for (size_t i = 0; i < f->queue_count; i++) wish->queues[i] = hash_fast(f->queues[i]);
}

// None stands for any.
static bool is_among(uint64_t hash, const uint64_t *hashes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (hashes[i] == hash) return true;
  return count == 0;
}

bool session_hint_fits(const struct session_hint *hint, const struct session_wish *wish) {
  return hint->any || (is_among(hint->type, wish->types, wish->type_count) &&
                       is_among(hint->queue, wish->queues, wish->queue_count));
}

bool session_may_give(const struct session *s, const struct session_wish *wish, uint64_t since) {
  for (size_t i = 0; i < s->hints.count; i++)
    if (s->hints.at[i].news > since && session_hint_fits(&s->hints.at[i], wish)) return true;
  return false;
}

// A hint of all kinds is disproved only by who takes all kinds.
static bool is_disproved(const struct session_hint *hint, const struct session_wish *wish,
                         uint64_t asked) {
  if (hint->news > asked || !session_hint_fits(hint, wish)) return false;
  return !hint->any || (wish->type_count == 0 && wish->queue_count == 0);
}

void session_gave_nothing(struct session *s, const struct session_wish *wish, uint64_t asked) {
  struct session_hints *hints = &s->hints;
  size_t kept = 0;
  for (size_t i = 0; i < hints->count; i++)
    if (!is_disproved(&hints->at[i], wish, asked)) hints->at[kept++] = hints->at[i];
  hints->count = kept;
}

bool session_hint_tells(const struct session_hint *hint, struct str queue, struct str type) {
  return hint->any || (hint->queue == hash_fast(queue) && hint->type == hash_fast(type));
}

void session_again(struct session *s, const struct session_hint *hint, size_t count) {
  size_t i = 0;
  while (i < s->hints.count && !is_same(&s->hints.at[i], hint)) i++;
  if (i == s->hints.count) return;  // disproved meanwhile
  s->hints.at[i].fresh += count;
  s->of->fresh = true;
}
