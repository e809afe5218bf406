# src/engine/sweep.c: a lost lease is tried once more than the task has attempts.
s/bool retry = task->attempt < task->attempts_max;/bool retry = task->attempt <= task->attempts_max;/
