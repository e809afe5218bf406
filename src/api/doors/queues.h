// queues.h: what the front doors have in common that put tasks into a queue of their own. Private
// to api/.
#ifndef API_DOORS_QUEUES_H
#define API_DOORS_QUEUES_H

#include "base/err.h"
#include "base/str.h"

#define BULL_QUEUE STR("task-queue")
#define JOBS_QUEUE STR("jobs")

int queues_failure_status(enum err err);  // their clients know 400 for a body that lacks something

#endif
