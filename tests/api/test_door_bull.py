"""Front door S1: POST /api/tasks, its words, its demo types, and the view `tasks`."""

import json
import os
import re
import sqlite3
import subprocess

import pytest

from lib.client import FINAL, fresh_name, problem, raw_payload
from lib.rawhttp import Raw, request_bytes
from lib.server import BINARY, POSTGRES, ROOT, clean_environment

DOOR = "//api/tasks"
QUEUE = "task-queue"
WAIT_S = 10.0


def words():
    """The rows of words.def: status -> its word at S1."""
    text = (ROOT / "src/api/doors/words.def").read_text()
    rows = re.findall(r'^STATUS_WORD\(BULL, (\w+), "(\w+)"', text, re.MULTILINE)
    return {status.lower(): word for status, word in rows}


def created(api, task_type=None, payload=None, **options):
    """A task made at the door, as its answer shows it."""
    body = {"type": task_type or api.type, "payload": {} if payload is None else payload}
    return api.expect(api.post(DOOR, body, **options), 200)


def refused(response, status, code, pointer=None):
    """A problem document that its clients can read too."""
    body = problem(response, status, code, pointer)
    assert isinstance(body["message"], str) and body["message"]
    return body


# --- in tests -------------------------------------------------------------------------------------

def test_a_test_sees_what_waits_in_the_queue_and_empties_it(api):
    """What Bull's getJobs(['waiting']), empty() and close() are for: a client of its own."""
    made = [created(api, payload={"n": n})["id"] for n in range(3)]
    busy = api.claim_one(queues=[QUEUE])
    queue = api.twin()
    waiting = queue.list(queue=QUEUE, status="pending", include="payload")
    assert [(task["id"], task["payload"]) for task in waiting] == [
        (made[2], {"n": 2}), (made[1], {"n": 1})]
    for task in waiting:
        queue.expect(queue.delete(f"/tasks/{task['id']}"))
    queue.close()
    assert api.list(queue=QUEUE, status="pending") == []
    assert api.task(busy)["status"] == "running"


# --- create ---------------------------------------------------------------------------------------

def test_a_task_is_created_and_says_so(api):
    response = api.post(DOOR, {"type": api.type, "payload": {"text": "Hello"}})
    assert response.status_code == 200
    body = response.json()
    assert body["message"] == "Task created" and body["success"] is True
    assert body["id"] == body["taskId"] and body["status"] == "pending"
    task = api.task(body["id"])
    assert task["type"] == api.type and task["payload"] == {"text": "Hello"}
    assert task["queue"] == QUEUE and task["status"] == "pending"
    assert [one["id"] for one in api.list(queue=QUEUE)] == [body["id"]]


def test_the_id_of_the_answer_is_valid_everywhere(api):
    made = created(api)["id"]
    task = api.claim_one(queues=[QUEUE])
    assert task["id"] == api.task(made)["id"] == made
    api.log(task, "a line")
    api.complete(task, {"made": 1})
    assert [one["id"] for one in api.list(queue=QUEUE)] == [made]
    assert {event["taskId"] for event in api.events(task)} == {made}
    for part in ("", "/events", "/attempts", "/logs", "/explain"):
        assert api.get(f"/tasks/{made}{part}").status_code == 200


def test_it_gets_three_attempts_with_a_second_between(api):
    task = api.task(created(api)["id"])
    assert task["maxAttempts"] == 3 and task["priority"] == 0
    failed = api.fail(api.claim_one(queues=[QUEUE]))
    assert failed["status"] == "pending" and failed["waitingFor"] == "retry"
    assert 800 <= failed["runAt"] - failed["updatedAt"] <= 1000


def test_the_defaults_of_its_type_hold(api):
    api.expect(api.put(f"/types/{api.type}", {"maxAttempts": 7, "priority": 5, "queue": "other"}))
    task = api.task(created(api)["id"])
    assert (task["maxAttempts"], task["priority"], task["queue"]) == (7, 5, QUEUE)


@pytest.mark.parametrize("payload", [b'{ "b" : 1.50, "a":[ ] }', b"null", b'"text"', b"[1, 2]"])
def test_any_payload_is_kept_byte_for_byte(api, payload):
    raw = b'{"type": "%s", "payload": %s}' % (api.type.encode(), payload)
    task_id = api.expect(api.send("POST", DOOR, raw=raw))["id"]
    assert raw_payload(api.get(f"/tasks/{task_id}").content) == payload


def test_a_repeat_with_its_key_is_the_same_task(api):
    headers = {"Idempotency-Key": fresh_name("k")}
    first = api.post(DOOR, {"type": api.type, "payload": 1}, headers=headers)
    again = api.post(DOOR, {"type": api.type, "payload": 1}, headers=headers)
    assert again.status_code == first.status_code == 200 and again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert len(api.list()) == 1
    other = api.post(DOOR, {"type": api.type, "payload": 2}, headers=headers)
    refused(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize("body, pointer", [
    (b'{"payload": {}}', "/type"),
    (b'{"type": "t"}', "/payload"),
    (b"{}", "/type"),
    (b'{"type": null, "payload": {}}', "/type"),
    (b'{"type": "", "payload": {}}', "/type"),
    (b'{"type": 7, "payload": {}}', "/type"),
    (b'{"type": "two words", "payload": {}}', "/type"),
    (b'{"type": "t", "payload": {}, "priority": 1}', "/priority"),
    (b'[{"type": "t", "payload": {}}]', ""),
    (b'"t"', ""),
])
def test_a_body_that_lacks_something_is_refused_with_a_message(api, body, pointer):
    answer = refused(api.send("POST", DOOR, raw=body), 400, "invalid_field", pointer)
    assert answer["message"] == answer["detail"]


def test_a_body_that_is_no_json_is_refused_with_a_message(api):
    for raw in (b"{", b"type=t", b""):
        refused(api.send("POST", DOOR, raw=raw), 400, "malformed_json")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(api.send("POST", DOOR, raw=b"type=t", headers=form), 415, "unsupported_media_type")
    refused(api.post(DOOR + "?x=1", {"type": "t", "payload": 1}), 400, "invalid_field")


def test_a_body_over_its_limit_is_refused_with_a_message(api):
    """Before it is read; a head that is over its limit is refused before its path is known."""
    sent = [("/api/tasks", b"Content-Length: 99999999", 413, True),
            ("/api/v1/tasks", b"Content-Length: 99999999", 413, False),
            ("/api/tasks", b"X-Long: " + b"x" * 100000, 431, False)]
    for path, header, status, has_message in sent:
        with Raw(api.server) as raw:
            reply = raw.send(request_bytes("POST", path, headers=[header])).reply()
        body = json.loads(reply.body)
        assert reply.status == body["status"] == status
        assert body.get("message") == (body["detail"] if has_message else None)


def test_what_is_refused_creates_nothing(api):
    def total():
        return api.expect(api.get("/tasks/stats"))["stats"]["total"]
    before = total()
    for raw in (b'{"payload": {}}', b'{"type": "t"}', b'{"type": "", "payload": {}}', b"{", b"",
                b"type=t", b'[{"type": "t", "payload": {}}]', b'{"type": "t", "payloads": {}}'):
        answer = api.send("POST", DOOR, raw=raw)
        assert 400 <= answer.status_code < 500, raw
    assert total() == before
    created(api)
    assert total() == before + 1


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_other_method_is_not_allowed(api, method):
    response = api.send(method, DOOR)
    body = refused(response, 405, "method_not_allowed")
    assert body["message"] == "Method not allowed"
    assert response.headers["allow"] == "POST"


def test_a_head_is_not_allowed_either(api):
    response = api.send("HEAD", DOOR)
    assert response.status_code == 405 and response.headers["allow"] == "POST"


def test_other_paths_have_no_message(api):
    assert "message" not in problem(api.put("/tasks"), 405, "method_not_allowed")
    assert "message" not in problem(api.get("//api/task"), 404, "not_found")


def test_it_is_open_to_producers_with_a_key(make_server, make_api):
    server = make_server(key="the-first-key")
    admin = make_api(server)
    body = {"type": "t", "payload": {}}
    nobody = make_api(server, key="")
    nobody.http.headers.pop("Authorization", None)
    refused(nobody.post(DOOR, body), 401, "unauthenticated")
    for role, status in (("producer", 200), ("admin", 200), ("worker", 403), ("reader", 403)):
        made = admin.expect(admin.post("/keys", {"name": role, "roles": [role]}), 201)
        response = make_api(server, key=made["secret"]).post(DOOR, body)
        assert response.status_code == status, response.text
        if status == 403:
            refused(response, 403, "forbidden")


# --- work -----------------------------------------------------------------------------------------

@pytest.fixture
def work(tmp_path):
    """work(server): a demo worker takes all that is ready in the door's queue."""
    def run(server):
        args = [str(BINARY), "worker", "--demo", "--queue", QUEUE, "--until-empty"]
        done = subprocess.run(args, capture_output=True, text=True, timeout=WAIT_S,
                              env=clean_environment(tmp_path, {"TASKYARD_URL": server.url}))
        assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def yard(make_server, make_api):
    """A server with no other tasks in the door's queue; its client."""
    return make_api(make_server())


def test_the_demo_worker_serves_the_types_of_the_document(yard, work):
    sent = created(yard, "sendMessage", {"message": "Hello", "to": "Ada"})
    heard = created(yard, "processVoice", {"filePath": "/tmp/a.wav"})
    work(yard.server)
    task = yard.task(sent["id"])
    assert task["status"] == words()["completed"] == "completed"
    assert task["result"]["message"] == "Message sent" and task["result"]["sent"] == "Hello"
    assert [line["text"] for line in yard.logs(task)] == ['pretending to send "Hello"']
    task = yard.task(heard["id"])
    assert task["status"] == "completed" and task["result"]["message"] == "Voice processed"


def test_an_unknown_type_fails_and_says_which(yard, work):
    task = created(yard, "flyToTheMoon")
    work(yard.server)
    seen = yard.task(task["id"])
    assert seen["status"] == words()["failed"] == "failed" and seen["attempt"] == 1
    assert seen["error"]["message"] == "Unknown task type: flyToTheMoon"
    assert seen["error"]["code"] == "unknown_task_type"


# --- the view -------------------------------------------------------------------------------------

def view(server, columns, row):
    """One row of the view `tasks`, as a client of the database reads it: texts, or None."""
    query = f"SELECT {columns} FROM tasks WHERE id = {int(row)}"
    if not server.store.startswith("postgresql"):
        with sqlite3.connect(server.store.removeprefix("sqlite:"), timeout=WAIT_S) as db:
            return [None if one is None else str(one) for one in db.execute(query).fetchone()]
    schema = server.args[server.args.index("--store-schema") + 1]
    done = subprocess.run(
        ["psql", "-XqAt", "-F", "\t", "-P", "null=NULL", "-v", "ON_ERROR_STOP=1", "-d", POSTGRES,
         "-c", query], capture_output=True, text=True, check=True,
        env={**os.environ, "PGOPTIONS": f"-c search_path={schema}"})
    return [None if one == "NULL" else one for one in done.stdout.rstrip("\n").split("\t")]


def test_the_view_shows_a_task_from_its_creation_to_its_end(api):
    task = created(api, payload={"n": 1})
    columns = "type, payload, status, result, error"
    assert view(api.server, columns, task["rowId"])[0] == api.type
    assert json.loads(view(api.server, columns, task["rowId"])[1]) == {"n": 1}
    assert view(api.server, columns, task["rowId"])[2:] == ["pending", None, None]
    claimed = api.claim_one(queues=[QUEUE])
    assert view(api.server, "status", task["rowId"]) == [words()["running"]] == ["in_progress"]
    api.complete(claimed, {"sum": 3})
    _, _, status, result, error = view(api.server, columns, task["rowId"])
    assert (status, json.loads(result), error) == ("completed", {"sum": 3}, None)


def test_the_view_shows_a_failure_with_its_text(api):
    task = created(api)
    api.fail(api.claim_one(queues=[QUEUE]), "It broke.", retry=False)
    assert view(api.server, "status, error, result", task["rowId"]) == ["failed", "It broke.", None]


def test_every_status_has_a_word(api):
    assert set(words()) == {"pending", "running", *FINAL}
    assert [words()[status] for status in ("pending", "running", "completed", "failed",
                                           "abandoned")] == \
        ["pending", "in_progress", "completed", "failed", "abandoned"]
