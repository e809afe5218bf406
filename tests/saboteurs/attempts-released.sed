# src/engine/settle.c: a task that is given back unharmed loses an attempt.
# caught by: engine-settle_test a_release_gives_the_attempt_back
/^  row->task.attempt--;/d
