"""Failure, backoff, jitter, the attempt count and the history of attempts."""

import pytest

from lib.client import problem

FIXED_50 = {"type": "fixed", "delayMs": 50, "jitter": 0}
LONG = {"type": "fixed", "delayMs": 100_000, "jitter": 0}


def test_a_failed_attempt_waits_for_its_retry(api):
    task = api.running(backoff=LONG)
    failed = api.fail(task, {"code": "net", "message": "No route."})
    assert (failed["status"], failed["waitingFor"]) == ("pending", "retry")
    assert failed["error"] == {"code": "net", "message": "No route.", "detail": None}
    assert failed["completedAt"] is None
    assert failed["attempt"] == 1
    assert failed["runAt"] is None or failed["runAt"] >= failed["updatedAt"]
    assert failed["leaseExpiresAt"] is None
    assert api.claim() == []


def test_a_failed_attempt_is_tried_again_after_its_fixed_backoff(api):
    task = api.running(backoff=FIXED_50)
    failed = api.fail(task)
    again = api.claim_one(waitMs=5000)
    assert again["id"] == task["id"]
    assert again["attempt"] == 2
    assert again["leaseToken"] != task["leaseToken"]
    assert again["claimedAt"] >= failed["updatedAt"] + 50
    assert again["startedAt"] == task["startedAt"]


def test_attempts_end_with_failed_when_they_are_used_up(api):
    task = api.running(backoff=FIXED_50, maxAttempts=3)
    api.fail(task, "one")
    api.fail(api.claim_one(waitMs=5000), "two")
    last = api.fail(api.claim_one(waitMs=5000), "three")
    assert last["status"] == "failed"
    assert last["waitingFor"] is None
    assert last["attempt"] == 3
    assert last["error"]["message"] == "three"
    assert last["completedAt"] == last["updatedAt"]
    assert api.event_names(task) == [
        "task.created", "task.claimed", "task.attempt_failed", "task.due", "task.claimed",
        "task.attempt_failed", "task.due", "task.claimed", "task.failed"]


def test_a_failure_that_must_not_be_retried_ends_the_task(api):
    failed = api.fail(api.running(maxAttempts=5), "no use", retry=False)
    assert (failed["status"], failed["attempt"]) == ("failed", 1)


def test_a_task_with_one_attempt_fails_at_once(api):
    assert api.fail(api.running(maxAttempts=1))["status"] == "failed"


def test_the_worker_may_set_the_delay_of_the_retry(api):
    task = api.running(backoff=LONG)
    failed = api.fail(task, retryDelayMs=60)
    again = api.claim_one(waitMs=5000)
    assert again["id"] == task["id"]
    assert again["claimedAt"] >= failed["updatedAt"] + 60


def test_an_error_may_be_a_plain_string(api):
    failed = api.fail(api.running(maxAttempts=1), "Out of paper.")
    assert failed["error"]["message"] == "Out of paper."
    assert set(failed["error"]) == {"code", "message", "detail"}


def test_the_error_of_an_attempt_that_failed_before_is_gone_after_success(api):
    task = api.running(backoff=FIXED_50)
    api.fail(task, "first")
    done = api.complete(api.claim_one(waitMs=5000), 1)
    assert done["status"] == "completed" and done["error"] is None


def waits_of(api, backoff, attempts):
    """The waits between attempts, in ms, as the server's own times show them."""
    task, waits = api.running(backoff=backoff, maxAttempts=attempts), []
    for _ in range(attempts - 1):
        failed = api.fail(task)
        task = api.claim_one(waitMs=8000)
        waits.append(task["claimedAt"] - failed["updatedAt"])
    return waits


def test_exponential_backoff_doubles(api):
    waits = waits_of(api, {"type": "exponential", "delayMs": 40, "jitter": 0}, 4)
    for wait, least in zip(waits, (40, 80, 160)):
        assert least <= wait < least + 500, waits


def test_exponential_backoff_stops_at_its_maximum(api):
    backoff = {"type": "exponential", "delayMs": 40, "maxDelayMs": 60, "jitter": 0}
    waits = waits_of(api, backoff, 4)
    assert waits[0] >= 40 and all(60 <= wait < 560 for wait in waits[1:]), waits


def due_after_failure(api, backoff):
    """How far in the future the retry lies, read from the explanation's data or runAt."""
    task = api.running(backoff=backoff)
    failed = api.fail(task)
    due = failed["runAt"]
    if due is None:
        times = [value for value in api.explain(task)["data"].values()
                 if isinstance(value, int) and value > failed["updatedAt"]]
        assert times, "explain names the time of the retry"
        due = times[0]
    return due - failed["updatedAt"]


def test_jitter_only_shortens_the_wait_and_by_its_share_at_most(api):
    backoff = {"type": "fixed", "delayMs": 100_000, "jitter": 0.5}
    waits = [due_after_failure(api, backoff) for _ in range(20)]
    assert all(50_000 <= wait <= 100_000 for wait in waits), waits
    assert len(set(waits)) > 10, "jitter spreads the waits"


def test_without_jitter_the_wait_is_exact(api):
    assert {due_after_failure(api, LONG) for _ in range(3)} == {100_000}


def test_the_default_backoff_is_a_second_less_a_fifth_at_most(api):
    waits = [due_after_failure(api, None) for _ in range(5)]
    assert all(800 <= wait <= 1000 for wait in waits), waits


def test_the_history_of_attempts_tells_what_became_of_each(api):
    task = api.running(backoff=FIXED_50, claim={"workerId": "first"})
    api.fail(task, {"code": "net", "message": "No route."})
    second = api.claim_one(waitMs=5000, workerId="second")
    api.release(second)
    third = api.claim_one(waitMs=5000, workerId="third")
    running = api.attempts(task)
    assert running[-1]["outcome"] == "running" and running[-1]["endedAt"] is None
    api.complete(third)
    history = api.attempts(task)
    assert [one["outcome"] for one in history] == ["failed", "released", "completed"]
    assert [one["worker"] for one in history] == ["first", "second", "third"]
    assert [one["attempt"] for one in history] == [1, 2, 2]
    assert history[0]["error"] == {"code": "net", "message": "No route."}
    assert history[1]["error"] is None and history[2]["error"] is None
    for one in history:
        assert task["createdAt"] <= one["startedAt"] <= one["endedAt"]


def test_a_task_never_claimed_has_no_attempts(api):
    answer = api.expect(api.get(f"/tasks/{api.create()['id']}/attempts"))
    assert answer["attempts"] == [] and answer["count"] == 0


@pytest.mark.parametrize("backoff, pointer", [
    ({"type": "linear"}, "/backoff/type"),
    ({"type": 1}, "/backoff/type"),
    ({"delayMs": -1}, "/backoff/delayMs"),
    ({"delayMs": "1s"}, "/backoff/delayMs"),
    ({"maxDelayMs": -5}, "/backoff/maxDelayMs"),
    ({"jitter": 1.5}, "/backoff/jitter"),
    ({"jitter": -0.1}, "/backoff/jitter"),
    ({"jitter": "some"}, "/backoff/jitter"),
    ({"factor": 2}, "/backoff/factor"),
    ("fixed", "/backoff"),
    ([], "/backoff"),
])
def test_a_bad_backoff_is_pointed_at(api, backoff, pointer):
    problem(api.post("/tasks", api.fields(backoff=backoff)), 422, "invalid_field", pointer)
