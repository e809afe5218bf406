// refused.c: what follows a failed authentication: a line in the log, and a limit for its address.
//
// Keys of 256 random bits are not found by trying. What is bounded is what trying costs: answers
// that a client should wait for, and lines of the log. Whoever has a valid key gets in all the
// same, so an address that many share (a proxy, a NAT) can be used to lock nobody out.
#include "api/call.h"
#include "base/log.h"

static void log_refusal(struct call *c, int64_t now_us) {
  struct refusals *r = c->api->refusals;
  int64_t wait_us = 0;
  if (!bucket_take(&r->log, LIMIT_REFUSAL_LINES_MINUTE, now_us, &wait_us)) {
    r->unlogged++;
    return;
  }
  // The public part of a key says whose it is, but only if the right secret came with it.
  struct str id = c->who_refused;
  log_event(LOG_WARN, "authentication failed", LOG_STR("peer", c->http->peer),
            LOG_STR("reason", str_of(c->refusal ? c->refusal : "invalid")),
            LOG_STR("key", str_is_none(id) ? STR("") : id), LOG_STR("requestId", c->http->id),
            LOG_I64("unlogged", r->unlogged));
  r->unlogged = 0;
}

enum err auth_refused(struct call *c, enum err err) {
  struct refusals *r = c->api->refusals;
  int64_t now_us = clock_mono_us(), most = c->api->settings.auth_failures_max;
  int retry_after_s = 0;
  if (most == 0 || strikes_take(&r->strikes, c->http->peer, most, now_us, &retry_after_s)) {
    log_refusal(c, now_us);
    return err;
  }
  r->unlogged++;
  fault_set(&c->fault, ERR_TOO_MANY,
            "too many authentications from this address have failed; a valid key still works");
  c->fault.retry_after_s = retry_after_s;
  return ERR_TOO_MANY;
}
