// command_submit_test.c: `taskyard submit`: what it sends, what it refuses, a task for each line.
#include "tests/unit/asking.h"

#include "model/limits.h"

static const char *task(struct place *at, const char *id) {
  return ask(at, "GET", arena_printf(&at->arena, "/tasks/%s", id).at, "");
}

// The task that a `submit` made.
static const char *made(const struct program *p) {
  assert_exit(p, EXIT_DONE);
  assert_err_is(p, "");
  return task(p->at, first_line(p));
}

static size_t lines_of(const char *text) {
  size_t count = 0;
  for (; *text; text++) count += *text == '\n';
  return count;
}

static void it_prints_the_id_and_sends_what_was_said(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(
      at, "submit", "resize", "{\"a\": 1.50}", "--queue", "q", "--priority", "-5", "--max-attempts",
      "7", "--tag", "a=b", "--tag", "c=d=e", "--name", "Näme", "--description", "for \"people\"",
      "--metadata", "{\"m\": []}", "--project", "p", "--subject", "s", "--unique-key", "once");
  const char *task = made(p);
  assert_int_equal(strlen(p->out), 37);  // an id and the end of its line
  assert_holds(task, "\"type\":\"resize\"");
  assert_holds(task, "\"queue\":\"q\"");
  assert_holds(task, "\"priority\":-5");
  assert_holds(task, "\"maxAttempts\":7");
  assert_holds(task, "\"payload\":{\"a\": 1.50}");
  assert_holds(task, "\"tags\":{\"a\":\"b\",\"c\":\"d=e\"}");
  assert_holds(task, "\"name\":\"Näme\"");
  assert_holds(task, "\"description\":\"for \\\"people\\\"\"");
  assert_holds(task, "\"metadata\":{\"m\": []}");
  assert_holds(task, "\"projectId\":\"p\"");
  assert_holds(task, "\"subject\":\"s\"");
  assert_holds(task, "\"uniqueKey\":\"once\"");
}

static void a_payload_comes_from_an_argument_a_file_or_standard_input(void **state) {
  struct place *at = *state;
  place_writes(at, "in.json", "{\"from\":\"file\"}\n");
  assert_holds(made(RUN(at, "submit", "t", "@in.json")), "\"payload\":{\"from\":\"file\"}");
  assert_holds(made(RUN_WITH(at, "[1]", "submit", "t", "-")), "\"payload\":[1]");
  assert_holds(made(RUN(at, "submit", "t", "two words", "--text")), "\"payload\":\"two words\"");
  assert_holds(made(RUN(at, "submit", "t")), "\"payload\":null");
}

static void a_payload_that_cannot_be_read_is_told(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "submit", "t", "@.");
  assert_exit(p, EXIT_FAILURE);
  assert_err_is(p, "taskyard: . cannot be read: Is a directory\n");
  p = RUN(at, "submit", "t", "@.", "--from-lines");
  assert_exit(p, EXIT_FAILURE);
  assert_err_is(p, "taskyard: the input cannot be read: Is a directory\n");
  place_writes(at, "large", "");
  assert_int_equal(truncate(place_path(at, "large"), LIMIT_BODY_BYTES_CEILING + 1), 0);
  p = RUN(at, "submit", "t", "@large", "--text");
  assert_exit(p, EXIT_FAILURE);
  assert_err_is(p, "taskyard: large is larger than any server takes\n");
}

static void a_start_can_be_put_off(void **state) {
  struct place *at = *state;
  assert_holds(made(RUN(at, "submit", "t", "--delay", "1h")), "\"waitingFor\":\"time\"");
  const char *later = made(RUN(at, "submit", "t", "--run-at", "2030-01-31T09:30:00Z"));
  assert_holds(later, "\"runAt\":1896082200000");
  assert_holds(made(RUN(at, "submit", "t", "--hold")), "\"waitingFor\":\"start\"");
}

static void what_is_wrong_is_refused_before_it_calls(void **state) {
  static const struct {
    const char *words[8];
    const char *sentence;
  } WRONG[] = {
      {{"submit", "t", "{bad"},
       "the payload is not JSON (line 1, column 2: a key in quotes was expected here); --text "
       "takes text"},
      {{"submit", "t", "@missing"}, "missing cannot be read: No such file or directory"},
      {{"submit", "t", "--tag", "x"}, "--tag must be NAME=VALUE, not \"x\""},
      {{"submit", "t", "--tag", "=x"}, "--tag must be NAME=VALUE, not \"=x\""},
      {{"submit", "t", "--metadata", "[]"}, "--metadata must be a JSON object"},
      {{"submit", "t", "--metadata", "{"}, "--metadata must be a JSON object"},
      {{"submit", "t", "--run-at", "soon"},
       "--run-at must be a time as in 2030-01-31T09:30:00Z, not \"soon\""},
      {{"submit", "t", "--priority", "high"}, "--priority"},
      {{"submit", "t", "--max-attempts", "0"}, "--max-attempts"},
      {{"submit", "t", "--delay", "1w"}, "--delay"},
      {{"submit", "t", "--from-lines", "--wait"},
       "--from-lines goes with neither --wait nor --unique-key; `taskyard wait` takes the ids"},
      {{"submit", "t", "--from-lines", "-u", "k"}, "--from-lines goes with neither"},
      {{"submit", "t", "lines", "--from-lines"}, "lines come from @FILE or -, not \"lines\""},
      {{"submit", "t", "@missing", "--from-lines"}, "missing cannot be read: "},
      {{"submit"}, "TYPE"},
  };
  struct place *at = *state;
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
    const struct program *p = END(program_start(at, PLAIN_WAY, WRONG[i].words));
    assert_exit(p, EXIT_USAGE);
    assert_err(p, WRONG[i].sentence);
    assert_err(p, "Try `taskyard submit --help`.\n");
    assert_out_is(p, "");
  }
}

static void the_refusal_of_the_server_is_told_with_its_fields(void **state) {
  const struct program *p = RUN(*state, "submit", "two words", "--queue", "no queue");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: ");
  assert_err(p, "\n  /queue: queue must be ");
  assert_out_is(p, "");
}

static void a_key_makes_it_safe_to_repeat(void **state) {
  struct place *at = *state;
  const struct program *first = RUN(at, "submit", "t", "-u", "same");
  assert_exit(first, EXIT_DONE);
  assert_out_is(RUN(at, "submit", "t", "-u", "same"), first->out);
  first = RUN(at, "submit", "t", "1", "--idempotency-key", "k");
  assert_exit(first, EXIT_DONE);
  assert_out_is(RUN(at, "submit", "t", "1", "--idempotency-key", "k"), first->out);
}

static void as_json_it_prints_the_whole_task(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "submit", "t", "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "{\"id\":\"");
  assert_out(p, "\"status\":\"pending\"");
  p = RUN_WITH(at, "1\n2\n", "submit", "t", "--from-lines", "--json");
  assert_exit(p, EXIT_DONE);
  assert_int_equal(lines_of(p->out), 2);
  assert_out(p, "}\n{\"id\":\"");
}

// More lines than one request takes.
static void each_line_becomes_a_task_in_its_order(void **state) {
  enum { LINES = 1100 };
  struct place *at = *state;
  struct buf input;
  buf_init(&input, 1 << 20);
  for (int i = 0; i < LINES; i++) buf_printf(&input, "%d\r\n\n", i);
  buf_char(&input, '\0');
  const struct program *p = RUN_WITH(at, input.at, "submit", "line", "--from-lines", "--queue",
                                     "lines", "--idempotency-key", "lines");
  assert_exit(p, EXIT_DONE);
  assert_int_equal(lines_of(p->out), LINES);
  assert_holds(task(at, first_line(p)), "\"payload\":0");
  const char *last = p->out + strlen(p->out) - 37;
  last = arena_cstr(&at->arena, (struct str){last, 36});
  assert_holds(task(at, last), "\"payload\":1099");
  const struct program *again = RUN_WITH(at, input.at, "submit", "line", "--from-lines", "--queue",
                                         "lines", "--idempotency-key", "lines");
  assert_out_is(again, p->out);
  buf_fini(&input);
}

static void lines_can_be_text_from_a_file(void **state) {
  struct place *at = *state;
  place_writes(at, "names", "a \"b\".txt\n  \nc.txt");
  const struct program *p = RUN(at, "submit", "t", "@names", "--from-lines", "--text");
  assert_exit(p, EXIT_DONE);
  assert_int_equal(lines_of(p->out), 2);
  assert_holds(task(at, first_line(p)), "\"payload\":\"a \\\"b\\\".txt\"");
}

static void a_bad_line_is_named(void **state) {
  const struct program *p = RUN_WITH(*state, "1\nnope\n", "submit", "t", "--from-lines");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: line 2 is not JSON (column 1: ");
  assert_err(p, "); --text takes text\n");
  assert_out_is(p, "");
}

static void of_lines_it_tells_how_many_were_handed_in(void **state) {
  enum { LINES = 1001 };
  struct place *at = *state;
  struct buf input;
  buf_init(&input, 1 << 20);
  for (int i = 0; i < LINES; i++) BUF_LIT(&input, "0\n");
  BUF_LIT(&input, "nope\n");
  buf_char(&input, '\0');
  const struct program *p = RUN_WITH(at, input.at, "submit", "t", "--from-lines");
  buf_fini(&input);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: 1000 tasks were handed in before what follows\n");
  assert_err(p, "line 1002 is not JSON");
  assert_int_equal(lines_of(p->out), 1000);
}

static void output_that_cannot_be_written_is_a_failure(void **state) {
  const struct program_way way = {.output = "/dev/full"};
  const struct program *p = END(program_start(*state, way, WORDS("submit", "t")));
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: standard output cannot be written: No space left on device\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_prints_the_id_and_sends_what_was_said),
      cmocka_unit_test(a_payload_comes_from_an_argument_a_file_or_standard_input),
      cmocka_unit_test(a_payload_that_cannot_be_read_is_told),
      cmocka_unit_test(a_start_can_be_put_off),
      cmocka_unit_test(what_is_wrong_is_refused_before_it_calls),
      cmocka_unit_test(the_refusal_of_the_server_is_told_with_its_fields),
      cmocka_unit_test(a_key_makes_it_safe_to_repeat),
      cmocka_unit_test(as_json_it_prints_the_whole_task),
      cmocka_unit_test(each_line_becomes_a_task_in_its_order),
      cmocka_unit_test(lines_can_be_text_from_a_file),
      cmocka_unit_test(a_bad_line_is_named),
      cmocka_unit_test(of_lines_it_tells_how_many_were_handed_in),
      cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
  };
  return cmocka_run_group_tests(tests, place_serves, place_end);
}
