# src/engine/report.c: a worker is never told that its task is to be cancelled.
# caught by: engine-moves_test a_running_task_is_told_and_has_its_grace
s/^  order->cancel_requested = task->cancel_requested_at != 0;/  order->cancel_requested = false;/
