"""Counts that add up, and the answer to: why does my task not run?"""

import pytest

from lib.client import fresh_name

STATUSES = ("pending", "running", "completed", "failed", "cancelled", "abandoned")


def stats(api):
    return api.expect(api.get("/tasks/stats"))


def own_counts(api):
    mine = [row for row in stats(api)["byType"] if row["type"] == api.type]
    return {row["queue"]: row for row in mine}


def test_counts_follow_every_move(api):
    api.create_many([{}] * 6)
    api.create(delayMs=60_000)
    tasks = api.claim(limit=4)
    api.complete(tasks[0])
    api.fail(tasks[1], retry=False)
    api.cancel(tasks[2], graceMs=0)
    api.final(tasks[2])
    row = own_counts(api)["default"]
    counts = {"pending": 3, "ready": 2, "running": 1, "completed": 1, "failed": 1, "cancelled": 1,
              "abandoned": 0}
    assert {name: row[name] for name in counts} == counts
    assert (row["queue"], row["type"]) == ("default", api.type)


def test_counts_go_down_with_a_delete_and_back_with_a_retry(api):
    task = api.ended("failed")
    api.retry(task)
    assert own_counts(api)["default"]["failed"] == 0
    assert own_counts(api)["default"]["ready"] == 1
    api.expect(api.delete(f"/tasks/{task['id']}"))
    rows = own_counts(api)
    assert rows == {} or sum(rows["default"][status] for status in STATUSES) == 0


def test_counts_are_kept_apart_by_queue(api):
    queue = fresh_name("q")
    api.create(queue=queue)
    api.create()
    rows = own_counts(api)
    assert {name: row["pending"] for name, row in rows.items()} == {queue: 1, "default": 1}


def test_the_total_is_the_sum_of_its_parts(api):
    api.create()
    answer = stats(api)
    total = answer["stats"]
    assert total["total"] == sum(total[status] for status in STATUSES)
    for name in (*STATUSES, "ready"):
        assert total[name] == sum(row[name] for row in answer["byType"]), name


def test_the_counts_agree_with_the_lists(make_server, make_api):
    api = make_api(make_server())
    for status in ("completed", "failed", "cancelled"):
        api.ended(status)
    api.running()
    api.create_many([{}] * 3)
    total = stats(api)["stats"]
    for status in STATUSES:
        assert total[status] == len(api.list(status=status, limit=1000)), status
    assert total["ready"] == len(api.expect(api.get("/tasks/pending"))["tasks"]) == 3


def explained(api, task, status, waiting):
    told = api.explain(task)
    assert (told["status"], told["waitingFor"]) == (status, waiting)
    sentence = told["reason"]
    assert len(sentence) > 15 and " " in sentence, sentence
    assert isinstance(told["data"], dict)
    return sentence


@pytest.fixture
def paused_task(api):
    queue = fresh_name("q")
    api.expect(api.post(f"/queues/{queue}/pause"))
    return api.create(queue=queue)


def test_every_reason_to_wait_is_explained_in_its_own_words(api, paused_task):
    ready = api.create()
    told = {
        "worker": explained(api, ready, "pending", "worker"),
        "start": explained(api, api.create(autoStart=False), "pending", "start"),
        "time": explained(api, api.create(delayMs=60_000), "pending", "time"),
        "pause": explained(api, paused_task, "pending", "pause"),
    }
    api.cancel(ready)
    failed = api.running(backoff={"type": "fixed", "delayMs": 100_000})
    api.fail(failed, "No route.")
    told["retry"] = explained(api, failed, "pending", "retry")
    assert len(set(told.values())) == len(told)
    assert paused_task["queue"] in told["pause"]


def test_every_status_is_explained_in_its_own_words(api):
    told = {}
    running = api.running(claim={"workerId": "the-worker"})
    told["running"] = explained(api, running, "running", None)
    assert "the-worker" in told["running"] + str(api.explain(running)["data"])
    api.complete(running)
    told["completed"] = explained(api, running, "completed", None)
    for status in ("failed", "cancelled"):
        told[status] = explained(api, api.ended(status), status, None)
    assert len(set(told.values())) == len(told)


def test_a_task_that_waits_for_a_type_no_worker_asks_for_says_so(api):
    lonely = explained(api, api.create(), "pending", "worker")
    assert "worker" in lonely


def test_a_cancel_that_waits_for_its_worker_is_explained(api):
    task = api.running()
    before = explained(api, task, "running", None)
    api.cancel(task, graceMs=60_000)
    assert explained(api, task, "running", None) != before
