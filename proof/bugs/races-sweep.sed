# src/engine/sweep.c: the sweep does not look again whether the lease was renewed.
s/^  if (task->lease_expires_at > u->now) return;$//
