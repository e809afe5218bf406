"""Front door S4: the moves of a session's task, and those that are not possible."""

import pytest

from lib.client import NO_ID, problem
from lib.sessions import STATUSES, claim, claims

TERMINAL = ("completed", "failed", "cancelled")
FREE = {"description": "d", "metadata": {"a": 1}, "payload": {"b": 2}}


# --- create and start -----------------------------------------------------------------------------

def test_a_task_waits_until_it_is_started(session, crew):
    task = session.create()
    assert (task["status"], task["waitingFor"]) == ("pending", "start")
    assert claims(crew, session) == []
    session.start(task)
    assert claim(crew, session)["id"] == task["id"]


def test_it_has_one_attempt(session, crew):
    task = session.started()
    running = claim(crew, session)
    assert (running["attempt"], running["maxAttempts"]) == (1, 1)
    crew.fail(running, "broken", retry=True)
    assert session.task(task)["status"] == "failed"


def test_starting_a_running_task_is_refused_with_400(session, crew):
    task = session.lives(crew, "running")
    problem(session.act(task, "start"), 400, "wrong_status")
    assert session.task(task)["status"] == "running"
    crew.complete(task)


@pytest.mark.parametrize("status", TERMINAL)
def test_starting_an_ended_task_is_refused(session, crew, status):
    task = session.lives(crew, status)
    before = session.task(task)
    problem(session.act(task, "start"), 400, "wrong_status")
    assert session.task(task) == before


def test_a_session_can_run_several_tasks_at_once(session, crew):
    made = [session.started(name=f"Number {n}") for n in range(5)]
    running = claims(crew, session, limit=10)
    assert {task["id"] for task in running} == {task["id"] for task in made}
    assert session.stats()["running"] == 5
    for number, task in enumerate(running):
        crew.progress(task, number * 10)
    assert sorted(session.status(task)["progress"] for task in made) == [0, 10, 20, 30, 40]
    for task in running:
        crew.complete(task)
    assert session.stats()["completed"] == 5


# --- cancel and retry -----------------------------------------------------------------------------

def test_a_pending_task_is_cancelled_at_once(session, crew):
    waits, ready = session.create(), session.started()
    for task in (waits, ready):
        assert session.cancel(task)["status"] == "cancelled"
    assert claims(crew, session) == []


def test_a_cancel_of_a_running_task_reaches_its_worker_and_it_never_completes(session, crew):
    task = session.lives(crew, "running")
    session.cancel(task, graceMs=0)
    assert session.expect(session.get(f"/tasks/{task['id']}", params={"waitMs": 5000}))[
        "task"]["status"] == "cancelled"
    problem(crew.move(task, "complete", result=1), 409, "lease_lost")
    assert session.task(task)["status"] == "cancelled"


def test_the_worker_hears_of_a_cancel_on_its_next_call(session, crew):
    task = session.lives(crew, "running")
    session.cancel(task)
    assert crew.heartbeat(task)["cancelRequested"] is True
    crew.fail(task, "stopped")
    assert session.task(task)["status"] == "cancelled"


@pytest.mark.parametrize("status", TERMINAL)
def test_an_ended_task_is_not_cancelled_and_stays_as_it_is(session, crew, status):
    task = session.lives(crew, status)
    before = session.task(task)
    problem(session.act(task, "cancel"), 400, "wrong_status")
    assert session.task(task) == before


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_retry_begins_anew(session, crew, status):
    task = session.started()
    running = claim(crew, session)
    crew.progress(running, 60, currentStep="Half way", currentStepDescription="or more")
    if status == "failed":
        crew.fail(running, "broken", retry=False)
    else:
        session.cancel(task, graceMs=0)
        session.expect(session.get(f"/tasks/{task['id']}", params={"waitMs": 5000}))
    assert session.status(task)["status"] == status
    session.retry(task)
    seen = session.status(task)
    assert (seen["status"], seen["progress"], seen["error"]) == ("pending", 0, None)
    assert (seen["startedAt"], seen["completedAt"]) == (None, None)
    assert (seen["currentStep"], seen["currentStepDescription"]) == (None, None)


def test_a_retried_task_runs_again(session, crew):
    task = session.lives(crew, "failed")
    assert session.retry(task)["waitingFor"] == "worker"
    crew.complete(claim(crew, session), {"at": "last"})
    seen = session.task(task)
    assert (seen["status"], seen["result"], seen["error"]) == ("completed", {"at": "last"}, None)


@pytest.mark.parametrize("status", ["pending", "running", "completed"])
def test_only_what_failed_or_was_cancelled_is_retried(session, crew, status):
    task = session.lives(crew, status)
    before = session.task(task)
    problem(session.act(task, "retry"), 400, "wrong_status")
    assert session.task(task) == before


# --- nothing is changed by hand -------------------------------------------------------------------

@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_task_cannot_be_changed_by_hand(session, crew, status, method):
    task = session.lives(crew, status)
    before = session.task(task)
    body = None if method == "DELETE" else b'{"priority": 5}'
    answer = session.send(method, f"/tasks/{task['id']}", raw=body)
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]
    assert not {"PUT", "PATCH", "DELETE"} & set(answer.headers["allow"].replace(",", " ").split())
    assert session.task(task) == before


@pytest.mark.parametrize("field, value", [
    ("status", "completed"), ("progress", 100), ("currentStep", "x"), ("result", {"n": 1}),
    ("error", "x"), ("id", NO_ID), ("createdAt", 1),
    ("startedAt", 1), ("completedAt", 1), ("attempt", 5), ("workerId", "me"), ("revision", 9),
    ("sessionKey", "another"), ("tenantId", "another"), ("tenant", "another"),
    ("tenant_id", "another"), ("subject", "someone"), ("projectId", "p"), ("durable", True),
    ("leaseToken", "s1.0"), ("cost", 0), ("success", True), ("userId", "u"),
])
def test_what_is_not_a_callers_to_set_is_refused_by_its_name(session, field, value):
    answer = session.post("/tasks", {"name": "n", **FREE, field: value})
    problem(answer, 400, "invalid_field", f"/{field}")
    assert session.ids() == []


@pytest.mark.parametrize("verb, body", [
    ("progress", {"progress": 50}), ("complete", {"result": 1}), ("fail", {"error": "x"}),
    ("heartbeat", {}), ("release", {}), ("logs", {"lines": ["x"]}), ("claim", {})])
def test_a_session_makes_no_moves_of_a_worker(session, crew, make_api, verb, body):
    task = session.lives(crew, "running")
    before = session.task(task)
    nobody = make_api(session.server, key="")
    answer = nobody.act(task, verb, {**body, "leaseToken": task["leaseToken"]},
                        headers={"X-App-Session": session.session})
    # The path of the log is open to sessions, but for reading.
    closed = (405, "method_not_allowed") if verb == "logs" else (401, "unauthenticated")
    problem(answer, *closed)
    assert session.task(task) == before


def test_progress_never_goes_down_and_a_hundred_completes_nothing(session, crew):
    task = session.started()
    running = claim(crew, session)
    for told, shown in ((0, 0), (25, 25), (10, 25), (100, 100), (50, 100)):
        crew.progress(running, told, currentStep=f"at {told}")
        seen = session.status(task)
        assert (seen["status"], seen["progress"]) == ("running", shown)
        assert seen["currentStep"] == f"at {told}"
        assert seen["completedAt"] is None
    crew.complete(running)
    assert session.status(task)["status"] == "completed"


@pytest.mark.parametrize("progress", [-1, 101, 50.5, "50", True])
def test_progress_is_a_whole_number_up_to_a_hundred(session, crew, progress):
    task = session.lives(crew, "running")
    problem(crew.move(task, "progress", progress=progress), 422, "invalid_field", "/progress")
    assert session.status(task)["progress"] == 0


def test_a_repeated_create_with_its_key_makes_one_task(session):
    headers = {"Idempotency-Key": "once"}
    first = session.post("/tasks", {"name": "n"}, headers=headers)
    again = session.post("/tasks", {"name": "n"}, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json()["task"]["id"] == again.json()["task"]["id"]
    assert session.stats()["total"] == 1
