// report.c: tables.
#include "bench/report.h"

#include <stdio.h>

// --- from runs to metrics ------------------------------------------------------------------------

static void note_histogram(struct metrics *m, const char *subject, const char *prefix,
                           const struct histogram *h) {
  static const struct {
    const char *name;
    double share;
  } points[] = {
      {"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}, {"max_ms", 1}};
  char field[32];
  for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
    snprintf(field, sizeof field, "%s%s", prefix, points[i].name);
    bench_metrics_add(m, subject, field, bench_histogram_ms(h, points[i].share));
  }
}

// How the window went in parts, in their order, and how the last compares with the best.
static void note_parts(struct metrics *m, const char *name, const struct run_result *run) {
  double best = 0;
  for (unsigned i = 0; i < run->part_count; i++) {
    const struct run_part *part = &run->parts[i];
    bench_metrics_add(m, name, "part_tasks_per_s", part->tasks_per_s);
    bench_metrics_add(m, name, "part_p99_ms", part->p99_ms);
    if (part->tasks_per_s > best) best = part->tasks_per_s;
  }
  if (best > 0)
    bench_metrics_add(m, name, "decay", run->parts[run->part_count - 1].tasks_per_s / best);
}

void bench_report_note(struct metrics *m, const struct profile *profile,
                       const struct run_result *run) {
  static const char *const steps[] = {"create_", "claim_", "complete_", "complete_claim_"};
  const char *name = profile->name;
  struct histogram all = {0};
  bench_metrics_add(m, name, "tasks_per_s", (double)run->tasks / run->seconds);
  bench_metrics_add(m, name, "requests_per_s", (double)run->requests / run->seconds);
  for (unsigned i = 0; i < STEP_COUNT; i++) bench_histogram_merge(&all, &run->latency[i]);
  note_histogram(m, name, "", &all);
  for (unsigned i = 0; i < STEP_COUNT && profile->way != WAY_CREATE; i++)
    if (run->latency[i].count >= 100) note_histogram(m, name, steps[i], &run->latency[i]);
  bench_metrics_add(m, name, "driver_cpu_us", run->driver_cpu_us);
  if (run->server_cpu_us > 0) bench_metrics_add(m, name, "server_cpu_us", run->server_cpu_us);
  if (run->others_cores >= 0) bench_metrics_add(m, name, "others_cores", run->others_cores);
  if (run->group > 0) bench_metrics_add(m, name, "group", run->group);
  if (run->tally.short_claims)
    bench_metrics_add(m, name, "short_claims", (double)run->tally.short_claims);
  note_parts(m, name, run);
}

void bench_report_note_latency(struct metrics *m, const struct latency_result *run) {
  bench_metrics_add(m, "latency", "tasks", (double)run->tasks);
  note_histogram(m, "latency", "", &run->start);
  note_histogram(m, "latency", "create_", &run->create);
}

void bench_report_text(const struct metrics *m, const char *subject, struct buf *out) {
  size_t length = strlen(subject);
  for (unsigned i = 0; i < m->count; i++) {
    const struct metric *metric = &m->all[i];
    if (strncmp(metric->name, subject, length) != 0 || metric->name[length] != '.') continue;
    buf_printf(out, "  %-24s", metric->name + length + 1);
    for (unsigned k = 0; k < metric->count; k++)
      buf_printf(out, metric->values[k] < 1000 ? " %12.3f" : " %12.0f", metric->values[k]);
    BUF_LIT(out, "\n");
  }
}

// --- the figures to reach ------------------------------------------------------------------------

enum relation { AT_LEAST, AT_MOST, LESS_THAN };

struct figure {
  const char *subject, *field, *over;
  enum relation relation;
  double bound;
  const char *unit, *about;
};

static const struct figure figures[] = {
#define FIGURE(subject, field, over, relation, bound, unit, about)                                 \
  {subject, field, over, relation, bound, unit, about},
#include "bench/figure.def"
#undef FIGURE
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static bool figure_value(const struct metrics *m, const struct figure *f, double *out) {
  const struct metric *top = bench_metrics_find(m, f->subject, f->field);
  const struct metric *base = f->over ? bench_metrics_find(m, f->over, f->field) : NULL;
  if (!top || (f->over && !base)) return false;
  *out = bench_metric_median(top) / (base ? bench_metric_median(base) : 1);
  return true;
}

static bool figure_reached(const struct figure *f, double value) {
  switch (f->relation) {
  case AT_LEAST: return value >= f->bound;
  case AT_MOST: return value <= f->bound;
  default: return value < f->bound;
  }
}

// --- Markdown ------------------------------------------------------------------------------------

// A number with as many digits as it deserves, thousands parted.
static void put_number(struct buf *out, double value) {
  if (value < 10) {
    buf_printf(out, "%.2f", value);
  } else if (value < 1000) {
    buf_printf(out, "%.1f", value);
  } else {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", value);
    for (int i = 0; i < length; i++) {
      if (i && (length - i) % 3 == 0) buf_char(out, ',');
      buf_char(out, digits[i]);
    }
  }
}

static void put_cell(struct buf *out, const struct metrics *m, const char *subject,
                     const char *field) {
  const struct metric *metric = bench_metrics_find(m, subject, field);
  if (metric)
    put_number(out, bench_metric_median(metric));
  else
    BUF_LIT(out, "–");
  BUF_LIT(out, " | ");
}

static void put_range(struct buf *out, const struct metrics *m, const char *subject,
                      const char *field) {
  const struct metric *metric = bench_metrics_find(m, subject, field);
  if (metric) {
    put_number(out, bench_metric_min(metric));
    BUF_LIT(out, "–");
    put_number(out, bench_metric_max(metric));
  }
  BUF_LIT(out, " | ");
}

static void put_frame(struct buf *out, const struct report_frame *frame) {
  const struct machine *x = &frame->machine;
  buf_printf(out,
             "Taskyard %s%s%s, %s. %s.\n%s%s"
             "%d cores (%s), %zu MB, %s, %s; load driver and server share them.\n"
             "Median of %u run%s of %g s each; the other stores hold %ld rows before a run.\n\n",
             x->taskyard, frame->store[0] ? ", " : "", frame->store, x->compiler, x->date,
             frame->origin, frame->origin[0] ? ".\n" : "", x->cores, x->processor, x->memory_mb,
             x->kernel, x->file_system, frame->runs, frame->runs == 1 ? "" : "s", frame->window_s,
             frame->preloaded);
}

static void put_verdicts(struct buf *out, const struct metrics *m) {
  static const char *const signs[] = {"≥", "≤", "<"};
  BUF_LIT(out, "### Figures\n\n| figure | asked | measured | verdict |\n|---|---|---|---|\n");
  for (size_t i = 0; i < FIGURES; i++) {
    const struct figure *f = &figures[i];
    double value;
    bool known = figure_value(m, f, &value);
    buf_printf(out, "| %s | %s ", f->about, signs[f->relation]);
    put_number(out, f->bound);
    buf_printf(out, " %s | ", f->unit);
    if (known)
      put_number(out, value);
    else
      BUF_LIT(out, "–");
    buf_printf(out, " | %s |\n",
               !known                     ? "not measured"
               : figure_reached(f, value) ? "reached"
                                          : "**missed**");
  }
}

static void put_profiles(struct buf *out, const struct metrics *m) {
  BUF_LIT(out,
          "\n### Rates\n\n"
          "| profile | tasks/s | range | requests/s | p50 ms | p99 ms | p99.9 ms | max ms "
          "| server CPU µs/request | driver CPU µs/request "
          "| cores busy with others | operations a commit | of the bare log |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < bench_profile_count; i++) {
    const char *name = bench_profiles[i].name;
    static const char *const fields[] = {
        "requests_per_s", "p50_ms",        "p99_ms",       "p999_ms", "max_ms",
        "server_cpu_us",  "driver_cpu_us", "others_cores", "group",   "of_bare_log"};
    if (!bench_metrics_find(m, name, "tasks_per_s")) continue;
    buf_printf(out, "| %s | ", name);
    put_cell(out, m, name, "tasks_per_s");
    put_range(out, m, name, "tasks_per_s");
    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) put_cell(out, m, name, fields[k]);
    out->len--;  // the blank after the last bar
    BUF_LIT(out, "\n");
  }
}

// A table of the subjects that begin with `prefix`: one row a metric.
static void put_others(struct buf *out, const struct metrics *m) {
  BUF_LIT(out, "\n### Everything else\n\n| metric | median | range |\n|---|---|---|\n");
  for (unsigned i = 0; i < m->count; i++) {
    const struct metric *metric = &m->all[i];
    struct str rest = str_of(metric->name), subject = str_cut(&rest, '.');
    if (bench_profile_find(subject)) continue;
    buf_printf(out, "| %.*s: %.*s | ", STR_FMT(subject), STR_FMT(rest));
    put_number(out, bench_metric_median(metric));
    BUF_LIT(out, " | ");
    put_number(out, bench_metric_min(metric));
    BUF_LIT(out, "–");
    put_number(out, bench_metric_max(metric));
    BUF_LIT(out, " |\n");
  }
}

void bench_report_markdown(const struct metrics *m, const struct report_frame *frame,
                           struct buf *out) {
  put_frame(out, frame);
  put_verdicts(out, m);
  put_profiles(out, m);
  put_others(out, m);
}

// --- JSON ----------------------------------------------------------------------------------------

static void put_json_text(struct buf *out, const char *name, const char *text) {
  buf_printf(out, "\"%s\":", name);
  buf_json_str(out, str_of(text));
  BUF_LIT(out, ",");
}

void bench_report_json(const struct metrics *m, const struct report_frame *frame, struct buf *out) {
  static const char *const relations[] = {"atLeast", "atMost", "lessThan"};
  const struct machine *x = &frame->machine;
  BUF_LIT(out, "{\"machine\":{");
  put_json_text(out, "taskyard", x->taskyard);
  put_json_text(out, "compiler", x->compiler);
  put_json_text(out, "origin", frame->origin);
  put_json_text(out, "processor", x->processor);
  put_json_text(out, "kernel", x->kernel);
  put_json_text(out, "fileSystem", x->file_system);
  put_json_text(out, "date", x->date);
  buf_printf(out, "\"cores\":%d,\"memoryMb\":%zu},\n\"runs\":%u,\"windowSeconds\":%g,", x->cores,
             x->memory_mb, frame->runs, frame->window_s);
  buf_printf(out, "\"preloaded\":%ld,\n\"figures\":[", frame->preloaded);
  for (size_t i = 0; i < FIGURES; i++) {
    const struct figure *f = &figures[i];
    double value;
    bool known = figure_value(m, f, &value);
    buf_printf(out, "%s\n  {", i ? "," : "");
    put_json_text(out, "figure", f->about);
    put_json_text(out, "unit", f->unit);
    buf_printf(out, "\"%s\":%g,", relations[f->relation], f->bound);
    if (known)
      buf_printf(out, "\"measured\":%.6g,\"reached\":%s}", value,
                 figure_reached(f, value) ? "true" : "false");
    else
      BUF_LIT(out, "\"measured\":null,\"reached\":null}");
  }
  BUF_LIT(out, "],\n\"metrics\":");
  bench_metrics_json(m, out);
  BUF_LIT(out, "}\n");
}
