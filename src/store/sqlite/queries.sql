-- queries.sql: the statements of the embedded store, by name. tools/embed_sql.c makes a table of
-- them.
--
-- A word between @ signs stands for a list made from store/task.def or model/task_status.def, see
-- conn.c. "OR ROLLBACK": the unit as a whole is rolled back on any error, and SQLite then need not
-- keep what would undo the one statement.

-- --- units of work ---

-- Opens a unit. It will write, so it takes the write lock at once.
-- name: begin
BEGIN IMMEDIATE;

-- Opens a reader's look at one moment.
-- name: begin_read
BEGIN;

-- Ends either; for a unit this is the moment at which everything in it becomes durable.
-- name: commit
COMMIT;

-- Ends a unit that changes nothing.
-- name: rollback
ROLLBACK;

-- Writes something that means nothing, to see whether writing works.
-- name: probe
UPDATE meta SET value = value + 1 WHERE name = 'probe';

-- --- tasks ---

-- A new task.
-- name: task_insert
INSERT OR ROLLBACK INTO task(key, salt, tenant, channel, result, event_last, @task_columns@)
VALUES (?, ?, ?, ?, ?, ?, @task_binds@);

-- What a change makes of a task, if it still is what was read.
-- name: task_update
UPDATE OR ROLLBACK task SET @task_sets@, event_last = ? WHERE key = ? AND revision = ?;

-- The same with a new result, or with none any more.
-- name: task_update_result
UPDATE OR ROLLBACK task SET @task_sets@, event_last = ?, result = ? WHERE key = ? AND revision = ?;

-- Removes a task, if it still is what was read.
-- name: task_delete
DELETE FROM task WHERE key = ? AND revision = ?;

-- A task that an order names.
-- name: task_by_id
SELECT key, salt, tenant, channel, @task_columns@, event_last
FROM task WHERE key = ? AND salt = ? AND tenant = ?;

-- A task whose key was found by a pick, which has seen to the tenant; with its payload.
-- name: task_by_key
SELECT key, salt, tenant, channel, @task_columns@, event_last,
  (SELECT body FROM payload WHERE task = key)
FROM task WHERE key = ?;

-- The task that holds a unique key.
-- name: task_by_unique
SELECT key, salt, tenant, channel, @task_columns@, event_last
FROM task WHERE tenant = ? AND unique_key = ?;

-- Tasks whose time has come, earliest first.
-- name: task_due
SELECT key, salt, tenant, channel, @task_columns@, event_last
FROM task INDEXED BY task_wake WHERE wake_at > 0 AND wake_at <= ? ORDER BY wake_at LIMIT ?;

-- When the sweep must look next.
-- name: task_wake_next
SELECT wake_at FROM task INDEXED BY task_wake WHERE wake_at > 0 ORDER BY wake_at LIMIT 1;

-- Tasks of one channel that ended in one way, the earliest end first. Of two conditions on a column
-- the first tells where the walk begins.
-- name: task_ended
SELECT key, completed_at FROM task INDEXED BY task_ended
WHERE channel = ? AND status = ? AND completed_at >= ? AND completed_at > 0 AND completed_at <= ?
ORDER BY completed_at, key LIMIT ?;

-- When the first one behind a time ended.
-- name: task_ended_next
SELECT completed_at FROM task INDEXED BY task_ended
WHERE channel = ? AND status = ? AND completed_at > ? AND completed_at > 0
ORDER BY completed_at LIMIT 1;

-- A task whose key was found so, without its payload.
-- name: task_ended_row
SELECT key, salt, tenant, channel, @task_columns@, event_last FROM task WHERE key = ?;

-- Ready tasks of one channel in claim order, behind a priority and a key.
-- name: task_ready
SELECT key, priority, 1, 0 FROM task INDEXED BY task_ready
WHERE channel = ?1 AND waiting = 1 AND priority <= ?2 AND (priority < ?2 OR key > ?3)
ORDER BY priority DESC, key;

-- The newest key ever given, so that new ones are greater.
-- name: task_last
SELECT max(key) FROM (SELECT max(key) AS key FROM task UNION ALL SELECT max(key) FROM removed);

-- A reader's task, with the names of its queue and type.
-- name: task_read
SELECT t.key, t.salt, t.tenant, t.channel, @task_columns_t@, c.queue, c.type
FROM task AS t JOIN channel AS c ON c.number = t.channel
WHERE t.key = ? AND t.salt = ? AND t.tenant = ?;

-- Salt, newest event and number of log lines of a task, to see whether a tenant has it.
-- name: task_head
SELECT event_last, log_lines FROM task WHERE key = ? AND salt = ? AND tenant = ?;

-- The head of a deleted task's chain of events; its log is gone.
-- name: removed_head
SELECT event_last, 0 FROM removed WHERE key = ? AND salt = ? AND tenant = ?;

-- What stays of a deleted task.
-- name: removed_insert
INSERT INTO removed(key, salt, tenant, event_last) VALUES (?, ?, ?, ?);

-- --- payloads and results ---

-- A payload is written once, with its task.
-- name: payload_insert
INSERT OR ROLLBACK INTO payload(task, body) VALUES (?, ?);

-- By whoever asks for it: claims, mostly.
-- name: payload_read
SELECT body FROM payload WHERE task = ?;

-- Goes with its task.
-- name: payload_delete
DELETE FROM payload WHERE task = ?;

-- A result too long for its task's row, in the place of any before.
-- name: result_put
INSERT OR REPLACE INTO result(task, body) VALUES (?, ?);

-- By whoever asks for it.
-- name: result_read
SELECT ifnull(result, (SELECT body FROM result WHERE task = key)) FROM task WHERE key = ?;

-- Goes with its task, or with the outcome that a retry by hand takes back.
-- name: result_delete
DELETE FROM result WHERE task = ?;

-- --- log ---

-- One line of a task's log.
-- name: log_insert
INSERT OR ROLLBACK INTO log(task, number, at, text) VALUES (?, ?, ?, ?);

-- Drops the oldest lines of a task.
-- name: log_drop
DELETE FROM log WHERE task = ? AND number <= ?;

-- Lines behind a number, oldest first.
-- name: log_read
SELECT number, at, text FROM log WHERE task = ? AND number > ? ORDER BY number LIMIT ?;

-- --- events ---

-- One event; the id holds tenant and number.
-- name: event_insert
INSERT OR ROLLBACK INTO event(id, kind, at, task, salt, previous, channel, attempt, progress,
  actor, worker, note, text, queue, type)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- The newest event between two ids: where a tenant's numbers go on, and where its feed ends.
-- name: event_last
SELECT max(id) FROM event WHERE id BETWEEN ? AND ?;

-- One step back along the chain of a task's events.
-- name: event_previous
SELECT previous FROM event WHERE id = ?;

-- The same, for an event that goes.
-- name: event_delete
DELETE FROM event WHERE id = ? RETURNING previous;

-- One event, found by walking its chain.
-- name: event_read
SELECT e.id, e.kind, e.at, e.task, e.salt, e.attempt, e.progress,
  e.actor, e.worker, e.note, e.text, ifnull(c.queue, e.queue), ifnull(c.type, e.type)
FROM event AS e LEFT JOIN channel AS c ON c.number = e.channel WHERE e.id = ?;

-- A tenant's events behind a number; queue and type may each be left open.
-- name: event_feed
SELECT e.id, e.kind, e.at, e.task, e.salt, e.attempt, e.progress,
  e.actor, e.worker, e.note, e.text, ifnull(c.queue, e.queue) AS q, ifnull(c.type, e.type) AS t
FROM event AS e LEFT JOIN channel AS c ON c.number = e.channel
WHERE e.id > ?1 AND e.id <= ?2 AND (?3 IS NULL OR q = ?3) AND (?4 IS NULL OR t = ?4)
ORDER BY e.id LIMIT ?5;

-- --- channels ---

-- A channel and its tally, new or changed.
-- name: channel_put
INSERT OR REPLACE INTO channel(number, tenant, queue, type, ready, @status_columns@)
VALUES (?, ?, ?, ?, ?, @status_binds@);

-- What a lane keeps in memory.
-- name: channel_all
SELECT number, tenant, queue, type, ready, @status_columns@ FROM channel ORDER BY number;

-- One tenant's channels, as a reader sees them.
-- name: channel_tallies
SELECT number, tenant, queue, type, ready, @status_columns@ FROM channel WHERE tenant = ?
ORDER BY number;

-- --- kept answers ---

-- The answer to a request that came with an Idempotency-Key, in the place of an earlier one.
-- name: replay_put
INSERT OR REPLACE INTO replay(tenant, key, at, status, fingerprint, task, salt, revision, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- The answer to the same request before.
-- name: replay_read
SELECT at, status, fingerprint, task, salt, revision, body FROM replay WHERE tenant = ? AND key = ?;

-- Numbers rise with time, so the oldest are at the front and no index on the time is needed.
-- name: replay_drop
DELETE FROM replay
WHERE number IN (SELECT number FROM replay ORDER BY number LIMIT ?2) AND at < ?1;

-- --- the catalogue ---

-- A queue that was paused or resumed.
-- name: queue_put
INSERT OR REPLACE INTO queue(tenant, name, paused) VALUES (?, ?, ?);

-- Read at start.
-- name: queue_all
SELECT tenant, name, paused FROM queue ORDER BY tenant, name;

-- The defaults of a type.
-- name: type_put
INSERT OR REPLACE INTO type(tenant, name, queue, description, priority, attempts_max, backoff_kind,
  backoff_delay_ms, backoff_max_ms, backoff_jitter, lease_ms, timeout_ms, keep_completed,
  keep_failed, keep_for_ms, keep_result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- Read at start.
-- name: type_all
SELECT tenant, name, queue, description, priority, attempts_max, backoff_kind, backoff_delay_ms,
  backoff_max_ms, backoff_jitter, lease_ms, timeout_ms, keep_completed, keep_failed, keep_for_ms,
  keep_result
FROM type ORDER BY tenant, name;

-- An API key, made, rotated or revoked.
-- name: key_put
INSERT OR REPLACE INTO api_key(id, tenant, name, roles, hash, created_at, revoked_at, expires_at,
  service, replaced_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- A key that made room for another one.
-- name: key_delete
DELETE FROM api_key WHERE id = ?;

-- Read at start.
-- name: key_all
SELECT id, tenant, name, roles, hash, created_at, revoked_at, expires_at, service, replaced_by
FROM api_key ORDER BY created_at, id;

-- A new tenant.
-- name: tenant_insert
INSERT OR ROLLBACK INTO tenant(number, name) VALUES (?, ?);

-- Read at start.
-- name: tenant_all
SELECT number, name FROM tenant ORDER BY number;

-- --- moving a whole store ---

-- By which a store is known again.
-- name: identity
SELECT value FROM meta WHERE name = 'identity';

-- How far a move into this store has come with a part, and whether that was all of it.
-- name: moved_put
INSERT OR REPLACE INTO meta(name, value, text) VALUES (?, ?, ?);

-- Read to go on from there.
-- name: moved_read
SELECT value, text FROM meta WHERE name = ?;

-- Whether a move into this store is under way.
-- name: moved_any
SELECT 1 FROM meta WHERE name LIKE 'moved %' LIMIT 1;

-- At the end of the move.
-- name: moved_drop
DELETE FROM meta WHERE name LIKE 'moved %';

-- Tasks behind a key, with everything.
-- name: bulk_tasks
SELECT t.key, t.salt, t.tenant, t.channel, @task_columns_t@, c.queue, c.type,
  (SELECT body FROM payload WHERE task = t.key),
  ifnull(t.result, (SELECT body FROM result WHERE task = t.key))
FROM task AS t JOIN channel AS c ON c.number = t.channel WHERE t.key > ? ORDER BY t.key LIMIT ?;

-- How many tasks there are, by the tallies.
-- name: bulk_tasks_total
SELECT ifnull(sum(pending + running + completed + failed + cancelled + abandoned), 0) FROM channel;

-- Log lines behind a task's key and a number.
-- name: bulk_logs
SELECT l.task, t.salt, t.tenant, l.number, l.at, l.text
FROM log AS l CROSS JOIN task AS t ON t.key = l.task
WHERE (l.task, l.number) > (?, ?) ORDER BY l.task, l.number LIMIT ?;

-- Events of all tenants behind an id.
-- name: bulk_events
SELECT e.id, e.kind, e.at, e.task, e.salt, e.attempt, e.progress,
  e.actor, e.worker, e.note, e.text, ifnull(c.queue, e.queue), ifnull(c.type, e.type)
FROM event AS e LEFT JOIN channel AS c ON c.number = e.channel
WHERE e.id > ? ORDER BY e.id LIMIT ?;

-- How many events there are; their numbers have no gaps.
-- name: bulk_events_total
SELECT ifnull(sum(last - first + 1), 0) FROM (SELECT
  (SELECT min(id) FROM event WHERE id >= number << 40 AND id < (number + 1) << 40) AS first,
  (SELECT max(id) FROM event WHERE id >= number << 40 AND id < (number + 1) << 40) AS last
  FROM tenant);

-- Kept answers behind a number.
-- name: bulk_replays
SELECT number, tenant, key, at, status, fingerprint, task, salt, revision, body
FROM replay WHERE number > ? ORDER BY number LIMIT ?;

-- A tenant, in the place of the one that each store begins with.
-- name: bulk_tenant_put
INSERT OR REPLACE INTO tenant(number, name) VALUES (?, ?);

-- The salt of a task with this key, whoever it belongs to.
-- name: bulk_salt
SELECT salt FROM task WHERE key = ?;

-- The head of a task's chain of events.
-- name: bulk_event_head
UPDATE task SET event_last = ? WHERE key = ?;

-- The same for a task that is gone.
-- name: bulk_removed_head
UPDATE removed SET event_last = ? WHERE key = ?;

-- What stays of a deleted task. Of two with one key, which only servers on PostgreSQL make, the
-- events of the second are found in the feed alone.
-- name: bulk_removed_put
INSERT OR IGNORE INTO removed(key, salt, tenant, event_last) VALUES (?, ?, ?, ?);
