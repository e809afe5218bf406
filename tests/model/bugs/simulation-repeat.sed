# src/engine/decide.c: a request that comes again with its Idempotency-Key is done again.
s/  if (str_is_none(order->replay_key)) return false;/  if (true || order) return false;/
