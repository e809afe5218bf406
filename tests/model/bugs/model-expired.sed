# src/engine/sweep.c: what has expired is moved on with the revision that it had.
s/  task->error_code = STR("expired");/  task->error_code = STR("expired"), task->revision--;/
