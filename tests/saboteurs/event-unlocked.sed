# src/store/postgres/units.sql: two servers may give events the same number.
# caught by: contract-multi_test events_of_many_lanes_are_numbered_without_a_gap_and_appear_in_order on postgresql
/name: event_lock$/,/^$/s/pg_advisory_xact_lock(\$1::bigint)/$1::bigint/
