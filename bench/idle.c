// idle.c: one parked claim, and two looks at the process.
#include "bench/idle.h"

#include <poll.h>

#include "base/clock.h"
#include "bench/process.h"

enum { IDLE_SETTLE_MS = 3000 };

// Lets `ms` pass; false when the parked claim was answered or broke meanwhile.
static bool stays_parked(struct wire *w, int64_t ms) {
  int64_t end_us = clock_mono_us() + ms * 1000;
  for (int64_t left; (left = (end_us - clock_mono_us()) / 1000) > 0;) {
    struct pollfd wait = {.fd = w->fd, .events = POLLIN};
    if (poll(&wait, 1, (int)left) > 0) return false;
  }
  return true;
}

static enum err watch(struct wire *w, pid_t server, double seconds, struct idle_result *out,
                      struct fault *why) {
  struct process_usage before, after;
  bool parked = stays_parked(w, IDLE_SETTLE_MS);
  bool known = bench_process_read(server, &before);
  int64_t begin_us = clock_mono_us();
  parked = parked && stays_parked(w, (int64_t)(seconds * 1000));
  known = known && bench_process_read(server, &after);
  double elapsed_us = (double)(clock_mono_us() - begin_us);
  if (!parked)
    return fault_set(why, ERR_INTERNAL, "a parked claim was answered with nothing to do");
  if (!known) return fault_set(why, ERR_INTERNAL, "the server's /proc figures cannot be read");
  out->cpu_percent = (double)(after.cpu_us - before.cpu_us) / elapsed_us * 100;
  out->write_bytes = (double)(after.write_bytes - before.write_bytes);
  out->switches_per_s = (double)(after.switches - before.switches) / elapsed_us * 1e6;
  return ERR_OK;
}

enum err bench_idle_run(const struct endpoint *to, pid_t server, double seconds,
                        struct idle_result *out, struct fault *why) {
  struct wire w;
  TRY(bench_wire_open(&w, to, why));
  bench_wire_request(
      &w, to, STR("POST /api/v1/claims"), STR(""),
      STR("{\"types\":[\"bench-none\"],\"workerId\":\"bench\",\"limit\":1,\"waitMs\":60000}"));
  enum err err = bench_wire_send(&w) == WIRE_DONE
                     ? watch(&w, server, seconds, out, why)
                     : fault_set(why, ERR_UNAVAILABLE, "the claim could not be sent");
  bench_wire_close(&w);
  return err;
}
