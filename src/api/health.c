// health.c: is it alive, is it ready, how is it; and the front page.
#include "api/call.h"

static bool is_ready(const struct engine_stats *stats) {
  return !stats->draining && stats->store == ERR_OK;
}

static int render_health(struct call *c, struct buf *b) {
  const struct api_settings *s = &c->api->settings;
  struct engine_stats stats = engine_stats(s->engine);
  struct http_stats http = c->api->server ? http_stats(c->api->server) : (struct http_stats){0};
  BUF_LIT(b, "{\"status\":");
  buf_json_str(b, is_ready(&stats) ? STR("ok") : stats.draining ? STR("draining") : STR("failing"));
  BUF_LIT(b, ",\"service\":");
  buf_json_str(b, s->service_name);
  BUF_LIT(b, ",\"version\":");
  buf_json_str(b, s->version);
  BUF_LIT(b, ",\"store\":");
  buf_json_str(b, s->store_name);
  buf_printf(b, ",\"uptimeMs\":%lld", (long long)((clock_mono_us() - c->api->started_us) / 1000));
  buf_printf(b, ",\"commits\":%llu,\"items\":%llu,\"orders\":%llu,\"queued\":%llu",
             (unsigned long long)stats.commits, (unsigned long long)stats.items,
             (unsigned long long)stats.orders, (unsigned long long)stats.queued);
  buf_printf(b, ",\"waitingClaims\":%llu,\"watching\":%llu,\"commitMaxUs\":%lld",
             (unsigned long long)stats.parked_claims, (unsigned long long)stats.watching,
             (long long)stats.commit_us_max);
  buf_printf(b, ",\"connections\":%llu,\"requests\":%llu,\"requestsInFlight\":%llu}",
             (unsigned long long)http.connections, (unsigned long long)http.requests_total,
             (unsigned long long)http.in_flight);
  return 200;
}

enum err health(struct call *c) { return call_now(c, render_health); }

static int render_livez(struct call *c, struct buf *b) {
  (void)c;
  BUF_LIT(b, "{\"status\":\"ok\"}");
  return 200;
}

enum err livez(struct call *c) { return call_now(c, render_livez); }

enum err readyz(struct call *c) {
  struct engine_stats stats = engine_stats(c->api->settings.engine);
  if (is_ready(&stats)) return call_now(c, render_livez);
  c->fault.retry_after_s = 1;
  if (stats.draining) return fault_set(&c->fault, ERR_UNAVAILABLE, "the server is draining");
  return fault_set(&c->fault, ERR_UNAVAILABLE,
                   "the store cannot be written to just now (%s); the log has the reason",
                   err_code(stats.store));
}

enum err home(struct call *c) {
  static const char TEXT[] =
      "Taskyard: a durable background-task server.\n\n"
      "  GET  /openapi.json       every route\n"
      "  GET  /health             version and counters\n"
      "  POST /api/v1/tasks       {\"type\":\"sample\",\"payload\":{\"delayMs\":1000}}\n"
      "  GET  /api/v1/tasks       what there is\n";
  struct http_answer answer = {.status = 200,
                               .content_type = STR("text/plain; charset=utf-8"),
                               .body = {TEXT, sizeof TEXT - 1}};
  call_answer(c, &answer);
  return ERR_OK;
}
