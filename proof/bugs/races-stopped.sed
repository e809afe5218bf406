# src/engine/settle.c: a completion that finds its task waiting again is taken for a repeat.
s/^  return item->lease != 0 && task->status == ended && task->lease == item->lease &&$/  bool same = task->status == ended \&\& task->lease == item->lease;\n  return item->lease != 0 \&\& (same || (task->attempt \&\& task->status == TASK_PENDING)) \&\&/
