"""Front door S4: the demo routes, and the demo tasks as a real worker runs them."""

import hashlib
import uuid

import pytest

from lib.client import problem
from lib.server import Server
from lib.sessions import DEMOS, with_sessions
from lib.worker import Worker, until

ANSWER = ["success", "message", "task", "note", "durable"]
TASK = ["id", "name", "status", "progress", "sessionKey"]
STEPS = [(0, "Initializing"), (25, "Loading"), (50, "Processing"), (75, "Verifying"),
         (100, "Finishing")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo_server(home, store):
    """Sessions by address too, and a demo worker that has places for all tests."""
    running = Server(home, store=store, **with_sessions(
        env={"AUTO_MAP_SESSION_BY_IP": "true"})).start()
    worker = Worker(running, home, "--demo", "--sessions", "--concurrency", "20", "--drain", "0s",
                    "--lease", "3s")     # it hears of a cancel within a second
    yield running
    worker.stop()
    running.stop()


@pytest.fixture
def session(demo_server, make_session):
    return make_session(server=demo_server)


def ended(session, task):
    return session.final(task["task"] if "task" in task else task, wait_ms=15000)


# --- what the routes take and answer --------------------------------------------------------------

def test_the_sample_answers_as_the_document_says(session):
    answer = session.demo("sample", delayMs=0, description="d")
    assert list(answer) == ANSWER
    assert answer["success"] is True
    assert answer["message"] == "Sample task created and started"
    assert list(answer["task"]) == TASK
    assert answer["task"] == {
        "id": answer["task"]["id"], "name": "Sample Long-Running Task", "status": "pending",
        "progress": 0, "sessionKey": session.session}
    assert str(uuid.UUID(answer["task"]["id"])) == answer["task"]["id"]
    assert answer["note"] and isinstance(answer["note"], str)


@pytest.mark.parametrize("which", DEMOS)
def test_each_demo_answers_in_the_same_shape_and_is_started(session, which):
    answer = session.demo(which, delayMs=0)
    assert list(answer) == ANSWER and list(answer["task"]) == TASK
    assert (answer["task"]["status"], answer["task"]["progress"]) == ("pending", 0)
    assert answer["message"].endswith("created and started") and answer["task"]["name"]
    done = ended(session, answer)
    assert done["status"] == "completed", done["error"]
    assert (done["name"], done["type"]) == (answer["task"]["name"], which)


@pytest.mark.parametrize("which", DEMOS)
def test_the_description_is_the_tasks_and_may_be_left_out(session, which):
    with_one = session.demo(which, delayMs=0, description="What for")
    assert session.task(with_one["task"])["description"] == "What for"
    assert session.task(session.demo(which, delayMs=0)["task"])["id"]


def test_the_sample_needs_no_body_at_all(session):
    task = session.expect(session.post("/demo/tasks/sample"), 201)["task"]
    assert session.cancel(task)["id"] == task["id"]


@pytest.mark.parametrize("which, body, part", [
    ("sample", {"delayMs": 20, "description": "d"}, {"steps": 5, "durationMs": 20}),
    ("file-processing", {"filePath": "/in/\"a\".csv", "fileSize": 12, "delayMs": 20},
     {"filePath": "/in/\"a\".csv", "fileSize": 12}),
    ("api-call", {"endpoint": "https://x/y", "data": {"k": [1]}, "delayMs": 20},
     {"endpoint": "https://x/y", "response": {"ok": True, "echo": {"k": [1]}}}),
    ("batch", {"items": ["a", {"b": 2}], "delayMs": 20}, {"processed": 2}),
])
def test_what_is_handed_in_reaches_the_executor(session, which, body, part):
    done = ended(session, session.demo(which, **body))
    assert part.items() <= done["result"].items()


@pytest.mark.parametrize("which, body, pointer", [
    ("file-processing", {}, "/filePath"),
    ("file-processing", {"fileSize": 1, "description": "d"}, "/filePath"),
    ("file-processing", {"filePath": ""}, "/filePath"),
    ("file-processing", {"filePath": None}, "/filePath"),
    ("file-processing", {"filePath": 7}, "/filePath"),
    ("file-processing", {"filePath": "/a", "fileSize": -1}, "/fileSize"),
    ("file-processing", {"filePath": "/a", "fileSize": "big"}, "/fileSize"),
    ("api-call", {}, "/endpoint"),
    ("api-call", {"data": {}}, "/endpoint"),
    ("api-call", {"endpoint": ""}, "/endpoint"),
    ("batch", {}, "/items"),
    ("batch", {"items": "abc"}, "/items"),
    ("batch", {"items": {}}, "/items"),
    ("batch", {"items": []}, "/items"),
    ("batch", {"items": [0] * 1001}, "/items"),
    ("sample", {"delayMs": -1}, "/delayMs"),
    ("sample", {"delayMs": 600_001}, "/delayMs"),
    ("sample", {"delayMs": "soon"}, "/delayMs"),
    ("sample", {"description": 1}, "/description"),
    ("sample", {"status": "completed"}, "/status"),
    ("sample", {"sessionKey": "another"}, "/sessionKey"),
])
def test_a_field_that_is_missing_or_wrong_is_400_and_pointed_at(session, which, body, pointer):
    problem(session.post(f"/demo/tasks/{which}", body), 400, "invalid_field", pointer)
    assert session.ids() == []


def test_a_thousand_items_and_ten_minutes_are_taken(session):
    long = session.demo("sample", delayMs=600_000)
    many = session.demo("batch", items=list(range(1000)), delayMs=0)
    assert session.cancel(long["task"])
    assert ended(session, many)["result"]["processed"] == 1000


def test_there_is_no_other_demo(session, make_api, demo_server):
    answer = make_api(demo_server, key="").post("/demo/tasks/none", {},
                                                headers={"X-App-Session": session.session})
    problem(answer, 404, "not_found")
    answer = make_api(demo_server, key="").get("/demo/tasks/sample",
                                               headers={"X-App-Session": session.session})
    assert problem(answer, 405, "method_not_allowed") and answer.headers["allow"] == "POST"


def test_an_address_is_named_by_its_hash(demo_server, make_api):
    answer = make_api(demo_server, key="").post("/demo/tasks/sample", {"delayMs": 0}).json()
    digest = hashlib.sha256(b"127.0.0.1").hexdigest()[:16]
    assert answer["task"]["sessionKey"] == f"ip_{digest}"


# --- how they run ---------------------------------------------------------------------------------

def progress_of(session, task):
    events = session.expect(session.get(f"/tasks/{task['id']}/events", params={"limit": 1000}))
    return [(event["progress"], event["note"]) for event in events["events"]
            if event["event"] == "task.progress"]


def test_the_sample_runs_in_the_background_and_tells_its_steps(session):
    task = session.demo("sample", delayMs=2500)["task"]
    seen = until(lambda: (now := session.status(task))["currentStep"] and now)
    assert seen["status"] == "running" and seen["startedAt"]
    done = ended(session, task)
    assert (done["status"], done["progress"]) == ("completed", 100)
    assert progress_of(session, task) == STEPS


def test_a_hundred_percent_is_not_yet_the_end(session):
    task = session.demo("sample", delayMs=2500)["task"]
    seen = until(lambda: (now := session.status(task))["progress"] == 100 and now)
    assert (seen["status"], seen["completedAt"]) == ("running", None)
    assert ended(session, task)["status"] == "completed"


def test_progress_only_rises(session):
    tasks = [session.demo(which, delayMs=2000)["task"] for which in DEMOS]
    for task in tasks:
        assert ended(session, task)["status"] == "completed"
        percents = [percent for percent, _ in progress_of(session, task)]
        assert percents == sorted(percents) and percents[0] == 0


def test_the_batch_reports_item_by_item(session):
    task = session.demo("batch", items=["one", "two", "three"], delayMs=1500)["task"]
    assert ended(session, task)["status"] == "completed"
    assert progress_of(session, task) == [(0, "Item 1 of 3"), (33, "Item 2 of 3"),
                                          (66, "Item 3 of 3")]


def test_a_session_runs_several_demos_at_once(session):
    tasks = [session.demo("sample", delayMs=600_000)["task"] for _ in range(3)]
    until(lambda: session.stats()["running"] == 3)
    for task in tasks:
        session.cancel(task)
    assert {ended(session, task)["status"] for task in tasks} == {"cancelled"}


def test_a_cancelled_demo_really_stops_and_does_not_complete_later(session):
    task = session.demo("sample", delayMs=3000)["task"]
    until(lambda: session.status(task)["status"] == "running")
    session.cancel(task)
    cancelled = ended(session, task)
    assert cancelled["status"] == "cancelled"
    told = progress_of(session, task)
    # Another one, started later, has come to its end: so would the first have, if it had gone on.
    assert ended(session, session.demo("sample", delayMs=3000))["status"] == "completed"
    assert session.task(task) == cancelled
    assert progress_of(session, task) == told


def test_a_failed_demo_says_why_and_may_be_tried_again(session):
    task = session.started(type="batch", payload={"items": "abc"})
    failed = ended(session, task)
    assert failed["status"] == "failed" and "items" in failed["error"]["message"]
    assert session.retry(task)["waitingFor"] == "worker"
    assert ended(session, task)["status"] == "failed"


def test_a_demo_can_be_made_by_hand_and_started(session):
    task = session.create(type="sample", payload={"delayMs": 0})
    assert task["waitingFor"] == "start"
    session.start(task)
    assert ended(session, task)["result"]["message"] == "Sample task completed"
