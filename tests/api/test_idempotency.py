"""Idempotency-Key: a repeated POST has the first one's answer, byte for byte, and no effect."""

import json

import pytest

from lib.client import fresh_name, problem
from lib.rawhttp import Raw, request_bytes


@pytest.fixture
def key():
    return fresh_name("idem")


def header(key):
    return {"Idempotency-Key": key}


def assert_replayed(first, again):
    assert again.status_code == first.status_code
    assert again.content == first.content
    assert again.headers.get("idempotent-replayed") == "true"
    for name in ("etag", "location"):
        assert again.headers.get(name) == first.headers.get(name), name
    assert "idempotent-replayed" not in first.headers


def test_a_repeated_create_has_the_same_answer_and_makes_no_second_task(api, key):
    body = api.fields(payload={"a": 1.0})
    first = api.post("/tasks", body, headers=header(key))
    again = api.post("/tasks", body, headers=header(key))
    api.expect(first, 201)
    assert_replayed(first, again)
    assert len(api.list()) == 1


def test_the_answer_is_repeated_as_it_was_although_the_task_went_on(api, key):
    body = api.fields()
    first = api.post("/tasks", body, headers=header(key))
    api.complete(api.claim_one())
    again = api.post("/tasks", body, headers=header(key))
    assert_replayed(first, again)
    assert again.json()["task"]["status"] == "pending"
    assert again.headers["etag"] == '"1"'
    assert again.headers["location"].endswith(api.expect(first, 201)["task"]["id"])


def test_a_repeat_of_a_create_that_waited_has_the_revision_of_the_end(api, key, parallel):
    body = api.fields()
    waits = {"waitMs": 20_000}
    waiting = parallel(api.post, "/tasks", body, params=waits, headers=header(key))
    api.complete(api.claim_one(waitMs=10_000))
    first = waiting()
    assert_replayed(first, api.post("/tasks", body, params=waits, headers=header(key)))
    assert first.headers["etag"] == f'"{api.expect(first, 201)["task"]["revision"]}"'


def test_a_key_may_come_in_quotes_or_bare(api, key):
    body = api.fields()
    first = api.post("/tasks", body, headers=header(key))
    assert_replayed(first, api.post("/tasks", body, headers=header(f'"{key}"')))


def test_another_body_with_the_same_key_is_refused(api, key):
    api.post("/tasks", api.fields(payload=1), headers=header(key))
    response = api.post("/tasks", api.fields(payload=2), headers=header(key))
    problem(response, 422, "idempotency_key_reused")
    assert len(api.list()) == 1


def test_requests_without_a_key_are_all_done(api):
    for _ in range(2):
        api.expect(api.post("/tasks", api.fields()), 201)
    assert len(api.list()) == 2


def test_a_repeated_array_makes_no_second_set(api, key):
    body = [api.fields(payload=n) for n in range(10)]
    first = api.post("/tasks", body, headers=header(key))
    assert_replayed(first, api.post("/tasks", body, headers=header(key)))
    assert len(api.list()) == 10


def test_a_repeated_claim_hands_out_the_same_tasks_with_the_same_tokens(api, key):
    api.create_many([{}] * 4)
    body = {"types": [api.type], "workerId": "w", "limit": 2}
    first = api.post("/claims", body, headers=header(key))
    again = api.post("/claims", body, headers=header(key))
    assert api.expect(first)["count"] == 2
    assert_replayed(first, again)
    assert len(api.list(status="running")) == 2


def test_a_repeated_claim_of_one_task_has_the_same_token(api, key):
    task = api.create()
    first = api.act(task, "claim", {"workerId": "w"}, headers=header(key))
    assert_replayed(first, api.act(task, "claim", {"workerId": "w"}, headers=header(key)))
    assert api.expect(first)["task"]["attempt"] == 1


def test_a_repeated_complete_with_claim_hands_out_the_same_next_task(api, key):
    task = api.running()
    api.create_many([{}] * 3)
    body = {"leaseToken": task["leaseToken"], "result": 1,
            "claim": {"types": [api.type], "workerId": "w"}}
    first = api.act(task, "complete", body, headers=header(key))
    assert_replayed(first, api.act(task, "complete", body, headers=header(key)))
    assert api.expect(first)["count"] == 1
    assert len(api.list(status="running")) == 1


def test_a_repeated_completions_request_is_replayed(api, key):
    api.create_many([{}] * 3)
    items = [{"id": task["id"], "leaseToken": task["leaseToken"], "result": 1}
             for task in api.claim(limit=3)]
    first = api.post("/completions", {"items": items}, headers=header(key))
    assert_replayed(first, api.post("/completions", {"items": items}, headers=header(key)))


@pytest.mark.parametrize("verb", ["fail", "release", "progress", "logs", "heartbeat"])
def test_a_repeated_move_of_a_worker_is_replayed(api, key, verb):
    task = api.running(backoff={"type": "fixed", "delayMs": 100_000})
    extra = {"fail": {"error": "x"}, "progress": {"progress": 1}, "logs": {"text": "x"}}
    body = {"leaseToken": task["leaseToken"], **extra.get(verb, {})}
    first = api.act(task, verb, body, headers=header(key))
    assert_replayed(first, api.act(task, verb, body, headers=header(key)))
    if verb == "logs":
        assert len(api.logs(task)) == 1


@pytest.mark.parametrize("verb", ["start", "cancel", "retry"])
def test_a_repeated_move_of_a_person_is_replayed(api, key, verb):
    task = {"start": lambda: api.create(autoStart=False), "cancel": api.create,
            "retry": lambda: api.ended("failed")}[verb]()
    first = api.act(task, verb, headers=header(key))
    api.expect(first)
    assert_replayed(first, api.act(task, verb, headers=header(key)))


def test_the_same_key_on_another_route_is_not_a_replay(api, key):
    api.post("/tasks", api.fields(), headers=header(key))
    claim = api.post("/claims", {"types": [api.type], "workerId": "w"}, headers=header(key))
    assert "idempotent-replayed" not in claim.headers
    assert claim.status_code in (200, 422), claim.text


def test_a_storm_of_creates_with_one_key_makes_one_task(api, parallel, key):
    twins = [api.twin() for _ in range(32)]
    body = api.fields(payload={"storm": True})
    joins = [parallel(twin.post, "/tasks", body, headers=header(key)) for twin in twins]
    answers = [join() for join in joins]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 31
    assert len(api.list()) == 1
    for twin in twins:
        twin.close()


def test_a_storm_of_claims_with_one_key_hands_out_one_set(api, parallel, key):
    api.create_many([{}] * 20)
    twins = [api.twin() for _ in range(16)]
    body = {"types": [api.type], "workerId": "w", "limit": 3}
    joins = [parallel(twin.post, "/claims", body, headers=header(key)) for twin in twins]
    answers = [join() for join in joins]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len(api.list(status="running")) == 3
    for twin in twins:
        twin.close()


def test_a_key_whose_first_request_still_waits_is_in_progress(api, parallel, key):
    body = api.fields()
    waiter = api.twin()
    first = parallel(waiter.post, "/tasks", body, params={"waitMs": 10_000}, headers=header(key))
    task = api.claim_one(waitMs=5000)
    again = api.post("/tasks", body, params={"waitMs": 10_000}, headers=header(key))
    problem(again, 409, "idempotency_in_progress")
    api.complete(task, "x")
    answer = first()
    assert answer.json()["task"]["status"] == "completed"
    assert_replayed(answer, api.post("/tasks", body, params={"waitMs": 10_000},
                                     headers=header(key)))
    waiter.close()


def test_a_claim_that_waits_with_a_key_is_in_progress_and_then_replayed(api, parallel, key):
    body = {"types": [api.type], "workerId": api.type, "waitMs": 10_000}
    waiter = api.twin()
    first = parallel(waiter.post, "/claims", body, headers=header(key))
    api.until_worker(api.type, waiting=True)
    problem(api.post("/claims", body, headers=header(key)), 409, "idempotency_in_progress")
    api.create()
    answer = first()
    assert api.expect(answer)["count"] == 1
    assert_replayed(answer, api.post("/claims", body, headers=header(key)))
    waiter.close()


def test_a_refusal_is_not_a_trap_for_the_corrected_request(api, key):
    problem(api.post("/tasks", api.fields(priority="x"), headers=header(key)), 422,
            "invalid_field")
    response = api.post("/tasks", api.fields(priority=1), headers=header(key))
    assert response.status_code in (201, 422), response.text
    if response.status_code == 422:
        problem(response, 422, "idempotency_key_reused")


@pytest.mark.parametrize("bad", ["k" * 201, ""])
def test_a_key_that_is_empty_or_too_long_is_refused(api, bad):
    response = api.post("/tasks", api.fields(), headers=header(bad))
    assert response.status_code in (400, 422), response.text
    assert api.list() == []


@pytest.mark.parametrize("bad", [b"k\xff", b"\xc3", b"\xed\xa0\x80"])
def test_a_key_that_is_no_text_is_refused(server, api, bad):
    body = b'{"type": "a"}'
    with Raw(server) as raw:
        raw.send(request_bytes("POST", "/api/v1/tasks", body, [b"Idempotency-Key: " + bad]))
        assert raw.reply().status == 400
    assert api.list() == []


@pytest.mark.parametrize("name", [b"Idempotency-Key", b"idempotency-key"])
@pytest.mark.parametrize("other", [b"one", b"other"])
def test_a_key_that_comes_twice_is_refused(server, api, name, other):
    """Whatever stands before the server may have looked at either of them."""
    lines = [b"Idempotency-Key: one", name + b": " + other]
    with Raw(server) as raw:
        raw.send(request_bytes("POST", "/api/v1/tasks", json.dumps(api.fields()).encode(), lines))
        reply = raw.reply()
    assert reply.status == 400
    assert "Idempotency-Key must come only once" in json.loads(reply.body)["detail"]
    assert api.list() == []


def test_a_key_of_two_hundred_bytes_is_fine(api):
    body, key = api.fields(), fresh_name("k").ljust(200, "k")
    first = api.post("/tasks", body, headers=header(key))
    api.expect(first, 201)
    assert_replayed(first, api.post("/tasks", body, headers=header(key)))


def test_a_client_that_never_saw_its_answer_gets_it_by_asking_again(api, key):
    body = b'{"type":"%s"}' % api.type.encode()
    line = b"Idempotency-Key: " + key.encode()
    with Raw(api.server) as raw:  # goes away without reading
        raw.send(request_bytes("POST", "/api/v1/tasks", body, [line]))
    answers = [api.post("/tasks", raw=body, headers=header(key)) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len(api.list()) == 1
