# src/engine/decide.c: answers to an Idempotency-Key are not kept.
s/order->err != ERR_OK || order->replayed) return;/order->err != ERR_OK || order->replayed || order->tenant) return;/
