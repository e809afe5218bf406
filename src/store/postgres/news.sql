-- news.sql: the statements of the shared store for news, nodes and upkeep, by name.
-- tools/embed_sql.c makes a table of them.
--
-- A word between @ signs stands for a list made from store/task.def or model/task_status.def, or
-- for the schema's name, see expand.c.

-- --- news ---

-- Everything that a node wants to know once a second, as rows of what and value: 0 the server's
-- clock, 1 the version of the catalogue, 2 the highest number of a channel, 3 the earliest time at
-- which a task should have moved and did not, 4 the channels that have a ready task (their places
-- in the arrays), 5 the watched tasks that ended or were deleted (the same).
-- name: pulse
SELECT 0::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, NULL::bigint, NULL::uuid
UNION ALL
SELECT 1, value, NULL, NULL FROM @schema@.meta WHERE name = 'catalogue'
UNION ALL
SELECT 2, coalesce(max(number), 0), NULL, NULL FROM @schema@.channel
UNION ALL
(SELECT 3, wake_at, NULL, NULL FROM @schema@.live
 WHERE wake_at > 0 AND wake_at > $1::bigint AND wake_at <= $2::bigint
 ORDER BY wake_at LIMIT 1)
UNION ALL
SELECT 4, c.nr, x.rank, x.id
FROM unnest($3::bigint[], $4::bigint[]) WITH ORDINALITY AS c(tenant, channel, nr)
CROSS JOIN LATERAL (
  SELECT -r.priority::bigint AS rank, r.id FROM @schema@.live AS r
  WHERE r.tenant = c.tenant AND r.channel = c.channel::integer AND r.waiting = 1
  ORDER BY -r.priority, r.id LIMIT 1
) AS x
UNION ALL
SELECT 5, w.nr, NULL, NULL
FROM unnest($5::bigint[], $6::uuid[]) WITH ORDINALITY AS w(tenant, id, nr)
WHERE (SELECT 1 FROM @schema@.live AS l WHERE l.tenant = w.tenant AND l.id = w.id) IS NULL;

-- Tells the others. Never inside a unit of work: a transaction that notifies holds, while it
-- commits, a lock that all such transactions of the database share.
-- name: notice_send
SELECT count(pg_notify($1::text, t.text)) FROM unnest($2::text[]) AS t(text);

-- --- nodes ---

-- Says that this node lives, and reads it and the others that do. A new one gets the first share
-- that no other has; two that take the same at the same moment collide, and one tries again. Where
-- none is left it is not among those that come back.
-- name: node_seen
WITH clock AS MATERIALIZED (
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms
), mine AS MATERIALIZED (
  SELECT coalesce(
    (SELECT n.share FROM @schema@.node AS n WHERE n.id = $1::bigint),
    (SELECT min(s) FROM generate_series(0, $5::bigint - 1) AS s
     WHERE NOT EXISTS (SELECT 1 FROM @schema@.node AS n WHERE n.share = s))) AS share
), seen AS (
  INSERT INTO @schema@.node (id, name, started_at, seen_at, share)
  SELECT $1::bigint, $2::text, $3::bigint, clock.ms, mine.share
  FROM clock, mine WHERE mine.share IS NOT NULL
  ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
  RETURNING id, name, started_at, seen_at, share
)
SELECT id, name, started_at, seen_at, share FROM seen
UNION ALL
(SELECT n.id, n.name, n.started_at, n.seen_at, n.share FROM @schema@.node AS n, clock
 WHERE n.id <> $1::bigint AND n.seen_at > clock.ms - $4::bigint
 ORDER BY n.started_at, n.id);

-- Takes leave.
-- name: node_gone
DELETE FROM @schema@.node WHERE id = $1::bigint;

-- Nodes that never took leave.
-- name: node_forget
DELETE FROM @schema@.node WHERE seen_at < $1::bigint;

-- --- upkeep ---

-- The first ready task of each channel, whoever holds it; channels that have none are left out.
-- name: front_first
SELECT c.nr, x.rank, x.id
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS c(nr, tenant, channel)
CROSS JOIN LATERAL (
  SELECT -r.priority::bigint AS rank, r.id FROM @schema@.live AS r
  WHERE r.tenant = c.tenant AND r.channel = c.channel::integer AND r.waiting = 1
  ORDER BY -r.priority, r.id LIMIT 1
) AS x;

-- Sums up some of the tallies' moves, if no other node is at it. Gives whether that was so, and how
-- many moves there were. They are found by their place, for the table has no index. One that
-- another node has just deleted is not returned by the deletion here, and so never counts twice.
-- name: tally_fold
WITH mine AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock($1::bigint) AS got
), moved AS (
  DELETE FROM @schema@.tally_move WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM @schema@.tally_move
    LIMIT CASE WHEN (SELECT got FROM mine) THEN $2::bigint ELSE 0 END
  ))
  RETURNING *
), summed AS (
  INSERT INTO @schema@.tally AS t (tenant, channel, ready, pending, running, completed, failed,
    cancelled, abandoned)
  SELECT tenant, channel, sum(ready), sum(pending), sum(running), sum(completed), sum(failed),
    sum(cancelled), sum(abandoned)
  FROM moved GROUP BY tenant, channel ORDER BY tenant, channel
  ON CONFLICT (tenant, channel) DO UPDATE SET ready = t.ready + excluded.ready,
    pending = t.pending + excluded.pending, running = t.running + excluded.running,
    completed = t.completed + excluded.completed, failed = t.failed + excluded.failed,
    cancelled = t.cancelled + excluded.cancelled, abandoned = t.abandoned + excluded.abandoned
)
SELECT (SELECT got FROM mine), (SELECT count(*) FROM moved);

-- Some of the proofs of commits that nobody can ask for any more, if no other node is at it.
-- name: unit_forget
WITH mine AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock($1::bigint) AS got
), gone AS (
  DELETE FROM @schema@.unit WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM @schema@.unit WHERE at < $2::bigint
    LIMIT CASE WHEN (SELECT got FROM mine) THEN $3::bigint ELSE 0 END
  ))
  RETURNING 1
)
SELECT (SELECT got FROM mine), (SELECT count(*) FROM gone);

-- The same of kept answers that are too old.
-- name: replay_forget
WITH mine AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock($1::bigint) AS got
), gone AS (
  DELETE FROM @schema@.replay WHERE (tenant, key) IN (
    SELECT tenant, key FROM @schema@.replay WHERE at < $2::bigint ORDER BY at
    LIMIT CASE WHEN (SELECT got FROM mine) THEN $3::bigint ELSE 0 END
    FOR UPDATE SKIP LOCKED
  )
  RETURNING 1
)
SELECT (SELECT got FROM mine), (SELECT count(*) FROM gone);

-- How many dead rows there are, as of which vacuum, and whether we may remove them. In the order of
-- vacuum.c.
-- name: dead_rows
SELECT pg_stat_get_dead_tuples(c.oid),
  coalesce((extract(epoch FROM pg_stat_get_last_vacuum_time(c.oid)) * 1000000)::bigint, 0),
  pg_has_role(c.relowner, 'MEMBER') OR pg_has_role(d.datdba, 'MEMBER')
FROM (VALUES (1, '@schema@.live'::regclass), (2, '@schema@.tally_move'), (3, '@schema@.unit'))
  AS t(nr, name)
JOIN pg_class AS c ON c.oid = t.name
JOIN pg_database AS d ON d.datname = current_database()
ORDER BY t.nr;
