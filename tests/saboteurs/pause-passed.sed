# src/engine/claim.c: a claim asks the store for tasks of paused queues too.
# caught by: engine-claim_test of_pause_and_resume_in_one_unit_the_later_one_holds
s/^    mine->pick.not_queues = paused;/    mine->pick.not_queue_count = 0;/
