# src/engine/decide.c: the answer to an Idempotency-Key is not stored.
# caught by: engine-replay_test a_repeat_gets_the_kept_answer_and_changes_nothing
s/^  \*LIST_PUSH(&u->arena, &u->replays, struct replay) = \*replay;/  if (replay->replaces) *LIST_PUSH(\&u->arena, \&u->replays, struct replay) = *replay;/
