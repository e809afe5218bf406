"""The database goes away under load and comes back: no node is restarted, nothing is lost."""

import json
import os
import time

import pytest

from lib.history import Create
from lib.postgres import Postgres, until

CRASHES = int(os.environ.get("TASKYARD_DATABASE_CRASHES", "15"))
FAILOVERS = int(os.environ.get("TASKYARD_FAILOVERS", "5"))
KILLING_S = float(os.environ.get("TASKYARD_BACKEND_KILLS_S", "20"))
KILL_EVERY_S = 0.2
BACK_S = 5.0
# For five seconds a node hopes to learn what became of a commit, and writes stand behind it.
READ_S, WRITE_S = 1.0, 6.0
LONG_ONE_IN = 5


def assert_refuses(cluster, node):
    """Every request is told that nobody is at home, and when to come again."""
    create = Create(f"c{cluster.history.number()}", "null")
    cluster.history.will_create(create)
    body = json.dumps({"type": "canary", "subject": create.subject}).encode()
    for method, path, content, limit_s in (("GET", "/tasks", None, READ_S),
                                           ("POST", "/tasks", body, WRITE_S)):
        began = time.monotonic()
        status, headers, answer = cluster.caller.once(node, method, path, content)
        took = time.monotonic() - began
        assert status == 503, f"{method} {path}: {status} {answer}"
        assert int(headers["Retry-After"]) >= 1
        assert json.loads(answer)["code"] == "unavailable"
        assert took <= limit_s, f"{method} {path} was refused after {took:.1f} s"


def assert_never_restarted(cluster, pids):
    assert [node.pid for node in cluster.nodes] == pids
    assert all(node.is_alive() for node in cluster.nodes)


def test_nothing_is_lost_when_the_database_crashes(cluster, postgres):
    """Some outages are over before the nodes give up, some last until all have been refused.

    Requests with an Idempotency-Key that were in doubt are repeated twice: they have one answer."""
    pids = [node.pid for node in cluster.nodes]
    load, outages = cluster.start_load(), []
    for cycle in range(CRASHES):
        load.go_on(cluster.dice.uniform(0.2, 0.6))
        postgres.kill()
        for node in cluster.nodes if cycle % LONG_ONE_IN == 0 else ():
            assert_refuses(cluster, node)
            until(lambda node=node: cluster.ready(node) == 503, WRITE_S, f"{node.name} is ready")
        postgres.start()
        outages.append(cluster.until_serving(cluster.nodes, BACK_S))
        for node in cluster.nodes:
            assert cluster.ready(node) == 200
    assert_never_restarted(cluster, pids)
    print(cluster.settle())
    assert load.settled > 0, "no request with a key was in doubt"
    print(f"{CRASHES} crashes; all nodes served {max(outages):.2f} s after the database at most")


# --- failover -------------------------------------------------------------------------------------

@pytest.fixture
def pair():
    """A primary and its synchronous standby."""
    made = [Postgres(), Postgres()]
    try:
        made[0].create().start()
        yield made
    finally:
        for server in made:
            server.remove()


def fail_over(dice, primary, standby):
    """In either order: a primary without its standby acknowledges nothing."""
    if dice.random() < 0.5:
        primary.kill()
        standby.promote()
    else:
        standby.promote()
        primary.kill()


def test_nothing_is_lost_when_a_standby_takes_over(make_cluster, pair, database):
    primary, standby = pair
    primary.make_database(database)
    standby.follow(primary)
    cluster = make_cluster(f"postgresql://postgres@127.0.0.1:{primary.port},"
                           f"127.0.0.1:{standby.port}/{database}")
    pids = [node.pid for node in cluster.nodes]
    load, outages = cluster.start_load(), []
    for _ in range(FAILOVERS):
        load.go_on(cluster.dice.uniform(0.3, 0.8))
        fail_over(cluster.dice, primary, standby)
        outages.append(cluster.until_serving(cluster.nodes, BACK_S))
        primary, standby = standby, primary
        standby.follow(primary)
    assert_never_restarted(cluster, pids)
    print(cluster.settle())
    print(f"{FAILOVERS} failovers; all nodes served {max(outages):.2f} s after the promotion at "
          f"most")


# --- connections ----------------------------------------------------------------------------------

BACKEND = """SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'taskyard'
  ORDER BY random() LIMIT 1) AS victim"""


def test_nothing_is_lost_when_connections_are_cut(cluster, postgres, database):
    load, cut, began = cluster.start_load(), 0, time.monotonic()
    with postgres.sql(database) as sql:
        ends = began + KILLING_S
        while time.monotonic() < ends:
            load.go_on(KILL_EVERY_S)
            cut += sql(BACKEND) == [("t",)]
    cluster.until_serving(cluster.nodes, BACK_S)
    assert cut >= 0.8 * KILLING_S / KILL_EVERY_S, f"only {cut} connections could be cut"
    silences = [cluster.history.longest_silence([node.name], began, ends)
                for node in cluster.nodes]
    assert max(silences) <= BACK_S, f"a node said nothing for {max(silences):.1f} s"
    print(cluster.settle())
    print(f"{cut} connections cut; no node was silent for more than {max(silences):.2f} s")
