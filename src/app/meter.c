// meter.c: draws how far a command has come, not more often than an eye or a log needs.
#include "app/meter.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/bar.h"
#include "base/clock.h"

#include <unistd.h>

enum { REDRAW_US = 200 * 1000, LINE_US = 5 * 1000 * 1000, LINE_BYTES = 4096 };

static int64_t percent(const struct meter *m) {
  int64_t done = m->before + (m->counts ? m->done : 0);
  if (m->total <= 0 || done <= 0) return 0;
  return done >= m->total ? 100 : done * 100 / m->total;
}

static int64_t rate(const struct meter *m, int64_t now_us) {
  int64_t us = now_us - m->part_us;
  return us > 0 ? (int64_t)((double)(m->done - m->first) * 1e6 / (double)us) : 0;
}

static void draw(const struct meter *m, int64_t now_us) {
  char rows[64];
  snprintf(rows, sizeof rows, "%" PRId64 " rows, %" PRId64 "/s", m->done, rate(m, now_us));
  const struct bar bar = {.step = m->what,
                          .description = str_of(rows),
                          .progress = percent(m),
                          .elapsed_s = (now_us - m->began_us) / 1000000};
  struct buf line;
  buf_init(&line, LINE_BYTES);
  bar_redraw(&m->term, &bar, &line);
  fwrite(line.at, 1, line.len, stderr);
  fflush(stderr);
  buf_fini(&line);
}

static void say(const struct meter *m, int64_t now_us, const char *end) {
  fprintf(stderr, "%.*s: %" PRId64 " rows, %" PRId64 "/s%s\n", STR_FMT(m->what), m->done,
          rate(m, now_us), end);
}

void meter_start(struct meter *m, int64_t total) {
  *m = (struct meter){.term = term_of(STDERR_FILENO), .total = total, .began_us = clock_mono_us()};
}

void meter_part(struct meter *m, struct str what, bool counts, int64_t done) {
  m->what = what;
  m->counts = counts;
  m->first = m->done = done;
  m->part_us = clock_mono_us();
  m->shown_us = m->part_us;
}

void meter_tell(struct meter *m, int64_t done) {
  m->done = done;
  int64_t now_us = clock_mono_us();
  if (now_us - m->shown_us < (m->term.is_terminal ? REDRAW_US : LINE_US)) return;
  m->shown_us = now_us;
  if (m->term.is_terminal)
    draw(m, now_us);
  else
    say(m, now_us, "");
}

static void end(struct meter *m) {
  if (m->counts) m->before += m->done;
  m->counts = false;
  if (m->term.is_terminal) draw(m, clock_mono_us());
}

void meter_part_end(struct meter *m) {
  end(m);
  if (!m->term.is_terminal) say(m, clock_mono_us(), ", all of them");
}

void meter_part_there(struct meter *m) {
  end(m);
  if (!m->term.is_terminal)
    fprintf(stderr, "%.*s: %" PRId64 " rows, there already\n", STR_FMT(m->what), m->done);
}

void meter_erase(const struct meter *m) {
  if (!m->term.is_terminal) return;
  struct buf line;
  buf_init(&line, LINE_BYTES);
  bar_erase(&line);
  fwrite(line.at, 1, line.len, stderr);
  buf_fini(&line);
}
