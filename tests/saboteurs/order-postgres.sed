# src/store/postgres/units.sql: priorities count within a channel only.
# caught by: contract-pick_test many_channels_are_merged_into_one_order on postgresql
s/^      ORDER BY w.rank, w.id LIMIT p.reach/      ORDER BY w.id LIMIT p.reach/
