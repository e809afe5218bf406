# src/engine/sweep.c: a task whose grace is over is tried again.
# caught by: engine-moves_test a_running_task_is_told_and_has_its_grace
s/^  if (task->cancel_requested_at) {/  if (task->cancel_requested_at < 0) {/
