# src/engine/claim.c: a claim asks the store for tasks of paused queues too.
# caught by: engine-claim_test a_paused_queue_gives_nothing_until_it_is_resumed
s/^    mine->pick.not_queues = paused;/    mine->pick.not_queue_count = 0;/
