"""Delays, due times, expiry and the limit of an attempt's length."""

import time

import pytest

from lib.client import problem
from lib.worker import until

FIXED_50 = {"type": "fixed", "delayMs": 50, "jitter": 0}


def now_ms():
    return int(time.time() * 1000)


def test_a_delayed_task_waits_for_its_time(api):
    task = api.create(delayMs=60_000)
    assert (task["status"], task["waitingFor"]) == ("pending", "time")
    assert task["createdAt"] + 60_000 == task["runAt"]
    assert api.claim() == []


def test_a_delayed_task_is_handed_out_when_it_is_due_and_not_before(api):
    created = api.create(delayMs=150)
    claimed = api.claim_one(waitMs=5000)
    assert claimed["id"] == created["id"]
    assert claimed["claimedAt"] >= created["createdAt"] + 150
    assert claimed["claimedAt"] < created["createdAt"] + 150 + 1000
    assert api.event_names(created) == ["task.created", "task.due", "task.claimed"]


def test_a_run_at_in_the_future_is_kept_to(api):
    run_at = now_ms() + 200
    created = api.create(runAt=run_at)
    assert (created["waitingFor"], created["runAt"]) == ("time", run_at)
    claimed = api.claim_one(waitMs=5000)
    assert claimed["claimedAt"] >= run_at


def test_a_run_at_in_the_past_is_ready_at_once(api):
    task = api.create(runAt=now_ms() - 10_000)
    assert task["waitingFor"] == "worker"
    assert api.claim_one()["id"] == task["id"]


def test_a_delay_of_zero_is_ready_at_once(api):
    assert api.create(delayMs=0)["waitingFor"] == "worker"


def test_tasks_become_due_in_the_order_of_their_times(api):
    late = api.create(delayMs=250)
    early = api.create(delayMs=100)
    assert api.claim_one(waitMs=5000)["id"] == early["id"]
    assert api.claim_one(waitMs=5000)["id"] == late["id"]


def test_run_at_and_delay_exclude_each_other(api):
    response = api.post("/tasks", api.fields(runAt=now_ms() + 1000, delayMs=10))
    body = problem(response, 422, "invalid_field")
    assert body["errors"][0]["pointer"] in ("/runAt", "/delayMs")


def test_the_farthest_delay_is_four_hundred_days(api):
    most = 400 * 24 * 3600 * 1000
    assert api.create(delayMs=most)["waitingFor"] == "time"
    problem(api.post("/tasks", api.fields(delayMs=most + 1)), 422, "invalid_field", "/delayMs")


@pytest.mark.parametrize("waiting", [{}, {"delayMs": 60_000}, {"autoStart": False}])
def test_a_pending_task_is_cancelled_when_it_expires(api, waiting):
    created = api.create(expiresAt=now_ms() + 150, **waiting)
    ended = api.final(created)
    assert ended["status"] == "cancelled"
    assert ended["completedAt"] >= created["expiresAt"]
    assert api.event_names(created)[-1] == "task.expired"
    assert api.claim() == []


def test_a_running_task_does_not_expire(api):
    task = api.running(expiresAt=now_ms() + 200, leaseMs=5000)
    seen = api.task(task, wait_ms=500)
    assert seen["status"] == "running"
    assert api.complete(task, "late")["status"] == "completed"


def test_a_released_task_past_its_expiry_is_cancelled(api):
    task = api.running(expiresAt=now_ms() + 150)
    assert api.task(task, wait_ms=300)["status"] == "running"
    api.release(task)
    assert api.final(task)["status"] == "cancelled"


def test_an_attempt_longer_than_its_timeout_is_ended(api):
    task = api.running(timeoutMs=300, leaseMs=60_000, maxAttempts=1)
    ended = api.final(task)
    assert ended["status"] in ("failed", "abandoned")
    problem(api.move(task, "heartbeat"), 409, "lease_lost")


def test_heartbeats_do_not_stretch_the_timeout(api):
    task = api.running(timeoutMs=300, leaseMs=60_000, backoff=FIXED_50, maxAttempts=2)
    api.heartbeat(task)
    again = api.claim_one(waitMs=5000)
    assert again["id"] == task["id"] and again["attempt"] == 2
    problem(api.move(task, "heartbeat"), 409, "lease_lost")


def test_a_long_attempt_within_its_timeout_is_left_alone(api):
    task = api.running(timeoutMs=60_000, leaseMs=5000)
    assert api.task(task, wait_ms=300)["status"] == "running"
    api.complete(task)


def test_updated_at_follows_each_change(api):
    lease = {}

    def claim(task):
        lease.update(api.claim_one())
        return api.task(task)

    changes = {
        "change": lambda task: api.expect(
            api.patch(f"/tasks/{task['id']}", {"priority": 3}))["task"],
        "start": api.start,
        "claim": claim,
        "progress": lambda task: (api.progress(lease, 5), api.task(task))[1],
        "fail": lambda _: api.fail(lease),
        "retry": api.retry,
        "claim again": claim,
        "complete": lambda _: api.complete(lease),
    }
    task = api.create(autoStart=False, maxAttempts=1)
    for name, change in changes.items():
        # The clock of the store, which may be a database's, is this machine's.
        until(lambda before=task: now_ms() > before["updatedAt"] + 1)
        after = change(task)
        assert after["updatedAt"] > task["updatedAt"], name
        assert after["revision"] > task["revision"], name
        task = after
    assert task["updatedAt"] == task["completedAt"]
