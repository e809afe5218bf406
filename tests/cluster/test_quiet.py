"""What a cluster does when nothing is to be done, and when somebody holds on to the past."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from lib.client import Api

IDLE_S, STATEMENTS_A_SECOND = 10, 2
HELD_S = float(os.environ.get("TASKYARD_HELD_SNAPSHOT_S", "18"))

STATEMENTS = """SELECT sum(calls) FROM pg_stat_statements
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def test_idle_nodes_leave_the_database_alone(cluster, postgres, database):
    """Each has a worker that waits."""
    apis = [Api(node, timeout_s=70) for node in cluster.nodes]
    with ThreadPoolExecutor(3) as pool, postgres.sql(database) as sql:
        sql("CREATE EXTENSION pg_stat_statements")
        waiting = [pool.submit(api.claim, waitMs=60_000) for api in apis]
        for api in apis:
            twin = api.twin()
            twin.until_worker("tester", waiting=True)
            twin.close()
        before, began = int(sql.one(STATEMENTS)), time.monotonic()
        sql(f"SELECT pg_sleep({IDLE_S})")
        count, took = int(sql.one(STATEMENTS)) - before, time.monotonic() - began
        for api in apis:
            api.create()
        assert all(one.result() for one in waiting)
    rate = count / took / len(cluster.nodes)
    print(f"{rate:.2f} statements a second and node")
    assert 0.5 < rate < STATEMENTS_A_SECOND
    for api in apis:
        api.close()


def test_a_held_snapshot_does_not_stop_the_claims(cluster, postgres, database):
    """Dead rows cannot be removed while it lasts; claims must not wade through them.

    How fast a machine is changes with what else it does, so the last third of the time is held
    against the slower one of the first third and the time after."""
    with postgres.sql(database) as sql:
        sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
        sql("SELECT count(*) FROM pg_class")
        load = cluster.start_load(producers=7, workers=9, persons=1, think_s=0.002)
        rates = [claims_a_second(cluster, load) for _ in range(3)]
        sql("COMMIT")
    rates.append(claims_a_second(cluster, load))
    print("claims a second in each third and after: " + ", ".join(f"{rate:.0f}" for rate in rates))
    print(cluster.settle())
    assert rates[2] >= min(rates[0], rates[3]) / 2, rates


def claims_a_second(cluster, load):
    """During the next third of the time."""
    before, began = len(cluster.history.leases), time.monotonic()
    load.go_on(HELD_S / 3)
    return (len(cluster.history.leases) - before) / (time.monotonic() - began)
