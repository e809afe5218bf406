"""The workflow of front door S1 from end to end: a task is created there, a worker does it, and
whoever asks sees how it ended, within the five seconds that its document allows."""

DOOR = "//api/tasks"
ENDS_WITHIN_MS = 5000


def submitted(api, **payload):
    sent = api.expect(api.post(DOOR, {"type": api.type, "payload": payload}))
    assert sent["status"] == "pending"
    return sent["id"]


def ended(api, task_id):
    return api.final(task_id, wait_ms=ENDS_WITHIN_MS)


def test_a_task_that_is_submitted_is_done_and_shows_its_result(api, worker):
    worker("cat")
    task = ended(api, submitted(api, message="Hello"))
    assert task["status"] == "completed" and task["result"] == {"message": "Hello"}
    names = api.event_names(task)
    assert names[0] == "task.created" and names[-1] == "task.completed"


def test_an_attempt_that_fails_for_now_is_followed_by_one_that_succeeds(api, worker):
    worker('[ "$TASKYARD_ATTEMPT" = 2 ] || exit 75\necho 2')
    task = ended(api, submitted(api))
    assert task["status"] == "completed" and task["result"] == 2 and task["attempt"] == 2
    assert "task.attempt_failed" in api.event_names(task)


def test_a_task_that_failed_for_good_says_why_and_is_done_when_it_is_retried_by_hand(api, worker):
    worker('[ "$TASKYARD_ATTEMPT" = 2 ] || { echo "no such file" >&2; exit 1; }\necho "done"')
    failed = ended(api, submitted(api))
    assert failed["status"] == "failed" and failed["error"]["message"] == "no such file"
    again = api.expect(api.post(f"/tasks/{failed['id']}/retry"))["task"]
    done = ended(api, again)
    assert done["status"] == "completed" and done["result"] == "done"
