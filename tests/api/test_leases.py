"""Leases: who holds a task, how long, and what a worker without it may do (nothing)."""

import pytest

from lib.client import problem
from lib.rawhttp import Raw, request_bytes

FIXED_50 = {"type": "fixed", "delayMs": 50, "jitter": 0}
MOVES = {
    "heartbeat": {}, "progress": {"progress": 5}, "logs": {"lines": ["x"]},
    "complete": {"result": 1}, "fail": {"error": "x"}, "release": {},
}


def test_a_claimed_task_is_running_with_a_lease(api):
    task = api.running(leaseMs=5000, claim={"workerId": "w-1"})
    assert (task["status"], task["waitingFor"], task["attempt"]) == ("running", None, 1)
    assert task["workerId"] == "w-1"
    assert task["leaseExpiresAt"] == task["claimedAt"] + 5000
    assert task["startedAt"] == task["claimedAt"]


def test_the_default_lease_is_thirty_seconds(api):
    task = api.running()
    assert task["leaseExpiresAt"] - task["claimedAt"] == 30_000


def test_a_claim_may_ask_for_another_lease(api):
    task = api.running(leaseMs=5000, claim={"leaseMs": 9000})
    assert task["leaseExpiresAt"] - task["claimedAt"] == 9000


def test_the_lease_token_is_shown_to_nobody_else(api):
    task = api.running()
    token = task["leaseToken"]
    for path in (f"/tasks/{task['id']}", f"/tasks/{task['id']}/status",
                 f"/tasks/{task['id']}/events", f"/tasks/{task['id']}/attempts",
                 f"/tasks/{task['id']}/explain", "/workers"):
        assert token not in api.get(path).text, path
    assert token not in api.get("/tasks", params={"type": api.type}).text


def test_a_lost_lease_brings_the_task_back_and_then_abandons_it(api):
    first = api.running(maxAttempts=2, backoff=FIXED_50, claim={"leaseMs": 1000})
    second = api.claim_one(waitMs=6000, leaseMs=1000)
    assert second["id"] == first["id"] and second["attempt"] == 2
    assert second["claimedAt"] >= first["leaseExpiresAt"]
    assert second["leaseToken"] != first["leaseToken"]
    ended = api.final(first)
    assert ended["status"] == "abandoned"
    assert ended["completedAt"] >= second["leaseExpiresAt"]
    assert api.outcomes(first) == ["lease_lost", "lease_lost"]
    names = api.event_names(first)
    assert names[-1] == "task.abandoned" and "task.lease_lost" in names


def test_a_heartbeat_extends_the_lease(api):
    task = api.running(claim={"leaseMs": 1000})
    answer = api.heartbeat(task)
    assert answer["cancelRequested"] is False
    assert answer["leaseExpiresAt"] >= task["leaseExpiresAt"]
    assert api.task(task)["leaseExpiresAt"] == answer["leaseExpiresAt"]


def test_heartbeats_keep_a_task_past_its_first_lease(api):
    task = api.running(maxAttempts=1, claim={"leaseMs": 1000})
    for _ in range(3):
        assert api.task(task, wait_ms=500)["status"] == "running"
        api.heartbeat(task)
    assert api.complete(task)["status"] == "completed"


@pytest.mark.parametrize("verb, body", [("progress", {"progress": 1}), ("logs", {"text": "x"})])
def test_progress_and_logs_extend_the_lease_too(api, verb, body):
    task = api.running(claim={"leaseMs": 1000})
    api.task(task, wait_ms=100)
    answer = api.expect(api.move(task, verb, **body))
    assert set(answer) == {"success", "cancelRequested", "leaseExpiresAt"}
    assert answer["leaseExpiresAt"] >= task["leaseExpiresAt"] + 50


def test_the_token_may_come_in_a_header(api):
    task = api.running()
    token = {"Lease-Token": task["leaseToken"]}
    api.expect(api.act(task, "heartbeat", headers=token))
    api.expect(api.act(task, "progress", {"progress": 3}, headers=token))
    api.expect(api.act(task, "logs", {"text": "line"}, headers=token))
    done = api.expect(api.act(task, "complete", {"result": 1}, headers=token))["task"]
    assert done["status"] == "completed"


def test_fail_and_release_take_the_token_from_the_header_as_well(api):
    for verb, body in (("fail", {"error": "x"}), ("release", {})):
        task = api.running()
        response = api.act(task, verb, body, headers={"Lease-Token": task["leaseToken"]})
        assert api.expect(response)["task"]["status"] == "pending"
        api.cancel(task)


@pytest.mark.parametrize("other", ["its own", "another"])
def test_a_header_with_a_token_that_comes_twice_is_refused(server, api, other):
    task = api.running()
    tokens = [task["leaseToken"], task["leaseToken"] if other == "its own" else "0" * 15 + "1"]
    lines = [b"Lease-Token: " + token.encode() for token in tokens]
    with Raw(server) as raw:
        path = f"/api/v1/tasks/{task['id']}/complete"
        reply = raw.send(request_bytes("POST", path, b"{}", lines)).reply()
    assert reply.status == 400 and b"Lease-Token must come only once" in reply.body
    assert api.task(task)["revision"] == task["revision"]


@pytest.mark.parametrize("verb", MOVES)
def test_a_move_without_a_token_is_refused(api, verb):
    task = api.running()
    problem(api.act(task, verb, MOVES[verb]), 422, "invalid_field", "/leaseToken")
    assert api.task(task)["revision"] == task["revision"]


@pytest.mark.parametrize("verb", MOVES)
@pytest.mark.parametrize("token", ["f" * 16, "0" * 16, "nonsense", "", " "])
def test_a_move_with_a_made_up_token_is_refused_and_changes_nothing(api, verb, token):
    task = api.running()
    response = api.act(task, verb, {"leaseToken": token, **MOVES[verb]})
    assert response.status_code in (409, 422), response.text
    if response.status_code == 409:
        problem(response, 409, "lease_lost")
    assert api.task(task) == {k: v for k, v in task.items() if k != "leaseToken"}


@pytest.mark.parametrize("verb", MOVES)
def test_a_stale_token_of_an_earlier_attempt_is_refused(api, verb):
    first = api.running()
    api.release(first)
    second = api.claim_one()
    problem(api.move(first, verb, **MOVES[verb]), 409, "lease_lost")
    assert api.task(first)["revision"] == second["revision"]


@pytest.mark.parametrize("verb", MOVES)
def test_the_token_of_another_task_is_refused(api, verb):
    mine, other = api.running(), api.running()
    response = api.act(mine, verb, {"leaseToken": other["leaseToken"], **MOVES[verb]})
    problem(response, 409, "lease_lost")
    assert api.task(mine)["status"] == api.task(other)["status"] == "running"


@pytest.mark.parametrize("verb", MOVES)
def test_a_move_on_a_task_nobody_has_claimed_is_refused(api, verb):
    task = api.create()
    response = api.act(task, verb, {"leaseToken": "f" * 16, **MOVES[verb]})
    assert response.status_code in (409, 422), response.text
    assert api.task(task) == task


@pytest.mark.parametrize("verb", [verb for verb in MOVES if verb != "complete"])
def test_a_move_after_completion_is_refused(api, verb):
    task = api.running()
    api.complete(task, "kept")
    done = api.task(task)
    problem(api.move(task, verb, **MOVES[verb]), 409, "lease_lost")
    assert api.task(task) == done


def test_a_repeated_completion_with_the_same_token_answers_the_same(api):
    task = api.running()
    first = api.move(task, "complete", result={"n": 1})
    again = api.move(task, "complete", result={"n": 1})
    assert again.status_code == first.status_code == 200
    assert again.json()["task"] == first.json()["task"]
    assert api.event_names(task).count("task.completed") == 1


def test_a_repeated_completion_does_not_change_the_result(api):
    task = api.running()
    api.complete(task, "first")
    again = api.move(task, "complete", result="second")
    assert again.status_code in (200, 409), again.text
    assert api.task(task)["result"] == "first"


def test_a_completion_with_a_lease_that_was_lost_is_refused(api):
    task = api.running(maxAttempts=1, claim={"leaseMs": 1000})
    assert api.final(task)["status"] == "abandoned"
    problem(api.move(task, "complete", result=1), 409, "lease_lost")
    assert api.task(task)["result"] is None


def test_a_released_task_is_ready_again_and_has_its_attempt_back(api):
    task = api.running(maxAttempts=1)
    released = api.release(task)
    assert (released["status"], released["waitingFor"]) == ("pending", "worker")
    assert released["attempt"] == 0
    again = api.claim_one()
    assert again["id"] == task["id"] and again["attempt"] == 1
    assert api.complete(again)["status"] == "completed"
    assert "task.released" in api.event_names(task)


def test_a_task_may_be_released_for_later(api):
    task = api.running()
    released = api.release(task, delayMs=150)
    assert released["status"] == "pending" and released["waitingFor"] in ("time", "retry")
    again = api.claim_one(waitMs=5000)
    assert again["claimedAt"] >= released["updatedAt"] + 150


def test_a_task_can_be_released_more_often_than_it_has_attempts(api):
    api.create(maxAttempts=2)
    for _ in range(5):
        released = api.release(api.claim_one())
    assert released["attempt"] == 0 and released["status"] == "pending"


def test_progress_is_kept_and_never_goes_down_within_an_attempt(api):
    task = api.running()
    api.progress(task, 40, currentStep="resize", currentStepDescription="Making it smaller.")
    api.progress(task, 20)
    seen = api.task(task)
    assert seen["progress"] == 40
    assert seen["currentStep"] == "resize"
    assert seen["currentStepDescription"] == "Making it smaller."
    api.progress(task, 100)
    assert api.task(task)["progress"] == 100


def test_progress_starts_again_with_a_new_attempt(api):
    task = api.running(backoff=FIXED_50)
    api.progress(task, 70, currentStep="upload")
    api.fail(task)
    second = api.claim_one(waitMs=5000)
    assert second["progress"] in (0, None)
    api.progress(second, 10)
    assert api.task(second)["progress"] == 10


def test_the_step_may_change_without_the_number(api):
    task = api.running()
    api.progress(task, 10, currentStep="one")
    api.expect(api.move(task, "progress", currentStep="two"))
    seen = api.task(task)
    assert (seen["progress"], seen["currentStep"]) == (10, "two")


def test_the_status_route_tells_the_progress_alone(api):
    task = api.running()
    api.progress(task, 33, currentStep="s", currentStepDescription="d")
    answer = api.expect(api.get(f"/tasks/{task['id']}/status"))
    assert list(answer) == [
        "success", "id", "status", "waitingFor", "progress", "currentStep",
        "currentStepDescription", "attempt", "maxAttempts", "cancelRequested", "startedAt",
        "completedAt", "error"]
    assert (answer["status"], answer["progress"], answer["currentStep"]) == ("running", 33, "s")


@pytest.mark.parametrize("value", [-1, 101, "50", None, True, 1e300, [50]])
def test_a_progress_outside_its_range_is_pointed_at(api, value):
    task = api.running()
    body = {"leaseToken": task["leaseToken"], "progress": value}
    response = api.act(task, "progress", body)
    if value is None and response.status_code == 200:
        return  # null is absent
    problem(response, 422, "invalid_field", "/progress")


@pytest.mark.parametrize("lease", [999, 86_400_001, 0, -5, "30s", 1.5])
def test_a_lease_outside_its_range_is_pointed_at(api, lease):
    problem(api.post("/tasks", api.fields(leaseMs=lease)), 422, "invalid_field", "/leaseMs")
    problem(api.post("/claims", {"types": [api.type], "workerId": "w", "leaseMs": lease}),
            422, "invalid_field", "/leaseMs")
