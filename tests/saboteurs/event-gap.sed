# src/store/sqlite/events.c: the numbers of a unit that failed are lost.
# caught by: contract-unit_test a_stale_revision_is_a_conflict_and_nothing_is_changed
s/^      feed->taken = feed->last;/      feed->last = feed->taken;/
