// session_log.c: what the log says of the tasks of sessions, in the words of their document.
#include <stdio.h>

#include "api/sessions.h"
#include "base/log.h"

enum { MESSAGE_BYTES = 512 };  // an error message may be longer, and is cut

static struct str reason_of(const struct event *event) {
  if (event->text.len) return event->text;
  return event->kind == EVENT_ABANDONED ? STR("its worker fell silent") : event->note;
}

// Who sends control characters in a message finds them escaped: base/log.c does it.
void session_log(struct str key, const struct event *event) {
  char message[MESSAGE_BYTES], id[ID_TEXT_BYTES];
  enum log_level level = LOG_INFO;
  const char *did = NULL;
  if (event->kind == EVENT_PROGRESS) level = LOG_DEBUG;
  if (event->kind == EVENT_CLAIMED) did = "Starting";
  if (event->kind == EVENT_COMPLETED) did = "Completed";
  if (event->kind == EVENT_FAILED || event->kind == EVENT_ABANDONED) {
    did = "Failed";
    level = LOG_ERROR;
  }
  if ((did == NULL && event->kind != EVENT_PROGRESS) || !log_enabled(level)) return;
  id_text(event->task, id);
  if (did == NULL)
    snprintf(message, sizeof message, "Task %.*s progress: %lld%%", ID_TEXT_BYTES, id,
             (long long)event->progress);
  else if (level == LOG_ERROR)
    snprintf(message, sizeof message, "%s execution of task %.*s for session %.*s: %.*s", did,
             ID_TEXT_BYTES, id, STR_FMT(key), STR_FMT(reason_of(event)));
  else
    snprintf(message, sizeof message, "%s execution of task %.*s for session %.*s", did,
             ID_TEXT_BYTES, id, STR_FMT(key));
  log_write(level, message, NULL);
}
