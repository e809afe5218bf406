"""What /readyz and the log of nodes say while the database is away."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from lib.client import Api
from lib.postgres import PgBouncer, until

GONE_S, HUNG_S, BACK_S = 3.0, 8.0, 5.0
WRITE_HUNG_S = 35.0  # as docs/cluster.md has it
LATER_S = 5.0        # a slow machine's
AGAIN = "the store takes writes again"


def until_ready(cluster, status, deadline_s):
    for node in cluster.nodes:
        until(lambda node=node: cluster.ready(node) == status, deadline_s,
              f"/readyz of {node.name} says {status}")


def test_idle_nodes_say_that_the_database_is_gone(cluster, postgres):
    """Nobody asks them for anything by which they could learn it."""
    until_ready(cluster, 200, BACK_S)
    postgres.kill()
    until_ready(cluster, 503, GONE_S)
    postgres.start()
    until_ready(cluster, 200, BACK_S)


def test_a_node_that_cannot_write_does_not_say_that_it_can(cluster, postgres):
    """Each has failed a write, and goes on saying so; the log tells of the outage, not of each."""
    until_ready(cluster, 200, BACK_S)
    postgres.kill()
    before = [node.log().count(AGAIN) for node in cluster.nodes]
    for node in cluster.nodes:
        with cluster.at(node) as one:
            for _ in range(20):
                one.create()
        assert cluster.ready(node) == 503
    until_ready(cluster, 503, GONE_S)
    for node, count in zip(cluster.nodes, before, strict=True):
        assert node.log().count(AGAIN) == count
        assert 1 <= node.log().count("a unit of work failed") <= 3
    postgres.start()
    until_ready(cluster, 200, BACK_S)
    cluster.until_serving(cluster.nodes, BACK_S)


def test_idle_nodes_say_that_the_database_hangs(cluster, postgres):
    until_ready(cluster, 200, BACK_S)
    go_on = postgres.freeze()
    try:
        until_ready(cluster, 503, HUNG_S)
    finally:
        go_on()
    until_ready(cluster, 200, BACK_S)


def test_a_write_that_waits_for_a_database_that_hangs_is_told_to_come_again(cluster, postgres):
    """It waits for its unit, or before that for the number of a type that is new."""
    def create(node, name):
        return httpx.post(f"http://127.0.0.1:{node.port}/api/v1/tasks", json={"type": name},
                          timeout=WRITE_HUNG_S + LATER_S, trust_env=False)

    for node in cluster.nodes:
        assert create(node, "known").status_code == 201
    go_on = postgres.freeze()
    try:
        with ThreadPoolExecutor(len(cluster.nodes)) as threads:
            answers = list(threads.map(create, cluster.nodes, ["known", "new", "known"]))
    finally:
        go_on()
    for answer in answers:
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["code"] == "unavailable"
    cluster.until_serving(cluster.nodes, BACK_S)


def test_a_name_that_two_nodes_have_is_warned_of(cluster):
    twin = cluster.new_node("twin", node=cluster.nodes[0].name)
    try:
        twin.start()
        until(lambda: "another node has the name of this one" in twin.log(), BACK_S, "not said")
    finally:
        twin.stop()


def names(api):
    return sorted(node["name"] for node in api.expect(api.get("/workers"))["nodes"])


def test_a_node_that_is_cut_off_says_so_and_the_others_do_not(cluster, apis, postgres, database):
    """It goes by a way of its own, a pooler in session mode."""
    here = apis[0]
    way = PgBouncer(postgres, mode="session").start()
    apart = cluster.new_node("apart", store=way.url(database))
    try:
        there = Api(apart.start(), type_name=here.type)
        for api in (here, there):
            until(lambda api=api: "apart" in names(api) and len(names(api)) == 4, BACK_S,
                  "the nodes do not know each other")
        assert there.complete(there.running())["status"] == "completed"
        way.cut()
        until(lambda: cluster.ready(apart) == 503, GONE_S, "the node has not noticed")
        assert [cluster.ready(node) for node in cluster.nodes] == [200] * 3
        assert there.get("/tasks").status_code == 503 and here.get("/tasks").status_code == 200
        way.start()
        until(lambda: cluster.ready(apart) == 200, BACK_S, "the node did not come back")
        there.close()
    finally:
        apart.kill()
        way.remove()
