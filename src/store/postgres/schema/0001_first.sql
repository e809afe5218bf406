-- 0001_first.sql: the schema that the first release began with. A released migration never
-- changes.

-- Every key begins with the tenant, so that the tables can be distributed by it. A task is spread
-- over three tables: `task` holds what never changes and is only ever inserted into; `live` holds
-- the state of those that have not ended, and stays as small as the backlog; `done` that of those
-- that have. A claim touches `live` alone.
--
-- What is 0 in most rows is NULL then, and takes no room.
--
-- `live` gets up to three versions of a row in a task's life. Neither its autovacuum nor our own
-- (upkeep.c) waits for a share of the table, because its size says nothing about its churn; nor
-- does it pause, because the table is small and claims wade through what is dead. A fifth of each
-- page is left free for new versions: a quarter of those that claims make in a fresh backlog find
-- room on the page of the old one, which is written anyway. What only grows is vacuumed when a
-- tenth was added, not a fifth, so that there is less to freeze at a time.
-- name: migration_1
CREATE TABLE @schema@.meta (
  name text PRIMARY KEY,
  value bigint NOT NULL,
  text text
);

CREATE TABLE @schema@.node (              -- processes that serve, as they report themselves
  id bigint PRIMARY KEY,                  -- random, new with each start
  name text NOT NULL,
  started_at bigint NOT NULL,
  seen_at bigint NOT NULL,
  share smallint NOT NULL UNIQUE          -- of the ids that it makes, see base/id.h
);

CREATE TABLE @schema@.tenant (
  number bigint PRIMARY KEY,
  name text NOT NULL UNIQUE
);

CREATE TABLE @schema@.api_key (
  id text PRIMARY KEY,                    -- the public part of the key
  tenant bigint NOT NULL,
  name text NOT NULL,
  roles bigint NOT NULL,                  -- bits of model/role.def
  hash bytea NOT NULL,                    -- SHA-256 of the whole key
  created_at bigint NOT NULL,
  revoked_at bigint NOT NULL,             -- 0: it was not
  expires_at bigint NOT NULL,             -- 0: never
  service text,                           -- the microservice whose own key it is
  replaced_by text                        -- id of the key that rotation put in its place
);

CREATE TABLE @schema@.queue (
  tenant bigint NOT NULL,
  name text NOT NULL,
  paused boolean NOT NULL,
  PRIMARY KEY (tenant, name)
);

CREATE TABLE @schema@.type (
  tenant bigint NOT NULL,
  name text NOT NULL,
  queue text,
  description text,
  priority bigint NOT NULL,
  attempts_max bigint NOT NULL,
  backoff_kind bigint NOT NULL,
  backoff_delay_ms bigint NOT NULL,
  backoff_max_ms bigint NOT NULL,
  backoff_jitter bigint NOT NULL,
  lease_ms bigint NOT NULL,
  timeout_ms bigint NOT NULL,
  keep_completed bigint NOT NULL,         -- -1: not said; 0: all
  keep_failed bigint NOT NULL,
  keep_for_ms bigint NOT NULL,
  keep_result boolean NOT NULL,
  PRIMARY KEY (tenant, name)
);

CREATE TABLE @schema@.channel (           -- a (tenant, queue, type) that has or had tasks
  tenant bigint NOT NULL,
  number integer NOT NULL,                -- from 1, given in the order of commits
  queue text NOT NULL,
  type text NOT NULL,
  PRIMARY KEY (tenant, number),
  UNIQUE (tenant, queue, type)
);
CREATE INDEX channel_number ON @schema@.channel (number);

CREATE TABLE @schema@.tally (             -- how many tasks of a channel are in which status …
  tenant bigint NOT NULL,
  channel integer NOT NULL,
  ready bigint NOT NULL,                  -- pending and waiting for a worker
  pending bigint NOT NULL,
  running bigint NOT NULL,
  completed bigint NOT NULL,
  failed bigint NOT NULL,
  cancelled bigint NOT NULL,
  abandoned bigint NOT NULL,
  PRIMARY KEY (tenant, channel)
);

CREATE TABLE @schema@.tally_move (        -- … but for what units moved since it was summed up last
  tenant bigint NOT NULL,
  channel integer NOT NULL,
  ready bigint NOT NULL,
  pending bigint NOT NULL,
  running bigint NOT NULL,
  completed bigint NOT NULL,
  failed bigint NOT NULL,
  cancelled bigint NOT NULL,
  abandoned bigint NOT NULL
);

CREATE TABLE @schema@.task (
  tenant bigint NOT NULL,
  id uuid NOT NULL,
  channel integer NOT NULL,               -- its queue and type
  created_at bigint NOT NULL,
  attempts_grant integer NOT NULL,
  backoff_kind smallint NOT NULL,
  backoff_jitter smallint NOT NULL,
  backoff_delay_ms bigint NOT NULL,
  backoff_max_ms bigint NOT NULL,
  lease_ms bigint NOT NULL,
  timeout_ms bigint,
  version bigint NOT NULL,
  name text,
  description text,
  project text,
  subject text,
  unique_key text,
  payload text,
  PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX task_unique ON @schema@.task (tenant, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX task_subject ON @schema@.task (tenant, subject, id) WHERE subject IS NOT NULL;
CREATE INDEX task_project ON @schema@.task (tenant, project, id) WHERE project IS NOT NULL;

CREATE TABLE @schema@.live (
  tenant bigint NOT NULL,
  id uuid NOT NULL,
  revision bigint NOT NULL,
  wake_at bigint,
  lease bigint,
  lease_length_ms bigint,
  lease_expires_at bigint,
  claimed_at bigint,
  cancel_requested_at bigint,
  cancel_by bigint,
  updated_at bigint NOT NULL,
  run_at bigint,
  expires_at bigint,
  started_at bigint,
  completed_at bigint,
  log_lines bigint,
  channel integer NOT NULL,
  priority integer NOT NULL,
  attempt integer NOT NULL,
  attempts_max integer NOT NULL,
  status smallint NOT NULL,               -- model/task_status.def
  waiting smallint NOT NULL,              -- model/waiting.def
  progress smallint NOT NULL,
  worker text,
  step text,
  step_description text,
  error_code text,
  error_message text,
  error_detail text,
  tags text,
  metadata text,
  PRIMARY KEY (tenant, id)
) WITH (
  fillfactor = 80,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.2
);
-- What a claim walks: best first within a channel. The negated priority makes all columns rise, so
-- that the walk can begin behind any (priority, id) by one comparison of rows.
CREATE INDEX live_ready ON @schema@.live (tenant, channel, (-priority), id) WHERE waiting = 1;
-- What the sweep walks. One for all tenants, since it looks at all of them at once.
CREATE INDEX live_wake ON @schema@.live (wake_at) WHERE wake_at > 0;

CREATE TABLE @schema@.done (
  LIKE @schema@.live,
  result text,
  PRIMARY KEY (tenant, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
-- For lists of what went wrong.
CREATE INDEX done_unhappy ON @schema@.done (tenant, status, id) WHERE status >= 3;
-- For the cleanup, which must find the oldest of a type without a walk over the others.
CREATE INDEX done_ended ON @schema@.done (tenant, channel, status, completed_at);

CREATE TABLE @schema@.log (
  tenant bigint NOT NULL,
  task uuid NOT NULL,
  number bigint NOT NULL,
  at bigint NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (tenant, task, number)
);

CREATE TABLE @schema@.event (
  tenant bigint NOT NULL,
  seq bigint NOT NULL,                    -- rises in the order of commits, see events.c
  at bigint NOT NULL,
  task uuid,                              -- NULL: about something else
  attempt integer NOT NULL,
  channel integer,                        -- of the task
  kind smallint NOT NULL,                 -- model/event_kind.def
  progress smallint NOT NULL,
  actor text,
  worker text,
  note text,
  text text,
  queue text,                             -- where there is no channel
  type text,
  PRIMARY KEY (tenant, seq)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX event_task ON @schema@.event (tenant, task, seq) WHERE task IS NOT NULL;

CREATE TABLE @schema@.replay (            -- kept answers to requests with an Idempotency-Key
  tenant bigint NOT NULL,
  key text NOT NULL,
  at bigint NOT NULL,
  status smallint NOT NULL,
  fingerprint bytea NOT NULL,
  task uuid,                              -- NULL: it tells of none, or of several
  revision bigint NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (tenant, key)
);
CREATE INDEX replay_at ON @schema@.replay (at);

CREATE TABLE @schema@.unit (             -- units of work of the last minutes: proof of their commit
  token bigint PRIMARY KEY,               -- random
  at bigint NOT NULL
);

-- Rows as units send them, see units.sql: what they need of a task and of an event, all numbers as
-- bigint, in the order in which columns.c and events.c put them. A column more means a new type
-- beside the old one, so that older servers can go on with theirs.
CREATE TYPE @schema@.input_row AS (
  tenant bigint, id uuid, channel bigint, payload text,
  attempts_grant bigint, created_at bigint, backoff_kind bigint, backoff_delay_ms bigint,
  backoff_max_ms bigint, backoff_jitter bigint, lease_ms bigint, timeout_ms bigint,
  version bigint, name text, description text, project text, subject text, unique_key text
);
CREATE TYPE @schema@.state_row AS (
  place tid, was bigint,                  -- where it was read, and its revision then
  tenant bigint, id uuid, channel bigint,
  renewed bigint, result text,            -- whether there is a new result, and which
  status bigint, waiting bigint, revision bigint, priority bigint, wake_at bigint,
  attempt bigint, attempts_max bigint, lease bigint, lease_length_ms bigint,
  lease_expires_at bigint, claimed_at bigint, cancel_requested_at bigint, cancel_by bigint,
  updated_at bigint, run_at bigint, expires_at bigint, started_at bigint, completed_at bigint,
  progress bigint, log_lines bigint, worker text, step text, step_description text,
  error_code text, error_message text, error_detail text, tags text, metadata text
);
CREATE TYPE @schema@.event_row AS (
  n bigint, at bigint, task uuid, channel bigint, attempt bigint, kind bigint, progress bigint,
  actor text, worker text, note text, text text, queue text, type text
);

-- JSON as it was received, as jsonb; what jsonb cannot hold (U+0000, numbers past its range) as a
-- string of its text, so that one such task does not spoil a whole query.
CREATE FUNCTION @schema@.jsonb_or_text(body text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN body::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN to_jsonb(body);
END $$;

-- The table `tasks` of front door S1, for its callers' own queries: its columns and their types,
-- its words of a status (api/doors/words.def), the tenant `default` alone. `id` is the number in
-- the 60 upper bits of the task's id (base/id.h), the same that the embedded store has. Nothing of
-- ours reads it; a step that changes a column named here has to drop it and make it again.
CREATE VIEW @schema@.tasks AS
SELECT ('x0' || left(replace(t.id::text, '-', ''), 12)
    || substr(t.id::text, 16, 3))::bit(64)::bigint AS id,
  c.type::varchar(255) AS type,
  coalesce(@schema@.jsonb_or_text(t.payload), 'null') AS payload,
  (CASE s.status WHEN 0 THEN 'pending' WHEN 1 THEN 'in_progress' WHEN 2 THEN 'completed'
    WHEN 3 THEN 'failed' WHEN 4 THEN 'cancelled' WHEN 5 THEN 'abandoned' END)::varchar(50)
    AS status,
  @schema@.jsonb_or_text(s.result) AS result,
  coalesce(s.error_message, s.error_code) AS error,
  to_timestamp(t.created_at / 1000.0) AS created_at,
  to_timestamp(s.updated_at / 1000.0) AS updated_at
FROM @schema@.task AS t
  JOIN @schema@.channel AS c ON c.tenant = t.tenant AND c.number = t.channel
  JOIN (
    SELECT tenant, id, status, updated_at, error_code, error_message, NULL::text AS result
    FROM @schema@.live
    UNION ALL
    SELECT tenant, id, status, updated_at, error_code, error_message, result
    FROM @schema@.done
  ) AS s ON s.tenant = t.tenant AND s.id = t.id
WHERE t.tenant = 1;

INSERT INTO @schema@.tenant (number, name) VALUES (1, 'default');
-- Names of `meta`. catalogue: its version; its row is the lock of whoever changes it. cleanup: when
-- a process has it no longer, and its number in `text`; its row is the lock of who looks at that.
-- identity: by which a move to another store knows it again; random. schema: its version, and in
-- `text` the sum of the migrations that were run, see store/steps.h.
INSERT INTO @schema@.meta (name, value) VALUES ('catalogue', 1), ('cleanup', 0),
  ('identity', ('x' || right(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint);
