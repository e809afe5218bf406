# src/engine/holder.c: any token moves the task.
s/task->lease == lease :/true :/
