"""Anonymous sessions, end to end: a task of a session, a worker of sessions, and where each ends.

Shapes row by row, addresses and isolation have files of their own.
"""

import signal
import time

import pytest

from lib.client import fresh_name, problem
from lib.server import Server

DURABLE_LAST = b',"durable":false}'


@pytest.fixture(scope="module")
def sessions(tmp_path_factory, store):
    running = Server(tmp_path_factory.mktemp("sessions"), store=store, args=["--sessions"]).start()
    yield running
    running.stop()


@pytest.fixture
def visit(sessions, make_api):
    """visit(): a client in a session of its own; visit(key="k"): in that one."""
    def make(key=None, server=sessions, **options):
        api = make_api(server, key="", **options)
        api.session = key or fresh_name("s")
        api.http.headers["X-App-Session"] = api.session
        return api
    return make


@pytest.fixture
def worker(sessions, make_api):
    return make_api(sessions)


def make(api, **fields):
    return api.expect(api.post("/tasks", {"name": "one", "type": api.type, **fields}), 201)["task"]


def start(api, task):
    return api.expect(api.post(f"/tasks/{task['id']}/start"))["task"]


def claim(worker, *types, **fields):
    body = {"sessions": True, "types": list(types), **fields}
    return worker.expect(worker.post("/claims", body))["tasks"]


# --- a task of a session --------------------------------------------------------------------------

def test_a_task_of_a_session_lives_its_life(visit, worker):
    api = visit()
    task = make(api, payload={"a": 1}, metadata={"fileName": "x"}, description="why")
    assert (task["status"], task["waitingFor"]) == ("pending", "start")
    assert task["sessionKey"] == api.session and task["maxAttempts"] == 1
    assert task["payload"] == {"a": 1} and task["metadata"] == {"fileName": "x"}
    assert claim(worker, api.type) == []
    assert start(api, task)["waitingFor"] == "worker"
    [claimed] = claim(worker, api.type)
    assert claimed["id"] == task["id"] and claimed["payload"] == {"a": 1}
    assert claimed["sessionKey"] == api.session
    token = {"leaseToken": claimed["leaseToken"]}
    worker.expect(worker.act(claimed, "progress",
                             {"progress": 40, "currentStep": "half", **token}))
    status = api.expect(api.get(f"/tasks/{task['id']}/status"))
    assert (status["status"], status["progress"], status["currentStep"]) == ("running", 40, "half")
    worker.expect(worker.act(claimed, "complete", {"result": {"b": 2}, **token}))
    done = api.expect(api.get(f"/tasks/{task['id']}"))["task"]
    assert (done["status"], done["result"]) == ("completed", {"b": 2})


def test_every_answer_ends_with_its_durability(visit):
    api = visit()
    task = make(api)
    for response in (api.get("/tasks"), api.get("/tasks/stats"), api.get(f"/tasks/{task['id']}"),
                     api.get("/tasks/no-such-task"), api.patch("/tasks"),
                     api.get("/tasks", params={"nonsense": "1"}), api.post("/tasks", {}),
                     api.put(f"/tasks/{task['id']}", {"priority": 1}),
                     api.post(f"/tasks/{task['id']}/retry")):
        assert response.content.endswith(DURABLE_LAST), response.text


def test_what_a_worker_and_a_session_do_on_one_path_is_told_apart(visit, worker):
    """Neither sends a credential here, since the server has no keys."""
    api = visit()
    task = start(api, make(api))
    [claimed] = claim(worker, api.type)
    answer = api.post(f"/tasks/{task['id']}/logs", {"lines": ["mine"]},
                      headers={"Lease-Token": claimed["leaseToken"]})
    assert problem(answer, 405, "method_not_allowed") and answer.headers["allow"] == "GET, HEAD"
    answer = api.patch(f"/tasks/{task['id']}/status", {"status": "completed"})
    problem(answer, 405, "method_not_allowed")
    for answer in (api.put(f"/tasks/{task['id']}", {"priority": 1}),
                   api.patch(f"/tasks/{task['id']}", {"priority": 1}),
                   api.delete(f"/tasks/{task['id']}")):
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"
    assert api.task(task)["priority"] == 0


# --- demo tasks -----------------------------------------------------------------------------------

DEMOS = {"sample": {}, "file-processing": {"filePath": "/tmp/x"}, "api-call": {"endpoint": "/x"},
         "batch": {"items": [1, 2]}}
LOCAL = {"x-api-key": "whatever"}   # a credential: the local user of a server without keys


@pytest.mark.parametrize("kind", DEMOS)
def test_a_demo_task_is_made_and_started_at_once(visit, kind):
    api = visit()
    body = {**DEMOS[kind], "delayMs": 0, "description": "d"}
    answer = api.expect(api.post(f"/demo/tasks/{kind}", body), 201)
    task = answer["task"]
    assert task == {"id": task["id"], "name": task["name"], "status": "pending", "progress": 0,
                    "sessionKey": api.session}
    assert answer["message"] and answer["note"] and answer["durable"] is False
    whole = api.task(task)
    assert (whole["type"], whole["payload"], whole["description"]) == (kind, body, "d")
    assert whole["waitingFor"] == "worker"


@pytest.mark.parametrize("kind, missing", [("file-processing", "filePath"),
                                           ("api-call", "endpoint"), ("batch", "items")])
def test_a_demo_task_needs_what_it_is_about(visit, kind, missing):
    api = visit()
    problem(api.post(f"/demo/tasks/{kind}", {"description": "d"}), 400, "invalid_field",
            f"/{missing}")
    assert api.expect(api.get("/tasks"))["count"] == 0


@pytest.mark.parametrize("count, status", [(0, 400), (1, 201), (1000, 201), (1001, 400)])
def test_a_batch_has_1_to_1000_items(visit, count, status):
    assert visit().post("/demo/tasks/batch", {"items": [0] * count}).status_code == status


@pytest.mark.parametrize("delay, status", [(0, 201), (600000, 201), (600001, 400), (-1, 400)])
def test_a_demo_task_waits_for_ten_minutes_at_most(visit, delay, status):
    assert visit().post("/demo/tasks/sample", {"delayMs": delay}).status_code == status


def test_demo_tasks_are_for_sessions(worker):
    answer = worker.post("/demo/tasks/sample", headers=LOCAL)
    assert "X-App-Session" in problem(answer, 400, "bad_request")["detail"]


# --- sessions as a resource -----------------------------------------------------------------------

def test_a_session_reads_its_own_numbers_and_an_admin_those_of_all(visit, worker):
    api, other = visit(), visit()
    make(api)
    make(other)
    own = api.expect(api.get("/sessions/stats"))["session"]
    assert own["sessionKey"] == api.session and own["stats"]["pending"] == 1
    answer = worker.expect(worker.get("/sessions/stats", headers=LOCAL))
    listed = {one["sessionKey"]: one for one in answer["sessions"]}
    assert {api.session, other.session} <= set(listed)
    assert answer["count"] == len(listed) <= answer["max"]


def test_a_session_that_is_ended_begins_anew(visit, worker):
    api = visit()
    task = start(api, make(api))
    [claimed] = claim(worker, api.type)
    assert api.expect(api.delete(f"/sessions/{api.session}"))["durable"] is False
    lost = worker.act(claimed, "heartbeat", {"leaseToken": claimed["leaseToken"]})
    problem(lost, 409, "lease_lost")
    problem(api.get(f"/tasks/{task['id']}"), 404, "not_found")
    assert api.expect(api.get("/tasks"))["count"] == 0


def test_a_session_ends_nobody_but_itself(visit, worker):
    api, other = visit(), visit()
    make(api)
    make(other)
    one = api.delete(f"/sessions/{other.session}", headers={"X-Request-Id": "r"})
    two = api.delete("/sessions/nobody", headers={"X-Request-Id": "r"})
    assert one.status_code == 404 and one.content == two.content
    assert other.expect(other.get("/tasks"))["count"] == 1
    worker.expect(worker.delete(f"/sessions/{other.session}", headers=LOCAL))
    assert other.expect(other.get("/tasks"))["count"] == 0


def test_ending_a_session_begins_none(visit, worker):
    api = visit()
    problem(api.delete(f"/sessions/{api.session}"), 404, "not_found")
    listed = worker.expect(worker.get("/sessions/stats", headers=LOCAL))["sessions"]
    assert api.session not in {one["sessionKey"] for one in listed}


# --- claims ---------------------------------------------------------------------------------------

def test_a_claim_that_waits_is_woken_by_a_start(visit, worker, parallel):
    api = visit()
    task = make(api)
    waiting = parallel(claim, worker.twin(), api.type, waitMs=20000)
    other = visit()  # a task that the claim does not ask for wakes nobody wrongly
    start(other, make(other, type=fresh_name("t")))
    start(api, task)
    [claimed] = waiting()
    assert claimed["id"] == task["id"]


def test_a_claim_that_waits_in_vain_ends_empty(worker):
    assert claim(worker, fresh_name("t"), waitMs=50) == []


def test_sessions_are_served_in_turn(visit, worker):
    kind = fresh_name("t")
    visitors = [visit() for _ in range(3)]
    for api in visitors:
        for _ in range(3):
            start(api, make(api, type=kind))
    order = [claim(worker, kind)[0]["sessionKey"] for _ in range(9)]
    assert order == order[:3] * 3 and len(set(order[:3])) == 3
    assert claim(worker, kind) == []


def test_a_claim_names_its_session_in_each_move(visit, worker):
    api = visit()
    tasks = [start(api, make(api)) for _ in range(4)]
    claimed = claim(worker, api.type, limit=10)
    assert [one["id"] for one in claimed] == [one["id"] for one in tasks]
    one, two, three, four = claimed
    token = {"Lease-Token": one["leaseToken"]}
    worker.expect(worker.act(one, "heartbeat", headers=token))
    worker.expect(worker.act(one, "logs", {"lines": ["a line"]}, headers=token))
    worker.expect(worker.act(one, "fail", {"error": "broken"}, headers=token))
    worker.expect(worker.act(two, "release", headers={"Lease-Token": two["leaseToken"]}))
    items = [{"id": each["id"], "leaseToken": each["leaseToken"], "result": 1}
             for each in (three, four)]
    answer = worker.expect(worker.post("/completions", {"items": items}))
    assert [item["status"] for item in answer["items"]] == ["completed"] * 2
    stats = api.expect(api.get("/tasks/stats"))["stats"]
    assert stats == {"total": 4, "pending": 1, "running": 0, "completed": 2, "failed": 1,
                     "cancelled": 0}
    assert api.task(one)["error"]["message"] == "broken"
    assert [line["text"] for line in api.expect(api.get(f"/tasks/{one['id']}/logs"))["logs"]] \
        == ["a line"]
    assert {event["actor"] for event in api.events(one)} == {f"session:{api.session}", "worker"}


def test_completions_are_of_one_session(visit, worker):
    one, two = visit(), visit()
    kind, items = fresh_name("t"), []
    for api in (one, two):
        start(api, make(api, type=kind))
        [claimed] = claim(worker, kind)
        items.append({"id": claimed["id"], "leaseToken": claimed["leaseToken"], "result": 1})
    problem(worker.post("/completions", {"items": items}), 422, "invalid_field",
            "/items/1/leaseToken")
    one.expect(one.delete(f"/sessions/{one.session}"))
    answer = worker.expect(worker.post("/completions", {"items": items[:1]}))
    assert answer["items"][0]["code"] == "lease_lost"
    answer = worker.expect(worker.post("/completions", {"items": items[1:]}))
    assert answer["items"][0]["status"] == "completed"


def test_a_token_of_a_session_that_is_gone_is_told_as_a_stale_one(visit, worker):
    api, same = visit(), {"X-Request-Id": "r"}
    start(api, make(api))
    [claimed] = claim(worker, api.type)
    token = {"leaseToken": claimed["leaseToken"]}
    worker.expect(worker.act(claimed, "release", token))
    [again] = claim(worker, api.type)
    stale = worker.act(claimed, "heartbeat", token, headers=same)
    problem(stale, 409, "lease_lost")
    api.expect(api.delete(f"/sessions/{api.session}"))
    gone = worker.act(again, "heartbeat", {"leaseToken": again["leaseToken"]}, headers=same)
    assert (gone.status_code, gone.content) == (stale.status_code, stale.content)


@pytest.mark.parametrize("where", ["complete", "completions"])
def test_a_claim_does_not_go_with_the_end_of_an_attempt_in_a_session(visit, worker, where):
    api = visit()
    start(api, make(api))
    [claimed] = claim(worker, api.type)
    token = {"leaseToken": claimed["leaseToken"], "result": 1}
    body = token if where == "complete" else {"items": [{"id": claimed["id"], **token}]}
    path = f"/tasks/{claimed['id']}/complete" if where == "complete" else "/completions"
    problem(worker.post(path, {**body, "claim": {"types": [api.type]}}), 422, "invalid_field",
            "/claim")
    worker.expect(worker.post(path, body))
    assert api.task(claimed)["status"] == "completed"


def test_a_claim_for_sessions_takes_no_idempotency_key(worker):
    answer = worker.post("/claims", {"sessions": True}, headers={"Idempotency-Key": "k"})
    assert "Idempotency-Key" in problem(answer, 400, "bad_request")["detail"]


def test_workers_of_what_is_kept_and_of_sessions_do_not_mix(visit, worker):
    api = visit()
    start(api, make(api))
    assert worker.claim(types=[api.type]) == []
    kept = worker.expect(worker.post("/tasks", {"type": api.type}, headers=LOCAL), 201)["task"]
    [claimed] = claim(worker, api.type)
    assert claimed["sessionKey"] == api.session
    [own] = worker.claim(types=[api.type])
    assert own["id"] == kept["id"] and own["sessionKey"] is None


# --- ends -----------------------------------------------------------------------------------------

def test_who_waits_in_sessions_is_answered_when_the_server_drains(make_server, visit, make_api,
                                                                  parallel):
    server = make_server(args=["--sessions"])
    api, worker = visit(server=server), make_api(server)
    task = make(api)
    waiting = [parallel(claim, worker.twin(), api.type, waitMs=20000, workerId="w"),
               parallel(visit(api.session, server=server).task, task, 20000)]
    worker.until_in_flight(len(waiting))
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    assert waiting[0]() == [] and waiting[1]()["status"] == "pending"
    server.stop()
    assert time.monotonic() - began < 10


def test_a_worker_whose_key_is_revoked_while_it_waits_gets_nothing(make_server, visit, make_api,
                                                                   parallel):
    server = make_server(args=["--sessions"], key="admin-key-of-the-test")
    admin, api = make_api(server), visit(server=server)
    made = admin.expect(admin.post("/keys", {"name": "w", "roles": ["worker"]}), 201)
    worker = make_api(server, key=made["secret"])
    waiting = parallel(claim, worker, api.type, waitMs=20000, workerId="w")
    admin.until_worker("w", waiting=True)
    admin.expect(admin.delete(f"/keys/{made['key']['id']}"))
    start(api, make(api))
    assert waiting() == []
    assert [one["sessionKey"] for one in claim(admin, api.type)] == [api.session]


def test_workers_of_other_tenants_get_nothing_of_sessions(make_server, visit, make_api):
    server = make_server(args=["--sessions"], key="admin-key-of-the-test")
    admin, api = make_api(server), visit(server=server)
    body = {"name": "w", "roles": ["worker", "admin"], "tenant": "other"}
    other = make_api(server, key=admin.expect(admin.post("/keys", body), 201)["secret"])
    start(api, make(api))
    problem(other.post("/claims", {"sessions": True}), 403, "forbidden")
    [claimed] = claim(admin, api.type)
    lost = other.act(claimed, "heartbeat", {"leaseToken": claimed["leaseToken"]})
    problem(lost, 409, "lease_lost")
    problem(other.delete(f"/sessions/{api.session}"), 404, "not_found")
    problem(other.get("/sessions/stats"), 404, "not_found")


def test_without_sessions_the_server_says_which_setting_is_missing(server, make_api):
    api = make_api(server, key="")
    for answer in (api.get("/tasks", headers={"X-App-Session": "k"}),
                   api.post("/demo/tasks/sample"), api.post("/claims", {"sessions": True}),
                   api.get("/sessions/stats"), api.delete("/sessions/k")):
        assert "TASKYARD_SESSIONS" in problem(answer, 409, "sessions_off")["detail"]
