"""Nodes that reach the database through PgBouncer in transaction mode."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.client import Api, new_key
from lib.cluster import pickup
from lib.postgres import PgBouncer, until

WAKE_S, LOAD_S, LEARN_S, BACK_S, ROUNDS = 1.5, 8, 5, 5.0, 10
ADMIN_KEY = "an admin's key of a test"


@pytest.fixture
def bouncer(postgres):
    made = PgBouncer(postgres, pool=10)
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def pooled(make_cluster, bouncer, postgres, database):
    postgres.make_database(database)
    return make_cluster(bouncer.url(database))


def test_nothing_is_lost_behind_a_pooler(pooled):
    load = pooled.start_load()
    load.go_on(LOAD_S)
    print(pooled.settle())


def test_an_outage_behind_a_pooler_heals_as_soon(pooled, postgres):
    """With `server_login_retry = 1`, as the guide has it; by itself a pooler waits for 15 s."""
    pooled.until_serving(pooled.nodes, BACK_S)
    postgres.kill()
    for node in pooled.nodes:
        until(lambda node=node: pooled.ready(node) == 503, BACK_S, f"not said by {node.name}")
    postgres.start()
    print(f"back after {pooled.until_serving(pooled.nodes, BACK_S):.2f} s")


def test_waiting_claims_are_woken_by_the_poll(pooled):
    """9 of 10: a poll that was slow makes the next one rest."""
    a = Api(pooled.nodes[0])
    b = Api(pooled.nodes[1], type_name=a.type)
    with ThreadPoolExecutor(2) as pool:
        pickup(a, b, pool.submit)  # the first of a type tells of the type
        times = sorted(pickup(a, b, pool.submit) for _ in range(ROUNDS))
    print(f"median {times[ROUNDS // 2] * 1000:.0f} ms, slowest {times[-1] * 1000:.0f} ms")
    assert times[-2] <= WAKE_S, times
    a.close()
    b.close()


def test_a_key_made_and_revoked_at_one_node_counts_at_all(make_cluster, bouncer, postgres,
                                                          database):
    postgres.make_database(database)
    cluster = make_cluster(bouncer.url(database), key=ADMIN_KEY)
    a, b = (Api(node) for node in cluster.nodes[:2])

    def revoked_after():
        made = new_key(a, ["producer"])
        web = Api(b.server, key=made["secret"])
        until(lambda: web.get("/tasks").status_code == 200, LEARN_S, "not known")
        a.expect(a.delete(f"/keys/{made['key']['id']}"))
        took = until(lambda: web.get("/tasks").status_code == 401, LEARN_S, "not refused")
        web.close()
        return took

    times = sorted(revoked_after() for _ in range(ROUNDS))
    print(f"median {times[ROUNDS // 2] * 1000:.0f} ms, slowest {times[-1] * 1000:.0f} ms")
    assert times[-2] <= WAKE_S, times
    for one in (a, b):
        one.close()
