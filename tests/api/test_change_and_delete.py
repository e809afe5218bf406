"""Reading with entity tags, changing a pending task, deleting."""

import time

import pytest

from lib.client import problem


def now_ms():
    return int(time.time() * 1000)


def etag(task):
    return f'"{task["revision"]}"'


def path(task):
    return f"/tasks/{task['id']}"


def change(api, task, method="PATCH", headers=None, **fields):
    response = api.send(method, path(task), fields, headers=headers)
    return api.expect(response)["task"]


# --- entity tags ----------------------------------------------------------------------------------

def test_a_read_names_the_revision_as_its_entity_tag(api):
    task = api.create()
    response = api.get(path(task))
    assert response.headers["etag"] == etag(task)


def test_a_read_of_an_unchanged_task_is_not_modified(api):
    task = api.create()
    response = api.get(path(task), headers={"If-None-Match": etag(task)})
    assert response.status_code == 304 and response.content == b""
    assert response.headers["etag"] == etag(task)


@pytest.mark.parametrize("tags", ["W/{}", '"0", {}', '{} , "0"', "*"])
def test_every_spelling_of_if_none_match_is_understood(api, tags):
    task = api.create()
    headers = {"If-None-Match": tags.format(etag(task))}
    assert api.get(path(task), headers=headers).status_code == 304


def test_a_read_of_a_changed_task_is_sent_whole(api):
    task = api.create()
    api.claim_one()
    response = api.get(path(task), headers={"If-None-Match": etag(task)})
    assert response.status_code == 200
    assert response.headers["etag"] != etag(task)


def test_a_change_with_the_right_tag_is_made_and_gets_a_new_tag(api):
    task = api.create()
    response = api.put(path(task), {"priority": 4}, headers={"If-Match": etag(task)})
    changed = api.expect(response)["task"]
    assert changed["priority"] == 4 and changed["revision"] > task["revision"]
    assert response.headers["etag"] == etag(changed)


@pytest.mark.parametrize("tags", ['"0", {}', '{},"0"', "*"])
def test_every_spelling_of_if_match_is_understood(api, tags):
    task = api.create()
    headers = {"If-Match": tags.format(etag(task))}
    assert api.patch(path(task), {"priority": 1}, headers=headers).status_code == 200


def test_a_change_with_an_old_tag_is_refused(api):
    task = api.create()
    change(api, task, priority=1)
    response = api.put(path(task), {"priority": 2}, headers={"If-Match": etag(task)})
    problem(response, 412, "revision_changed")
    assert api.task(task)["priority"] == 1


def test_a_task_claimed_in_the_breath_that_created_it_has_another_tag(api, parallel):
    """A waiting claim is fed in the unit of work of the create: one commit, two states."""
    waiter = api.twin()
    claimed = parallel(waiter.claim_one, waitMs=10_000, workerId=api.type)
    api.until_worker(api.type, waiting=True)
    created = api.create()
    task = claimed()
    assert task["status"] == "running" and created["status"] == "pending"
    assert task["revision"] > created["revision"]
    response = api.get(path(task), headers={"If-None-Match": etag(created)})
    assert response.status_code == 200
    waiter.close()


def test_changes_that_meet_in_one_unit_of_work_have_different_tags(api, parallel):
    task, twins = api.create(), [api.twin() for _ in range(16)]
    joins = [parallel(twin.patch, path(task), {"priority": n}) for n, twin in enumerate(twins)]
    tags = [join().headers["etag"] for join in joins]
    assert len(set(tags)) == 16
    for twin in twins:
        twin.close()


def test_of_two_changes_with_the_same_tag_one_wins(api, parallel):
    twins = [api.twin() for _ in range(8)]
    task = api.create()
    joins = [parallel(twin.put, path(task), {"priority": n}, headers={"If-Match": etag(task)})
             for n, twin in enumerate(twins, 1)]
    statuses = sorted(join().status_code for join in joins)
    assert statuses == [200] + [412] * 7
    for twin in twins:
        twin.close()


# --- changes --------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("field, value", [
    ("priority", -7), ("tags", {"a": "b"}), ("metadata", {"x": [1, {"y": None}]}),
    ("runAt", 60_000), ("expiresAt", 90_000)])
def test_a_pending_task_is_changed(api, method, field, value):
    if field in ("runAt", "expiresAt"):
        value += now_ms()
    task = api.create(payload={"keep": 1}, name="keep", tags={"old": "1"}, metadata={"old": 1})
    changed = change(api, task, method, **{field: value})
    assert changed[field] == value
    seen = api.task(task)
    assert seen[field] == value
    same = {"status", "payload", "name", "tags", "metadata", "priority"} - {field}
    assert {name: seen[name] for name in same} == {name: task[name] for name in same}
    assert "task.changed" in api.event_names(task)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("field", ["tags", "metadata", "runAt", "expiresAt"])
def test_null_clears_a_field(api, method, field):
    later = now_ms() + 60_000
    task = api.create(tags={"a": "b"}, metadata={"m": 1}, runAt=later, expiresAt=later + 1000)
    changed = change(api, task, method, **{field: None})
    assert changed[field] is None and api.task(task)[field] is None


def test_priority_cannot_be_cleared(api):
    task = api.create(priority=2)
    problem(api.put(path(task), {"priority": None}), 422, "invalid_field", "/priority")


def test_a_new_priority_changes_the_order_of_claims(api):
    first, second = api.create(), api.create()
    change(api, second, priority=10)
    assert [task["id"] for task in api.claim(limit=2)] == [second["id"], first["id"]]


def test_a_run_at_makes_a_ready_task_wait_and_clearing_it_makes_it_ready(api):
    task = api.create()
    assert change(api, task, runAt=now_ms() + 60_000)["waitingFor"] == "time"
    assert api.claim() == []
    assert change(api, task, runAt=None)["waitingFor"] == "worker"
    assert api.claim_one()["id"] == task["id"]


def test_a_nearer_run_at_wakes_a_waiting_worker(api, parallel):
    task = api.create(delayMs=60_000)
    waiter = api.twin()
    claimed = parallel(waiter.claim_one, waitMs=10_000)
    change(api, task, runAt=now_ms() + 100)
    assert claimed()["id"] == task["id"]
    waiter.close()


def test_a_new_expiry_is_kept_to(api):
    task = api.create()
    change(api, task, expiresAt=now_ms() + 150)
    assert api.final(task)["status"] == "cancelled"


def test_an_expiry_that_is_long_past_ends_a_task_at_once(api):
    assert api.final(api.create(expiresAt=now_ms() - 3600_000))["status"] == "cancelled"
    held = api.create(autoStart=False)
    change(api, held, expiresAt=now_ms() - 3600_000)
    assert api.final(held)["error"]["code"] == "expired"


def test_changed_tags_are_found_and_old_ones_are_not(api):
    task = api.create(tags={"a": "1"})
    change(api, task, tags={"a": "2"})
    assert [one["id"] for one in api.list(**{"tag.a": "2"})] == [task["id"]]
    assert api.list(**{"tag.a": "1"}) == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("field, value", [
    ("status", "completed"), ("progress", 50), ("payload", {"new": 1}), ("result", 1),
    ("type", "other"), ("queue", "other"), ("attempt", 0), ("id", "x"), ("nonsense", 1),
    ("uniqueKey", "u"), ("name", "n"), ("maxAttempts", 9)])
def test_other_fields_are_not_writable_and_named(api, method, field, value):
    task = api.create()
    response = api.send(method, path(task), {"priority": 1, field: value})
    problem(response, 422, "invalid_field", f"/{field}")
    assert api.task(task) == task


@pytest.mark.parametrize("prepare", ["running", "completed", "cancelled"])
def test_only_a_pending_task_is_changed(api, prepare):
    task = api.running() if prepare == "running" else api.ended(prepare)
    before = api.task(task)
    problem(api.patch(path(task), {"priority": 1}), 409, "wrong_status")
    assert api.task(task) == before


@pytest.mark.parametrize("body", [[], 5, "x", None])
def test_a_change_needs_an_object(api, body):
    task = api.create()
    problem(api.patch(path(task), body), 422, "invalid_field")
    assert api.task(task) == task


# --- delete ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", ["pending", "delayed", "completed", "failed", "cancelled"])
def test_a_task_is_deleted_with_all_that_belongs_to_it(api, status):
    task = {"pending": api.create, "delayed": lambda: api.create(delayMs=60_000)}.get(
        status, lambda: api.ended(status))()
    assert api.expect(api.delete(path(task))) == {"success": True, "id": task["id"]}
    for suffix in ("", "/status", "/explain", "/logs"):
        problem(api.get(path(task) + suffix), 404, "not_found")
    assert api.list() == []
    assert api.claim() == []


def test_the_events_of_a_deleted_task_stay(api):
    task = api.ended("completed")
    api.expect(api.delete(path(task)))
    feed = api.expect(api.get("/events", params={"type": api.type, "limit": 100}))["events"]
    names = [event["event"] for event in feed if event["taskId"] == task["id"]]
    assert names == ["task.created", "task.claimed", "task.completed", "task.deleted"]
    assert [event["event"] for event in api.events(task)] == names
    attempts = api.expect(api.get(path(task) + "/attempts"))["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["completed"]


def test_a_task_is_deleted_only_once(api):
    task = api.create()
    api.expect(api.delete(path(task)))
    problem(api.delete(path(task)), 404, "not_found")


def test_a_running_task_is_not_deleted(api):
    task = api.running()
    problem(api.delete(path(task)), 409, "wrong_status")
    problem(api.delete(path(task), params={"force": "false"}), 409, "wrong_status")
    assert api.complete(task)["status"] == "completed"


def test_a_running_task_is_deleted_by_force(api):
    task = api.running()
    api.expect(api.delete(path(task), params={"force": "true"}))
    problem(api.get(path(task)), 404, "not_found")
    response = api.move(task, "complete", result=1)
    assert response.status_code in (404, 409), response.text
    feed = api.expect(api.get("/events", params={"type": api.type, "limit": 100}))["events"]
    assert [event["event"] for event in feed][-2:] == ["task.cancelled", "task.deleted"]


def test_force_is_fine_for_a_task_that_does_not_run(api):
    task = api.create()
    api.expect(api.delete(path(task), params={"force": "true"}))
    problem(api.get(path(task)), 404, "not_found")


@pytest.mark.parametrize("value", ["maybe", "2", "TRUE!"])
def test_a_force_that_is_no_truth_value_is_refused(api, value):
    problem(api.delete(path(api.create()), params={"force": value}), 422, "invalid_field",
            "?force")


def test_the_unique_key_of_a_deleted_task_is_free_again(api):
    key = api.type
    first = api.create(uniqueKey=key)
    api.expect(api.delete(path(first)))
    assert api.create(uniqueKey=key)["id"] != first["id"]
