"""Front door S4: what a session keeps of its tasks that ended."""

import pytest

from lib.client import Api, fresh_name
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


def test_what_was_removed_is_absent_and_its_history_stays(visit):
    session = visit()
    first = session.lives(visit.crew, "completed")
    for _ in range(3):
        session.lives(visit.crew, "completed")
    run(session)
    assert session.get(f"/tasks/{first['id']}").status_code == 404
    kinds = [event["event"] for event in
             session.expect(session.get(f"/tasks/{first['id']}/events"))["events"]]
    assert kinds[0] == "task.created" and kinds[-1] == "task.deleted"


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
