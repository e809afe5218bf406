# src/engine/park.c: only who waits for a completion is told of the end.
# caught by: engine-watch_test all_who_watch_are_told_of_the_end_whichever_it_is
s/^    if (row->gone || task_status_is_final(row->task.status)) park/    if (row->task.status == TASK_COMPLETED) park/
