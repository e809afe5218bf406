# src/store/postgres/settle.c: a commit whose answer was lost counts as not made.
# caught by: contract-postgres_test a_commit_whose_answer_was_lost_is_known_to_be_done on postgresql
s/^  \*out = has ? DONE : UNDONE;/  *out = UNDONE;/
