// queues.h: where the front doors put their tasks. Private to api/.
#ifndef API_DOORS_QUEUES_H
#define API_DOORS_QUEUES_H

#include "base/str.h"

#define BULL_QUEUE STR("task-queue")
#define JOBS_QUEUE STR("jobs")

#endif
