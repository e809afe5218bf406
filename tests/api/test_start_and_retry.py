"""Tasks that wait for a start by hand, and tasks sent back by hand."""

import pytest

from lib.client import problem


def test_a_task_with_auto_start_off_waits_for_its_start(api):
    task = api.create(autoStart=False)
    assert (task["status"], task["waitingFor"]) == ("pending", "start")
    assert api.claim() == []
    problem(api.act(task, "claim", {"workerId": "w"}), 409, "wrong_status")


def test_start_makes_it_ready(api):
    task = api.create(autoStart=False)
    assert api.start(task)["waitingFor"] == "worker"
    assert api.claim_one()["id"] == task["id"]
    assert "task.started" in api.event_names(task)


def test_start_wakes_a_waiting_worker(api, parallel):
    task = api.create(autoStart=False)
    waiter = api.twin()
    claimed = parallel(waiter.claim_one, waitMs=10_000)
    api.start(task)
    assert claimed()["id"] == task["id"]
    waiter.close()


def test_a_started_task_with_a_delay_waits_for_its_time(api):
    task = api.create(autoStart=False, delayMs=60_000)
    assert task["waitingFor"] == "start"
    assert api.start(task)["waitingFor"] == "time"


@pytest.mark.parametrize("fields", [{}, {"delayMs": 60_000}])
def test_start_is_only_for_tasks_that_wait_for_it(api, fields):
    task = api.create(**fields)
    problem(api.act(task, "start"), 409, "wrong_status")
    assert api.task(task) == task


def test_a_running_or_final_task_is_not_started(api):
    running = api.running()
    problem(api.act(running, "start"), 409, "wrong_status")
    api.complete(running)
    problem(api.act(running, "start"), 409, "wrong_status")


def test_a_task_is_started_only_once(api):
    task = api.create(autoStart=False)
    api.start(task)
    problem(api.act(task, "start"), 409, "wrong_status")


@pytest.mark.parametrize("status", ["failed", "cancelled", "abandoned"])
def test_an_ended_task_is_retried_by_hand(api, status):
    ended = api.ended(status, maxAttempts=1)
    back = api.retry(ended)
    assert (back["status"], back["waitingFor"]) == ("pending", "worker")
    assert back["completedAt"] is None
    assert back["cancelRequested"] is False
    again = api.claim_one()
    assert again["id"] == ended["id"]
    assert again["attempt"] == ended["attempt"] + 1 <= again["maxAttempts"]
    api.complete(again, "at last")
    done = api.task(again)
    assert (done["status"], done["result"], done["error"]) == ("completed", "at last", None)
    assert "task.retried" in api.event_names(ended)


def test_a_retry_by_hand_grants_the_attempts_again(api):
    task = api.ended("failed", maxAttempts=2)
    api.retry(task)
    fixed = {"retryDelayMs": 0}
    api.fail(api.claim_one(), **fixed)
    second = api.claim_one(waitMs=2000)
    assert api.fail(second, **fixed)["status"] in ("failed", "pending")
    assert second["attempt"] == 3


@pytest.mark.parametrize("prepare", ["pending", "delayed", "running", "completed"])
def test_only_failed_cancelled_and_abandoned_tasks_are_retried(api, prepare):
    task = {
        "pending": api.create,
        "delayed": lambda: api.create(delayMs=60_000),
        "running": api.running,
        "completed": lambda: api.ended("completed"),
    }[prepare]()
    before = api.task(task)
    problem(api.act(task, "retry"), 409, "wrong_status")
    assert api.task(task) == before


def test_a_retry_wakes_a_waiting_worker(api, parallel):
    task = api.ended("failed")
    waiter = api.twin()
    claimed = parallel(waiter.claim_one, waitMs=10_000)
    api.retry(task)
    assert claimed()["id"] == task["id"]
    waiter.close()


@pytest.mark.parametrize("verb", ["start", "retry"])
def test_an_empty_object_is_a_fine_body_and_a_field_is_not(api, verb):
    def prepare():
        return api.create(autoStart=False) if verb == "start" else api.ended("failed")
    api.expect(api.act(prepare(), verb, {}))
    api.expect(api.act(prepare(), verb, raw=b""))
    problem(api.act(prepare(), verb, {"now": True}), 422, "invalid_field", "/now")


def test_minimal_answers_work_on_the_moves_of_a_person(api):
    prefer = {"Prefer": "return=minimal"}
    task = api.create(autoStart=False)
    for verb, status in (("start", "pending"), ("cancel", "cancelled"), ("retry", "pending")):
        response = api.act(task, verb, headers=prefer)
        assert api.expect(response)["task"] == {"id": task["id"], "status": status}
        assert response.headers["preference-applied"] == "return=minimal"
