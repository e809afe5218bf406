// postgres_claim_test.c: claims of the shared store while somebody's snapshot keeps what is dead.
#include "contract.h"

enum { PRIORITIES = 10, ROUNDS = 60, READY_MAX = 1000 };

// The same in each run.
static int64_t some_below(int64_t limit) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)(state >> 33) % limit;
}

static void claim_rows(struct world *w, const struct pick *pick) {
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < pick->row_count; i++) unit_claim(u, pick->rows[i]);
  OK(unit_apply(u));
}

// Tasks of all priorities, in the order in which claims must get them.
struct expected {
  struct id ids[PRIORITIES][READY_MAX];
  size_t first[PRIORITIES], count[PRIORITIES];
};

static void make_ready(struct world *w, struct expected *e, int count) {
  struct unit *u = unit_new(w);
  for (int i = 0; i < count; i++) {
    struct task *t = unit_create(u, STR("resize"));
    t->priority = some_below(PRIORITIES);
    e->ids[t->priority][e->count[t->priority]++] = t->id;
  }
  OK(unit_apply(u));
}

static struct id best(struct expected *e) {
  for (int p = PRIORITIES - 1; p >= 0; p--)
    if (e->first[p] < e->count[p]) return e->ids[p][e->first[p]++];
  return (struct id){0};
}

static void claim_in_order(struct world *w, struct expected *e, size_t limit) {
  struct pick pick =
      world_pick(w, (struct pick){.types = &STR("resize"), .type_count = 1, .limit = limit});
  for (size_t i = 0; i < pick.row_count; i++) assert_true(id_eq(pick.rows[i]->task.id, best(e)));
  assert_true(pick.row_count > 0);
  claim_rows(w, &pick);
}

// While somebody holds a snapshot the entries of claimed tasks stay in the index. Claims step over
// them priority by priority, and must not step over a task.
static void claims_keep_their_order_over_what_a_snapshot_keeps(void **state) {
  struct world *w = *state;
  struct expected *e = ARENA_NEW(&w->arena, struct expected);
  backdoor_do("BEGIN ISOLATION LEVEL REPEATABLE READ");
  backdoor_i64("SELECT count(*) FROM pg_class");
  for (int i = 0; i < ROUNDS; i++) {
    make_ready(w, e, 100);
    claim_in_order(w, e, 100);
  }
  for (int i = 0; i < ROUNDS; i++) {
    make_ready(w, e, 12);
    claim_in_order(w, e, 1 + (size_t)some_below(20));
  }
  backdoor_do("COMMIT");
}

int main(void) {
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(claims_keep_their_order_over_what_a_snapshot_keeps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
