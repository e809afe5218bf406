# src/engine/sweep.c: what has expired is moved on with the revision that it had.
s/  row->task.error_code = STR("expired");/  row->task.error_code = STR("expired"), row->task.revision--;/
