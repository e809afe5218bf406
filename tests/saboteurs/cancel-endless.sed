# src/engine/unit.c: a worker that goes on renewing its lease is never stopped.
# caught by: engine-moves_test a_running_task_is_told_and_has_its_grace
s/^  return earlier(end, earlier(timeout, task->cancel_by));/  return earlier(end, timeout);/
