"""Waiting for the end of a task: waitMs and Prefer: wait, on create and on read."""

import time

import pytest

from lib.client import problem


def finish_next(api, result="done", wait_ms=10_000):
    """A worker's turn: waits for a task and completes it."""
    return api.complete(api.claim_one(waitMs=wait_ms), result)


def test_a_create_that_waits_is_answered_when_the_task_ends(api, parallel):
    worker = api.twin()
    turn = parallel(finish_next, worker, {"sum": 3})
    response = api.post("/tasks", api.fields(), params={"waitMs": 10_000})
    task = api.expect(response, 201)["task"]
    assert (task["status"], task["result"]) == ("completed", {"sum": 3})
    assert response.headers["location"].endswith(task["id"])
    turn()
    worker.close()


def test_a_create_that_waits_answers_at_its_limit_with_the_task_as_it_is(api):
    began = time.monotonic()
    response = api.post("/tasks", api.fields(), params={"waitMs": 200})
    assert 0.19 <= time.monotonic() - began < 2
    assert api.expect(response, 201)["task"]["status"] == "pending"


def test_a_wait_that_ends_while_the_task_runs_shows_it_running(api, parallel):
    worker = api.twin()
    claim = parallel(worker.claim_one, waitMs=10_000)
    response = api.post("/tasks", api.fields(), params={"waitMs": 400})
    assert api.expect(response, 201)["task"]["status"] == "running"
    claim()
    worker.close()


def test_prefer_wait_is_the_same_in_seconds(api, parallel):
    worker = api.twin()
    turn = parallel(finish_next, worker, 7)
    response = api.post("/tasks", api.fields(), headers={"Prefer": "wait=10"})
    task = api.expect(response, 201)["task"]
    assert (task["status"], task["result"]) == ("completed", 7)
    turn()
    worker.close()


def test_prefer_wait_and_minimal_go_together(api, parallel):
    worker = api.twin()
    turn = parallel(finish_next, worker)
    response = api.post("/tasks", api.fields(), headers={"Prefer": "wait=10, return=minimal"})
    task = api.expect(response, 201)["task"]
    assert sorted(task) == ["id", "status"] and task["status"] == "completed"
    turn()
    worker.close()


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_create_that_waits_hears_of_every_end(api, parallel, status):
    worker = api.twin()

    def turn():
        task = worker.claim_one(waitMs=10_000)
        return worker.fail(task, retry=False) if status == "failed" else \
            worker.cancel(task, graceMs=0)

    join = parallel(turn)
    task = api.expect(api.post("/tasks", api.fields(), params={"waitMs": 10_000}), 201)["task"]
    assert task["status"] == status
    join()
    worker.close()


def test_a_create_that_waits_sees_a_failure_through_its_retries(api, parallel):
    worker = api.twin()

    def turn():
        worker.fail(worker.claim_one(waitMs=10_000), retryDelayMs=20)
        finish_next(worker, "second")

    join = parallel(turn)
    task = api.expect(api.post("/tasks", api.fields(), params={"waitMs": 10_000}), 201)["task"]
    assert (task["status"], task["result"], task["attempt"]) == ("completed", "second", 2)
    join()
    worker.close()


def test_a_read_that_waits_is_answered_when_the_task_ends(api, parallel):
    task = api.running()
    reader = api.twin()
    waiting = [parallel(reader.task, task, wait_ms=10_000) for _ in range(3)]
    api.complete(task, "x")
    for join in waiting:
        assert (seen := join())["status"] == "completed" and seen["result"] == "x"
    reader.close()


def test_a_read_that_waits_for_a_final_task_is_answered_at_once(api):
    task = api.ended("completed")
    began = time.monotonic()
    assert api.task(task, wait_ms=20_000)["status"] == "completed"
    assert time.monotonic() - began < 2


def test_a_read_that_waits_answers_at_its_limit(api):
    began = time.monotonic()
    assert api.task(api.create(), wait_ms=200)["status"] == "pending"
    assert 0.19 <= time.monotonic() - began < 2


def test_a_read_that_waits_hears_of_a_delete(api, parallel):
    task = api.create()
    reader = api.twin()
    waiting = parallel(reader.get, f"/tasks/{task['id']}", params={"waitMs": 3000})
    api.expect(api.delete(f"/tasks/{task['id']}"))
    response = waiting()
    assert response.status_code in (200, 404)
    reader.close()


@pytest.mark.parametrize("value", ["-1", "60001", "abc", "1.5", "", "1e3", "99999999999999999999"])
def test_a_bad_wait_is_pointed_at(api, value):
    params = {"waitMs": value}
    problem(api.post("/tasks", api.fields(), params=params), 422, "invalid_field", "?waitMs")
    task = api.create()
    problem(api.get(f"/tasks/{task['id']}", params=params), 422, "invalid_field", "?waitMs")
    assert len(api.list()) == 1


def test_dozens_of_waiting_requests_hold_nothing_up(api, parallel):
    waiters = [api.twin() for _ in range(60)]
    tasks = api.create_many([{}] * 60)
    joins = [parallel(waiter.task, task, wait_ms=15_000)
             for waiter, task in zip(waiters, tasks)]
    claimed = 0
    while claimed < 60:  # a claim passes over what is just being looked at
        batch = api.claim(limit=60, waitMs=1000)
        for task in batch:
            api.complete(task)
        claimed += len(batch)
    assert {join()["status"] for join in joins} == {"completed"}
    for waiter in waiters:
        waiter.close()
