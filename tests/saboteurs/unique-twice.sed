# src/engine/unit.c: a unique key is made twice in one unit.
# caught by: engine-create_test unique_keys_hold_within_a_batch_and_across_a_unit
/^  if (!str_is_none(task->unique_key)) remember_unique(u, row);/d
