# src/engine/claim.c: what came in the same unit goes before what is stored.
# caught by: engine-claim_test stored_tasks_and_those_of_the_same_unit_are_taken_in_one_order
s/^  return id_key(a->task.id) <= id_key(b->task.id) ? a : b;/  return id_key(a->task.id) >= id_key(b->task.id) ? a : b;/
