# src/engine/settle.c: a failed attempt is followed by one more than the task has.
s/task->attempt < task->attempts_max/task->attempt <= task->attempts_max/
