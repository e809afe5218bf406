// outcome.c: what the end of a program means for its task.
#include "worker/outcome.h"

#include "base/buf.h"
#include "base/json.h"
#include "model/limits.h"
#include "worker/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

enum { EXIT_RETRY = 75 };  // EX_TEMPFAIL of sysexits.h: "the user is invited to retry"

struct outcome outcome_fail(struct arena *a, const char *code, const char *format, ...) {
  char text[LIMIT_TEXT_BYTES];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  struct str message = {text, len < 0 ? 0 : strlen(text)};
  return (struct outcome){
      .kind = OUTCOME_FAILED, .code = code, .message = text_head(a, message, LIMIT_TEXT_BYTES)};
}

struct str outcome_result(struct arena *a, struct str printed) {
  struct str value;
  struct json_error error;
  if (json_check(printed, &value, &error)) return value;
  while (printed.len > 0 && strchr("\r\n", printed.at[printed.len - 1])) printed.len--;
  if (str_trim(printed).len == 0) return STR("null");

  struct buf text;
  buf_init(&text, printed.len * 6 + 2);
  buf_json_str(&text, printed);
  struct str result = arena_dup(a, buf_str(&text));
  buf_fini(&text);
  return result;
}

static struct outcome completed(struct arena *a, struct str out) {
  struct str result = outcome_result(a, out);
  if (out.len <= OUTCOME_RESULT_BYTES_MAX && result.len <= OUTCOME_RESULT_BYTES_MAX)
    return (struct outcome){.kind = OUTCOME_COMPLETED, .result = result};
  return outcome_fail(a, "result_too_large",
                      "the program printed more than the %d bytes of a result",
                      OUTCOME_RESULT_BYTES_MAX);
}

struct outcome outcome_of_exit(struct arena *a, int wait_status, struct str out, struct str err) {
  bool exited = WIFEXITED(wait_status);
  int number = exited ? WEXITSTATUS(wait_status) : WTERMSIG(wait_status);
  if (exited && number == 0) return completed(a, out);

  const char *name = exited ? NULL : sigabbrev_np(number);
  struct str code = exited ? arena_printf(a, "exit_%d", number)
                    : name ? arena_printf(a, "signal_%s", name)
                           : arena_printf(a, "signal_%d", number);
  struct outcome outcome = {
      .kind = exited && number == EXIT_RETRY ? OUTCOME_RETRY : OUTCOME_FAILED,
      .code = code.at,
      .message = text_tail(a, err, LIMIT_TEXT_BYTES),
  };
  if (str_trim(outcome.message).len == 0)
    outcome.message =
        arena_printf(a, "the program ended with %s and wrote nothing to stderr", code.at);
  return outcome;
}
