# src/engine/holder.c: any token that is not none moves the task that is running.
# caught by: engine-settle_test a_stale_token_changes_nothing
s/^  return lease ? task->lease == lease :/  return lease ? lease != 0 :/
