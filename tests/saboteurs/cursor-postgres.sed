# src/store/postgres/tasks.c: a page begins behind the task that it should begin with.
# caught by: contract-read_test pages_meet_each_task_once_newest_first on postgresql
s/^    if (!fits) page->last = id;/    if (page->more) page->last = id;/
