// hear.c: takes from an answer what the next request needs, by its few known keys.
#include "bench/talk.h"

static const char *after(const char *at, const char *end, const char *key, size_t key_bytes) {
  const char *found = memmem(at, (size_t)(end - at), key, key_bytes);
  return found ? found + key_bytes : NULL;
}
#define AFTER(at, end, literal) after((at), (end), (literal), sizeof(literal) - 1)

bool bench_lease_next(const char **at, const char *end, struct lease *out) {
  const char *id = AFTER(*at, end, "\"id\":\"");
  if (!id || end - id < (ptrdiff_t)sizeof out->id) return false;
  const char *token = AFTER(id, end, "\"leaseToken\":\"");
  const char *quote = token ? memchr(token, '"', (size_t)(end - token)) : NULL;
  if (!quote || quote - token > (ptrdiff_t)sizeof out->token) return false;
  memcpy(out->id, id, sizeof out->id);
  out->token_bytes = (unsigned)(quote - token);
  memcpy(out->token, token, out->token_bytes);
  *at = quote;
  return true;
}

// There is always a task for each claim: a connection claims as many as it has created, of a type
// that all connections treat alike. With one lane a short claim is therefore a fault of the server.
static bool hear_claimed(struct talk *t, const char *at, const char *end, struct tally *tally) {
  t->held_count = 0;
  while (t->held_count < t->asked && bench_lease_next(&at, end, &t->held[t->held_count]))
    t->held_count++;
  tally->claimed += t->held_count;
  t->empty = t->held_count ? 0 : t->empty + 1;
  if (t->profile->way == WAY_WORK) return true;
  t->owed -= t->held_count;
  if (t->held_count < t->asked) tally->short_claims++;
  return t->held_count == t->asked || (t->profile->patient && t->empty <= TALK_EMPTY_MAX);
}

static bool hear_completed(struct talk *t, const char *at, const char *end, struct tally *tally) {
  if (t->profile->batch > 1 && AFTER(at, end, "\"success\":false")) return false;
  tally->completed += t->held_count;
  t->held_count = 0;
  return true;
}

bool bench_talk_hear(struct talk *t, struct tally *tally) {
  struct str body = bench_wire_body(&t->wire);
  const char *at = body.at, *end = at + body.len;
  tally->requests++;
  switch (t->step) {
  case STEP_CREATE:
    tally->created += t->profile->batch;
    t->owed += t->profile->batch;
    return true;
  case STEP_CLAIM: return hear_claimed(t, at, end, tally);
  case STEP_COMPLETE: return hear_completed(t, at, end, tally);
  default: break;
  }
  const char *claimed = AFTER(at, end, "\"tasks\":[");
  return claimed && hear_completed(t, at, claimed, tally) && hear_claimed(t, claimed, end, tally);
}
