# src/engine/feed.c: a task that came due wakes nobody.
s/  if (e->shared || e->groups) offer(u, &u->late, 0);/  if (false) offer(u, \&u->late, 0);/
