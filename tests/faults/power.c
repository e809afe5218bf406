// power.c: states of a disk after power loss, judged one after the other.
//
// A state is good when the store opens and its check finds nothing, when all that was acknowledged
// before the cut is there, and when its content is exactly that of one of the commits that may be
// the last: the last one that was synced before the cut, or the one under way.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/faults/disk.h"
#include "tests/faults/judge.h"
#include "tests/faults/verdict.h"

struct cut {
  size_t step;
  uint64_t number;  // of the state: with the seed it decides what is lost
};

struct power {
  struct record record;
  struct facts *facts;
  uint64_t seed;
  char path[2048];
  uint64_t *commits;  // content after each sync, in order; the first is that of an empty store
  size_t commit_count;
  uint64_t states, lost, broken, mixed, by_loss[LOSSES];
};

static bool is_wal_sync(const struct disk *d, const struct record_head *step) {
  if (step->kind != 'S') return false;
  for (int i = 0; i < d->name_count; i++)
    if (d->names[i] == step->name) return d->endings[i][0] == '-' && d->endings[i][1] == 'w';
  return false;
}

// The content that each sync of the WAL has made durable.
static bool learn_commits(struct power *p) {
  struct record r = p->record;
  struct disk disk;
  struct dice none = {0};
  disk_init(&disk);
  p->commits = mem_alloc((r.steps + 1) * sizeof *p->commits);
  bool good = true;
  const struct record_head *step = NULL;
  do {
    if (step) disk_step(&disk, step);
    if (!step || is_wal_sync(&disk, step)) {
      good = disk_lose(&disk, LOSS_NONE, &none, p->path);
      struct verdict v = verdict_of(p->path, NULL, 0);
      if (!verdict_good(&v)) printf("without any loss, at byte %zu: %s\n", r.at, v.why);
      good = good && verdict_good(&v);
      p->commits[p->commit_count++] = v.digest;
      char wal[2100];
      snprintf(wal, sizeof wal, "%s-wal", p->path);
      remove(wal);
      remove(p->path);
    }
    if (step) record_next(&r);
    step = record_at(&r);
  } while (step && good);
  disk_fini(&disk);
  return good;
}

static bool is_one_of(const struct power *p, size_t syncs, uint64_t digest) {
  return digest == p->commits[syncs] ||
         (syncs + 1 < p->commit_count && digest == p->commits[syncs + 1]);
}

static void judge_state(struct power *p, const struct disk *disk, const struct cut *cut,
                        size_t position, size_t syncs) {
  struct dice seeds = {p->seed};  // the parts of a long run have neighbouring ones: mixed first
  struct dice dice = {dice_roll(&seeds, UINT64_MAX) + cut->number};
  enum disk_loss loss = (enum disk_loss)(1 + dice_roll(&dice, LOSSES - 1));
  p->states++;
  p->by_loss[loss]++;
  if (!disk_lose(disk, loss, &dice, p->path)) {
    p->broken++;
    return;
  }
  struct verdict v = verdict_of(p->path, p->facts, position);
  bool mixed = verdict_good(&v) && !is_one_of(p, syncs, v.digest);
  p->broken += !v.opened || !v.sound;
  p->lost += v.opened && v.sound && !v.kept;
  p->mixed += mixed;
  if (!verdict_good(&v) || mixed)
    printf("state %" PRIu64 " (step %zu, loss %d): %s\n", cut->number, cut->step, (int)loss,
           mixed ? "its content is that of no commit that may be the last" : v.why);
}

static int by_step(const void *a, const void *b) {
  const struct cut *x = a, *y = b;
  if (x->step != y->step) return x->step < y->step ? -1 : 1;
  return x->number < y->number ? -1 : x->number > y->number;
}

static void judge_all(struct power *p, struct cut *cuts, uint64_t count) {
  struct record r = p->record;
  struct disk disk;
  disk_init(&disk);
  size_t steps = 0, syncs = 0;
  for (uint64_t i = 0; i < count; i++) {
    while (steps < cuts[i].step) {
      const struct record_head *step = record_at(&r);
      disk_step(&disk, step);
      syncs += is_wal_sync(&disk, step);
      record_next(&r);
      steps++;
    }
    judge_state(p, &disk, &cuts[i], r.at, syncs);
  }
  disk_fini(&disk);
}

int judge_power(const char *record, const char *facts, uint64_t seed, uint64_t count,
                const char *folder) {
  struct power p = {.seed = seed, .facts = facts_read(facts)};
  if (!p.facts || !record_open(&p.record, record)) {
    printf("there are no facts, no record, or half a step is in it\n");
    return 2;
  }
  snprintf(p.path, sizeof p.path, "%s/state.db", folder);
  int code = learn_commits(&p) ? 0 : 1;
  struct cut *cuts = mem_alloc((count + 1) * sizeof *cuts);
  struct dice dice = {seed};
  for (uint64_t i = 0; i < count; i++)
    cuts[i] = (struct cut){(size_t)dice_roll(&dice, p.record.steps + 1), i};
  qsort(cuts, count, sizeof *cuts, by_step);
  judge_all(&p, cuts, count);
  printf("states %" PRIu64 " lost %" PRIu64 " broken %" PRIu64 " mixed %" PRIu64
         " steps %zu commits %zu facts %zu\n",
         p.states, p.lost, p.broken, p.mixed, p.record.steps, p.commit_count, p.facts->count);
  mem_free(cuts);
  mem_free(p.commits);
  facts_free(p.facts);
  record_close(&p.record);
  return code;
}
