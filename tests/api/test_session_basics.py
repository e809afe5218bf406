"""Anonymous sessions, end to end: a task of a session, a worker of sessions, and where each ends.

Shapes row by row, addresses and isolation have files of their own.
"""

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
