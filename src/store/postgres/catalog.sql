-- catalog.sql: the statements of the shared store for the catalogue and the channels, by name.
-- tools/embed_sql.c makes a table of them.
--
-- A word between @ signs stands for the schema's name, see expand.c.

-- --- reading ---

-- Opens a look at one moment.
-- name: catalog_begin
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- The version, raised by each change.
-- name: catalog_version
SELECT value FROM @schema@.meta WHERE name = 'catalogue';

-- All tenants.
-- name: tenant_all
SELECT number, name FROM @schema@.tenant ORDER BY number;

-- All keys.
-- name: key_all
SELECT id, tenant, name, roles, hash, created_at, revoked_at, expires_at, service, replaced_by
FROM @schema@.api_key ORDER BY created_at, id;

-- All queues that were paused or resumed.
-- name: queue_all
SELECT tenant, name, paused FROM @schema@.queue ORDER BY tenant, name;

-- The defaults of types.
-- name: type_all
SELECT tenant, name, queue, description, priority, attempts_max, backoff_kind, backoff_delay_ms,
  backoff_max_ms, backoff_jitter, lease_ms, timeout_ms, keep_completed, keep_failed, keep_for_ms,
  keep_result
FROM @schema@.type ORDER BY tenant, name;

-- Channels made since.
-- name: channel_above
SELECT number, tenant, queue, type FROM @schema@.channel WHERE number > $1::bigint ORDER BY number;

-- --- writing ---

-- A new tenant.
-- name: tenant_insert
INSERT INTO @schema@.tenant (number, name) VALUES ($1::bigint, $2::text);

-- An API key, made, rotated or revoked.
-- name: key_put
INSERT INTO @schema@.api_key (id, tenant, name, roles, hash, created_at, revoked_at, expires_at,
  service, replaced_by)
VALUES ($1::text, $2::bigint, $3::text, $4::bigint, $5::bytea, $6::bigint, $7::bigint,
  $8::bigint, $9::text, $10::text)
ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, name = excluded.name,
  roles = excluded.roles, hash = excluded.hash, created_at = excluded.created_at,
  revoked_at = excluded.revoked_at, expires_at = excluded.expires_at, service = excluded.service,
  replaced_by = excluded.replaced_by;

-- A key that made room for another one.
-- name: key_delete
DELETE FROM @schema@.api_key WHERE id = $1::text;

-- A queue that was paused or resumed.
-- name: queue_put
INSERT INTO @schema@.queue (tenant, name, paused) VALUES ($1::bigint, $2::text, $3::boolean)
ON CONFLICT (tenant, name) DO UPDATE SET paused = excluded.paused;

-- The defaults of a type.
-- name: type_put
INSERT INTO @schema@.type (tenant, name, queue, description, priority, attempts_max, backoff_kind,
  backoff_delay_ms, backoff_max_ms, backoff_jitter, lease_ms, timeout_ms, keep_completed,
  keep_failed, keep_for_ms, keep_result)
VALUES ($1::bigint, $2::text, $3::text, $4::text, $5::bigint, $6::bigint, $7::bigint, $8::bigint,
  $9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::bigint, $14::bigint, $15::bigint,
  $16::boolean)
ON CONFLICT (tenant, name) DO UPDATE SET queue = excluded.queue,
  description = excluded.description, priority = excluded.priority,
  attempts_max = excluded.attempts_max, backoff_kind = excluded.backoff_kind,
  backoff_delay_ms = excluded.backoff_delay_ms, backoff_max_ms = excluded.backoff_max_ms,
  backoff_jitter = excluded.backoff_jitter, lease_ms = excluded.lease_ms,
  timeout_ms = excluded.timeout_ms, keep_completed = excluded.keep_completed,
  keep_failed = excluded.keep_failed, keep_for_ms = excluded.keep_for_ms,
  keep_result = excluded.keep_result;

-- Tells the other processes that something changed.
-- name: catalog_raise
UPDATE @schema@.meta SET value = value + 1 WHERE name = 'catalogue';
