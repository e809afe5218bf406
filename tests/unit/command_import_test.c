// command_import_test.c: `taskyard import`: documents of a MongoDB collection become tasks, once.
#include "tests/unit/asking.h"

#define TAIL                                                                                       \
  ",\"priority\":5,\"tenant_id\":\"acme\",\"batch_id\":\"b1\",\"tags\":{\"service\":\"content\","  \
  "\"n\":1}"

// A document as mongoexport writes it: its _id, its type, its status, and more members.
#define DOCUMENT(id, type, status, more)                                                           \
  "{\"_id\":{\"$oid\":\"65f0c0ffee0000000000" id "\"},\"task_type\":\"" type                       \
  "\",\"status\":\"" status "\"" TAIL more "}\n"

static const char *task_of_key(struct place *at, const char *type) {
  const struct program *p = RUN(at, "list", "--type", type, "--json");
  assert_exit(p, EXIT_DONE);
  const char *id = member(at, p->out, "id");
  return ask(at, "GET", arena_printf(&at->arena, "/tasks/%s", id).at, "");
}

// The outcomes of a status: made, existed, left out, bad.
static void assert_counts(const struct program *p, const char *status, int made, int existed,
                          int left_out, int bad) {
  struct str row =
      arena_printf(&p->at->arena, "%s\t%d\t%d\t%d\t%d\n", status, made, existed, left_out, bad);
  assert_out(p, row.at);
}

static void a_pending_document_becomes_a_task_with_the_whole_of_it(void **state) {
  struct place *at = *state;
  place_writes(at, "tasks.jsonl", DOCUMENT("1001", "one", "pending", ",\"metadata\":{\"k\":5}"));
  const struct program *p = RUN(at, "import", "--from", "tasks.jsonl");
  assert_exit(p, EXIT_DONE);
  assert_counts(p, "pending", 1, 0, 0, 0);
  assert_err_is(p, "");
  const char *task = task_of_key(at, "one");
  assert_holds(task, "\"uniqueKey\":\"65f0c0ffee00000000001001\"");
  assert_holds(task, "\"projectId\":\"acme\"");
  assert_holds(task, "\"subject\":\"b1\"");
  assert_holds(task, "\"tags\":{\"service\":\"content\"}");
  assert_holds(task, "\"metadata\":{\"k\":5}");
  assert_holds(task, "\"payload\":{\"_id\":\"65f0c0ffee00000000001001\",\"task_type\":\"one\"");
  p = RUN(at, "import", "--from", "tasks.jsonl");
  assert_counts(p, "pending", 0, 1, 0, 0);
}

static void bad_lines_are_told_with_their_number_and_passed_over(void **state) {
  static const char LINES[] = DOCUMENT("2001", "two", "pending", "")
      "{\"_id\":1,\n"
      "[1]\n"
      "\n"
      "{\"task_type\":\"two\"}\n"
      "{\"_id\":5}\n"
      "{\"_id\":6,\"task_type\":\"two\",\"status\":\"lost\"}\n"
      "{\"_id\":7,\"task_type\":\"two\",\"priority\":11}\n"
      "{\"_id\":8,\"task_type\":\"two words\"}\n" DOCUMENT("2002", "two", "pending", "");
  struct place *at = *state;
  const struct program *p = RUN_WITH(at, LINES, "import", "--from", "-", "--report", "report");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: line 2: column ");
  assert_err(p, "taskyard: line 3: is no JSON object\n");
  assert_err(p, "taskyard: line 5: has no _id that is an ObjectId, text or number\n");
  assert_err(p, "taskyard: line 6: has no task_type\n");
  assert_err(p, "taskyard: line 7: has a status that is none of this collection\n");
  assert_err(p, "taskyard: line 8: has a priority that is no integer from 1 to 10\n");
  assert_err(p, "taskyard: line 9: type must be ");
  assert_err(p, "taskyard: some lines could not be imported; the others were\n");
  assert_counts(p, "pending", 2, 0, 0, 1);
  assert_counts(p, "no document", 0, 0, 0, 6);
  const char *report = place_reads(at, "report");
  assert_holds(report,
               "{\"line\":1,\"outcome\":\"made\",\"id\":\"65f0c0ffee00000000002001\","
               "\"status\":\"pending\",\"task\":\"");
  assert_holds(report,
               "{\"line\":6,\"outcome\":\"bad\",\"id\":\"5\",\"reason\":\"has no task_type\"}");
  assert_holds(report, "{\"line\":10,\"outcome\":\"made\",");
}

static void what_has_ended_or_is_processing_is_left_out_and_told(void **state) {
  static const char LINES[] =
      DOCUMENT("3001", "left", "processing", "") DOCUMENT("3002", "left", "completed", "")
          DOCUMENT("3003", "left", "failed", "") DOCUMENT("3004", "left", "canceled", "");
  struct place *at = *state;
  const struct program *p = RUN_WITH(at, LINES, "import", "--from", "-", "--report", "report");
  assert_exit(p, EXIT_DONE);
  assert_counts(p, "processing", 0, 0, 1, 0);
  assert_counts(p, "completed", 0, 0, 1, 0);
  assert_counts(p, "failed", 0, 0, 1, 0);
  assert_counts(p, "cancelled", 0, 0, 1, 0);
  assert_holds(place_reads(at, "report"),
               "\"reason\":\"is being processed; repeat the import when it has ended, or give "
               "--processing\"}");
  assert_holds(place_reads(at, "report"), "\"reason\":\"has ended; --history takes it over\"}");
  p = RUN_WITH(at, LINES, "import", "--from", "-", "--processing");
  assert_counts(p, "processing", 1, 0, 0, 0);
}

static void history_becomes_ended_tasks(void **state) {
  static const char LINES[] = DOCUMENT("4001", "done", "completed", ",\"results\":{\"text\":\"x\"}")
      DOCUMENT("4002", "bust", "failed", ",\"error\":\"it broke\"")
          DOCUMENT("4003", "stop", "cancelled", "")
              DOCUMENT("4004", "odd", "failed", ",\"error\":{\"code\":5}");
  struct place *at = *state;
  const struct program *p = RUN_WITH(at, LINES, "import", "--from", "-", "--history");
  assert_exit(p, EXIT_DONE);
  assert_counts(p, "completed", 1, 0, 0, 0);
  assert_counts(p, "failed", 2, 0, 0, 0);
  assert_counts(p, "cancelled", 1, 0, 0, 0);
  const char *task = task_of_key(at, "history/done");
  assert_holds(task, "\"status\":\"completed\"");
  assert_holds(task, "\"result\":{\"text\":\"x\"}");
  task = task_of_key(at, "history/bust");
  assert_holds(task, "\"status\":\"failed\"");
  assert_holds(task, "\"message\":\"it broke\"");
  assert_holds(task_of_key(at, "history/stop"), "\"status\":\"cancelled\"");
  assert_holds(task_of_key(at, "history/odd"), "\"message\":\"{\\\"code\\\":5}\"");
  p = RUN_WITH(at, LINES, "import", "--from", "-", "--history");
  assert_exit(p, EXIT_DONE);
  assert_counts(p, "failed", 0, 2, 0, 0);
}

static void only_one_tenant_or_service_is_taken_when_asked_for(void **state) {
  static const char LINES[] = DOCUMENT("5001", "some", "pending", "")
      "{\"_id\":\"a\",\"task_type\":\"some\",\"tenant_id\":\"other\"}\n"
      "{\"_id\":\"b\",\"task_type\":\"some\",\"tenant_id\":\"acme\",\"tags\":{\"service\":\"\"}}\n";
  const struct program *p =
      RUN_WITH(*state, LINES, "import", "--from", "-", "--tenant", "acme", "--service", "content");
  assert_exit(p, EXIT_DONE);
  assert_counts(p, "pending", 1, 0, 2, 0);
}

static void a_dry_run_calls_nobody(void **state) {
  static const char LINES[] = DOCUMENT("6001", "dry", "pending", "") "nonsense\n";
  const struct program *p =
      RUN_WITH(*state, LINES, "import", "--from", "-", "--dry-run", "--url", "http://127.0.0.1:1");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: line 2: column 1: ");
  assert_counts(p, "pending", 1, 0, 0, 0);
  assert_counts(p, "no document", 0, 0, 0, 1);
}

static void what_cannot_be_read_or_written_is_told(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "import");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--from FILE is needed");
  p = RUN(at, "import", "--from", "nothing.jsonl");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: nothing.jsonl: No such file or directory\n");
  p = RUN(at, "import", "--from", ".", "--dry-run");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: the file cannot be read: Is a directory\n");
  p = RUN_WITH(at, "[]\n", "import", "--from", "-", "--dry-run", "--report", "missing/report");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: missing/report: No such file or directory\n");
  p = RUN_WITH(at, "[]\n", "import", "--from", "-", "--dry-run", "--report", "/dev/full");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: the report cannot be written: No space left on device\n");
}

static void a_server_that_does_not_answer_stops_it(void **state) {
  const struct program *p = RUN_WITH(*state, DOCUMENT("7001", "t", "pending", ""), "import",
                                     "--from", "-", "--url", "http://127.0.0.1:1");
  assert_exit(p, EXIT_UNREACHABLE);
  assert_err(p, "no server answers at http://127.0.0.1:1; ");
  assert_out_is(p, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pending_document_becomes_a_task_with_the_whole_of_it),
      cmocka_unit_test(bad_lines_are_told_with_their_number_and_passed_over),
      cmocka_unit_test(what_has_ended_or_is_processing_is_left_out_and_told),
      cmocka_unit_test(history_becomes_ended_tasks),
      cmocka_unit_test(only_one_tenant_or_service_is_taken_when_asked_for),
      cmocka_unit_test(a_dry_run_calls_nobody),
      cmocka_unit_test(what_cannot_be_read_or_written_is_told),
      cmocka_unit_test(a_server_that_does_not_answer_stops_it),
  };
  return cmocka_run_group_tests(tests, place_serves, place_end);
}
