-- insert_table.sql: the table for insert.sql.
CREATE TABLE task (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type text NOT NULL,
  status smallint NOT NULL DEFAULT 0,
  priority int NOT NULL,
  attempt int NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  lease_until timestamptz,
  worker text,
  payload text NOT NULL
);
CREATE INDEX task_ready ON task (type, priority DESC, id) WHERE status = 0;
