# src/store/postgres/units.sql: a change is made whatever the task has become since it was read.
# caught by: contract-multi_test a_row_that_another_lane_changed_since_is_a_conflict_and_nothing_is_done on postgresql
/name: live_update/,/^$/{
  s/l.ctid = u.place AND l.id IS NOT DISTINCT FROM u.id/l.id = u.id/
  s/ AND l.revision = u.was//
}
