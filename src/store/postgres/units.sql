-- units.sql: the statements of the shared store for units of work, by name. tools/embed_sql.c makes
-- a table of them.
--
-- A word between @ signs stands for a list made from store/task.def or model/task_status.def, or
-- for the schema's name, see expand.c. Many rows go in one statement: as one array of rows where
-- they have many columns, else as one array a column.

-- --- transactions ---

-- Opens a unit. The level is said because a database may have another one for its default.
-- name: begin
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;

-- The moment at which everything in a unit becomes durable.
-- name: commit
COMMIT;

-- Ends a unit that changes nothing.
-- name: rollback
ROLLBACK;

-- By which the outcome can be asked for when the connection is lost during the commit.
-- name: xid
SELECT pg_current_xact_id()::text::bigint;

-- The outcome: committed, aborted, in progress; NULL when it is too long ago.
-- name: xid_status
SELECT pg_xact_status($1::bigint::text::xid8);

-- Proof of a commit: a crash may lose an aborted transaction's number, and give it out again.
-- name: unit_insert
INSERT INTO @schema@.unit (token, at) VALUES ($1::bigint, $2::bigint);

-- Whether the unit with this proof was committed.
-- name: unit_known
SELECT 1 FROM @schema@.unit WHERE token = $1::bigint;

-- Whether the server takes writes.
-- name: probe
SELECT pg_is_in_recovery();

-- The numbers of the types of rows, and of their columns.
-- name: row_shapes
SELECT t.oid, c.relnatts FROM unnest($1::text[]) WITH ORDINALITY AS u(name, nr)
JOIN pg_catalog.pg_type AS t
  ON t.typname = u.name AND t.typnamespace = '@schema@'::regnamespace
JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
ORDER BY u.nr;

-- --- load ---

-- The lock of whoever changes the catalogue, and its version.
-- name: catalogue_lock
SELECT value FROM @schema@.meta WHERE name = 'catalogue' FOR UPDATE;

-- Tasks that orders name and that have not ended. Locked in the order of their keys, so that units
-- wait for each other and never in a circle.
-- Each is looked up by its key, one after the other: a plan that was made while a table was empty
-- would walk all of it for ever.
-- name: load_live
SELECT u.nr, l.ctid, l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@,
  CASE WHEN u.parts & 1 <> 0 THEN t.payload END, NULL::text
FROM (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[])
    AS x(nr, tenant, id, parts)
  ORDER BY x.tenant, x.id
) AS u
CROSS JOIN LATERAL (
  SELECT ctid, * FROM @schema@.live AS k WHERE k.tenant = u.tenant AND k.id = u.id
  FOR NO KEY UPDATE
) AS l
CROSS JOIN LATERAL (
  SELECT * FROM @schema@.task AS k WHERE k.tenant = l.tenant AND k.id = l.id OFFSET 0
) AS t;

-- The same for those that have ended.
-- name: load_done
SELECT u.nr, l.ctid, l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@,
  CASE WHEN u.parts & 1 <> 0 THEN t.payload END,
  CASE WHEN u.parts & 2 <> 0 THEN l.result END
FROM (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[])
    AS x(nr, tenant, id, parts)
  ORDER BY x.tenant, x.id
) AS u
CROSS JOIN LATERAL (
  SELECT ctid, * FROM @schema@.done AS k WHERE k.tenant = u.tenant AND k.id = u.id
  FOR NO KEY UPDATE
) AS l
CROSS JOIN LATERAL (
  SELECT * FROM @schema@.task AS k WHERE k.tenant = l.tenant AND k.id = l.id OFFSET 0
) AS t;

-- Tasks that hold a unique key and have not ended. They are only shown, never changed by this way.
-- name: load_unique_live
SELECT u.nr, l.ctid, l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS u(nr, tenant, key)
CROSS JOIN LATERAL (
  SELECT * FROM @schema@.task AS k WHERE k.tenant = u.tenant AND k.unique_key = u.key OFFSET 0
) AS t
JOIN @schema@.live AS l ON l.tenant = t.tenant AND l.id = t.id;

-- The same for those that have ended.
-- name: load_unique_done
SELECT u.nr, l.ctid, l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS u(nr, tenant, key)
CROSS JOIN LATERAL (
  SELECT * FROM @schema@.task AS k WHERE k.tenant = u.tenant AND k.unique_key = u.key OFFSET 0
) AS t
JOIN @schema@.done AS l ON l.tenant = t.tenant AND l.id = t.id;

-- Kept answers to requests that came before.
-- name: load_replays
SELECT u.nr, r.at, r.status, r.fingerprint, r.task, r.revision, r.body
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS u(nr, tenant, key)
JOIN @schema@.replay AS r ON r.tenant = u.tenant AND r.key = u.key;

-- The highest number of a channel: one above those known here was made by another process.
-- name: channel_highest
SELECT coalesce(max(number), 0)::bigint FROM @schema@.channel;

-- Ready tasks for several claims, best first for each. A claim says how many candidates it reaches
-- for, how many tasks it takes, and from what length on a payload is not sent here but its length
-- alone: see pick.c. Candidates come from stretches of the index, those of one step merged, step by
-- step until they are enough. They are locked and read by their places, one after the other, until
-- the claim has what it takes; those that other units hold are passed over, for which there is
-- room.
-- Nothing is sorted but the candidates of a step: a nested loop keeps the order of what it begins
-- with, and each part here needs what stands before it, so that no other plan is possible.
-- name: pick
SELECT p.nr, x.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS p(nr, tenant, reach, amount, long)
CROSS JOIN LATERAL (
  SELECT l.ctid, l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@,
    CASE WHEN octet_length(t.payload) <= p.long THEN t.payload END AS payload,
    octet_length(t.payload)::bigint AS payload_bytes
  FROM (
    SELECT y.place, y.id FROM generate_series(0, $12::bigint) AS s(step)
    CROSS JOIN LATERAL (
      SELECT w.place, w.id
      FROM unnest($6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::uuid[],
        $11::bigint[]) AS c(pick, step, channel, rank, id, rank_end)
      CROSS JOIN LATERAL (
        SELECT r.ctid AS place, -r.priority AS rank, r.id FROM @schema@.live AS r
        WHERE r.tenant = p.tenant AND r.channel = c.channel::integer AND r.waiting = 1
          AND (-r.priority, r.id) >=
            (c.rank::integer, coalesce(c.id, '00000000-0000-0000-0000-000000000000'::uuid))
          AND -r.priority <= c.rank_end::integer
        ORDER BY -r.priority, r.id LIMIT p.reach
      ) AS w
      WHERE c.pick = p.nr AND c.step = s.step
      ORDER BY w.rank, w.id LIMIT p.reach
    ) AS y
    LIMIT p.reach
  ) AS b
  CROSS JOIN LATERAL (
    SELECT k.ctid, k.* FROM @schema@.live AS k
    WHERE k.ctid = b.place AND k.id IS NOT DISTINCT FROM b.id AND k.waiting + 0 = 1
    FOR NO KEY UPDATE SKIP LOCKED
  ) AS l
  CROSS JOIN LATERAL (
    SELECT * FROM @schema@.task AS k WHERE k.tenant = l.tenant AND k.id = l.id OFFSET 0
  ) AS t
  LIMIT p.amount
) AS x;

-- Whether any of these stretches has a ready task, whoever holds it.
-- name: pick_any
SELECT EXISTS (
  SELECT 1 FROM unnest($2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[])
    AS c(channel, rank, id, rank_end)
  CROSS JOIN LATERAL (
    SELECT 1 FROM @schema@.live AS r
    WHERE r.tenant = $1::bigint AND r.channel = c.channel::integer AND r.waiting = 1
      AND (-r.priority, r.id) >=
        (c.rank::integer, coalesce(c.id, '00000000-0000-0000-0000-000000000000'::uuid))
      AND -r.priority <= c.rank_end::integer
    ORDER BY -r.priority, r.id LIMIT 1
  ) AS x
);

-- One payload that was too long to come with its pick.
-- name: payload_read
SELECT payload FROM @schema@.task WHERE tenant = $1::bigint AND id = $2::uuid;

-- Tasks whose time has come, earliest first. There are none before the floor.
-- name: load_due
SELECT l.ctid, l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@
FROM @schema@.live AS l
JOIN @schema@.task AS t ON t.tenant = l.tenant AND t.id = l.id
WHERE l.wake_at > 0 AND l.wake_at > $1::bigint AND l.wake_at <= $2::bigint
ORDER BY l.wake_at LIMIT $3::bigint
FOR NO KEY UPDATE OF l SKIP LOCKED;

-- Tasks that have ended, the earliest end first, of several wants; each says how many it takes.
-- They come from sections of the index, those of one want merged. What other units hold is passed
-- over. Each walk begins where an earlier one has removed all before: what it left there are dead
-- entries, until a vacuum.
-- name: load_ended
SELECT w.nr, x.*
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $9::bigint[])
  AS w(nr, tenant, before, amount, after)
CROSS JOIN LATERAL (
  SELECT l.ctid, l.tenant, l.id, l.channel, @state_columns l@, @input_columns t@
  FROM (
    SELECT e.place, e.id
    FROM unnest($5::bigint[], $6::bigint[], $7::bigint[]) AS c(want, channel, status)
    CROSS JOIN LATERAL (
      SELECT d.ctid AS place, d.id, d.completed_at FROM @schema@.done AS d
      WHERE d.tenant = w.tenant AND d.channel = c.channel::integer
        AND d.status = c.status::smallint
        AND d.completed_at >= w.after AND d.completed_at <= w.before
      ORDER BY d.completed_at LIMIT w.amount
    ) AS e
    WHERE c.want = w.nr
    ORDER BY e.completed_at, e.id LIMIT w.amount
  ) AS b
  CROSS JOIN LATERAL (
    SELECT k.ctid, k.* FROM @schema@.done AS k
    WHERE k.ctid = b.place AND k.id IS NOT DISTINCT FROM b.id
    FOR NO KEY UPDATE SKIP LOCKED
  ) AS l
  CROSS JOIN LATERAL (
    SELECT * FROM @schema@.task AS k WHERE k.tenant = l.tenant AND k.id = l.id OFFSET 0
  ) AS t
) AS x
LIMIT $8::bigint;

-- For each want, when the first one behind its time ended.
-- name: load_ended_next
SELECT c.want, min(e.completed_at)::bigint
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS c(want, channel, status, tenant, before)
CROSS JOIN LATERAL (
  SELECT d.completed_at FROM @schema@.done AS d
  WHERE d.tenant = c.tenant AND d.channel = c.channel::integer AND d.status = c.status::smallint
    AND d.completed_at > c.before
  ORDER BY d.completed_at LIMIT 1
) AS e
GROUP BY c.want;

-- How many tasks of all channels are in which status: what was summed up, and what moved since.
-- name: load_tallies
SELECT m.channel, sum(m.ready)::bigint, sum(m.pending)::bigint, sum(m.running)::bigint,
  sum(m.completed)::bigint, sum(m.failed)::bigint, sum(m.cancelled)::bigint,
  sum(m.abandoned)::bigint
FROM (
  SELECT channel, ready, @status_columns@ FROM @schema@.tally
  UNION ALL
  SELECT channel, ready, @status_columns@ FROM @schema@.tally_move
) AS m
GROUP BY m.channel;

-- Who has the cleanup and until when, unless another unit is at that.
-- name: cleanup_lock
SELECT value, coalesce(text, '0')::bigint FROM @schema@.meta WHERE name = 'cleanup'
FOR UPDATE SKIP LOCKED;

-- When the sweep must look next.
-- name: wake_next
SELECT coalesce(min(wake_at), 0) FROM @schema@.live WHERE wake_at > 0 AND wake_at > $1::bigint;

-- --- apply ---

-- What never changes of new tasks. A unique key that is taken fails it.
-- name: task_insert
INSERT INTO @schema@.task (tenant, id, channel, payload, @input_columns@)
SELECT u.tenant, u.id, u.channel, u.payload, @input_columns u@
FROM unnest($1::@schema@.input_row[]) AS u;

-- The state of tasks that are new, or were sent back to work.
-- name: live_insert
INSERT INTO @schema@.live (tenant, id, channel, @state_columns@)
SELECT u.tenant, u.id, u.channel, @state_columns u@ FROM unnest($1::@schema@.state_row[]) AS u;

-- The state of tasks that ended.
-- name: done_insert
INSERT INTO @schema@.done (tenant, id, channel, result, @state_columns@)
SELECT u.tenant, u.id, u.channel, u.result, @state_columns u@
FROM unnest($1::@schema@.state_row[]) AS u;

-- What a change makes of tasks, if they still are what was read; else it fails, by a division.
-- These four go by the place at which the unit found a row and locked it: nothing is looked up a
-- second time, and no plan, however old, can turn into a walk of the table. IS NOT DISTINCT keeps
-- the planner from the key's index.
-- name: live_update
WITH changed AS (
  UPDATE @schema@.live AS l SET @state_sets u@
  FROM unnest($1::@schema@.state_row[]) AS u
  WHERE l.ctid = u.place AND l.id IS NOT DISTINCT FROM u.id
    AND l.tenant IS NOT DISTINCT FROM u.tenant AND l.revision = u.was
  RETURNING 1
)
SELECT 1 / (count(*) = cardinality($1::@schema@.state_row[]))::integer FROM changed;

-- The same for tasks that had ended and still have; with their result, if it is a new one.
-- name: done_update
WITH changed AS (
  UPDATE @schema@.done AS l SET @state_sets u@,
    result = CASE WHEN u.renewed <> 0 THEN u.result ELSE l.result END
  FROM unnest($1::@schema@.state_row[]) AS u
  WHERE l.ctid = u.place AND l.id IS NOT DISTINCT FROM u.id
    AND l.tenant IS NOT DISTINCT FROM u.tenant AND l.revision = u.was
  RETURNING 1
)
SELECT 1 / (count(*) = cardinality($1::@schema@.state_row[]))::integer FROM changed;

-- Tasks that ended, or go altogether.
-- name: live_delete
WITH changed AS (
  DELETE FROM @schema@.live AS l
  USING unnest($1::bigint[], $2::uuid[], $3::tid[], $4::bigint[]) AS u(tenant, id, place, was)
  WHERE l.ctid = u.place AND l.id IS NOT DISTINCT FROM u.id
    AND l.tenant IS NOT DISTINCT FROM u.tenant AND l.revision = u.was
  RETURNING 1
)
SELECT 1 / (count(*) = cardinality($1::bigint[]))::integer FROM changed;

-- Tasks that are sent back to work, or go altogether.
-- name: done_delete
WITH changed AS (
  DELETE FROM @schema@.done AS l
  USING unnest($1::bigint[], $2::uuid[], $3::tid[], $4::bigint[]) AS u(tenant, id, place, was)
  WHERE l.ctid = u.place AND l.id IS NOT DISTINCT FROM u.id
    AND l.tenant IS NOT DISTINCT FROM u.tenant AND l.revision = u.was
  RETURNING 1
)
SELECT 1 / (count(*) = cardinality($1::bigint[]))::integer FROM changed;

-- What is left of tasks that go. Their events stay.
-- name: task_delete
DELETE FROM @schema@.task AS t USING unnest($1::bigint[], $2::uuid[]) AS u(tenant, id)
WHERE t.tenant = u.tenant AND t.id = u.id;

-- Who has the cleanup from now on.
-- name: cleanup_set
UPDATE @schema@.meta SET value = $1::bigint, text = ($2::bigint)::text WHERE name = 'cleanup';

-- New lines of tasks' logs.
-- name: log_insert
INSERT INTO @schema@.log (tenant, task, number, at, text)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[]);

-- The oldest lines of tasks' logs.
-- name: log_drop
DELETE FROM @schema@.log AS l
USING unnest($1::bigint[], $2::uuid[], $3::bigint[]) AS u(tenant, task, through)
WHERE l.tenant = u.tenant AND l.task = u.task AND l.number <= u.through;

-- Answers to keep. A key that another unit used meanwhile fails it.
-- name: replay_insert
INSERT INTO @schema@.replay (tenant, key, at, status, fingerprint, task, revision, body)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::uuid[],
                     $7::bigint[], $8::text[]);

-- Answers in the place of earlier ones of the same requests.
-- name: replay_replace
INSERT INTO @schema@.replay (tenant, key, at, status, fingerprint, task, revision, body)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::uuid[],
                     $7::bigint[], $8::text[])
ON CONFLICT (tenant, key) DO UPDATE SET at = excluded.at, status = excluded.status,
  fingerprint = excluded.fingerprint, task = excluded.task, revision = excluded.revision,
  body = excluded.body;

-- Some of the kept answers that are too old.
-- name: replay_drop
DELETE FROM @schema@.replay WHERE (tenant, key) IN (
  SELECT tenant, key FROM @schema@.replay WHERE at < $1::bigint ORDER BY at LIMIT 500
  FOR UPDATE SKIP LOCKED
);

-- What a unit moved from status to status. Rows are only added, so that units do not wait for each
-- other; upkeep sums them up.
-- name: tally_insert
INSERT INTO @schema@.tally_move (tenant, channel, ready, @status_columns@)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
  $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]);

-- Held to the end of the unit by whoever numbers events of a tenant.
-- name: event_lock
SELECT pg_advisory_xact_lock($1::bigint);

-- Events of one tenant, numbered on from its newest.
-- name: event_insert
WITH newest AS MATERIALIZED (
  SELECT coalesce(max(seq), 0) AS seq FROM @schema@.event WHERE tenant = $1::bigint
), added AS (
  INSERT INTO @schema@.event (tenant, seq, at, task, channel, attempt, kind, progress, actor,
    worker, note, text, queue, type)
  SELECT $1::bigint, newest.seq + u.n, u.at, u.task, u.channel, u.attempt, u.kind, u.progress,
    u.actor, u.worker, u.note, u.text, u.queue, u.type
  FROM newest, unnest($2::@schema@.event_row[]) AS u
)
SELECT seq FROM newest;

-- --- channels ---

-- Held while a channel is made, so that the numbers rise in the order of commits.
-- name: channel_lock
SELECT pg_advisory_xact_lock($1::bigint);

-- Channels that are not there yet, as many of them as there may be.
-- name: channel_insert
WITH base AS MATERIALIZED (
  SELECT coalesce(max(number), 0) AS highest, count(*) AS count FROM @schema@.channel
), fresh AS (
  SELECT u.tenant, u.queue, u.type, row_number() OVER () AS n
  FROM (
    SELECT DISTINCT * FROM unnest($1::bigint[], $2::text[], $3::text[]) AS x(tenant, queue, type)
  ) AS u
  WHERE NOT EXISTS (
    SELECT 1 FROM @schema@.channel AS c
    WHERE c.tenant = u.tenant AND c.queue = u.queue AND c.type = u.type
  )
)
INSERT INTO @schema@.channel (tenant, number, queue, type)
SELECT fresh.tenant, base.highest + fresh.n, fresh.queue, fresh.type FROM fresh, base
WHERE base.count + fresh.n <= $4::bigint;
