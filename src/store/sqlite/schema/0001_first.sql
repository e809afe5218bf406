-- 0001_first.sql: the schema that the first release began with. A released migration never
-- changes.

-- Task, payload, result and log are keyed by the 60 upper bits of the task's id, which rise, so
-- that new rows go to the end of each tree. Each index is paid for on the acknowledge path:
-- `task_ready` and `task_wake` carry the claims and the sweep, `task_ended` the cleanup, which must
-- find the oldest of a type's ended tasks without a walk over the others; the others are empty for
-- tasks without the column.
-- name: migration_1
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL,
  text TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE tenant (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE api_key (
  id TEXT PRIMARY KEY,            -- the public part of the key
  tenant INTEGER NOT NULL,
  name TEXT NOT NULL,
  roles INTEGER NOT NULL,         -- bits of model/role.def
  hash BLOB NOT NULL,             -- SHA-256 of the whole key
  created_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL,    -- 0: it was not
  expires_at INTEGER NOT NULL,    -- 0: never
  service TEXT,                   -- the microservice whose own key it is
  replaced_by TEXT                -- id of the key that rotation put in its place
) STRICT, WITHOUT ROWID;

CREATE TABLE queue (
  tenant INTEGER NOT NULL,
  name TEXT NOT NULL,
  paused INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE type (
  tenant INTEGER NOT NULL,
  name TEXT NOT NULL,
  queue TEXT,
  description TEXT,
  priority INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  backoff_kind INTEGER NOT NULL,
  backoff_delay_ms INTEGER NOT NULL,
  backoff_max_ms INTEGER NOT NULL,
  backoff_jitter INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  timeout_ms INTEGER NOT NULL,
  keep_completed INTEGER NOT NULL, -- -1: not said; 0: all
  keep_failed INTEGER NOT NULL,
  keep_for_ms INTEGER NOT NULL,
  keep_result INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE channel (            -- a (tenant, queue, type) that has or had tasks, and its tally
  number INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  queue TEXT NOT NULL,
  type TEXT NOT NULL,
  pending INTEGER NOT NULL,
  running INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  abandoned INTEGER NOT NULL,
  ready INTEGER NOT NULL          -- pending and waiting for a worker
) STRICT;

CREATE TABLE task (
  key INTEGER PRIMARY KEY,        -- upper 60 bits of the id: milliseconds << 12 | counter
  salt INTEGER NOT NULL,          -- lower half of the id
  tenant INTEGER NOT NULL,
  channel INTEGER NOT NULL,       -- its queue and type
  status INTEGER NOT NULL,        -- model/task_status.def
  waiting INTEGER NOT NULL,       -- model/waiting.def
  revision INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  wake_at INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  attempts_grant INTEGER NOT NULL,
  lease INTEGER NOT NULL,
  lease_length_ms INTEGER NOT NULL,
  lease_expires_at INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL,
  cancel_requested_at INTEGER NOT NULL,
  cancel_by INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  completed_at INTEGER NOT NULL,
  progress INTEGER NOT NULL,
  event_last INTEGER NOT NULL,    -- seq of its newest event
  log_lines INTEGER NOT NULL,
  worker TEXT,
  step TEXT,
  step_description TEXT,
  error_code TEXT,
  error_message TEXT,
  error_detail TEXT,
  tags TEXT,
  metadata TEXT,
  created_at INTEGER NOT NULL,
  backoff_kind INTEGER NOT NULL,
  backoff_delay_ms INTEGER NOT NULL,
  backoff_max_ms INTEGER NOT NULL,
  backoff_jitter INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  timeout_ms INTEGER NOT NULL,
  version INTEGER NOT NULL,
  name TEXT,
  description TEXT,
  project TEXT,
  subject TEXT,
  unique_key TEXT,
  result TEXT                     -- up to 512 bytes; longer ones are in table `result`
) STRICT;

CREATE INDEX task_ready ON task(channel, priority DESC) WHERE waiting = 1;
CREATE INDEX task_wake ON task(wake_at) WHERE wake_at > 0;
CREATE UNIQUE INDEX task_unique ON task(tenant, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX task_subject ON task(tenant, subject) WHERE subject IS NOT NULL;
CREATE INDEX task_project ON task(tenant, project) WHERE project IS NOT NULL;
CREATE INDEX task_unhappy ON task(tenant, status) WHERE status >= 3;
CREATE INDEX task_ended ON task(channel, status, completed_at) WHERE completed_at > 0;

CREATE TABLE removed (            -- what stays of a deleted task: the way to its events
  key INTEGER PRIMARY KEY,
  salt INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  event_last INTEGER NOT NULL
) STRICT;

CREATE TABLE payload (
  task INTEGER PRIMARY KEY,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE result (             -- those too long for `task`
  task INTEGER PRIMARY KEY,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE log (
  task INTEGER NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (task, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,         -- tenant << 40 | seq
  kind INTEGER NOT NULL,          -- model/event_kind.def
  at INTEGER NOT NULL,
  task INTEGER NOT NULL,          -- key and salt of its id; 0: about something else
  salt INTEGER NOT NULL,
  previous INTEGER NOT NULL,      -- seq of the task's event before this one; 0: the first
  channel INTEGER NOT NULL,       -- of the task; 0: none, then queue and type may say more
  attempt INTEGER NOT NULL,
  progress INTEGER NOT NULL,
  actor TEXT,
  worker TEXT,
  note TEXT,
  text TEXT,
  queue TEXT,
  type TEXT
) STRICT;

CREATE TABLE replay (             -- kept answers to requests with an Idempotency-Key, oldest first
  number INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  key TEXT NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER NOT NULL,
  fingerprint BLOB NOT NULL,
  task INTEGER NOT NULL,          -- 0: it tells of none, or of several
  salt INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (tenant, key)
) STRICT;

-- The table `tasks` of front door S1, for its callers' own queries: its columns, its words of a
-- status (api/doors/words.def), the tenant `default` alone. Nothing of ours reads it.
CREATE VIEW tasks AS
SELECT t.key AS id, c.type AS type, coalesce(p.body, 'null') AS payload,
  CASE t.status WHEN 0 THEN 'pending' WHEN 1 THEN 'in_progress' WHEN 2 THEN 'completed'
    WHEN 3 THEN 'failed' WHEN 4 THEN 'cancelled' WHEN 5 THEN 'abandoned' END AS status,
  coalesce(t.result, r.body) AS result, coalesce(t.error_message, t.error_code) AS error,
  strftime('%Y-%m-%dT%H:%M:%fZ', t.created_at / 1000.0, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', t.updated_at / 1000.0, 'unixepoch') AS updated_at
FROM task AS t JOIN channel AS c ON c.number = t.channel
  LEFT JOIN payload AS p ON p.task = t.key LEFT JOIN result AS r ON r.task = t.key
WHERE t.tenant = 1;

INSERT INTO tenant(number, name) VALUES (1, 'default');
-- Names of `meta`. identity: by which a move to another store knows it again. steps: the sum of the
-- migrations that were run, see store/steps.h.
INSERT INTO meta(name, value) VALUES ('probe', 0), ('identity', random());
PRAGMA application_id = 1416850297;
