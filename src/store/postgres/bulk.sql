-- bulk.sql: the statements of the shared store for moving a whole store, by name. tools/embed_sql.c
-- makes a table of them.
--
-- A word between @ signs stands for a list made from store/task.def or model/task_status.def, or
-- for the schema's name, see expand.c. A page of rows whose texts may be long is cut where it
-- passes a number of bytes, by their lengths alone, so that no answer outgrows the memory.

-- Pages are read along the keys, whatever the planner believes about a table that is new to it. Not
-- all versions know all of the settings.
-- name: bulk_plan
SELECT set_config(s.name, s.value, true)
FROM (VALUES ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_hashjoin', 'off'),
  ('enable_mergejoin', 'off'), ('enable_material', 'off'), ('enable_memoize', 'off'),
  ('random_page_cost', '0.1'), ('max_parallel_workers_per_gather', '0')) AS s(name, value)
WHERE current_setting(s.name, true) IS NOT NULL;

-- By which a store is known again.
-- name: identity
SELECT value FROM @schema@.meta WHERE name = 'identity';

-- Another process that uses the store just now, and how many ms ago it was seen.
-- name: bulk_user
SELECT n.name, now.ms - n.seen_at
FROM @schema@.node AS n,
  (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms) AS now
WHERE n.name <> $1::text AND n.seen_at > now.ms - $2::bigint ORDER BY n.seen_at DESC LIMIT 1;

-- A page need not be on disk when it is committed: a crash that loses it loses its mark too. The
-- end of the move is, and with it all before.
-- name: bulk_hurry
SELECT set_config('synchronous_commit', 'off', true);

-- How far a move into this store has come with a part, and whether that was all of it.
-- name: moved_put
INSERT INTO @schema@.meta (name, value, text) VALUES ($1::text, $2::bigint, $3::text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, text = excluded.text;

-- Read to go on from there.
-- name: moved_read
SELECT value, text FROM @schema@.meta WHERE name = $1::text;

-- Whether a move into this store is under way.
-- name: moved_any
SELECT 1 FROM @schema@.meta WHERE name LIKE 'moved %' LIMIT 1;

-- At the end of the move.
-- name: moved_drop
DELETE FROM @schema@.meta WHERE name LIKE 'moved %';

-- What the planner should know of the tables that were filled.
-- name: bulk_analyze
ANALYZE @schema@.task, @schema@.live, @schema@.done, @schema@.log, @schema@.event, @schema@.replay,
  @schema@.channel;

-- Tasks of one tenant behind an id, or of the next tenant that has some, with everything. First,
-- which ones are the page. Then each is looked up by its whole key: OFFSET 0 keeps the planner from
-- turning the joins round, which it does when the tables are empty, to read all of a tenant later.
-- name: bulk_tasks
WITH start AS MATERIALIZED (
  SELECT t.tenant, CASE WHEN t.tenant = $1::bigint AND $2::uuid IS NOT NULL THEN $2::uuid
    ELSE '00000000-0000-0000-0000-000000000000'::uuid END AS id
  FROM @schema@.task AS t
  WHERE (t.tenant, t.id) >
    ($1::bigint, coalesce($2::uuid, '00000000-0000-0000-0000-000000000000'::uuid))
  ORDER BY t.tenant, t.id LIMIT 1
), ids AS MATERIALIZED (
  SELECT s.tenant, x.id, x.bytes + coalesce(d.bytes, 0) AS bytes
  FROM start AS s
  CROSS JOIN LATERAL (
    SELECT t.id, coalesce(octet_length(t.payload), 0) AS bytes FROM @schema@.task AS t
    WHERE t.tenant = s.tenant AND t.id > s.id ORDER BY t.id LIMIT $3::bigint
  ) AS x
  LEFT JOIN LATERAL (
    SELECT octet_length(d.result) AS bytes FROM @schema@.done AS d
    WHERE d.tenant = s.tenant AND d.id = x.id OFFSET 0
  ) AS d ON true
), page AS MATERIALIZED (
  SELECT x.tenant, x.id
  FROM (SELECT tenant, id, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM ids) AS x
  WHERE x.before < $4::bigint
)
SELECT l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@, t.payload, l.result
FROM page AS p
CROSS JOIN LATERAL (
  SELECT * FROM @schema@.task AS x WHERE x.tenant = p.tenant AND x.id = p.id OFFSET 0
) AS t
CROSS JOIN LATERAL (
  SELECT x.tenant, x.id, x.channel, @state_columns x@, NULL::text AS result
  FROM @schema@.live AS x WHERE x.tenant = p.tenant AND x.id = p.id
  UNION ALL
  SELECT x.tenant, x.id, x.channel, @state_columns x@, x.result
  FROM @schema@.done AS x WHERE x.tenant = p.tenant AND x.id = p.id
  OFFSET 0
) AS l
ORDER BY 1, 2;

-- How many tasks there are, by the tallies.
-- name: bulk_tasks_total
SELECT coalesce(sum(pending + running + completed + failed + cancelled + abandoned), 0)::bigint
FROM (SELECT * FROM @schema@.tally UNION ALL SELECT * FROM @schema@.tally_move) AS t;

-- Log lines behind a tenant, a task and a number.
-- name: bulk_logs
SELECT tenant, task, number, at, text FROM @schema@.log
WHERE (tenant, task, number) >
  ($1::bigint, coalesce($2::uuid, '00000000-0000-0000-0000-000000000000'::uuid), $3::bigint)
ORDER BY tenant, task, number LIMIT $4::bigint;

-- Events behind a tenant and a number.
-- name: bulk_events
SELECT e.tenant, e.seq, e.kind, e.at, e.task, e.attempt, e.progress, e.actor, e.worker, e.note,
  e.text, coalesce(c.queue, e.queue), coalesce(c.type, e.type)
FROM @schema@.event AS e
LEFT JOIN @schema@.channel AS c ON c.tenant = e.tenant AND c.number = e.channel
WHERE (e.tenant, e.seq) > ($1::bigint, $2::bigint)
ORDER BY e.tenant, e.seq LIMIT $3::bigint;

-- How many events there are; their numbers have no gaps.
-- name: bulk_events_total
SELECT coalesce(sum(last.seq - first.seq + 1), 0)::bigint
FROM @schema@.tenant AS t
CROSS JOIN LATERAL
  (SELECT seq FROM @schema@.event WHERE tenant = t.number ORDER BY seq LIMIT 1) AS first
CROSS JOIN LATERAL
  (SELECT seq FROM @schema@.event WHERE tenant = t.number ORDER BY seq DESC LIMIT 1) AS last;

-- Kept answers behind a time, a tenant and a key: a store that keeps them by age gets them so.
-- name: bulk_replays
WITH page AS MATERIALIZED (
  SELECT x.at, x.tenant, x.key
  FROM (
    SELECT i.*, sum(bytes) OVER (ORDER BY at, tenant, key) - bytes AS before
    FROM (
      SELECT at, tenant, key, octet_length(body) AS bytes FROM @schema@.replay
      WHERE (at, tenant, key) > ($1::bigint, $2::bigint, coalesce($3::text, ''))
      ORDER BY at, tenant, key LIMIT $4::bigint
    ) AS i
  ) AS x
  WHERE x.before < $5::bigint
)
SELECT r.tenant, r.key, r.at, r.status, r.fingerprint, r.task, r.revision, r.body
FROM page AS p JOIN @schema@.replay AS r ON r.tenant = p.tenant AND r.key = p.key
ORDER BY p.at, p.tenant, p.key;

-- Tenants, in the place of the one that each store begins with.
-- name: bulk_tenants_put
INSERT INTO @schema@.tenant (number, name) SELECT * FROM unnest($1::bigint[], $2::text[])
ON CONFLICT (number) DO UPDATE SET name = excluded.name;

-- Events with the numbers that they have.
-- name: bulk_events_put
INSERT INTO @schema@.event (tenant, seq, at, task, channel, attempt, kind, progress, actor, worker,
  note, text, queue, type)
SELECT u.tenant, u.seq, u.at, u.task, nullif(u.channel, 0), u.attempt, u.kind, u.progress, u.actor,
  u.worker, u.note, u.text, u.queue, u.type
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bigint[],
  $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
  $14::text[])
  AS u(tenant, seq, at, task, channel, attempt, kind, progress, actor, worker, note, text, queue,
    type);
