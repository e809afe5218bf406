"""What a restart keeps: everything. Waiting, leases, replays, pauses, defaults, keys."""

import signal
import threading
import time

import pytest

from lib.client import Api, fresh_name, new_key, problem
from lib.rawhttp import Raw, request_bytes
from lib.server import ADMIN


@pytest.fixture
def restartable(make_server):
    return make_server()


@pytest.fixture
def restart(restartable, make_api):
    """restart(api) stops and starts the server and gives a new client of the same type."""
    def again(api, kill=False):
        if kill:
            restartable.kill()
        else:
            restartable.stop()
        restartable.start()
        return make_api(restartable, type_name=api.type)
    return again


@pytest.fixture
def own(restartable, make_api):
    return make_api(restartable)


def test_the_first_key_can_be_taken_away_and_those_made_before_go_on(make_server, make_api):
    server = make_server(key=ADMIN)
    first = make_api(server)
    made = {role: new_key(first, [role])["secret"] for role in ("admin", "producer")}
    first.expect(first.get("/tasks"))
    server.stop()
    del server.env["API_KEY"]
    server.start()
    problem(make_api(server, key=ADMIN).get("/tasks"), 401, "unauthenticated")
    problem(make_api(server, key="").get("/tasks"), 401, "unauthenticated")
    boss, producer = (make_api(server, key=secret) for secret in made.values())
    assert producer.create()["status"] == "pending"
    assert new_key(boss, ["reader"])["secret"]
    [own] = [key for key in boss.get("/keys").json()["keys"] if key["roles"] == ["producer"]]
    boss.expect(boss.delete(f"/keys/{own['id']}"))
    problem(producer.get("/tasks"), 401, "unauthenticated")
    boss.expect(boss.get("/tasks"))


@pytest.mark.parametrize("kill", [False, True], ids=["after_a_stop", "after_a_kill"])
def test_every_task_is_as_it_was(own, restart, kill):
    tasks = [own.create(payload={"n": 1.0}, tags={"a": "b"}, name="n"),
             own.create(delayMs=60_000), own.create(autoStart=False),
             own.ended("completed"), own.ended("failed"), own.ended("cancelled"), own.running()]
    before = [own.get(f"/tasks/{task['id']}").json() for task in tasks]
    events = [own.events(task) for task in tasks]
    stats = own.get("/tasks/stats").json()
    own = restart(own, kill)
    assert [own.get(f"/tasks/{task['id']}").json() for task in tasks] == before
    assert [own.events(task) for task in tasks] == events
    assert own.get("/tasks/stats").json() == stats


def test_a_lease_goes_on_over_a_restart(own, restart):
    task = own.running(leaseMs=60_000)
    own = restart(own, kill=True)
    own.heartbeat(task)
    assert own.complete(task, "after")["status"] == "completed"
    assert own.task(task)["result"] == "after"


def test_a_lease_that_ended_while_the_server_was_down_is_lost(own, restart):
    task = own.running(claim={"leaseMs": 1000}, maxAttempts=1)
    own = restart(own, kill=True)
    assert own.final(task)["status"] == "abandoned"


def test_a_due_time_is_kept_over_a_restart(own, restart):
    task = own.create(delayMs=300)
    own = restart(own)
    claimed = own.claim_one(waitMs=5000)
    assert claimed["id"] == task["id"] and claimed["claimedAt"] >= task["runAt"]


def test_a_grace_that_ends_while_the_server_is_down_cancels(own, restart):
    task = own.running()
    own.cancel(task, graceMs=100)
    own = restart(own, kill=True)
    assert own.final(task)["status"] == "cancelled"


def test_a_replay_is_the_same_after_a_restart(own, restart):
    key, body = {"Idempotency-Key": fresh_name("k")}, own.fields(payload=1)
    first = own.post("/tasks", body, headers=key)
    own = restart(own, kill=True)
    again = own.post("/tasks", body, headers=key)
    assert again.content == first.content and again.headers["idempotent-replayed"] == "true"
    assert len(own.list()) == 1


def test_a_unique_key_holds_after_a_restart(own, restart):
    task = own.create(uniqueKey="u")
    own = restart(own)
    answer = own.expect(own.post("/tasks", own.fields(uniqueKey="u")), 200)
    assert answer["task"]["id"] == task["id"] and answer["deduplicated"] is True


def test_a_pause_and_the_defaults_of_a_type_hold_after_a_restart(own, restart):
    own.expect(own.post("/queues/q/pause"))
    own.expect(own.put(f"/types/{own.type}", {"priority": 4}))
    own = restart(own)
    assert own.create(queue="q")["waitingFor"] == "pause"
    assert own.claim() == []
    assert own.create()["priority"] == 4


def test_a_cursor_holds_after_a_restart(own, restart):
    made = own.create_many([{}] * 10)
    params = {"type": own.type, "limit": 4}
    first = own.expect(own.get("/tasks", params=params))
    own = restart(own)
    response = own.get("/tasks", params={**params, "cursor": first["nextCursor"]})
    if response.status_code == 400:
        problem(response, 400, "bad_cursor")
    else:
        rest = own.expect(response)["tasks"]
        assert [task["id"] for task in rest] == [task["id"] for task in made[::-1][4:8]]


def test_new_ids_are_greater_than_the_old_after_a_restart(own, restart):
    old = own.create()["id"]
    own = restart(own, kill=True)
    assert own.create()["id"] > old


def test_event_numbers_go_on_after_a_restart(own, restart):
    last = own.events(own.create())[-1]["seq"]
    own = restart(own, kill=True)
    assert own.events(own.create())[0]["seq"] > last


def test_a_key_and_its_revocation_hold_after_a_restart(make_server, make_api):
    server = make_server(key="first-admin-key-of-all")
    admin = make_api(server)
    kept, revoked = [admin.expect(admin.post("/keys", {"name": n, "roles": ["reader"]}), 201)
                     for n in ("kept", "revoked")]
    admin.expect(admin.delete(f"/keys/{revoked['key']['id']}"))
    server.stop()
    server.start()
    assert make_api(server, key=kept["secret"]).get("/tasks").status_code == 200
    assert make_api(server, key=revoked["secret"]).get("/tasks").status_code == 401


# --- how it stops ---------------------------------------------------------------------------------

def test_a_stop_answers_the_waiting_and_takes_no_new_work(make_server, parallel):
    server = make_server()
    api = Api(server)
    waiting = parallel(api.claim, waitMs=30_000, workerId="w")
    other = Api(server)
    other.until_worker("w", waiting=True)
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    try:
        assert waiting() == []
    except AssertionError as refusal:  # an honest 503 is an answer too
        assert "503" in str(refusal)
    server.stop()
    assert time.monotonic() - began < 8
    api.close()
    other.close()


def test_a_request_in_flight_is_answered_when_the_server_stops(make_server, make_api):
    server = make_server()
    api = make_api(server)
    body = b'{"type":"t"}'
    whole = request_bytes("POST", "/api/v1/tasks", body)
    with Raw(server) as raw:
        raw.send(whole[:-5])
        for _ in range(2):  # the second one came to the loop behind it
            assert api.get("//health").status_code == 200
        server.signal(signal.SIGTERM)
        assert raw.send(whole[-5:]).reply().status in (201, 503)
    server.stop()


def test_hangup_reloads_and_the_server_goes_on(make_server, make_api):
    server = make_server()
    api = make_api(server)
    task = api.create()
    server.signal(signal.SIGHUP)
    assert api.complete(api.claim_one())["id"] == task["id"]
    assert server.is_alive()


def test_hangup_applies_what_can_change_and_names_what_waits(make_server, make_api, tmp_path):
    config = tmp_path / "taskyard.conf"
    config.write_text("access_log = no\nlease = 30s\n")
    server = make_server(args=["--config", str(config)])
    api = make_api(server)
    config.write_text("access_log = yes\nlease = 20s\n")
    server.signal(signal.SIGHUP)
    while "reloaded" not in server.log():  # bounded by the timeout of the request
        assert api.get("/tasks").status_code == 200
    api.create()
    assert '"message":"request","method":"POST"' in server.log()
    waits = [line for line in server.log().splitlines() if "waits for the next start" in line]
    assert ['"setting":"lease"' in line for line in waits] == [True]


def test_hangup_tells_that_a_changed_secret_waits_and_does_not_show_it(make_server, tmp_path):
    key = tmp_path / "key"
    key.write_text("the-first-secret\n")
    server = make_server(api_key_file=str(key))
    key.write_text("the-other-secret\n")
    server.signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while "reloaded" not in server.log() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    waits = [line for line in server.log().splitlines() if "waits for the next start" in line]
    assert ['"setting":"api_key"' in line for line in waits] == [True]
    assert "-secret" not in server.log()
