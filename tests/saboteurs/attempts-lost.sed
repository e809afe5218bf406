# src/engine/sweep.c: a lost lease is tried once more than the task has attempts.
# caught by: engine-sweep_test a_lost_lease_is_another_attempt_and_without_one_left_the_task_is_abandoned
s/task->attempt < task->attempts_max;/task->attempt <= task->attempts_max;/
