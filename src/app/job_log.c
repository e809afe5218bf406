// job_log.c: a line in the log when an attempt of a task ends.
#include "app/job_log.h"

#include <stdio.h>

#include "api/api.h"

// The words around the task's id, and what has become of the task. No level: not told.
static const struct wording {
  const char *before, *after;
  enum log_level level;
  const char *status;
} WORDINGS[EVENT_KIND_COUNT] = {
    [EVENT_COMPLETED] = {"Job completed: ", "", LOG_INFO, "completed"},
    [EVENT_ATTEMPT_FAILED] = {"Job failed: ", "", LOG_ERROR, "pending"},
    [EVENT_FAILED] = {"Job failed: ", "", LOG_ERROR, "failed"},
    [EVENT_LEASE_LOST] = {"Job ", " is stalled", LOG_WARN, "pending"},
    [EVENT_ABANDONED] = {"Job ", " is stalled", LOG_WARN, "abandoned"},
};

void job_log(enum log_jobs which, const struct event *event) {
  const struct wording *w = &WORDINGS[event->kind];
  if (w->before == NULL || which == LOG_JOBS_NO || !log_enabled(w->level)) return;
  if (which == LOG_JOBS_DOOR && !api_is_door_queue(event->queue)) return;
  char id[ID_TEXT_BYTES], message[80];
  id_text(event->task, id);
  snprintf(message, sizeof message, "%s%.*s%s", w->before, ID_TEXT_BYTES, id, w->after);
  const struct log_field fields[] = {LOG_STR("taskId", ((struct str){id, sizeof id})),
                                     LOG_STR("type", event->type),
                                     LOG_STR("queue", event->queue),
                                     LOG_I64("attempt", event->attempt),
                                     LOG_STR("worker", event->worker),
                                     LOG_STR("status", str_of(w->status)),
                                     // The list ends here when there is no error.
                                     LOG_STR(event->note.len ? "code" : NULL, event->note),
                                     LOG_STR(event->text.len ? "error" : NULL, event->text),
                                     {0}};
  log_write(w->level, message, fields);
}
