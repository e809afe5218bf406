"""Front door S4: when a session begins, what is told before, and how many an address begins."""

import time

import pytest

from lib.client import NO_ID, Api, fresh_name, problem
from lib.live import Stream
from lib.server import ADMIN, Server
from lib.sessions import DEMOS, Session, with_sessions


@pytest.fixture(scope="module")
def proxied(tmp_path_factory, store):
    """Believes loopback's X-Forwarded-For, and has few places for each address."""
    running = Server(tmp_path_factory.mktemp("proxied"), store=store, **with_sessions(
        trusted_proxies="127.0.0.1", sessions_per_address=3)).start()
    yield running
    running.stop()


@pytest.fixture
def admin(session_server, make_api):
    return make_api(session_server)


def keys(admin):
    return {one["sessionKey"] for one in admin.expect(admin.get("/sessions/stats"))["sessions"]}


def made(server, address, key=None):
    """A session that is begun from an address."""
    one = Session(server, key)
    one.http.headers["X-Forwarded-For"] = address
    answer = one.post("/tasks", {"name": "n"})
    return one, answer


# --- what begins one ------------------------------------------------------------------------------

ASKING = [("GET", "/tasks"), ("GET", "/tasks?status=failed"), ("GET", "/tasks/stats"),
          ("GET", "/tasks/cleanup/status"), ("POST", "/tasks/cleanup/run"),
          ("GET", "/sessions/stats")]
OF_A_TASK = [("GET", ""), ("GET", "?waitMs=50"), ("GET", "/status"), ("GET", "/events"),
             ("GET", "/logs"), ("GET", "/explain"), ("POST", "/start"), ("POST", "/cancel"),
             ("POST", "/retry")]
WRONG = [("POST", "/tasks", {}), ("POST", "/tasks", {"name": "n", "status": "completed"}),
         ("POST", "/demo/tasks/batch", {"items": []}), ("POST", "/demo/tasks/api-call", {}),
         ("PUT", f"/tasks/{NO_ID}", {}), ("DELETE", "/tasks", {})]


def test_what_keeps_nothing_takes_no_place(session_server, admin):
    one = Session(session_server)
    for method, path in ASKING:
        one.expect(one.send(method, path))
    for method, path in OF_A_TASK:
        problem(one.send(method, f"/tasks/{NO_ID}{path}"), 404, "not_found")
    for method, path, body in WRONG:
        assert one.send(method, path, body).status_code in (400, 405, 422)
    assert one.session not in keys(admin)
    problem(one.delete(f"/sessions/{one.session}"), 404, "not_found")


@pytest.mark.parametrize("path, params, status", [
    (f"/tasks/{NO_ID}/events", "", 404), ("/events", f"taskId={NO_ID}", 404),
    ("/events", "type=a%20b", 400), ("/events", "limit=5", 400), ("/events", "lastEventId=x", 400)])
def test_a_stream_that_is_refused_takes_no_place(session_server, admin, path, params, status):
    one = Session(session_server)
    header = [f"X-App-Session: {one.session}"]
    with Stream(session_server, path, params, key="", headers=header) as stream:
        answer = stream.answer()
    assert (stream.status, answer["durable"]) == (status, False), answer
    assert one.session not in keys(admin)


def test_a_stream_begins_it(session_server, admin):
    one = Session(session_server)
    header = [f"X-App-Session: {one.session}"]
    with Stream(session_server, key="", headers=header).opened() as stream:
        assert one.session in keys(admin)
        task = one.create()
        assert stream.frames(1)[0].data["taskId"] == task["id"]


@pytest.mark.parametrize("demo", [None, *DEMOS])
def test_a_task_begins_it(session_server, admin, demo):
    one = Session(session_server)
    if demo:
        one.demo(demo, delayMs=0)
    else:
        one.create()
    assert one.session in keys(admin)
    one.close()


def test_before_it_began_it_looks_as_an_empty_one(session_server, admin):
    """Byte for byte, but for times."""
    one, other = Session(session_server), Session(session_server)
    task = other.create()
    other.cancel(task)
    for method, path in ASKING:
        before, after = one.send(method, path), other.send(method, path)
        assert before.status_code == after.status_code
        assert shape(before.json()) == shape(after.json()), path
    assert one.ids() == [] and set(one.stats().values()) == {0}
    own = one.expect(one.get("/sessions/stats"))["session"]
    assert own["sessionKey"] == one.session
    assert abs(own["startedAt"] - time.time() * 1000) < 60_000
    state = one.expect(one.get("/tasks/cleanup/status"))["status"]
    assert state["lastRunAt"] is None and state["isActive"] is True
    for method, path in OF_A_TASK:
        there = [session.send(method, f"/tasks/{NO_ID}{path}",
                              headers={"X-Request-Id": "same"}).content
                 for session in (one, other)]
        assert there[0] == there[1], path
    other.close()


def shape(value):
    """Names and their order, without what differs by time or by what is kept."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    return None


def test_what_one_key_asks_shows_to_no_other(session_server):
    """All that have not begun are answered from one place."""
    one, other = Session(session_server), Session(session_server)
    before = other.get("/tasks/cleanup/status").json()["status"]
    one.expect(one.post("/tasks/cleanup/run"))
    after = other.get("/tasks/cleanup/status").json()["status"]
    assert (before.pop("nextRunAt") is None) == (after.pop("nextRunAt") is None)
    assert before == after


def test_when_all_places_are_taken_reading_still_works(make_server, make_api):
    server = make_server(**with_sessions(sessions_max=1))
    one, other = Session(server), Session(server)
    one.create()
    answer = problem(other.post("/tasks", {"name": "n"}), 503, "overloaded")
    assert "sessions_max" in answer["detail"]
    assert other.ids() == []
    one.close()
    while other.post("/tasks", {"name": "n"}).status_code == 503:   # until it is closed
        pass
    assert len(other.ids()) == 1
    other.close()


# --- how many an address may begin ----------------------------------------------------------------

def test_one_address_begins_as_many_as_the_setting_says(proxied):
    mine = [made(proxied, "192.0.2.1") for _ in range(3)]
    assert [answer.status_code for _, answer in mine] == [201, 201, 201]
    late, answer = made(proxied, "192.0.2.1")
    body = problem(answer, 429, "too_many")
    assert "sessions_per_address" in body["detail"] and "trusted_proxies" in body["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    other, answer = made(proxied, "192.0.2.2")
    assert answer.status_code == 201
    mine[0][0].expect(mine[0][0].post("/tasks", {"name": "in one that is there"}), 201)
    assert late.ids() == []
    mine[0][0].close()
    assert late.post("/tasks", {"name": "n"}).status_code == 201
    for one in (*(session for session, _ in mine[1:]), late, other):
        one.close()


def test_a_session_may_be_used_from_any_address_once_it_is_there(proxied):
    mine = [made(proxied, "192.0.2.10")[0] for _ in range(3)]
    for one in mine:
        one.http.headers["X-Forwarded-For"] = "192.0.2.11"
        one.expect(one.post("/tasks", {"name": "n"}), 201)
    fresh, answer = made(proxied, "192.0.2.11")
    assert answer.status_code == 201
    for one in (*mine, fresh):
        one.close()


def test_an_ipv6_network_of_64_bits_is_one_address(proxied):
    mine = [made(proxied, f"2001:db8:0:1::{number}") for number in range(3)]
    assert [answer.status_code for _, answer in mine] == [201, 201, 201]
    problem(made(proxied, "2001:db8:0:1:ffff::")[1], 429, "too_many")
    other, answer = made(proxied, "2001:db8:0:2::1")
    assert answer.status_code == 201
    for one in (*(session for session, _ in mine), other):
        one.close()


def test_an_address_that_a_stranger_writes_is_not_believed(make_server):
    server = make_server(**with_sessions(sessions_per_address=2))
    answers = [made(server, f"192.0.2.{number}")[1].status_code for number in range(4)]
    assert answers == [201, 201, 429, 429]


def test_with_0_an_address_begins_any_number(make_server):
    server = make_server(**with_sessions(sessions_per_address=0))
    assert {made(server, "192.0.2.1")[1].status_code for _ in range(60)} == {201}


def test_the_bound_is_50_when_nothing_is_said(make_server):
    server = make_server(key=ADMIN, env={"ENABLE_SESSION_ISOLATION": "true"})
    answers = [made(server, "192.0.2.1")[1].status_code for _ in range(51)]
    assert answers == [201] * 50 + [429]
    admin = Api(server)
    assert len(keys(admin)) == 50
    admin.close()
