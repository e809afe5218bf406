// postgres_trips_test.c: how often a unit of work goes to the database: no more often for a
// thousand orders than for one, and with no more statements.
#include "contract.h"

#include <dlfcn.h>

enum { MANY = 1000, TRIPS_MAX = 3 };

// What the test's thread has sent. libpq is a shared library, so that functions of the program come
// before its own.
static _Thread_local struct sent {
  int trips;  // each waits for the server once
  int statements;
} sent;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int PQpipelineSync(PGconn *db) {
  sent.trips++;
  return REAL(PQpipelineSync)(db);
}

int PQsendFlushRequest(PGconn *db) {
  sent.trips++;
  return REAL(PQsendFlushRequest)(db);
}

int PQsendQueryPrepared(PGconn *db, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int format) {
  sent.statements++;
  return REAL(PQsendQueryPrepared)(db, name, count, values, lengths, formats, format);
}

int PQsendQueryParams(PGconn *db, const char *query, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats,
                      int format) {
  sent.statements++;
  return REAL(PQsendQueryParams)(db, query, count, types, values, lengths, formats, format);
}

// --- units ---------------------------------------------------------------------------------------

static struct sent creating(struct world *w, struct id *ids, size_t count) {
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < count; i++) {
    struct task *t = unit_create(u, STR("resize"));
    t->payload = STR("{\"width\": 640}");
    ids[i] = t->id;
  }
  sent = (struct sent){0};
  OK(unit_apply(u));
  return sent;
}

static struct sent claiming(struct world *w, struct id *ids, size_t count) {
  (void)ids;
  sent = (struct sent){0};
  struct pick pick =
      world_pick(w, (struct pick){.types = &STR("resize"), .type_count = 1, .limit = count});
  assert_int_equal(pick.row_count, count);
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < count; i++) unit_claim(u, pick.rows[i]);
  OK(unit_apply(u));
  return sent;
}

static struct sent completing(struct world *w, struct id *ids, size_t count) {
  struct want_id *wants = ARENA_ARRAY(&w->arena, struct want_id, count);
  struct load load = {.arena = &w->arena, .ids = wants, .id_count = count};
  for (size_t i = 0; i < count; i++) wants[i] = (struct want_id){.tenant = 1, .id = ids[i]};
  sent = (struct sent){0};
  OK(w->ops->load(w->lane, &load, &w->why));
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < count; i++) unit_finish(u, wants[i].row, TASK_COMPLETED);
  OK(unit_apply(u));
  return sent;
}

typedef struct sent step_function(struct world *w, struct id *ids, size_t count);

static void a_thousand_orders_take_no_more_trips_than_one(void **state) {
  struct world *w = *state;
  struct id *ids = ARENA_ARRAY(&w->arena, struct id, MANY);
  static step_function *const steps[] = {creating, claiming, completing};
  enum { STEPS = sizeof steps / sizeof *steps };
  struct sent one[STEPS];
  for (int round = 0; round < 2; round++)  // the first one also names the channel
    for (size_t i = 0; i < STEPS; i++) one[i] = steps[i](w, ids, 1);
  for (size_t i = 0; i < STEPS; i++) {
    struct sent many = steps[i](w, ids, MANY);
    print_message("%d trips, %d statements\n", many.trips, many.statements);
    assert_in_range(many.trips, 1, TRIPS_MAX);
    assert_int_equal(many.trips, one[i].trips);
    assert_int_equal(many.statements, one[i].statements);
  }
  assert_int_equal(world_tally(w, 1).count[TASK_COMPLETED], MANY + 2);
  assert_int_equal(world_check(w), 0);
}

int main(void) {
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(a_thousand_orders_take_no_more_trips_than_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
