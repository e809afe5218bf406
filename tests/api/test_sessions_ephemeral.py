"""Front door S4: sessions live in memory, say so, have bounds and an end, and leave nothing."""

import json
import sqlite3
import subprocess

import pytest

from lib.client import NO_ID, fresh_name, problem
from lib.described import bodies, routes
from lib.server import BINARY, clean_environment
from lib.sessions import claim, says_so, with_sessions
from lib.worker import WAIT_S, until

MARKER = "marker-of-a-session"


def open_to_sessions(api):
    found = [route.of_session() for route in routes(api) if route.session]
    assert len(found) >= 17
    return found


# --- what every answer says -----------------------------------------------------------------------

def test_every_answer_of_every_route_says_that_nothing_is_durable(session, crew):
    told = set()
    for route in open_to_sessions(crew):
        here = session.create()["id"] if "{id}" in route.path else None
        places = [here, NO_ID] if here else [session.session]
        for place in places:
            for body in bodies(route):
                path = route.at(place) if route.parameter else "/" + route.path
                answer = session.send(route.method, path, **(
                    {} if body is None else {"body": body}))
                says_so(answer)
                told.add((str(route), answer.status_code))
        for params in ({"no-such-parameter": "1"}, {"limit": "many"}):
            path = route.at(places[0]) if route.parameter else "/" + route.path
            says_so(session.send(route.method, path, params=params))
        if route.method == "POST":
            path = route.at(places[0]) if route.parameter else "/" + route.path
            says_so(session.send(route.method, path, raw=b"{"))
    assert any(status < 300 for _, status in told) and any(status >= 400 for _, status in told)


def test_the_routes_of_the_document_are_open_to_sessions(crew):
    opened = {str(route) for route in open_to_sessions(crew)}
    for wanted in ("POST /api/v1/tasks", "GET /api/v1/tasks", "GET /api/v1/tasks/{id}",
                   "GET /api/v1/tasks/{id}/status", "GET /api/v1/tasks/{id}/events",
                   "GET /api/v1/events",
                   "GET /api/v1/tasks/{id}/logs", "GET /api/v1/tasks/{id}/explain",
                   "GET /api/v1/tasks/stats", "POST /api/v1/tasks/{id}/start",
                   "POST /api/v1/tasks/{id}/cancel", "POST /api/v1/tasks/{id}/retry",
                   "POST /api/v1/demo/tasks/sample", "POST /api/v1/demo/tasks/file-processing",
                   "POST /api/v1/demo/tasks/api-call", "POST /api/v1/demo/tasks/batch"):
        assert wanted in opened
    for closed in ("POST /api/v1/claims", "GET /api/v1/keys",
                   "PUT /api/v1/tasks/{id}", "DELETE /api/v1/tasks/{id}"):
        assert closed not in opened


def test_no_answer_to_the_durable_side_says_so(crew):
    for answer in (crew.post("/tasks", {"type": crew.type}), crew.get("/queues")):
        assert "durable" not in answer.json()


# --- nothing is left ------------------------------------------------------------------------------

def content(path):
    """Every row of every table."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        tables = [name for name, in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {table: sorted(db.execute(f'SELECT * FROM "{table}"'), key=repr)
                for table in tables}


def live(session, crew):
    """A session's whole life, with its marker wherever a text may stand."""
    task = session.started(name=MARKER, description=MARKER, metadata={"m": MARKER}, payload=MARKER,
                           type=fresh_name(MARKER))
    [running] = crew.claim(sessions=True, types=[task["type"]], workerId=MARKER)
    crew.progress(running, 50, currentStep=MARKER, currentStepDescription=MARKER)
    crew.log(running, MARKER)
    crew.fail(running, {"code": "c", "message": MARKER}, retry=False)
    assert session.retry(task)["waitingFor"] == "worker"
    [running] = crew.claim(sessions=True, types=[task["type"]], workerId=MARKER)
    crew.complete(running, MARKER)
    session.cancel(session.create(name=MARKER), reason=MARKER)
    for path in ("/tasks", "/tasks/stats", f"/tasks/{task['id']}/events"):
        session.expect(session.get(path))
    session.post("/tasks", {"name": MARKER}, headers={"Idempotency-Key": MARKER})
    session.create(name=MARKER)     # left as it is
    assert MARKER.encode() in session.get(f"/tasks/{task['id']}").content


def test_no_word_of_a_session_reaches_the_durable_store(
        make_server, make_api, make_session, store):
    lasting = "sqlite" if store == "memory:" else store
    server = make_server(store=lasting, log_file="a.log", **with_sessions())
    crew = make_api(server)
    crew.create(name="a-task-that-lasts")
    session = make_session(MARKER + ".key", server=server)
    live(session, crew)
    assert set(server.where_it_says(MARKER)) <= {"a.log"}
    session.expect(session.delete(f"/sessions/{session.session}"))
    assert set(server.where_it_says(MARKER)) <= {"a.log"}
    server.stop()
    assert set(server.where_it_says(MARKER)) <= {"a.log"}
    assert set(server.where_it_says("a-task-that-lasts")) - {"a.log"}


def test_nothing_of_a_session_reaches_the_durable_store(make_server, make_api, make_session):
    server = make_server(store="sqlite", log_file="none.log", **with_sessions())
    crew = make_api(server)
    file = server.directory / "taskyard.db"
    crew.complete(crew.running())
    before = content(file)
    session = make_session(MARKER + ".key", server=server)
    live(session, crew)
    assert content(file) == before
    session.expect(session.delete(f"/sessions/{session.session}"))
    assert content(file) == before
    live(make_session(MARKER + ".two", server=server), crew)
    server.stop()
    kept = [path for path in server.directory.iterdir() if path.name.startswith("taskyard.db")]
    assert kept
    for path in kept:
        assert MARKER.encode() not in path.read_bytes(), path.name


def test_a_restart_begins_with_no_session(make_server, make_session, make_api):
    server = make_server(**with_sessions())
    session = make_session(server=server)
    task = session.started()
    running = claim(make_api(server), session)
    server.stop()
    server.port_given = True    # it comes back where it was
    server.start()
    problem(session.get(f"/tasks/{task['id']}"), 404, "not_found")
    assert session.ids() == [] and session.stats()["total"] == 0
    problem(make_api(server).move(running, "complete", result=1), 409, "lease_lost")


# --- their end ------------------------------------------------------------------------------------

def full(server, make_session):
    """Whether a session more finds no place. It touches no other session."""
    one = make_session(server=server)
    answer = one.post("/tasks", {"name": "n"})
    if answer.status_code == 201:
        return False
    problem(answer, 503, "overloaded")
    return True


def test_no_more_sessions_than_the_setting_allows(make_server, make_session):
    server = make_server(**with_sessions(sessions_max=3))
    sessions = [make_session(server=server) for _ in range(3)]
    kept = [one.create()["id"] for one in sessions]
    late = make_session(server=server)
    late.expect(late.get("/tasks"))  # to look needs no place
    for answer in (late.post("/tasks", {"name": "n"}), late.post("/demo/tasks/sample", {})):
        body = problem(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0
        assert "sessions_max" in body["detail"]
    assert [one.ids() for one in sessions] == [[task] for task in kept]
    sessions[0].expect(sessions[0].delete(f"/sessions/{sessions[0].session}"))
    assert late.create()["id"]
    assert full(server, make_session)


def test_a_session_that_nobody_asks_for_ends_and_makes_room(make_server, make_session):
    server = make_server(**with_sessions(sessions_max=1, session_timeout="1s"))
    idle = make_session(server=server)
    task = idle.create()
    assert full(server, make_session)
    until(lambda: not full(server, make_session))
    assert full(server, make_session)   # by the one that took its place
    problem(idle.get(f"/tasks/{task['id']}"), 404, "not_found")
    problem(idle.post("/tasks", {"name": "n"}), 503, "overloaded")


def test_a_session_in_use_and_one_with_a_running_task_stay(make_server, make_session, make_api):
    server = make_server(**with_sessions(sessions_max=3, session_timeout="1s"))
    used, works, idle = (make_session(server=server) for _ in range(3))
    seen = used.create()
    works.started()
    running = claim(make_api(server), works, leaseMs=60_000)
    idle.create()

    def idle_has_ended():
        assert used.ids() == [seen["id"]]
        return not full(server, make_session)

    until(idle_has_ended)
    crew = make_api(server)
    assert used.ids() == [seen["id"]]
    crew.complete(running, "done")
    assert works.task(running)["result"] == "done"


def test_a_session_that_waits_for_its_task_is_in_use(make_server, make_session):
    server = make_server(**with_sessions(session_timeout="100ms"))
    session = make_session(server=server)
    task = session.create()
    seen = session.task(task, wait_ms=1000)     # ten times the timeout
    assert seen["status"] == "pending" and session.ids() == [task["id"]]


def test_a_session_whose_worker_vanished_ends_after_the_lease(make_server, make_session, make_api):
    server = make_server(**with_sessions(sessions_max=1, session_timeout="100ms"))
    session = make_session(server=server)
    session.started()
    claim(make_api(server), session, leaseMs=1000)
    assert full(server, make_session)
    until(lambda: not full(server, make_session), timeout_s=20)


def test_a_worker_that_looks_for_work_keeps_no_session(make_server, make_session, make_api):
    server = make_server(**with_sessions(sessions_max=1, session_timeout="500ms"))
    session, crew = make_session(server=server), make_api(server)
    session.started()
    crew.complete(claim(crew, session))

    def ended():
        crew.expect(crew.post("/claims", {"sessions": True, "waitMs": 20}))
        return not full(server, make_session)

    until(ended, timeout_s=20)


def test_a_session_ends_on_its_own_when_nobody_asks_the_server_at_all(make_server, make_session):
    server = make_server(log_level="debug", **with_sessions(session_timeout="1s"))
    session = make_session(server=server)
    task = session.create()
    log = server.log_path
    size = len(log.read_text())
    until(lambda: "session" in log.read_text()[size:])
    problem(session.get(f"/tasks/{task['id']}"), 404, "not_found")


# --- how much -------------------------------------------------------------------------------------

def fill(session, size=50_000):
    """Creates until the session is full: the ids that were acknowledged."""
    made = []
    while len(made) < 500:
        answer = session.post("/tasks", {"name": "n", "payload": "x" * size})
        if answer.status_code != 201:
            body = problem(answer, 507, "disk_full")
            assert "session" in body["detail"]
            return made
        made.append(answer.json()["task"]["id"])
    raise AssertionError("500 tasks of 50,000 bytes went into a session of 1 MiB")


def test_a_full_session_is_refused_more_and_keeps_what_it_has(make_server, make_session):
    server = make_server(**with_sessions(session_bytes="1MiB"))
    session, other = make_session(server=server), make_session(server=server)
    made = fill(session)
    assert 5 < len(made) < 21
    assert sorted(session.ids()) == sorted(made)
    assert session.stats()["total"] == len(made)
    problem(session.post("/tasks", {"name": "n", "payload": "x" * 50_000}), 507, "disk_full")
    assert session.task(made[0])["payload"] == "x" * 50_000
    # Nobody else is concerned.
    assert other.create(payload="y" * 100_000)["id"]
    assert server.is_alive()


def test_a_full_session_makes_no_other_answer_fail(make_server, make_session, make_api):
    server = make_server(**with_sessions(session_bytes="1MiB"))
    session, crew = make_session(server=server), make_api(server)
    fill(session)
    assert crew.get("//readyz").status_code == 200
    assert crew.complete(crew.running(), "durable")["status"] == "completed"


def test_a_payload_larger_than_the_session_is_refused(make_server, make_session):
    server = make_server(body_max="8MiB", **with_sessions(session_bytes="1MiB"))
    session = make_session(server=server)
    problem(session.post("/tasks", {"name": "n", "payload": "x" * (2 << 20)}), 507, "disk_full")
    assert session.ids() == [] and session.create()["id"]


@pytest.mark.parametrize("name, value", [
    ("sessions_max", "0"), ("sessions_max", "many"), ("session_timeout", "soon"),
    ("session_bytes", "1"), ("trusted_proxies", "localhost"), ("trusted_proxies", "10.0.0.0/33"),
    ("trusted_proxies", "10.0.0.1/8x"), ("trusted_proxies", "::/129"), ("sessions", "perhaps"),
    ("session_by_ip", "perhaps")])
def test_a_setting_that_is_wrong_is_refused_at_the_start_by_its_name(tmp_path, name, value):
    done = subprocess.run(
        [str(BINARY), "serve", "--listen", "127.0.0.1:0", "--store", "memory:"], text=True,
        env=clean_environment(tmp_path, {f"TASKYARD_{name.upper()}": value}), cwd=tmp_path,
        capture_output=True, timeout=WAIT_S)
    assert done.returncode == 78
    assert name in done.stderr and f'"{value}"' in done.stderr


def test_the_names_of_the_document_set_them(tmp_path):
    names = {"ENABLE_SESSION_ISOLATION": "true", "AUTO_MAP_SESSION_BY_IP": "true",
             "MAX_SESSIONS": "7", "SESSION_TIMEOUT": "5400000"}
    shown = subprocess.run([str(BINARY), "config", "--json"], text=True, capture_output=True,
                           env=clean_environment(tmp_path, names), timeout=WAIT_S, check=True)
    settings = json.loads(shown.stdout)["settings"]
    assert [settings[name]["value"] for name in (
        "sessions", "session_by_ip", "sessions_max", "session_timeout")] == [
            "yes", "yes", "7", "90m"]


# --- the routes of sessions themselves ------------------------------------------------------------

def test_a_session_may_be_removed_by_itself_and_by_an_admin_only(session, make_session, crew):
    other = make_session()
    task = session.create()
    answer = other.delete(f"/sessions/{session.session}")
    assert answer.status_code in (403, 404), answer.text
    assert session.ids() == [task["id"]]
    session.expect(session.delete(f"/sessions/{session.session}"))
    assert session.ids() == []
    task = session.create()
    crew.expect(crew.delete(f"/sessions/{session.session}"))
    assert session.ids() == []


def test_another_session_and_none_look_the_same_to_who_would_remove_them(session, make_session):
    other = make_session()
    other.create()
    same = {"X-Request-Id": "the-same"}
    there, nowhere = (session.delete(f"/sessions/{key}", headers=same)
                      for key in (other.session, fresh_name("never")))
    assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)


def test_a_session_sees_its_own_numbers_and_no_others_key(session, make_session):
    other = make_session()
    other.create()
    session.create()
    answer = session.get("/sessions/stats")
    assert answer.status_code == 200, answer.text
    assert other.session not in answer.text
