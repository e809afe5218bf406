"""The workflow of front door S1 from end to end: a task is created there, a worker does it, and
whoever asks sees how it ended, within the five seconds that its document allows."""

import pytest

DOOR = "//api/tasks"
ENDS_WITHIN_MS = 5000

pytestmark = pytest.mark.usefixtures("worker")


def submitted(api, task_type, **payload):
    return api.expect(api.post(DOOR, {"type": task_type, "payload": payload}))


def test_a_task_that_is_submitted_is_done_and_shows_its_result(api):
    sent = submitted(api, "sendMessage", message=f"to {api.type}", delayMs=0)
    assert sent["status"] == "pending"
    task = api.final(sent["id"], wait_ms=ENDS_WITHIN_MS)
    assert task["status"] == "completed" and task["result"]["sent"] == f"to {api.type}"
    names = api.event_names(task)
    assert names[0] == "task.created" and names[-1] == "task.completed"


def test_a_task_of_an_unknown_type_shows_why_it_failed(api):
    task = api.final(submitted(api, api.type)["id"], wait_ms=ENDS_WITHIN_MS)
    assert task["status"] == "failed"
    assert task["error"]["message"] == f"Unknown task type: {api.type}"


def test_a_failed_task_is_done_when_it_is_retried_by_hand(api):
    failed = api.final(submitted(api, api.type)["id"], wait_ms=ENDS_WITHIN_MS)
    again = api.expect(api.post(f"/tasks/{failed['id']}/retry"))["task"]
    assert again["status"] == "pending"
    seen = api.final(again, wait_ms=ENDS_WITHIN_MS)
    assert seen["status"] == "failed" and seen["attempt"] == failed["attempt"] + 1
