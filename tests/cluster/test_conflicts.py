"""Units of work that the database breaks off are decided again; nobody is told."""

from concurrent.futures import ThreadPoolExecutor

from lib.client import Api
from lib.cluster import SCHEMA
from lib.postgres import until

FOUND_AFTER = "2s"  # the node's session, which waits first, looks for the circle after so long
WAIT_S = 1.5
WAITING = """SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
  AND datname = current_database() AND application_name = 'taskyard'"""


def deadlocks(postgres):
    return postgres.log_tail(10_000).count("deadlock detected")


def lock(task):
    return f"SELECT 1 FROM {SCHEMA}.live WHERE id = '{task['id']}' FOR UPDATE"


def test_a_deadlock_is_decided_again(make_cluster, postgres, database):
    """A stranger and a node each hold the row that the other one wants."""
    url = postgres.make_database(database)
    with postgres.sql() as sql:
        sql(f"ALTER DATABASE {database} SET deadlock_timeout = '{FOUND_AFTER}'")
    cluster = make_cluster(url, nodes=1)
    api = Api(cluster.nodes[0])
    api.create_many([{}] * 2)
    before = deadlocks(postgres)
    first, second = sorted(api.claim(limit=2), key=lambda task: task["id"])
    items = [{"id": task["id"], "leaseToken": task["leaseToken"]} for task in (first, second)]
    with (ThreadPoolExecutor(1) as pool, postgres.sql(database) as stranger,
          postgres.sql(database) as witness):
        stranger("SET deadlock_timeout = '60s'")
        stranger("BEGIN")
        stranger(lock(second))
        answer = pool.submit(api.post, "/completions", {"items": items})
        until(lambda: witness.one(WAITING) == "1", WAIT_S, "the node does not wait")
        stranger(lock(first))  # is given when the node's unit has been broken off
        stranger("ROLLBACK")
        assert api.expect(answer.result())["count"] == 2
    assert deadlocks(postgres) == before + 1
    for task in (first, second):
        assert api.expect(api.get(f"/tasks/{task['id']}"))["task"]["status"] == "completed"
    assert "a unit of work failed" not in cluster.nodes[0].log()
    api.close()
    cluster.check_store()
