# src/engine/backoff.c: a failed task is tried again at once.
# caught by: engine-backoff_test a_fixed_backoff_is_the_same_each_time
s/^  int64_t wait = backoff->delay_ms;/  int64_t wait = 0;/
