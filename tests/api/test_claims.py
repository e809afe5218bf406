"""Claims: who gets which task, in what order, at once or by waiting."""

import socket
import time

import pytest

from lib.client import TASK_FIELDS, fresh_name, problem
from lib.rawhttp import request_bytes


def test_a_claim_hands_out_the_whole_task_with_its_payload(api):
    api.create(payload={"deep": [1, 2]}, tags={"a": "b"})
    task = api.claim_one()
    assert [name for name in task if name != "leaseToken"] == TASK_FIELDS
    assert task["payload"] == {"deep": [1, 2]} and task["tags"] == {"a": "b"}


def test_a_claim_that_finds_nothing_is_an_empty_list(api):
    answer = api.expect(api.post("/claims", {"types": [api.type], "workerId": "w"}))
    assert answer == {"success": True, "tasks": [], "count": 0}


def test_a_claimed_task_is_not_handed_out_again(api):
    api.create()
    api.claim_one()
    assert api.claim() == []


def test_older_tasks_come_first(api):
    ids = [api.create()["id"] for _ in range(5)]
    assert [api.claim_one()["id"] for _ in range(5)] == ids


def test_higher_priority_comes_first_and_then_age(api):
    sent = [("a", 0), ("b", 5), ("c", -3), ("d", 5), ("e", 1_000_000), ("f", 0)]
    for name, priority in sent:
        api.create(name=name, priority=priority)
    assert [task["name"] for task in api.claim(limit=10)] == ["e", "b", "d", "a", "f", "c"]


def test_a_batch_claim_takes_at_most_its_limit(api):
    api.create_many([{}] * 7)
    first = api.claim(limit=5)
    assert len(first) == 5 and len({task["leaseToken"] for task in first}) == 5
    assert len(api.claim(limit=5)) == 2


def test_a_thousand_tasks_are_claimed_in_one_request(api):
    api.create_many([{}] * 1000)
    tasks = api.claim(limit=1000)
    assert len({task["id"] for task in tasks}) == 1000
    assert len({task["leaseToken"] for task in tasks}) == 1000


def test_the_payloads_of_one_claim_are_bounded_and_the_rest_stays_ready(api):
    for _ in range(40):
        api.create(payload="x" * 1_000_000)
    first = api.claim(limit=1000)
    assert 30 <= len(first) <= 34
    assert len(first) + len(api.claim(limit=1000)) == 40


def test_a_claim_takes_only_the_types_it_names(api):
    other = fresh_name()
    api.create(type=other)
    assert api.claim() == []
    mine = api.create()
    got = api.claim(types=[api.type, other], limit=5)
    assert {task["type"] for task in got} == {api.type, other}
    assert mine["id"] in {task["id"] for task in got}


def test_a_claim_takes_only_from_the_queues_it_names(api):
    queues = [fresh_name("q"), fresh_name("q")]
    tasks = [api.create(queue=queue) for queue in queues]
    assert api.claim(queues=[fresh_name("q")]) == []
    assert api.claim_one(queues=[queues[1]])["id"] == tasks[1]["id"]
    assert api.claim_one(queues=queues)["id"] == tasks[0]["id"]


def test_priority_counts_across_the_types_of_a_claim(api):
    other = fresh_name()
    api.create(priority=1)
    urgent = api.create(type=other, priority=9)
    assert api.claim_one(types=[api.type, other])["id"] == urgent["id"]


def test_a_claim_that_names_nothing_takes_any_task(make_server, make_api):
    api = make_api(make_server())
    task = api.create()
    answer = api.expect(api.post("/claims", {"workerId": "w"}))
    assert [one["id"] for one in answer["tasks"]] == [task["id"]]
    another = api.create()
    assert api.claim_one(types=[], queues=[])["id"] == another["id"]


def test_one_task_is_claimed_by_its_id(api):
    api.create()
    wanted = api.create()
    response = api.act(wanted, "claim", {"workerId": "w", "leaseMs": 7000})
    task = api.expect(response)["task"]
    assert task["id"] == wanted["id"] and task["leaseToken"]
    assert task["leaseExpiresAt"] - task["claimedAt"] == 7000
    assert api.complete(task)["status"] == "completed"


def test_a_task_that_is_not_ready_is_not_claimed_by_its_id(api):
    running = api.running()
    for task in (running, api.create(delayMs=60_000), api.ended("completed")):
        problem(api.act(task, "claim", {"workerId": "w"}), 409, "wrong_status")
    assert api.task(running)["status"] == "running"


def test_a_waiting_claim_is_answered_by_a_later_create_within_milliseconds(api, parallel):
    waiter = api.twin()
    waiter.claim()  # its connection is open
    delays = []
    for _ in range(10):
        claimed = parallel(waiter.claim_one, waitMs=10_000, workerId="parked")
        api.until_worker("parked", waiting=True)
        began = time.monotonic()
        created = api.create()
        task = claimed()
        delays.append(time.monotonic() - began)
        assert task["id"] == created["id"]
        api.complete(task)
    assert sorted(delays)[5] < 0.25, delays
    waiter.close()


def test_a_waiting_claim_answers_empty_at_its_limit(api):
    began = time.monotonic()
    assert api.claim(waitMs=300) == []
    assert 0.29 <= time.monotonic() - began < 2.0


def test_of_two_waiting_claims_the_first_is_served_first(api, parallel):
    first, second = api.twin(), api.twin()
    one = parallel(first.claim_one, waitMs=10_000, workerId=f"{api.type}.1")
    api.until_worker(f"{api.type}.1", waiting=True)
    two = parallel(second.claim_one, waitMs=10_000, workerId=f"{api.type}.2")
    api.until_worker(f"{api.type}.2", waiting=True)
    a, b = api.create(), api.create()
    assert (one()["id"], two()["id"]) == (a["id"], b["id"])
    first.close()
    second.close()


def test_one_batch_feeds_several_waiting_claims(api, parallel):
    waiters = [api.twin() for _ in range(4)]
    claims = [parallel(waiter.claim_one, waitMs=10_000, workerId=f"{api.type}.{n}")
              for n, waiter in enumerate(waiters)]
    for n in range(4):
        api.until_worker(f"{api.type}.{n}", waiting=True)
    tasks = api.create_many([{}] * 4)
    assert {claim()["id"] for claim in claims} == {task["id"] for task in tasks}
    for waiter in waiters:
        waiter.close()


def test_a_waiting_claim_with_a_limit_takes_what_is_there(api, parallel):
    waiter = api.twin()
    claimed = parallel(waiter.claim, waitMs=10_000, limit=10, workerId=api.type)
    api.until_worker(api.type, waiting=True)
    tasks = api.create_many([{}] * 3)
    got = claimed()
    assert 1 <= len(got) <= 3
    rest = api.claim(limit=10)
    assert {task["id"] for task in got + rest} == {task["id"] for task in tasks}
    waiter.close()


def test_a_waiting_claim_ignores_other_types(api, parallel):
    waiter = api.twin()
    claimed = parallel(waiter.claim, waitMs=400, workerId=api.type)
    api.create(type=fresh_name())
    assert claimed() == []
    waiter.close()


def test_a_released_task_goes_to_a_waiting_claim(api, parallel):
    task = api.running()
    waiter = api.twin()
    claimed = parallel(waiter.claim_one, waitMs=10_000)
    api.release(task)
    assert claimed()["id"] == task["id"]
    waiter.close()


def test_a_client_that_goes_away_while_waiting_swallows_no_task(api):
    body = b'{"types":["%s"],"workerId":"%s","waitMs":20000}' % ((api.type.encode(),) * 2)
    head = request_bytes("POST", "/api/v1/claims", body)
    gone = [socket.create_connection(("127.0.0.1", api.server.port)) for _ in range(20)]
    for one in gone:
        one.sendall(head)
    api.until_worker(api.type, waiting=True)
    for one in gone:
        one.close()
    api.until_worker(api.type, waiting=False)
    task = api.create()
    assert api.claim_one(waitMs=5000)["id"] == task["id"]


def test_a_claim_beyond_the_wait_limit_is_refused(api):
    problem(api.post("/claims", {"workerId": "w", "waitMs": 60_001}), 422, "invalid_field",
            "/waitMs")


def test_no_task_is_handed_out_twice_to_many_workers(api, parallel):
    api.create_many([{}] * 400)
    workers = [api.twin() for _ in range(8)]

    def drain(worker):
        got = []
        while tasks := worker.claim(limit=7):
            got += tasks
        return got

    taken = [task for join in [parallel(drain, worker) for worker in workers] for task in join()]
    assert len(taken) == 400
    assert len({task["id"] for task in taken}) == 400
    assert len({task["leaseToken"] for task in taken}) == 400
    for worker in workers:
        worker.close()


@pytest.mark.parametrize("body, pointer", [
    ({"workerId": "w", "limit": 0}, "/limit"),
    ({"workerId": "w", "limit": 1001}, "/limit"),
    ({"workerId": "w", "limit": "5"}, "/limit"),
    ({"workerId": 5}, "/workerId"),
    ({"workerId": ""}, "/workerId"),
    ({"workerId": "x" * 129}, "/workerId"),
    ({"workerId": "w", "types": "a"}, "/types"),
    ({"workerId": "w", "types": [1]}, ("/types/0", "/types")),
    ({"workerId": "w", "types": ["ok", "bad name"]}, ("/types/1", "/types")),
    ({"workerId": "w", "types": [f"t{n}" for n in range(33)]}, "/types"),
    ({"workerId": "w", "queues": {}}, "/queues"),
    ({"workerId": "w", "queues": [""]}, ("/queues/0", "/queues")),
    ({"workerId": "w", "leaseMs": 1}, "/leaseMs"),
    ({"workerId": "w", "waitMs": -1}, "/waitMs"),
    ({"workerId": "w", "waitMs": 0.5}, "/waitMs"),
    ({"workerId": "w", "capabilities": []}, "/capabilities"),
    ({"workerId": "w", "type": "x"}, "/type"),
])
def test_a_bad_claim_is_pointed_at(api, body, pointer):
    problem(api.post("/claims", body), 422, "invalid_field", pointer)
