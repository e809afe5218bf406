-- insert.sql: what pgbench does a transaction: one row such as a queue written by hand would have.
\set type random(0, 4)
\set priority random(0, 9)
\set n random(0, 999999999)
INSERT INTO task (type, priority, payload)
VALUES ('bench-' || :type::text, :priority::int, '{"n":"' || lpad(:n::text, 12, '0') ||
  '","text":"a task server keeps what it was given until somebody has done it and said so, '
  'and then it keeps what they said; these words only fill the payload up to its two hundred by"}');
