"""Front door S4: what a session keeps of its tasks that ended."""

import pytest

from lib.client import Api, fresh_name
from lib.rawhttp import exchange, request_bytes
from lib.sessions import Session, with_sessions

KEPT = {"MAX_COMPLETED_TASKS": "3", "MAX_FAILED_TASKS": "2"}


@pytest.fixture
def few(make_server):
    """A server whose sessions keep few tasks, and clean up when they are asked."""
    return make_server(**with_sessions(env=KEPT))


@pytest.fixture
def visit(few):
    """visit() is another session; visit.crew a worker for all of them."""
    made = []

    def make(server=few):
        made.append(Session(server))
        return made[-1]

    make.crew = Api(few)
    yield make
    for one in (*made, make.crew):
        one.close()


def state(session):
    return session.expect(session.get("/tasks/cleanup/status"))["status"]


def run(session):
    return session.expect(session.post("/tasks/cleanup/run"))


def test_the_limits_of_the_document_hold_when_nothing_else_is_said(session):
    answer = session.expect(session.get("/tasks/cleanup/status"))
    assert set(answer) == {"success", "status", "durable"}
    status = answer["status"]
    assert status["options"] == {
        "maxCompletedTasks": 50, "maxFailedTasks": 20, "cleanupInterval": 300_000}
    assert (status["isRunning"], status["isActive"]) == (False, True)
    assert (status["lastRun"], status["lastRunAt"]) == ("idle", None)


def test_a_run_keeps_the_newest_of_each_kind_over_all_types(visit):
    session, types = visit(), [fresh_name("t"), fresh_name("t")]
    made = {"completed": [], "failed": [], "cancelled": []}
    for status, ids in made.items():
        for number in range(5):
            session.type = types[number % 2]
            ids.append(session.lives(visit.crew, status)["id"])
    pending = session.create()["id"]
    answer = run(session)
    assert answer["removed"] == {"completed": 2, "failed": 3, "cancelled": 3}
    kept = [pending, *made["completed"][-3:], *made["failed"][-2:], *made["cancelled"][-2:]]
    assert sorted(session.ids()) == sorted(kept)
    assert state(session)["removed"] == answer["removed"]
    assert state(session)["lastRunAt"] is not None
    assert session.stats() == {"total": 8, "pending": 1, "running": 0, "completed": 3, "failed": 2,
                               "cancelled": 2}


def test_what_was_removed_is_absent_with_its_history_and_the_others_keep_theirs(visit):
    """A session has a size to keep to; what must be kept belongs to the durable API."""
    session = visit()
    first = session.lives(visit.crew, "completed")
    kept = [session.lives(visit.crew, "completed") for _ in range(3)]
    run(session)
    for route in ("", "/events", "/logs", "/status", "/explain"):
        assert session.get(f"/tasks/{first['id']}{route}").status_code == 404
    for task in kept:
        events = session.expect(session.get(f"/tasks/{task['id']}/events"))["events"]
        assert [event["event"] for event in events] == [
            "task.created", "task.started", "task.claimed", "task.completed"]


def test_each_session_has_limits_of_its_own(visit):
    one, other = visit(), visit()
    for session in (one, other):
        for _ in range(4):
            session.lives(visit.crew, "completed")
    assert run(one)["removed"]["completed"] == 1
    assert len(one.ids()) == 3 and len(other.ids()) == 4
    assert state(other)["lastRunAt"] is None


def test_it_runs_by_itself(make_server):
    server = make_server(**with_sessions(env={**KEPT, "TASK_CLEANUP_INTERVAL": "100"}))
    session, crew = Session(server), Api(server)
    for _ in range(5):
        session.lives(crew, "completed")
    while len(session.ids()) > 3:  # bounded by the time limit of the test
        pass
    session.close()
    crew.close()


def test_a_busy_session_is_cleaned_up_before_the_interval_is_over(make_server):
    """When 500 tasks have ended; else one that is used fast would be full by then."""
    server = make_server(**with_sessions())
    session, crew = Session(server), Api(server)
    many(session, crew, 400)
    assert (session.stats()["completed"], state(session)["lastRunAt"]) == (400, None)
    many(session, crew, 100)
    while session.stats()["completed"] > 50:  # bounded by the time limit of the test
        pass
    assert state(session)["options"]["cleanupInterval"] == 300_000
    session.close()
    crew.close()


def test_a_session_lives_through_20000_small_tasks_in_the_least_room(make_server):
    """1 MiB is far less than they and their history take: without a cleanup 507 comes soon."""
    server = make_server(**with_sessions(session_bytes="1MiB"))
    session, crew = Session(server), Api(server)
    many(session, crew, 20_000)
    stats = session.stats()
    assert stats["completed"] == stats["total"] <= 1000
    session.close()
    crew.close()


def many(session, crew, count):
    """So many tasks are made and started, a hundred at a time, and completed together."""
    demo = request_bytes("POST", "/api/v1/demo/tasks/sample", b"{}",
                         [f"X-App-Session: {session.session}".encode()])
    for _ in range(count // 100):
        assert set(exchange(session.server, demo * 100, answers=100).statuses) == {201}
        held = crew.expect(crew.post("/claims", {"sessions": True, "limit": 100}))["tasks"]
        assert len(held) == 100
        crew.expect(crew.post("/completions", {"items": [
            {"id": task["id"], "leaseToken": task["leaseToken"], "result": 1} for task in held]}))


def test_with_a_limit_of_0_all_is_kept(make_server):
    server = make_server(**with_sessions(env={"MAX_COMPLETED_TASKS": "0", "MAX_FAILED_TASKS": "0"}))
    session, crew = Session(server), Api(server)
    for _ in range(4):
        session.lives(crew, "completed")
    assert run(session)["removed"] == {"completed": 0, "failed": 0, "cancelled": 0}
    assert len(session.ids()) == 4
    assert state(session)["options"]["maxCompletedTasks"] is None
    session.close()
    crew.close()
