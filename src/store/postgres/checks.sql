-- checks.sql: what must hold in a store at every commit; `taskyard check` runs all of it.
--
-- Each statement gives one row: the invariant (numbers as in the promises), how many rows break it,
-- and one of them. A word between @ signs stands for the schema's name.

-- A task that has not ended is in `live`, one that has is in `done`.
-- name: places
SELECT 'I7 the state of each task is in exactly one place', count(*), min(x.id::text)
FROM (
  SELECT t.id FROM @schema@.task AS t
  LEFT JOIN @schema@.live AS l ON l.tenant = t.tenant AND l.id = t.id
  LEFT JOIN @schema@.done AS d ON d.tenant = t.tenant AND d.id = t.id
  WHERE (l.id IS NULL) = (d.id IS NULL)
) AS x;

-- What hangs on a task goes with it.
-- name: orphans
SELECT 'I11 no state, result or log line is without its task', count(*), min(x.id::text)
FROM (
  SELECT l.id FROM @schema@.live AS l WHERE NOT EXISTS (
    SELECT 1 FROM @schema@.task AS t WHERE t.tenant = l.tenant AND t.id = l.id)
  UNION ALL
  SELECT d.id FROM @schema@.done AS d WHERE NOT EXISTS (
    SELECT 1 FROM @schema@.task AS t WHERE t.tenant = d.tenant AND t.id = d.id)
  UNION ALL
  SELECT g.task FROM @schema@.log AS g WHERE NOT EXISTS (
    SELECT 1 FROM @schema@.task AS t WHERE t.tenant = g.tenant AND t.id = g.task)
) AS x;

-- The counts kept per channel are what /queues, /tasks/stats and lists go by: what was summed up,
-- and what moved since.
-- name: tallies
WITH kept AS (
  SELECT m.tenant, m.channel, sum(m.ready) AS ready, sum(m.pending) AS pending,
    sum(m.running) AS running, sum(m.completed) AS completed, sum(m.failed) AS failed,
    sum(m.cancelled) AS cancelled, sum(m.abandoned) AS abandoned
  FROM (
    SELECT tenant, channel, ready, @status_columns@ FROM @schema@.tally
    UNION ALL
    SELECT tenant, channel, ready, @status_columns@ FROM @schema@.tally_move
  ) AS m
  GROUP BY m.tenant, m.channel
), counted AS (
  SELECT s.tenant, s.channel, count(*) FILTER (WHERE s.waiting = 1) AS ready,
    count(*) FILTER (WHERE s.status = 0) AS pending,
    count(*) FILTER (WHERE s.status = 1) AS running,
    count(*) FILTER (WHERE s.status = 2) AS completed,
    count(*) FILTER (WHERE s.status = 3) AS failed,
    count(*) FILTER (WHERE s.status = 4) AS cancelled,
    count(*) FILTER (WHERE s.status = 5) AS abandoned
  FROM (
    SELECT tenant, channel, status, waiting FROM @schema@.live
    UNION ALL
    SELECT tenant, channel, status, waiting FROM @schema@.done
  ) AS s
  GROUP BY s.tenant, s.channel
)
SELECT 'tallies equal what they count', count(*),
  min('channel ' || coalesce(k.channel, n.channel)
    || coalesce(' (queue ' || c.queue || ', type ' || c.type || ')', ''))
FROM kept AS k
FULL JOIN counted AS n ON n.tenant = k.tenant AND n.channel = k.channel
LEFT JOIN @schema@.channel AS c
  ON c.tenant = coalesce(k.tenant, n.tenant) AND c.number = coalesce(k.channel, n.channel)
WHERE coalesce(k.ready, 0) <> coalesce(n.ready, 0)
  OR coalesce(k.pending, 0) <> coalesce(n.pending, 0)
  OR coalesce(k.running, 0) <> coalesce(n.running, 0)
  OR coalesce(k.completed, 0) <> coalesce(n.completed, 0)
  OR coalesce(k.failed, 0) <> coalesce(n.failed, 0)
  OR coalesce(k.cancelled, 0) <> coalesce(n.cancelled, 0)
  OR coalesce(k.abandoned, 0) <> coalesce(n.abandoned, 0);

-- A task is its tenant's through its channel too, and so are its state and its events.
-- name: channels
SELECT 'I22 each task is in one channel, of its own tenant', count(*), min(x.id::text)
FROM (
  SELECT t.id FROM @schema@.task AS t WHERE NOT EXISTS (
    SELECT 1 FROM @schema@.channel AS c WHERE c.tenant = t.tenant AND c.number = t.channel)
  UNION ALL
  SELECT l.id FROM @schema@.live AS l
  JOIN @schema@.task AS t ON t.tenant = l.tenant AND t.id = l.id WHERE t.channel <> l.channel
  UNION ALL
  SELECT d.id FROM @schema@.done AS d
  JOIN @schema@.task AS t ON t.tenant = d.tenant AND t.id = d.id WHERE t.channel <> d.channel
  UNION ALL
  SELECT e.task FROM @schema@.event AS e WHERE e.channel IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM @schema@.channel AS c WHERE c.tenant = e.tenant AND c.number = e.channel)
) AS x;

-- Each process keeps channels by their numbers, and two channels of one triple would each hold half
-- of the tasks. The indexes are passed by: they go wrong when the system sorts texts another way.
-- name: channel_names
SELECT 'each queue and type has one channel, and the channel its own number', count(*),
  min('type ' || x.type)
FROM (
  SELECT min(type) AS type FROM @schema@.channel
  GROUP BY tenant, queue COLLATE "C", type COLLATE "C" HAVING count(*) > 1
  UNION ALL
  SELECT min(type) FROM @schema@.channel GROUP BY number HAVING count(*) > 1
) AS x;

-- What a producer relies on to make a task once.
-- name: unique_keys
SELECT 'I12 at most one task of a tenant has a unique key', count(*), min('key ' || x.unique_key)
FROM (
  SELECT min(unique_key) AS unique_key FROM @schema@.task WHERE unique_key IS NOT NULL
  GROUP BY tenant, unique_key COLLATE "C" HAVING count(*) > 1
) AS x;

-- The words of the lifecycle; which table a status may stand in.
-- name: statuses
SELECT 'I7 each task has one known status, final exactly where it has ended', count(*),
  min(x.id::text)
FROM (
  SELECT id FROM @schema@.live WHERE status NOT BETWEEN 0 AND 1 OR waiting NOT BETWEEN 0 AND 4
  UNION ALL
  SELECT id FROM @schema@.done WHERE status NOT BETWEEN 2 AND 5 OR waiting <> 0
) AS x;

-- Pending says why, and only pending does.
-- name: waiting
SELECT 'I7 a task waits for something exactly while it is pending', count(*), min(id::text)
FROM @schema@.live WHERE (status = 0) <> (waiting <> 0);

-- A task that waits for time must be found by the sweep.
-- name: wakes
SELECT 'I7 a task that waits for time has a time', count(*), min(id::text)
FROM @schema@.live WHERE waiting IN (3, 4) AND coalesce(wake_at, 0) <= 0;

-- The lease of a running task, and the timer that ends it.
-- name: leases
SELECT 'I8 a running task has a lease, and the lease an end', count(*), min(id::text)
FROM @schema@.live
WHERE status = 1 AND (0 IN (coalesce(lease, 0), coalesce(lease_expires_at, 0), attempt)
  OR coalesce(wake_at, 0) <= 0);

-- No lease stays behind on a task that is not running. One that has ended keeps the token of the
-- attempt that ended it, so that a repeated completion is known.
-- name: leases_gone
SELECT 'I8 a task that is not running has no lease', count(*), min(x.id::text)
FROM (
  SELECT id FROM @schema@.live
  WHERE status <> 1 AND (lease <> 0 OR lease_expires_at <> 0 OR cancel_requested_at <> 0)
  UNION ALL
  SELECT id FROM @schema@.done WHERE lease_expires_at <> 0 OR cancel_requested_at <> 0
) AS x;

-- Attempts are counted when they begin.
-- name: attempts
SELECT 'I10 no task has had more attempts than it may', count(*), min(x.id::text)
FROM (
  SELECT id FROM @schema@.live WHERE attempt > attempts_max OR attempt < 0
  UNION ALL
  SELECT id FROM @schema@.done WHERE attempt > attempts_max OR attempt < 0
) AS x;

-- The end of a task has a time, and nothing is due after it.
-- name: ends
SELECT 'I7 a task has an end exactly in a final status, and then no timer', count(*),
  min(x.id::text)
FROM (
  SELECT id FROM @schema@.live WHERE completed_at <> 0
  UNION ALL
  SELECT id FROM @schema@.done WHERE coalesce(completed_at, 0) = 0 OR wake_at <> 0
) AS x;

-- That a task was created is an event too.
-- name: event_heads
SELECT 'I16 each task has an event', count(*), min(t.id::text)
FROM @schema@.task AS t WHERE NOT EXISTS (
  SELECT 1 FROM @schema@.event AS e WHERE e.tenant = t.tenant AND e.task = t.id);

-- Numbers are given under a lock, one after the other; a feed that skips one would hide a change
-- from whoever follows it.
-- name: event_numbers
SELECT 'I16 the events of a tenant are numbered from 1 without a gap', count(*),
  min('tenant ' || x.tenant)
FROM (
  SELECT tenant FROM @schema@.event GROUP BY tenant
  HAVING min(seq) <> 1 OR max(seq) <> count(*)
) AS x;

-- A task counts its own log lines.
-- name: log_numbers
SELECT 'a task has counted each of its log lines', count(*), min(x.task::text)
FROM (
  SELECT g.tenant, g.task, max(g.number) AS number FROM @schema@.log AS g GROUP BY g.tenant, g.task
) AS x
JOIN (
  SELECT tenant, id, log_lines FROM @schema@.live
  UNION ALL
  SELECT tenant, id, log_lines FROM @schema@.done
) AS s ON s.tenant = x.tenant AND s.id = x.task
WHERE x.number > coalesce(s.log_lines, 0);

-- Its row is the lock of whoever changes the catalogue, and its value tells the others of it.
-- name: catalogue
SELECT 'the catalogue has a version', (count(*) <> 1)::integer, NULL::text
FROM @schema@.meta WHERE name = 'catalogue';

-- A key or a default of no tenant could not be seen by anybody.
-- name: tenants
SELECT 'I22 each key is of a known tenant', count(*), min('key ' || k.id)
FROM @schema@.api_key AS k WHERE NOT EXISTS (
  SELECT 1 FROM @schema@.tenant AS t WHERE t.number = k.tenant);
