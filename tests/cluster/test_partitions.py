"""What grows with history can lie in partitions by tenant, as docs/cluster.md says."""

import re
from pathlib import Path

from lib.cluster import SCHEMA

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
GROWING = ("task", "done", "event", "log", "replay")


def statements(table):
    """The guide's, which are for `event` in the schema `taskyard`."""
    block = re.search(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert "PARTITION BY HASH (tenant)" in block
    return block.replace("taskyard.", f"{SCHEMA}.").replace("event", table)


def test_what_grows_may_be_partitioned_by_tenant(cluster, postgres, database):
    cluster.until_serving(cluster.nodes, 5)
    for node in cluster.nodes:
        node.stop()
    with postgres.sql(database) as sql:
        view = sql.one(f"SELECT replace(pg_get_viewdef('{SCHEMA}.tasks'), E'\\n', ' ')")
        sql(f"DROP VIEW {SCHEMA}.tasks")
        for table in GROWING:
            for statement in statements(table).split(";"):
                if statement.strip():
                    sql(statement)
        sql(f"CREATE VIEW {SCHEMA}.tasks AS {view.rstrip(';')}")
    for node in cluster.nodes:
        node.start()
    load = cluster.start_load()
    load.go_on(3)
    print(cluster.settle())
    with postgres.sql(database) as sql:
        assert int(sql.one(f"SELECT count(*) FROM {SCHEMA}.tasks")) > 0
        for table in GROWING[:3]:
            rows = [int(sql.one(f"SELECT count(*) FROM {SCHEMA}.{table}_{n}")) for n in range(2)]
            assert sorted(rows)[0] == 0 and sum(rows) > 0, "one tenant, one partition"
