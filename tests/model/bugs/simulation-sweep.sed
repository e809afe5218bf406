# src/engine/sweep.c: a sweep takes leases away that were renewed in the same unit.
s/  if (task->lease_expires_at > u->now) return;//
