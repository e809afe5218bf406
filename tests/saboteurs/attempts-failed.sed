# src/engine/settle.c: a failed task is tried once more than it has attempts.
# caught by: engine-settle_test a_failed_attempt_is_tried_again_after_its_backoff
s/task->attempt < task->attempts_max;/task->attempt <= task->attempts_max;/
