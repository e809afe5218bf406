# src/engine/decide.c: an Idempotency-Key answers another request than its own.
# caught by: engine-replay_test the_same_key_with_another_body_is_refused
s/sizeof order->fingerprint) != 0) {/sizeof order->fingerprint) != 0 \&\& order->tenant == 0) {/
