"""The cleanup: once in the cluster at a time, and taken over when its node dies."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lib.client import Api
from lib.postgres import until

MANY, KEPT = 6000, 10  # many: a run that takes a dozen batches
TAKEN_OVER_S = 25


def ended(api, count):
    """Completed tasks, and the ids of the newest that a count keeps."""
    last = []
    for _ in range(count // 1000):
        api.create_many([{}] * 1000)
        tasks = api.claim(limit=1000)
        answer = api.expect(api.post("/completions", {"items": [
            {"id": task["id"], "leaseToken": task["leaseToken"]} for task in tasks]}))
        assert answer["count"] == 1000
        last = tasks
    return last


def set_rule(api):
    api.expect(api.put(f"/types/{api.type}", {"keepCompleted": KEPT}))


def run(api):
    return api.expect(api.post("/tasks/cleanup/run", {}))


def is_running(api):
    return api.expect(api.get("/tasks/cleanup/status"))["status"]["isRunning"]


def is_clean(api):
    return api.expect(api.get("/tasks/stats"))["stats"]["completed"] == KEPT


def assert_removed_once(cluster, node):
    removed = Counter(event["taskId"] for event in cluster.events(node)
                      if event["event"] == "task.deleted")
    assert len(removed) == MANY - KEPT
    assert set(removed.values()) == {1}
    cluster.check_store()


@pytest.fixture
def apis(request):
    made = []

    def make(node, like=None):
        made.append(Api(node, type_name=like and like.type, timeout_s=60))
        return made[-1]

    yield make
    for api in made:
        api.close()


def test_a_run_beside_that_of_another_node_is_skipped_and_says_so(
        make_cluster, postgres, database, apis):
    cluster = make_cluster(postgres.make_database(database), nodes=2, cleanup_interval="0")
    here = apis(cluster.nodes[0])
    there = apis(cluster.nodes[1], like=here)
    set_rule(here)
    ended(here, MANY)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, here)
        until(lambda: is_running(apis(cluster.nodes[0])), 10, "the run was not seen")
        skipped = run(there)
        answer = running.result()
    assert (skipped["skipped"], skipped["message"]) == (True, "another server is at it")
    assert answer["removed"] == {"completed": MANY - KEPT, "failed": 0, "cancelled": 0}
    assert run(there)["skipped"] is False
    assert is_clean(there)
    assert_removed_once(cluster, cluster.nodes[1])


def test_nodes_that_all_clean_by_themselves_remove_each_task_once(
        make_cluster, postgres, database, apis):
    cluster = make_cluster(postgres.make_database(database), nodes=3, cleanup_interval="50ms")
    api = apis(cluster.nodes[0])
    set_rule(api)
    newest = ended(api, MANY)
    until(lambda: is_clean(api), 30, "too many were left")
    kept = {task["id"] for task in api.list(limit=1000)}
    assert len(kept) == KEPT and kept <= {task["id"] for task in newest}
    assert_removed_once(cluster, cluster.nodes[2])


def test_another_node_goes_on_with_the_run_of_one_that_was_killed(
        make_cluster, postgres, database, apis):
    cluster = make_cluster(postgres.make_database(database), nodes=1, cleanup_interval="0")
    doomed = cluster.nodes[0]
    here = apis(doomed)
    set_rule(here)
    ended(here, MANY)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, here)
        until(lambda: is_running(apis(doomed)), 10, "the run was not seen")
        doomed.kill()
        with pytest.raises(httpx.HTTPError):
            running.result()
    heir = cluster.new_node("heir", cleanup_interval="100ms")
    cluster.nodes.append(heir.start())
    there = apis(heir, like=here)
    assert not is_clean(there), "killed too late"
    began = time.monotonic()
    until(lambda: is_clean(there), TAKEN_OVER_S, "nobody went on")
    print(f"taken over and done after {time.monotonic() - began:.1f} s")
    assert_removed_once(cluster, heir)
