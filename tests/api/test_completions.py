"""Completing many at once, and completing with the claim of the next task in the same request."""

import pytest

from lib.client import problem

FIXED_50 = {"type": "fixed", "delayMs": 50, "jitter": 0}


def finish(api, items, **fields):
    return api.expect(api.post("/completions", {"items": items, **fields}))


def item(task, **fields):
    return {"id": task["id"], "leaseToken": task["leaseToken"], **fields}


def claimed(api, count, **fields):
    api.create_many([fields] * count)
    return api.claim(limit=count)


def test_many_tasks_are_completed_in_one_request(api):
    tasks = claimed(api, 50)
    answer = finish(api, [item(task, result=n) for n, task in enumerate(tasks)])
    assert answer["count"] == 50
    assert [one["id"] for one in answer["items"]] == [task["id"] for task in tasks]
    assert all(one == {"id": one["id"], "success": True, "status": "completed"}
               for one in answer["items"])
    assert [api.task(task)["result"] for task in tasks[:3]] == [0, 1, 2]


def test_a_thousand_completions_fit_in_one_request(api):
    tasks = claimed(api, 1000)
    answer = finish(api, [item(task, result=None) for task in tasks])
    assert sum(one["success"] for one in answer["items"]) == 1000


def test_results_and_errors_may_be_mixed(api):
    good, retried, dead = claimed(api, 3, backoff=FIXED_50)
    answer = finish(api, [
        item(good, result="r"), item(retried, error="try again"),
        item(dead, error={"code": "bad", "message": "No."}, retry=False)])
    assert [one["status"] for one in answer["items"]] == ["completed", "pending", "failed"]
    assert api.task(dead)["error"]["code"] == "bad"
    assert api.claim_one(waitMs=5000)["id"] == retried["id"]


def test_a_bad_item_does_not_spoil_its_neighbours(api):
    good, stale, twice = claimed(api, 3)
    api.release(stale)
    answer = finish(api, [
        item(stale, result=1),
        item(good, result=2),
        {"id": "01890000-0000-7000-8000-000000000000", "leaseToken": twice["leaseToken"],
         "result": 3},
        item(twice, result=4)])
    assert [one["success"] for one in answer["items"]] == [False, True, False, True]
    lost, missing = answer["items"][0], answer["items"][2]
    assert (lost["id"], lost["code"]) == (stale["id"], "lease_lost") and lost["error"]
    assert missing["code"] == "not_found" and missing["error"]
    assert api.task(stale)["status"] == "pending"
    assert api.task(good)["result"] == 2 and api.task(twice)["result"] == 4


def test_the_same_task_twice_in_one_request_is_completed_once(api):
    task, = claimed(api, 1)
    answer = finish(api, [item(task, result="first"), item(task, result="first")])
    assert answer["items"][0]["success"] is True
    assert api.task(task)["result"] == "first"
    assert api.event_names(task).count("task.completed") == 1


def test_a_completion_can_claim_the_next_task(api):
    tasks = claimed(api, 1)
    following = api.create(payload={"next": True})
    answer = api.expect(api.move(tasks[0], "complete", result=1, claim={
        "types": [api.type], "workerId": "w", "limit": 5, "leaseMs": 9000}))
    assert answer["task"]["status"] == "completed"
    assert answer["count"] == 1
    got = answer["tasks"][0]
    assert got["id"] == following["id"] and got["payload"] == {"next": True}
    assert got["leaseExpiresAt"] - got["claimedAt"] == 9000
    assert api.complete(got)["status"] == "completed"


def test_a_completion_without_a_claim_has_no_tasks_in_its_answer(api):
    answer = api.expect(api.move(api.running(), "complete", result=1))
    assert "tasks" not in answer


def test_a_completion_with_a_claim_that_finds_nothing_has_an_empty_list(api):
    claim = {"types": [api.type], "workerId": "w"}
    answer = api.expect(api.move(api.running(), "complete", result=1, claim=claim))
    assert (answer["tasks"], answer["count"]) == ([], 0)


def test_a_completion_whose_claim_waits_is_done_at_once_and_answered_later(api, parallel):
    task = api.running()
    worker = api.twin()
    claim = {"types": [api.type], "workerId": "w", "waitMs": 10_000}
    answer = parallel(worker.move, task, "complete", result=1, claim=claim)
    assert api.final(task)["status"] == "completed"
    created = api.create()
    body = api.expect(answer())
    assert body["task"]["status"] == "completed"
    assert [one["id"] for one in body["tasks"]] == [created["id"]]
    worker.close()


def test_a_refused_completion_claims_nothing(api):
    task = api.running()
    api.release(task)
    api.create()
    claim = {"types": [api.type], "workerId": "w", "limit": 10}
    problem(api.move(task, "complete", result=1, claim=claim), 409, "lease_lost")
    assert len(api.claim(limit=10)) == 2


def test_a_batch_can_claim_the_next_tasks(api):
    tasks = claimed(api, 3)
    api.create_many([{}] * 4)
    answer = finish(api, [item(task, result=1) for task in tasks],
                    claim={"types": [api.type], "workerId": "w", "limit": 3})
    assert len(answer["tasks"]) == 3
    assert all(task["leaseToken"] and "payload" in task for task in answer["tasks"])
    assert all(one["success"] for one in answer["items"])


def test_a_pipeline_of_complete_and_claim_works_off_a_backlog(api):
    api.create_many([{}] * 50)
    task, seen = api.claim_one(), []
    while True:
        seen.append(task["id"])
        answer = api.expect(api.move(task, "complete", result=1,
                                     claim={"types": [api.type], "workerId": "w"}))
        if not answer["tasks"]:
            break
        task = answer["tasks"][0]
    assert len(set(seen)) == 50
    assert {one["status"] for one in api.list(limit=1000)} == {"completed"}


def test_a_minimal_answer_keeps_the_claimed_tasks_whole(api):
    task = api.running()
    api.create(payload=[2])
    claim = {"types": [api.type], "workerId": "w"}
    response = api.act(task, "complete", {"leaseToken": task["leaseToken"], "claim": claim},
                       headers={"Prefer": "return=minimal"})
    answer = api.expect(response)
    assert answer["task"] == {"id": task["id"], "status": "completed"}
    assert answer["tasks"][0]["payload"] == [2] and answer["tasks"][0]["leaseToken"]


@pytest.mark.parametrize("body, pointer", [
    ({}, "/items"),
    ({"items": {}}, "/items"),
    ({"items": []}, "/items"),
    ({"items": [7]}, "/items/0"),
    ({"items": [{"leaseToken": "x", "result": 1}]}, "/items/0/id"),
    ({"items": [{"id": 5, "leaseToken": "x"}]}, "/items/0/id"),
    ({"items": [{"id": "01890000-0000-7000-8000-000000000000", "result": 1}]},
     "/items/0/leaseToken"),
    ({"items": [{"id": "01890000-0000-7000-8000-000000000000", "leaseToken": "x",
                 "retry": "no", "error": "x"}]}, "/items/0/retry"),
    ({"items": [{"id": "01890000-0000-7000-8000-000000000000", "leaseToken": "x",
                 "extra": 1}]}, "/items/0/extra"),
    ({"items": [], "also": 1}, "/also"),
])
def test_a_bad_batch_is_pointed_at(api, body, pointer):
    problem(api.post("/completions", body), 422, "invalid_field", pointer)


def test_an_item_with_both_result_and_error_is_refused_and_nothing_is_done(api):
    tasks = claimed(api, 2)
    items = [item(tasks[0], result=1), item(tasks[1], result=1, error="x")]
    response = api.post("/completions", {"items": items})
    body = problem(response, 422, "invalid_field")
    assert body["errors"][0]["pointer"].startswith("/items/1")
    assert {api.task(task)["status"] for task in tasks} == {"running"}


def test_more_than_a_thousand_items_are_refused(api):
    one = {"id": "01890000-0000-7000-8000-000000000000", "leaseToken": "x", "result": 1}
    response = api.post("/completions", {"items": [one] * 1001})
    assert response.status_code in (413, 422), response.text


@pytest.mark.parametrize("claim, pointer", [
    ({"limit": 0}, "/claim/limit"), ({"types": 5}, "/claim/types"),
    ({"nonsense": 1}, "/claim/nonsense"), ("all", "/claim")])
def test_a_bad_claim_in_a_completion_is_pointed_at_and_completes_nothing(api, claim, pointer):
    task = api.running()
    if isinstance(claim, dict):
        claim = {"workerId": "w", **claim}
    problem(api.move(task, "complete", result=1, claim=claim), 422, "invalid_field", pointer)
    assert api.task(task)["status"] == "running"
