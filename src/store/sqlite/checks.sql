-- checks.sql: what must hold in a store at every commit; `taskyard check` runs all of it.
--
-- Each statement gives one row: the invariant (numbers as in the promises), how many rows break it,
-- and one of them.

-- The pages, trees and indexes of the file, uniqueness of keys included.
-- name: file
SELECT 'the file is whole, and its indexes agree with its tables', count(*), min(integrity_check)
FROM pragma_integrity_check(100) WHERE integrity_check <> 'ok';

-- The counts kept per channel are what claims, /queues and /tasks/stats go by.
-- name: tallies
WITH real AS (
  SELECT channel, count(*) AS total, sum(status = 0) AS pending, sum(status = 1) AS running,
    sum(status = 2) AS completed, sum(status = 3) AS failed, sum(status = 4) AS cancelled,
    sum(status = 5) AS abandoned, sum(waiting = 1) AS ready
  FROM task GROUP BY channel)
SELECT 'tallies equal what they count', count(*), min('queue ' || c.queue || ', type ' || c.type)
FROM channel AS c LEFT JOIN real AS r ON r.channel = c.number
WHERE c.pending <> ifnull(r.pending, 0) OR c.running <> ifnull(r.running, 0)
  OR c.completed <> ifnull(r.completed, 0) OR c.failed <> ifnull(r.failed, 0)
  OR c.cancelled <> ifnull(r.cancelled, 0) OR c.abandoned <> ifnull(r.abandoned, 0)
  OR c.ready <> ifnull(r.ready, 0);

-- A task is its tenant's through its channel too.
-- name: channels
SELECT 'I22 each task is in a channel of its own tenant', count(*), min(id_text(t.key, t.salt))
FROM task AS t LEFT JOIN channel AS c ON c.number = t.channel
WHERE c.number IS NULL OR c.tenant <> t.tenant;

-- Two channels of one triple would each hold half of the tasks.
-- name: channel_names
SELECT 'each queue and type has one channel', count(*), min('type ' || type) FROM (
  SELECT type FROM channel GROUP BY tenant, queue, type HAVING count(*) > 1);

-- The words of the lifecycle.
-- name: statuses
SELECT 'I7 each task has one known status', count(*), min(id_text(key, salt)) FROM task
WHERE status NOT BETWEEN 0 AND 5 OR waiting NOT BETWEEN 0 AND 4;

-- Pending says why, and only pending does.
-- name: waiting
SELECT 'I7 a task waits for something exactly while it is pending', count(*),
  min(id_text(key, salt))
FROM task WHERE (status = 0) <> (waiting <> 0);

-- A task that waits for time must be found by the sweep.
-- name: wakes
SELECT 'I7 a task that waits for time has a time', count(*), min(id_text(key, salt)) FROM task
WHERE waiting IN (3, 4) AND wake_at = 0;

-- The lease of a running task, and the timer that ends it.
-- name: leases
SELECT 'I8 a running task has a lease, and the lease an end', count(*), min(id_text(key, salt))
FROM task WHERE status = 1 AND (lease = 0 OR lease_expires_at = 0 OR wake_at = 0 OR attempt = 0);

-- No lease stays behind on a task that is not running. One that has ended keeps the token of the
-- attempt that ended it, so that a repeated completion is known.
-- name: leases_gone
SELECT 'I8 a task that is not running has no lease', count(*), min(id_text(key, salt))
FROM task WHERE status <> 1
  AND (lease_expires_at <> 0 OR cancel_requested_at <> 0 OR (status = 0 AND lease <> 0));

-- Attempts are counted when they begin.
-- name: attempts
SELECT 'I10 no task has had more attempts than it may', count(*), min(id_text(key, salt)) FROM task
WHERE attempt > attempts_max OR attempt < 0;

-- The end of a task has a time, and nothing is due after it.
-- name: ends
SELECT 'I7 a task has an end exactly in a final status, and then no timer', count(*),
  min(id_text(key, salt))
FROM task WHERE (status >= 2) <> (completed_at <> 0) OR (status >= 2 AND wake_at <> 0);

-- The newest event that a task names is one of its own.
-- name: event_heads
SELECT 'I16 the newest event of each task is there', count(*), min(id_text(t.key, t.salt))
FROM task AS t LEFT JOIN event AS e ON e.id = t.tenant << 40 | t.event_last
WHERE e.id IS NULL OR e.task <> t.key OR e.salt <> t.salt;

-- Each event names the same task's event before it.
-- name: event_chains
SELECT 'I16 the events of a task form one chain', count(*), min('event ' || (e.id & 0xffffffffff))
FROM event AS e LEFT JOIN event AS p ON p.id = (e.id >> 40) << 40 | e.previous
WHERE e.previous <> 0 AND (p.id IS NULL OR p.id >= e.id OR p.task <> e.task OR p.salt <> e.salt);

-- A feed that skips a number would hide a change from whoever follows it.
-- name: event_numbers
SELECT 'I16 the events of a tenant are numbered without a gap', count(*), min('tenant ' || tenant)
FROM (SELECT id >> 40 AS tenant FROM event GROUP BY id >> 40
  HAVING max(id) - min(id) + 1 <> count(*));

-- What hangs on a task goes with it.
-- name: orphans
SELECT 'I11 no payload, result or log line is without its task', count(*), min('key ' || task)
FROM (
  SELECT task FROM payload WHERE task NOT IN (SELECT key FROM task)
  UNION ALL SELECT task FROM result WHERE task NOT IN (SELECT key FROM task)
  UNION ALL SELECT task FROM log WHERE task NOT IN (SELECT key FROM task));

-- A task counts its own log lines.
-- name: log_numbers
SELECT 'a task has counted each of its log lines', count(*), min(id_text(t.key, t.salt))
FROM (SELECT task, max(number) AS number FROM log GROUP BY task) AS l
JOIN task AS t ON t.key = l.task
WHERE l.number > t.log_lines;
