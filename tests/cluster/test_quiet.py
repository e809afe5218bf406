"""What a cluster does when nothing is to be done, and when somebody holds on to the past."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from lib.client import Api

IDLE_S, STATEMENTS_A_SECOND = 10, 2
HELD_S = float(os.environ.get("TASKYARD_HELD_SNAPSHOT_S", "18"))

PAGES_A_CLAIM = 1000

OURS = """FROM pg_stat_statements
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"""
STATEMENTS = f"SELECT sum(calls) {OURS}"
PAGES = f"SELECT sum(shared_blks_hit + shared_blks_read) {OURS}"


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
        rate = statements_a_second(sql) / len(cluster.nodes)
        if rate >= STATEMENTS_A_SECOND:  # upkeep tidies up once after the start
            rate = statements_a_second(sql) / len(cluster.nodes)
        for api in apis:
            api.create()
        assert all(one.result() for one in waiting)
    print(f"{rate:.2f} statements a second and node")
    assert 0.5 < rate < STATEMENTS_A_SECOND
    for api in apis:
        api.close()


def statements_a_second(sql):
    before, began = int(sql.one(STATEMENTS)), time.monotonic()
    sql(f"SELECT pg_sleep({IDLE_S})")
    return (int(sql.one(STATEMENTS)) - before) / (time.monotonic() - began)


def test_a_held_snapshot_does_not_stop_the_claims(cluster, postgres, database):
    """Dead rows cannot be removed while it lasts; claims must not wade through all of them.

    How fast a machine is changes with what else it does, so the last third of the time is held
    against the slower one of the first third and the time after."""
    with postgres.sql(database) as sql, postgres.sql(database) as holder:
        sql("CREATE EXTENSION pg_stat_statements")
        holder("BEGIN ISOLATION LEVEL REPEATABLE READ")
        holder("SELECT count(*) FROM pg_class")
        load = cluster.start_load(producers=7, workers=9, persons=1, think_s=0.002)
        thirds = [claims(cluster, load, sql) for _ in range(3)]
        holder("COMMIT")
        after = claims(cluster, load, sql)
    for when, (rate, pages) in zip(("first", "second", "third", "after"), (*thirds, after)):
        print(f"{when}: {rate:.0f} claims a second, {pages:.0f} pages read a claim")
    print(cluster.settle())
    assert thirds[2][0] >= min(thirds[0][0], after[0]) / 2, "claims decay"
    assert after[1] <= PAGES_A_CLAIM, "what was done long ago is read again and again"


def claims(cluster, load, sql):
    """(how many a second, pages that all statements read for each) during the next third."""
    before, pages, began = len(cluster.history.leases), int(sql.one(PAGES)), time.monotonic()
    load.go_on(HELD_S / 3)
    count = len(cluster.history.leases) - before
    return count / (time.monotonic() - began), (int(sql.one(PAGES)) - pages) / count
