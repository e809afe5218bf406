"""Cancel: of a task that waits, of one that runs, and who wins against the worker."""

import pytest

from lib.client import problem

FIXED_50 = {"type": "fixed", "delayMs": 50, "jitter": 0}


@pytest.mark.parametrize("waiting", [{}, {"delayMs": 60_000}, {"autoStart": False}])
def test_a_pending_task_is_cancelled_at_once(api, waiting):
    task = api.cancel(api.create(**waiting))
    assert (task["status"], task["waitingFor"]) == ("cancelled", None)
    assert task["completedAt"] == task["updatedAt"]
    assert api.event_names(task)[-1] == "task.cancelled"
    assert api.claim() == []


def test_a_task_between_two_attempts_is_cancelled_at_once(api):
    task = api.running(backoff={"type": "fixed", "delayMs": 100_000})
    api.fail(task)
    assert api.cancel(task)["status"] == "cancelled"


def test_the_reason_is_kept_for_the_reader(api):
    task = api.create()
    cancelled = api.cancel(task, reason="The customer left.")
    told = api.get(f"/tasks/{task['id']}/events").text
    assert "The customer left." in told or "The customer left." in str(cancelled["error"])


def test_cancel_needs_no_body(api):
    assert api.expect(api.act(api.create(), "cancel"))["task"]["status"] == "cancelled"


@pytest.mark.parametrize("verb, body", [
    ("heartbeat", {}), ("progress", {"progress": 5}), ("logs", {"text": "x"})])
def test_a_cancel_of_a_running_task_is_delivered_on_the_next_call_of_its_worker(api, verb, body):
    task = api.running()
    seen = api.cancel(task, graceMs=60_000)
    assert (seen["status"], seen["cancelRequested"]) == ("running", True)
    assert "task.cancel_requested" in api.event_names(task)
    assert api.expect(api.move(task, verb, **body))["cancelRequested"] is True


def test_complete_wins_over_a_requested_cancel(api):
    task = api.running()
    api.cancel(task, graceMs=60_000)
    api.complete(task, {"made": "it"})
    done = api.task(task)
    assert (done["status"], done["result"]) == ("completed", {"made": "it"})
    assert api.outcomes(task) == ["completed"]


def test_a_failure_after_a_requested_cancel_is_the_cancel(api):
    task = api.running(maxAttempts=5, backoff=FIXED_50)
    api.cancel(task, graceMs=60_000)
    assert api.fail(task, "stopped")["status"] == "cancelled"
    assert api.event_names(task)[-1] == "task.cancelled"


def test_a_release_after_a_requested_cancel_is_the_cancel(api):
    task = api.running()
    api.cancel(task, graceMs=60_000)
    assert api.release(task)["status"] == "cancelled"
    assert api.claim() == []


def test_a_worker_that_does_not_react_loses_its_lease_when_the_grace_ends(api):
    task = api.running(leaseMs=60_000, maxAttempts=5)
    api.cancel(task, graceMs=100)
    ended = api.final(task)
    assert ended["status"] == "cancelled"
    assert ended["completedAt"] >= task["claimedAt"] + 100
    assert api.outcomes(task) == ["cancelled"]
    problem(api.move(task, "heartbeat"), 409, "lease_lost")
    problem(api.move(task, "complete", result=1), 409, "lease_lost")


def test_heartbeats_do_not_stretch_the_grace(api):
    task = api.running(leaseMs=60_000)
    api.cancel(task, graceMs=300)
    api.heartbeat(task)
    api.progress(task, 5)
    assert api.final(task, wait_ms=3000)["status"] == "cancelled"


def test_a_grace_of_zero_ends_a_running_task_at_once(api):
    task = api.running()
    api.cancel(task, graceMs=0)
    assert api.final(task, wait_ms=2000)["status"] == "cancelled"


def test_a_lease_that_ends_before_the_grace_cancels_too(api):
    task = api.running(maxAttempts=5, claim={"leaseMs": 1000})
    api.cancel(task, graceMs=60_000)
    assert api.final(task)["status"] == "cancelled"


def test_a_second_cancel_of_a_running_task_is_harmless(api):
    task = api.running()
    api.cancel(task, graceMs=60_000)
    again = api.cancel(task, graceMs=60_000)
    assert (again["status"], again["cancelRequested"]) == ("running", True)
    assert api.complete(task)["status"] == "completed"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_final_task_is_not_cancelled(api, status):
    task = api.ended(status)
    problem(api.act(task, "cancel", {}), 409, "wrong_status")
    assert api.task(task)["status"] == status


@pytest.mark.parametrize("body, pointer", [
    ({"graceMs": -1}, "/graceMs"), ({"graceMs": 600_001}, "/graceMs"),
    ({"graceMs": "1s"}, "/graceMs"), ({"reason": 7}, "/reason"), ({"why": "x"}, "/why")])
def test_a_bad_cancel_is_pointed_at_and_changes_nothing(api, body, pointer):
    task = api.create()
    problem(api.act(task, "cancel", body), 422, "invalid_field", pointer)
    assert api.task(task) == task


def test_exactly_one_wins_when_cancel_and_complete_race(api, parallel):
    twin = api.twin()
    tasks = [api.running() for _ in range(30)]
    for task in tasks:
        cancel = parallel(twin.act, task, "cancel", {"graceMs": 0})
        complete = api.move(task, "complete", result="done")
        cancelled = cancel()
        ended = api.final(task)
        if complete.status_code == 200:
            assert (ended["status"], ended["result"]) == ("completed", "done")
            assert cancelled.status_code in (200, 409)
        else:
            problem(complete, 409, "lease_lost")
            assert cancelled.status_code == 200 and ended["status"] == "cancelled"
            assert ended["result"] is None
    twin.close()


def test_a_worker_that_goes_on_renewing_has_the_whole_grace(api):
    task = api.running(claim={"leaseMs": 1000})
    api.cancel(task, graceMs=60_000)
    ends = set()
    while len(ends) < 3:  # a few milliseconds: each renewal counts from its own
        beat = api.expect(api.move(task, "heartbeat"))
        assert beat["cancelRequested"] is True
        ends.add(beat["leaseExpiresAt"])
    assert api.task(task)["status"] == "running"
    assert api.fail(task)["status"] == "cancelled"
