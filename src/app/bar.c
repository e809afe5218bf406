// bar.c: draws the progress bar.
#include "app/bar.h"

#include <inttypes.h>

enum { CELLS = 20, DOING_BYTES = 8192 };

static void put_cells(const struct term *t, int64_t progress, struct buf *out) {
  struct str full = t->has_unicode ? STR("━") : STR("#"),
             empty = t->has_unicode ? STR("─") : STR("-");
  int64_t filled = progress * CELLS / 100;
  if (t->has_colour) BUF_LIT(out, "\033[36m");
  for (int64_t i = 0; i < filled; i++) buf_put(out, full);
  if (t->has_colour) BUF_LIT(out, "\033[0m\033[2m");
  for (int64_t i = filled; i < CELLS; i++) buf_put(out, empty);
  if (t->has_colour) BUF_LIT(out, "\033[0m");
}

static void put_elapsed(int64_t s, struct buf *out) {
  if (s < 3600)
    buf_printf(out, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
  else
    buf_printf(out, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
}

// "step: description", or what there is of it, or the status.
static void put_doing(const struct bar *bar, struct buf *out) {
  bool has_step = bar->step.len > 0, has_description = bar->description.len > 0;
  if (has_step) buf_put(out, bar->step);
  if (has_step && has_description) BUF_LIT(out, ": ");
  if (has_description) buf_put(out, bar->description);
  if (!has_step && !has_description) buf_put(out, bar->status);
}

void bar_render(const struct term *t, const struct bar *bar, struct buf *out) {
  struct buf doing, elapsed;
  buf_init(&doing, DOING_BYTES);
  buf_init(&elapsed, 32);
  put_doing(bar, &doing);
  put_elapsed(bar->elapsed_s, &elapsed);

  if (bar->label.len) buf_printf(out, "%.*s  ", STR_FMT(bar->label));
  put_cells(t, bar->progress, out);
  buf_printf(out, " %3" PRId64 "%%  ", bar->progress);
  // The cells, " 42%", and two blanks on either side; one column stays free, or some terminals
  // wrap.
  size_t used = (bar->label.len ? bar->label.len + 2 : 0) + CELLS + 7 + 2 + elapsed.len + 1;
  size_t room = (size_t)t->columns > used ? (size_t)t->columns - used : 0;
  term_text(t, STYLE_PLAIN, term_cut(buf_str(&doing), room), out);
  if (room) BUF_LIT(out, "  ");
  term_text(t, STYLE_DIM, buf_str(&elapsed), out);
  buf_fini(&elapsed);
  buf_fini(&doing);
}

void bar_erase(struct buf *out) { BUF_LIT(out, "\r\033[K"); }

void bar_redraw(const struct term *t, const struct bar *bar, struct buf *out) {
  bar_erase(out);
  bar_render(t, bar, out);
}
