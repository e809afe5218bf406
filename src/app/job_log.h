// job_log.h: a line in the log when an attempt of a task ends: `Job completed: ID` at info, `Job
// failed: ID` at error with the error's message, `Job ID is stalled` at warn.
#ifndef APP_JOB_LOG_H
#define APP_JOB_LOG_H

#include "app/settings.h"
#include "model/nouns.h"

// Any thread. Writes nothing for events of other kinds and for tasks that `which` leaves out.
void job_log(enum log_jobs which, const struct event *event);

#endif
