"""More new tasks than the store can take: 503 before they wait too long, while workers go on."""

import json
import threading

import pytest

from lib.client import problem

CLIENTS, EACH, BATCH = 12, 4, 1000


def flood(make_api, server, api):
    """Batches of tasks from many clients at once: (created, refusals)."""
    created, refused, lock = [], [], threading.Lock()
    body = json.dumps([{"type": api.type}] * BATCH).encode()

    def produce():
        client = make_api(server)
        for _ in range(EACH):
            answer = client.post("/tasks", raw=body, headers={"Prefer": "return=minimal"})
            with lock:
                (created if answer.status_code == 201 else refused).append(answer)

    threads = [threading.Thread(target=produce) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return created, refused


@pytest.fixture
def hasty(make_server):
    return make_server(order_wait_max="1ms")


def test_new_tasks_that_would_wait_too_long_are_refused_and_change_nothing(hasty, make_api):
    api = make_api(hasty)
    created, refused = flood(make_api, hasty, api)
    assert created and refused
    for answer in refused:
        body = problem(answer, 503, "overloaded")
        assert "order_wait_max" in body["detail"]
        assert int(answer.headers["retry-after"]) >= 1
    row, = [row for row in api.expect(api.get("/tasks/stats"))["byType"]
            if row["type"] == api.type]
    assert row["pending"] == BATCH * len(created)
    assert api.create()["status"] == "pending"


def test_without_a_limit_all_are_taken(make_server, make_api):
    patient = make_server(order_wait_max="0")
    created, refused = flood(make_api, patient, make_api(patient))
    assert (len(created), len(refused)) == (CLIENTS * EACH, 0)


def test_what_holders_say_is_taken_meanwhile(hasty, make_api):
    api, worker = make_api(hasty), make_api(hasty)
    held = [worker.running() for _ in range(20)]
    flooding = threading.Thread(target=flood, args=(make_api, hasty, api))
    flooding.start()
    for task in held:
        worker.heartbeat(task)
        assert worker.complete(task)["status"] == "completed"
    flooding.join()
