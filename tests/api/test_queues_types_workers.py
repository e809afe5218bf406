"""The other nouns: queues that pause, defaults of types, workers that were seen."""

import pytest

from lib.client import fresh_name, problem

COUNTS = ("pending", "running", "completed", "failed", "cancelled", "abandoned", "ready")


def queue_of(api, name):
    return api.expect(api.get(f"/queues/{name}"))["queue"]


# --- queues ---------------------------------------------------------------------------------------

def test_a_queue_is_known_with_its_counts_once_a_task_is_in_it(api):
    name = fresh_name("q")
    api.create(queue=name)
    api.create(queue=name, delayMs=60_000)
    api.claim_one(queues=[name])
    queue = queue_of(api, name)
    assert (queue["name"], queue["paused"]) == (name, False)
    assert {count: queue[count] for count in COUNTS} == {
        "pending": 1, "running": 1, "completed": 0, "failed": 0, "cancelled": 0, "abandoned": 0,
        "ready": 0}
    listed = api.expect(api.get("/queues"))
    assert listed["count"] == len(listed["queues"])
    assert queue in listed["queues"]


def test_an_unknown_queue_is_absent(api):
    problem(api.get(f"/queues/{fresh_name('q')}"), 404, "not_found")


def test_a_paused_queue_hands_out_nothing_and_says_why(api):
    name = fresh_name("q")
    task = api.create(queue=name)
    paused = api.expect(api.post(f"/queues/{name}/pause"))["queue"]
    assert paused["paused"] is True
    assert api.claim() == [] and api.claim(queues=[name]) == []
    assert api.claim(waitMs=150) == []
    seen = api.task(task)
    assert (seen["status"], seen["waitingFor"]) == ("pending", "pause")
    response = api.act(task, "claim", {"workerId": "w"})
    problem(response, 409, "wrong_status")


def test_a_paused_queue_does_not_hold_up_the_others(api):
    name = fresh_name("q")
    api.create(queue=name, priority=9)
    other = api.create()
    api.expect(api.post(f"/queues/{name}/pause"))
    assert api.claim_one()["id"] == other["id"]


def test_resume_hands_out_again_and_wakes_the_waiting(api, parallel):
    name = fresh_name("q")
    api.expect(api.post(f"/queues/{name}/pause"))
    task = api.create(queue=name)
    waiter = api.twin()
    claimed = parallel(waiter.claim_one, waitMs=10_000, workerId=api.type)
    api.until_worker(api.type, waiting=True)
    resumed = api.expect(api.post(f"/queues/{name}/resume"))["queue"]
    assert resumed["paused"] is False
    assert claimed()["id"] == task["id"]
    waiter.close()


def test_running_tasks_of_a_paused_queue_go_on(api):
    name = fresh_name("q")
    task = api.running(queue=name)
    api.expect(api.post(f"/queues/{name}/pause"))
    api.heartbeat(task)
    assert api.complete(task)["status"] == "completed"


def test_pausing_twice_and_resuming_twice_is_harmless(api):
    name = fresh_name("q")
    api.create(queue=name)
    for verb, paused in (("pause", True), ("pause", True), ("resume", False), ("resume", False)):
        assert api.expect(api.post(f"/queues/{name}/{verb}"))["queue"]["paused"] is paused


def test_delayed_tasks_of_a_paused_queue_say_time_and_then_pause(api):
    name = fresh_name("q")
    task = api.create(queue=name, delayMs=60_000)
    api.expect(api.post(f"/queues/{name}/pause"))
    assert api.task(task)["waitingFor"] == "time"
    api.expect(api.patch(f"/tasks/{task['id']}", {"runAt": None}))
    assert api.task(task)["waitingFor"] == "pause"


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_bad_queue_name_is_absent(api, verb):
    for name in ("a%20b", "x" * 129, "%00", "%ff"):
        response = api.post(f"/queues/{name}/{verb}")
        assert response.status_code in (400, 404, 422), response.text


# --- types ----------------------------------------------------------------------------------------

DEFAULTS = {
    "priority": 7, "maxAttempts": 9, "leaseMs": 12_000, "timeoutMs": 90_000,
    "description": "Makes thumbnails.",
    "backoff": {"type": "fixed", "delayMs": 250, "maxDelayMs": 1000, "jitter": 0.5},
}


def type_of(api, name):
    return api.expect(api.get(f"/types/{name}"))["type"]


def test_the_defaults_of_a_type_are_put_and_read(api):
    sent = {"queue": fresh_name("q"), **DEFAULTS}
    api.expect(api.put(f"/types/{api.type}", sent))
    seen = type_of(api, api.type)
    assert seen["name"] == api.type
    assert {name: seen[name] for name in sent} == sent
    assert seen in api.expect(api.get("/types"))["types"]


def test_new_tasks_take_the_defaults_of_their_type(api):
    queue = fresh_name("q")
    api.expect(api.put(f"/types/{api.type}", {"queue": queue, **DEFAULTS}))
    task = api.create()
    assert (task["queue"], task["priority"], task["maxAttempts"]) == (queue, 7, 9)
    claimed = api.claim_one()
    assert claimed["leaseExpiresAt"] - claimed["claimedAt"] == 12_000
    failed = api.fail(claimed)
    assert 125 <= failed["runAt"] - failed["updatedAt"] <= 250


def test_a_task_overrides_the_defaults_of_its_type(api):
    queue = fresh_name("q")
    api.expect(api.put(f"/types/{api.type}", {"queue": fresh_name("q"), **DEFAULTS}))
    task = api.create(queue=queue, priority=0, maxAttempts=1, leaseMs=5000)
    assert (task["queue"], task["priority"], task["maxAttempts"]) == (queue, 0, 1)
    claimed = api.claim_one()
    assert claimed["leaseExpiresAt"] - claimed["claimedAt"] == 5000


def test_changed_defaults_leave_existing_tasks_alone(api):
    task = api.create()
    api.expect(api.put(f"/types/{api.type}", {"priority": 7}))
    assert api.task(task)["priority"] == 0
    assert api.create()["priority"] == 7


def test_a_type_is_known_with_its_counts_once_a_task_has_it(api):
    api.running()
    api.create()
    seen = type_of(api, api.type)
    assert (seen["name"], seen["pending"], seen["running"]) == (api.type, 1, 1)


def test_an_unknown_type_is_absent(api):
    problem(api.get(f"/types/{fresh_name()}"), 404, "not_found")


@pytest.mark.parametrize("field, value", [
    ("queue", "a b"), ("queue", 5), ("priority", "x"), ("priority", 1_000_001),
    ("maxAttempts", 0), ("maxAttempts", 1001), ("backoff", 5), ("leaseMs", 999),
    ("timeoutMs", -1), ("description", 7), ("pipeline", "required")])
def test_bad_defaults_are_pointed_at_and_change_nothing(api, field, value):
    problem(api.put(f"/types/{api.type}", {field: value}), 422, "invalid_field", f"/{field}")
    problem(api.get(f"/types/{api.type}"), 404, "not_found")


# --- workers --------------------------------------------------------------------------------------

def worker_of(api, name):
    found = [one for one in api.expect(api.get("/workers"))["workers"] if one["workerId"] == name]
    assert len(found) == 1
    return found[0]


def test_a_worker_is_listed_with_what_it_does(api):
    name = fresh_name("w")
    api.create_many([{}] * 3)
    tasks = api.claim(workerId=name, limit=3)
    api.complete(tasks[0])
    seen = worker_of(api, name)
    assert (seen["running"], seen["claimed"], seen["waiting"]) == (2, 3, False)
    assert seen["types"] == [api.type] and seen["queues"] == []
    assert seen["lastSeenAt"] >= tasks[0]["claimedAt"]


def test_a_waiting_worker_is_listed_as_waiting(api, parallel):
    name, queue = fresh_name("w"), fresh_name("q")
    waiter = api.twin()
    claimed = parallel(waiter.claim, waitMs=10_000, workerId=name, queues=[queue])
    seen = api.until_worker(name, waiting=True)
    assert seen["queues"] == [queue]
    api.create(queue=queue)
    assert len(claimed()) == 1
    assert worker_of(api, name)["waiting"] is False
    waiter.close()


def test_a_heartbeat_is_a_sign_of_life(api):
    name = fresh_name("w")
    task = api.running(claim={"workerId": name})
    before = worker_of(api, name)["lastSeenAt"]
    api.task(task, wait_ms=20)
    api.heartbeat(task)
    assert worker_of(api, name)["lastSeenAt"] > before


def test_the_list_of_workers_counts_itself(api):
    answer = api.expect(api.get("/workers"))
    assert answer["count"] == len(answer["workers"])
