"""The important answers of each door are, member by member, what tests/api/snapshots keeps.

One scene is played on a server of its own; what it shows is held against the files. A change that
is wanted is written with SNAPSHOTS=write in the environment and committed with what made it.
"""

import json
import os
from pathlib import Path

import httpx
import pytest

from lib.client import NO_ID, Api
from lib.server import ADMIN, servers
from lib.sessions import Session, with_sessions
from lib.snapshots import WRITE, compare, difference, snapshot

STORE = os.environ.get("TASKYARD_TEST_STORE", "sqlite")
KEPT = Path(__file__).resolve().parent / "snapshots"
NAMES = """
create create-minimal create-batch create-again list claim claim-nothing progress complete fail
task-pending task-running task-completed task-failed task-cancelled task-abandoned
explain events history attempts queues types stats
problem-400 problem-401 problem-404 problem-405 problem-409 problem-412 problem-422
problem-422-key
s1-create s1-405 s3-create s3-list s3-claim s3-complete
s4-create s4-list s4-status s4-401 health
""".split()
# What only a server alone on its store answers, and what only one beside others does.
OF_ONE, OF_NODES = ["workers"], ["workers-of-nodes"]
NAMES += OF_NODES if STORE == "postgresql" else OF_ONE
HOUR_MS = 3_600_000


class Scene:
    """Keeps what is shown, by name."""

    def __init__(self):
        self.shown = {}

    def show(self, name, response):
        assert name not in self.shown, f"{name} is shown twice"
        self.shown[name] = snapshot(response)
        return response


def creates(api, show):
    asked = {"type": api.type, "payload": {"month": "2026-11"}, "tags": {"team": "a"},
             "metadata": {"from": "a test"}, "priority": 5, "subject": "invoice-7"}
    again = {"headers": {"Idempotency-Key": "one"}}
    show("create", api.post("/tasks", asked, **again))
    show("create-again", api.post("/tasks", asked, **again))
    show("problem-422-key", api.post("/tasks", {**asked, "priority": 6}, **again))
    show("create-minimal", api.post("/tasks", asked, headers={"Prefer": "return=minimal"}))
    show("create-batch", api.post("/tasks", [{"type": api.type, "name": name} for name in "ab"]))


def moves(api, show):
    """Of one task that ends well, and one that is tried again in an hour."""
    body = {"types": [api.type], "workerId": "tester"}
    task = show("claim", api.post("/claims", body)).json()["tasks"][0]
    show("claim-nothing", api.post("/claims", {**body, "types": ["of.nobody"]}))
    show("progress", api.move(task, "progress", progress=40, currentStep="adds up"))
    show("task-running", api.get(f"/tasks/{task['id']}"))
    show("complete", api.move(task, "complete", result={"sum": 3}))
    show("task-completed", api.get(f"/tasks/{task['id']}"))
    show("problem-409", api.act(task, "claim", {"workerId": "tester"}))
    show("history", api.get(f"/tasks/{task['id']}/events"))
    show("attempts", api.get(f"/tasks/{task['id']}/attempts"))
    broken = api.running(backoff={"type": "fixed", "delayMs": HOUR_MS, "jitter": 0})
    show("fail", api.move(broken, "fail", error="It broke."))
    show("explain", api.get(f"/tasks/{broken['id']}/explain"))


def statuses(api, show):
    pending = api.create()
    show("task-pending", api.get(f"/tasks/{pending['id']}"))
    show("problem-412", api.put(f"/tasks/{pending['id']}", {"priority": 1},
                                headers={"If-Match": '"99"'}))
    for status in ("failed", "cancelled", "abandoned"):
        task = api.ended(status)
        show(f"task-{status}", api.get(f"/tasks/{task['id']}"))


def overviews(api, show):
    show("list", api.get("/tasks", params={"type": api.type, "limit": 2}))
    show("events", api.get("/events", params={"limit": 4}))
    show("queues", api.get("/queues"))
    show("types", api.get("/types"))
    show(*(OF_NODES if STORE == "postgresql" else OF_ONE), api.get("/workers"))
    show("stats", api.get("/tasks/stats"))


def problems(api, show):
    show("problem-400", api.send("POST", "/tasks", raw=b'{"type": "t",}'))
    show("problem-422", api.post("/tasks", {"type": "two words", "colour": "red"}))
    show("problem-404", api.get(f"/tasks/{NO_ID}"))
    show("problem-405", api.put("/tasks"))
    stranger = Api(api.server, key="of-nobody")
    show("problem-401", stranger.get("/tasks"))
    stranger.close()


def door_s1(api, show):
    show("s1-create", api.post("//api/tasks", {"type": "sendMessage", "payload": {"to": "Ada"}}))
    show("s1-405", api.get("//api/tasks"))


def door_s3(api, show):
    made = api.expect(api.post("/keys", {"name": "content", "roles": ["producer", "worker"],
                                         "tenant": "acme", "service": "content"}), 201)
    service = Api(api.server, key=made["secret"])
    document = {"task_type": "GENERATIVE",
                "request": {"content": {"prompt": "A haiku"}, "metadata": {"user_id": "u1"}},
                "template": {"service_type": "GENERATIVE", "parameters": {"model": "m"}},
                "tags": {"service": "content", "source": "api"}}
    task_id = show("s3-create", service.post("/tasks", document)).json()["task_id"]
    show("s3-list", service.get("/tasks", params={"task_type": "GENERATIVE", "limit": 5}))
    show("s3-claim", service.post(f"/tasks/{task_id}/claim", {"service_id": "content-1"}))
    show("s3-complete", service.post(f"/tasks/{task_id}/complete", {"text": "Rain"}))
    service.close()


def door_s4(api, show):
    session = Session(api.server, session="a-session-of-the-scene")
    body = {"name": "A task", "description": "for people", "payload": {"n": 1}}
    task = show("s4-create", session.post("/tasks", body)).json()["task"]
    show("s4-list", session.get("/tasks"))
    show("s4-status", session.get(f"/tasks/{task['id']}/status"))
    session.close()
    nobody = Api(api.server, key="")
    show("s4-401", nobody.get("/tasks"))
    nobody.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory, store):
    """All answers of the scene, by name."""
    scene = Scene()
    with servers(tmp_path_factory.mktemp("scene"), store) as make:
        named = {"node": "node-1"} if STORE == "postgresql" else {}
        api = Api(make(**with_sessions(**named)), key=ADMIN, type_name="report.make")
        for part in (creates, moves, statuses, overviews, problems, door_s1, door_s3, door_s4):
            part(api, scene.show)
        scene.show("health", api.get("//health"))
        api.close()
    return scene.shown


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_is_what_it_was(shown, name):
    told = compare(KEPT, name, shown[name])
    if told:
        pytest.fail(told, pytrace=False)


def test_each_answer_is_kept_and_each_that_is_kept_is_shown(shown):
    assert sorted(shown) == sorted(NAMES)
    wanted = {f"{name}.txt" for name in [*NAMES, *OF_ONE, *OF_NODES]}
    for path in KEPT.iterdir():
        if WRITE and path.name not in wanted:
            path.unlink()
    assert {path.name for path in KEPT.iterdir()} == wanted


# --- the comparison itself ------------------------------------------------------------------------

def answer(body, status=200, **headers):
    """As a server would have given it."""
    asked = httpx.Request("GET", f"http://127.0.0.1/api/v1/tasks/{body['id']}")
    return httpx.Response(status, content=json.dumps(body), request=asked,
                          headers={"Content-Type": "application/json", **headers})


def ids(number):
    return f"01890000-0000-7000-8000-{number:012}"


def task(**members):
    return {"id": ids(1), "parentId": ids(2), "status": "pending", "attempt": 0, "again": ids(1),
            "createdAt": 1_795_000_000_000, "leaseToken": "x1", **members}


def without(name):
    body = task()
    del body[name]
    return body


def test_what_differs_from_run_to_run_does_not_count():
    other = task(id=ids(8), again=ids(8), parentId=ids(7), createdAt=1_796_000_000_000,
                 leaseToken="y2")
    text = snapshot(answer(task()))
    assert snapshot(answer(other, Date="today")) == text
    assert '"id": "<id 1>"' in text and '"parentId": "<id 2>"' in text
    assert '"again": "<id 1>"' in text and '"createdAt": "<time>"' in text


@pytest.mark.parametrize("change, line", [
    (answer(without("attempt")), '-  "attempt": 0,'),
    (answer(task(cost=1)), '+  "cost": 1'),
    (answer(task(attempt="0")), '+  "attempt": "0",'),
    (answer(task(attempt=None)), '+  "attempt": null,'),
    (answer(task(createdAt="1795000000000")), '+  "createdAt": "1795000000000",'),
    (answer(task(createdAt=1_795_000_000)), '+  "createdAt": 1795000000,'),
    (answer(task(leaseToken=7)), '+  "leaseToken": 7'),
    (answer({**without("status"), "status": "pending"}), '-  "status": "pending",'),
    (answer(task(again=ids(2))), '+  "again": "<id 2>",'),
    (answer(task(), status=201), "+201"),
    (answer(task(), Location="/elsewhere"), "+location: /elsewhere"),
], ids=["vanished", "appeared", "another-type", "null", "time-as-text", "time-in-seconds",
        "token-as-number", "order", "another-id", "status", "header"])
def test_a_change_is_noticed_and_shown(change, line):
    told = difference("task", snapshot(answer(task())), snapshot(change))
    assert line in told.splitlines() and "SNAPSHOTS=write" in told


def test_an_answer_that_is_not_kept_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.snapshots.WRITE", False)
    told = compare(tmp_path, "new", "200\n")
    assert "new.txt" in told and "SNAPSHOTS=write" in told
    (tmp_path / "new.txt").write_text("200\n")
    assert compare(tmp_path, "new", "200\n") == ""
    assert "+201" in compare(tmp_path, "new", "201\n")


def test_it_is_written_when_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.snapshots.WRITE", True)
    assert compare(tmp_path / "kept", "new", "200\n") == ""
    assert (tmp_path / "kept" / "new.txt").read_text() == "200\n"
