# src/engine/holder.c: any token that is not none moves the task that is running.
s/  return lease ? task->lease == lease : holds_by_name(task, order->actor, worker);/  return lease ? lease != 0 : holds_by_name(task, order->actor, worker);/
