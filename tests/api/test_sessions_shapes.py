"""Front door S4: what each answer to a session looks like, to the letter."""

import time
import uuid

import pytest

from lib.client import TASK_FIELDS, fresh_name, problem
from lib.sessions import STATUSES, claim

LIST_ITEM = ["id", "name", "status", "progress", "createdAt", "completedAt"]
STATUS = ["success", "status", "progress", "currentStep", "currentStepDescription", "startedAt",
          "completedAt", "error", "durable"]
STATS = ["total", "pending", "running", "completed", "failed", "cancelled"]


def is_now(ms):
    return isinstance(ms, int) and abs(ms - time.time() * 1000) < 60_000


def test_create_answers_201_with_the_task_and_where_it_is(session):
    answer = session.post("/tasks", {"name": "Report", "description": "Of May",
                                     "metadata": {"fileName": "may.csv", "fileSize": 12}})
    assert answer.status_code == 201
    assert [name for name in answer.json() if name != "message"] == ["success", "task", "durable"]
    task = answer.json()["task"]
    assert answer.headers["location"] == f"/api/v1/tasks/{task['id']}"
    assert uuid.UUID(task["id"]).version == 7 and str(uuid.UUID(task["id"])) == task["id"]
    assert (task["name"], task["description"]) == ("Report", "Of May")
    assert task["metadata"] == {"fileName": "may.csv", "fileSize": 12}
    assert (task["status"], task["progress"], task["type"]) == ("pending", 0, "task")
    assert task["sessionKey"] == session.session
    assert is_now(task["createdAt"])


def test_a_name_is_all_that_a_task_needs(session):
    task = session.expect(session.post("/tasks", {"name": "Only this"}), 201)["task"]
    assert task["name"] == "Only this"
    assert (task["description"], task["metadata"], task["payload"]) == (None, None, None)
    assert (task["startedAt"], task["completedAt"], task["error"]) == (None, None, None)
    assert (task["currentStep"], task["currentStepDescription"]) == (None, None)


def test_a_task_has_the_fields_that_tasks_have_everywhere(session):
    created = session.create(payload={"a": 1})
    read = session.expect(session.get(f"/tasks/{created['id']}"))
    assert list(read) == ["success", "task", "durable"]
    assert list(read["task"]) == list(created) == TASK_FIELDS
    assert read["task"] == created
    assert read["task"]["payload"] == {"a": 1}


@pytest.mark.parametrize("body, pointer", [
    ({}, "/name"), ({"description": "d"}, "/name"), ({"name": ""}, "/name"), ({"name": 1}, "/name"),
    ({"name": None}, "/name"), ({"name": "n" * 201}, "/name"),
    ({"name": "n", "description": 1}, "/description"),
    ({"name": "n", "description": "d" * 2001}, "/description"),
    ({"name": "n", "metadata": "m"}, "/metadata"), ({"name": "n", "metadata": [1]}, "/metadata"),
    ({"name": "n", "type": "no blanks"}, "/type"),
])
def test_a_body_that_is_not_as_it_must_be_is_pointed_at_and_makes_nothing(session, body, pointer):
    problem(session.post("/tasks", body), 400, "invalid_field", pointer)
    assert session.ids() == []


@pytest.mark.parametrize("body", [
    {"name": "n" * 200}, {"name": "n", "description": "d" * 2000}, {"name": "ü" * 100}])
def test_texts_may_have_their_whole_length(session, body):
    task = session.expect(session.post("/tasks", body), 201)["task"]
    assert body.items() <= task.items()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"name"', b"null", b'{"name": "n",}',
                                 b'[{"name": "n"}]', b'{"name": "n", "name": "m"}'])
def test_a_body_that_is_no_object_is_refused(session, raw):
    answer = session.send("POST", "/tasks", raw=raw)
    assert answer.status_code == 400, answer.text
    assert answer.json()["success"] is False
    assert session.ids() == []


def test_the_list_has_tasks_and_count_and_items_of_six_fields(session, crew):
    waits, failed = session.create(name="waits"), session.lives(crew, "failed", name="failed")
    answer = session.expect(session.get("/tasks"))
    assert [name for name in answer if name != "nextCursor"] == [
        "success", "tasks", "count", "durable"]
    assert answer["count"] == len(answer["tasks"]) == 2
    newest, oldest = answer["tasks"]
    assert list(newest) == list(oldest) == LIST_ITEM
    assert oldest == {"id": waits["id"], "name": "waits", "status": "pending", "progress": 0,
                      "createdAt": waits["createdAt"], "completedAt": None}
    assert (newest["id"], newest["name"], newest["status"]) == (failed["id"], "failed", "failed")
    assert is_now(newest["completedAt"]) and newest["completedAt"] >= newest["createdAt"]


def test_a_head_has_the_head_of_the_get(session):
    session.create()
    head, get = session.send("HEAD", "/tasks"), session.get("/tasks")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


def test_an_empty_list_is_a_list(session):
    answer = session.expect(session.get("/tasks"))
    assert (answer["tasks"], answer["count"]) == ([], 0)


@pytest.mark.parametrize("status", STATUSES)
def test_a_list_shows_one_status_when_asked_for_it(session, crew, status):
    made = {one: session.lives(crew, one)["id"] for one in STATUSES}
    answer = session.expect(session.get("/tasks", params={"status": status}))
    assert [(task["id"], task["status"]) for task in answer["tasks"]] == [(made[status], status)]


def test_the_status_answer_has_eight_members_and_null_for_what_is_not_yet(session):
    task = session.create()
    answer = session.status(task)
    assert list(answer) == STATUS
    assert answer == {"success": True, "status": "pending", "progress": 0, "currentStep": None,
                      "currentStepDescription": None, "startedAt": None, "completedAt": None,
                      "error": None, "durable": False}


def test_the_status_answer_tells_what_a_running_task_does(session, crew):
    session.started()
    running = claim(crew, session)
    crew.progress(running, 50, currentStep="Processing", currentStepDescription="Doing the work")
    answer = session.status(running)
    assert list(answer) == STATUS
    assert (answer["status"], answer["progress"]) == ("running", 50)
    assert (answer["currentStep"], answer["currentStepDescription"]) == ("Processing",
                                                                         "Doing the work")
    assert is_now(answer["startedAt"]) and answer["completedAt"] is None
    crew.complete(running)
    answer = session.status(running)
    assert list(answer) == STATUS
    assert (answer["status"], answer["progress"]) == ("completed", 100)
    assert is_now(answer["completedAt"]) and answer["completedAt"] >= answer["startedAt"]


def test_the_client_sees_failed_and_the_error(session, crew):
    failed = session.lives(crew, "failed")
    for seen in (session.status(failed), session.task(failed)):
        assert seen["status"] == "failed"
        assert seen["error"]["message"] == "No."


def test_statistics_have_six_numbers_and_the_total_is_their_sum(session, crew):
    assert session.stats() == dict.fromkeys(STATS, 0)
    for status in STATUSES + ("failed",):
        session.lives(crew, status)
    answer = session.expect(session.get("/tasks/stats"))
    assert list(answer) == ["success", "stats", "durable"]
    assert list(answer["stats"]) == STATS
    assert answer["stats"] == {"total": 6, "pending": 1, "running": 1, "completed": 1, "failed": 2,
                               "cancelled": 1}


def test_a_worker_that_vanished_leaves_a_failed_task_with_its_reason(session, crew):
    session.started()
    lost = claim(crew, session, leaseMs=1000)
    seen = session.expect(session.get(f"/tasks/{lost['id']}", params={"waitMs": 8000}))["task"]
    assert seen["status"] == "failed"
    assert seen["error"]["message"]
    assert session.status(lost)["status"] == "failed" and session.status(lost)["error"]["message"]
    [item] = session.expect(session.get("/tasks", params={"status": "failed"}))["tasks"]
    assert (item["id"], item["status"]) == (lost["id"], "failed")
    assert session.stats()["failed"] == session.stats()["total"] == 1


@pytest.mark.parametrize("path", ["/tasks/{id}", "/tasks/{id}/status", "/tasks/{id}/events",
                                  "/tasks/{id}/logs", "/tasks/{id}/explain"])
def test_what_a_session_may_read_of_its_task_it_reads(session, path):
    task = session.create()
    assert session.expect(session.get(path.format(id=task["id"])))["durable"] is False


def test_a_literal_word_is_no_id(session):
    assert "stats" in session.expect(session.get("/tasks/stats"))


@pytest.mark.parametrize("path", [
    "/tasks/{id}", "/tasks/{id}/status", "/tasks/{id}/events", "/tasks/{id}/logs",
    "/tasks/{id}/explain"])
def test_an_unknown_id_is_absent(session, path):
    problem(session.get(path.format(id=str(uuid.uuid4()))), 404, "not_found")
    problem(session.get(path.format(id=fresh_name("no-id"))), 404, "not_found")


def test_the_history_is_complete_and_in_order(session, crew):
    task = session.lives(crew, "completed")
    events = [event["event"] for event in
              session.expect(session.get(f"/tasks/{task['id']}/events"))["events"]]
    assert events[0] == "task.created" and events[-1] == "task.completed"
    assert "task.started" in events or "task.claimed" in events
