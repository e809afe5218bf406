-- reads.sql: the statements of the shared store for what readers ask, by name. tools/embed_sql.c
-- makes a table of them. Lists are not here: filter.c makes their statements.
--
-- A word between @ signs stands for a list made from store/task.def or model/task_status.def, or
-- for the schema's name, see expand.c. Each question is one statement, so that all of its answer is
-- of one moment without a transaction.

-- A task, wherever its state is, with the parts that are asked for.
-- name: read_task
SELECT t.tenant, t.id, s.channel, @state_columns s@, @input_columns t@,
  CASE WHEN $3::bigint & 1 <> 0 THEN t.payload END,
  CASE WHEN $3::bigint & 2 <> 0 THEN s.result END
FROM @schema@.task AS t
CROSS JOIN LATERAL (
  SELECT l.channel, @state_columns l@, NULL::text AS result
  FROM @schema@.live AS l WHERE l.tenant = $1::bigint AND l.id = $2::uuid
  UNION ALL
  SELECT d.channel, @state_columns d@, d.result
  FROM @schema@.done AS d WHERE d.tenant = $1::bigint AND d.id = $2::uuid
) AS s
WHERE t.tenant = $1::bigint AND t.id = $2::uuid;

-- The newest id ever given, as far as it can be known, so that new ones are greater: a deleted task
-- may be named by its events only. Tenants are found one after the other, by the indexes.
-- name: read_last
WITH RECURSIVE t (tenant) AS (
  SELECT min(n.tenant) FROM @schema@.task AS n
  UNION ALL
  SELECT (SELECT min(n.tenant) FROM @schema@.task AS n WHERE n.tenant > t.tenant)
  FROM t WHERE t.tenant IS NOT NULL
), e (tenant) AS (
  SELECT min(n.tenant) FROM @schema@.event AS n
  UNION ALL
  SELECT (SELECT min(n.tenant) FROM @schema@.event AS n WHERE n.tenant > e.tenant)
  FROM e WHERE e.tenant IS NOT NULL
)
SELECT x.id FROM (
  SELECT (SELECT n.id FROM @schema@.task AS n WHERE n.tenant = t.tenant
    ORDER BY n.id DESC LIMIT 1) AS id
  FROM t
  UNION ALL
  SELECT (SELECT n.task FROM @schema@.event AS n WHERE n.tenant = e.tenant AND n.task IS NOT NULL
    ORDER BY n.task DESC LIMIT 1)
  FROM e
) AS x
WHERE x.id IS NOT NULL ORDER BY x.id DESC LIMIT 1;

-- The number of a tenant's newest event.
-- name: read_newest
SELECT coalesce(max(e.seq), 0) FROM @schema@.event AS e WHERE e.tenant = $1::bigint;

-- A tenant's events behind a number.
-- name: read_feed
SELECT e.seq, e.at, e.kind, e.task, e.attempt, e.progress, e.actor, e.worker, e.note, e.text,
  e.channel, e.queue, e.type
FROM @schema@.event AS e
WHERE e.tenant = $1::bigint AND e.seq > $2::bigint
ORDER BY e.seq LIMIT $3::bigint;

-- The same of one queue, one type or both.
-- name: read_feed_some
SELECT e.seq, e.at, e.kind, e.task, e.attempt, e.progress, e.actor, e.worker, e.note, e.text,
  e.channel, e.queue, e.type
FROM @schema@.event AS e
WHERE e.tenant = $1::bigint AND e.seq > $2::bigint
  AND CASE WHEN e.channel IS NULL
    THEN ($4::text IS NULL OR e.queue = $4::text) AND ($5::text IS NULL OR e.type = $5::text)
    ELSE e.channel IN (
      SELECT c.number FROM @schema@.channel AS c
      WHERE c.tenant = $1::bigint AND ($4::text IS NULL OR c.queue = $4::text)
        AND ($5::text IS NULL OR c.type = $5::text))
    END
ORDER BY e.seq LIMIT $3::bigint;

-- A task's events behind a number, also of a deleted task. No row: the tenant has no such task. A
-- row of NULLs: it has, but no such events.
-- name: read_chain
SELECT e.seq, e.at, e.kind, e.task, e.attempt, e.progress, e.actor, e.worker, e.note, e.text,
  e.channel, e.queue, e.type
FROM (
  SELECT 1
  WHERE EXISTS (SELECT 1 FROM @schema@.task AS t WHERE t.tenant = $1::bigint AND t.id = $4::uuid)
    OR EXISTS (
      SELECT 1 FROM @schema@.event AS n WHERE n.tenant = $1::bigint AND n.task = $4::uuid)
) AS known
LEFT JOIN LATERAL (
  SELECT * FROM @schema@.event AS n
  WHERE n.tenant = $1::bigint AND n.task = $4::uuid AND n.seq > $2::bigint
  ORDER BY n.seq LIMIT $3::bigint
) AS e ON true
ORDER BY e.seq;

-- A task's log behind a number. No row: the tenant has no such task. A row of NULLs: it has, but no
-- such lines.
-- name: read_log
SELECT l.number, l.at, l.text
FROM @schema@.task AS t
LEFT JOIN LATERAL (
  SELECT * FROM @schema@.log AS n
  WHERE n.tenant = $1::bigint AND n.task = $4::uuid AND n.number > $2::bigint
  ORDER BY n.number LIMIT $3::bigint
) AS l ON true
WHERE t.tenant = $1::bigint AND t.id = $4::uuid
ORDER BY l.number;

-- How many tasks of a tenant's channels are in which status: what was summed up, and what moved
-- since. All channels count, and no join is needed.
-- name: read_tallies
SELECT m.channel, sum(m.ready)::bigint, sum(m.pending)::bigint, sum(m.running)::bigint,
  sum(m.completed)::bigint, sum(m.failed)::bigint, sum(m.cancelled)::bigint,
  sum(m.abandoned)::bigint
FROM (
  SELECT number AS channel, 0 AS ready, 0 AS pending, 0 AS running, 0 AS completed, 0 AS failed,
    0 AS cancelled, 0 AS abandoned
  FROM @schema@.channel WHERE tenant = $1::bigint
  UNION ALL
  SELECT channel, ready, @status_columns@ FROM @schema@.tally WHERE tenant = $1::bigint
  UNION ALL
  SELECT channel, ready, @status_columns@ FROM @schema@.tally_move WHERE tenant = $1::bigint
) AS m
GROUP BY m.channel ORDER BY m.channel;
