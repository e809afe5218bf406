# src/engine/run.c: a lease that was just given is not minded by the clock.
s/  if (u->wake_min \&\& (e->wake_at == 0/  if (false \&\& (e->wake_at == 0/
