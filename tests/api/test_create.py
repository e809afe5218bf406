"""Creating tasks: every field in, every field out, defaults, batches."""

import time

import pytest

from lib.client import TASK_FIELDS, fresh_name, problem

ABSENT = """description result error currentStep currentStepDescription version projectId subject
sessionKey cost parentId dependsOn concurrencyKey uniqueKey callbackUrl workerId claimedAt
leaseExpiresAt expiresAt startedAt completedAt resultHandling name""".split()


def now_ms():
    return int(time.time() * 1000)


def test_a_task_has_all_fields_in_the_documented_order(api):
    task = api.create()
    assert list(task) == TASK_FIELDS


def test_a_new_task_has_the_documented_defaults(api):
    before = now_ms()
    task = api.create()
    assert task["type"] == api.type
    assert task["status"] == "pending"
    assert task["waitingFor"] == "worker"
    assert task["queue"] == "default"
    assert task["priority"] == 0
    assert task["payload"] is None
    assert task["attempt"] == 0
    assert task["maxAttempts"] == 3
    assert task["progress"] in (0, None)
    assert task["cancelRequested"] is False
    assert task["tenantId"] == "default"
    assert before - 2000 <= task["createdAt"] <= now_ms() + 2000
    assert task["updatedAt"] == task["createdAt"]
    assert task["revision"] >= 1
    for name in ABSENT:
        assert task[name] is None, name


def test_absent_tags_and_metadata_are_null(api):
    task = api.create()
    assert task["tags"] is None
    assert task["metadata"] is None
    assert task["runAt"] is None


def test_the_answer_names_the_place_and_the_revision(api):
    response = api.post("/tasks", api.fields())
    task = api.expect(response, 201)["task"]
    assert response.headers["location"] == f"/api/v1/tasks/{task['id']}"
    assert response.headers["etag"] == f'"{task["revision"]}"'
    assert response.headers["content-type"].split(";")[0] == "application/json"


def test_ids_are_version_7_uuids_in_rising_order(api):
    ids = [api.create()["id"] for _ in range(5)]
    for one in ids:
        assert len(one) == 36 and one[14] == "7" and one[19] in "89ab" and one == one.lower()
    assert ids == sorted(ids) and len(set(ids)) == 5


@pytest.mark.parametrize("field, value", [
    ("payload", {"a": [1, 2, {"b": None}], "ü": "ñ"}),
    ("payload", "text"),
    ("payload", 12.5),
    ("payload", False),
    ("payload", []),
    ("name", "Nightly import of the größte file 🚚"),
    ("description", "Two\nlines, a \"quote\", a \\ and a tab\t."),
    ("queue", "images.eu-west/1:a_b"),
    ("priority", 1000000),
    ("priority", -1000000),
    ("maxAttempts", 1),
    ("maxAttempts", 1000),
    ("version", 7),
    ("version", -3),
    ("version", 0),
    ("version", 2**53 - 1),
    ("tags", {"colour": "red", "größe": "L", "empty": ""}),
    ("tags", {}),
    ("metadata", {"source": {"deep": [1, "two", 3.5, None, True]}}),
    ("metadata", {}),
    ("projectId", "project-1 with a space"),
    ("subject", "user:42"),
    ("uniqueKey", None),
    ("name", None),
    ("tags", None),
])
def test_a_field_comes_back_as_it_was_sent(api, field, value):
    if field == "queue":
        value = fresh_name(value)
    created = api.create(**{field: value})
    assert created[field] == value
    assert api.task(created)[field] == value


def test_many_fields_at_once_come_back_together(api):
    later = now_ms() + 3_600_000
    sent = dict(name="n", description="d", queue=fresh_name("q"), priority=5, runAt=later,
                maxAttempts=9, expiresAt=later + 1000, version=2, tags={"a": "b"},
                metadata={"m": 1}, projectId="p", subject="s", uniqueKey=fresh_name("u"),
                payload={"x": 1})
    created = api.create(**sent, backoff={"type": "fixed", "delayMs": 100}, leaseMs=5000,
                         timeoutMs=60000, autoStart=True)
    read = api.task(created)
    for name, value in sent.items():
        assert read[name] == value, name
    assert read == created


def test_a_null_field_means_an_absent_one(api):
    names = """payload name description queue priority runAt delayMs maxAttempts backoff leaseMs
    timeoutMs expiresAt version tags metadata projectId subject uniqueKey autoStart""".split()
    task = api.create(**{name: None for name in names})
    assert task["status"] == "pending" and task["queue"] == "default"
    assert task["maxAttempts"] == 3 and task["waitingFor"] == "worker"


def test_an_integer_may_be_spelled_as_any_json_number_of_its_value(api):
    raw = b'{"type":"%s","priority":1e3,"maxAttempts":5.0,"version":-0}' % api.type.encode()
    task = api.expect(api.post("/tasks", raw=raw), 201)["task"]
    assert (task["priority"], task["maxAttempts"], task["version"]) == (1000, 5, 0)


def test_a_type_name_may_use_every_allowed_character_and_128_bytes(api):
    for name in ("AZaz09._:/-", "x" * 128):
        assert api.create(type=name)["type"] == name


def test_escapes_in_names_are_resolved_once(api):
    raw = b'{"type":"%s","name":"\\u0041\\ud83d\\ude9a\\/\\b"}' % api.type.encode()
    task = api.expect(api.post("/tasks", raw=raw), 201)["task"]
    assert task["name"] == "A\U0001f69a/\b"


def test_an_escaped_key_is_the_same_key_or_refused_and_never_ignored(api):
    raw = b'{"type":"%s","pr\\u0069ority":7}' % api.type.encode()
    response = api.post("/tasks", raw=raw)
    assert response.status_code == 422 or api.expect(response, 201)["task"]["priority"] == 7


def test_a_tag_spelled_with_escapes_is_the_same_tag(api):
    raw = b'{"type":"%s","tags":{"gr\\u00f6\\u00dfe":"\\u00fcber\\/all"}}' % api.type.encode()
    task = api.expect(api.post("/tasks", raw=raw), 201)["task"]
    assert task["tags"] == {"größe": "über/all"}
    assert [one["id"] for one in api.list(**{"tag.größe": "über/all"})] == [task["id"]]


def test_the_longest_allowed_texts_are_kept(api):
    sent = dict(name="n" * 200, description="d" * 2000, projectId="p" * 200, subject="s" * 200,
                uniqueKey=fresh_name("u").ljust(200, "u"))
    task = api.task(api.create(**sent))
    for name, value in sent.items():
        assert task[name] == value, name


def test_an_array_creates_all_in_its_order_without_payload_and_result(api):
    tasks = api.create_many([{"priority": n, "payload": {"n": n}} for n in range(20)])
    assert [task["priority"] for task in tasks] == list(range(20))
    assert all("payload" not in task and "result" not in task for task in tasks)
    assert [api.task(task)["payload"] for task in tasks[:3]] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_an_array_of_one_is_answered_as_an_array(api):
    assert len(api.create_many([{}])) == 1


def test_a_thousand_tasks_are_created_in_one_request(api):
    tasks = api.create_many([{"payload": n} for n in range(1000)])
    assert len({task["id"] for task in tasks}) == 1000


def test_more_than_a_thousand_are_refused_whole(api):
    response = api.post("/tasks", [api.fields() for _ in range(1001)])
    assert response.status_code in (413, 422), response.text
    assert api.list() == []


def test_an_empty_array_is_refused(api):
    problem(api.post("/tasks", []), 422, "invalid_field")


def test_one_bad_item_refuses_the_whole_array_and_is_pointed_at(api):
    items = [api.fields(), api.fields(), api.fields(priority="high"), api.fields()]
    problem(api.post("/tasks", items), 422, "invalid_field", "/2/priority")
    assert api.list() == []


def test_an_array_item_that_is_no_object_is_pointed_at(api):
    problem(api.post("/tasks", [api.fields(), 7]), 422, "invalid_field", "/1")
    assert api.list() == []


def test_a_missing_type_in_an_array_is_pointed_at(api):
    problem(api.post("/tasks", [api.fields(), {"payload": 1}]), 422, "invalid_field", "/1/type")
    assert api.list() == []


def test_an_array_may_mix_types_and_queues(api):
    queues = [fresh_name("q"), fresh_name("q")]
    tasks = api.create_many([{"queue": queues[0]}, {"queue": queues[1]}])
    assert [task["queue"] for task in tasks] == queues


def test_prefer_minimal_answers_id_and_status_only(api):
    response = api.post("/tasks", api.fields(), headers={"Prefer": "return=minimal"})
    task = api.expect(response, 201)["task"]
    assert sorted(task) == ["id", "status"] and task["status"] == "pending"
    assert response.headers["preference-applied"] == "return=minimal"
    assert api.task(task)["type"] == api.type


def test_prefer_minimal_works_on_arrays(api):
    response = api.post("/tasks", [api.fields()] * 3, headers={"Prefer": "return=minimal"})
    answer = api.expect(response, 201)
    assert answer["count"] == 3
    assert all(sorted(task) == ["id", "status"] for task in answer["tasks"])


def test_an_unknown_preference_is_ignored(api):
    response = api.post("/tasks", api.fields(), headers={"Prefer": "handling=strict, depth=3"})
    assert list(api.expect(response, 201)["task"]) == TASK_FIELDS


def test_a_body_without_a_content_type_is_taken_as_json(api):
    response = api.http.request("POST", "/api/v1/tasks",
                                content=b'{"type":"%s"}' % api.type.encode())
    assert "content-type" not in response.request.headers
    assert response.status_code == 201


@pytest.mark.parametrize("content_type", [
    "application/json", "application/json; charset=utf-8", "Application/JSON",
    "application/json;charset=UTF-8",
])
def test_spellings_of_the_json_media_type_are_accepted(api, content_type):
    response = api.post("/tasks", api.fields(), headers={"Content-Type": content_type})
    assert response.status_code == 201, response.text


def test_the_request_id_of_the_caller_is_echoed(api):
    response = api.post("/tasks", api.fields(), headers={"X-Request-Id": "trace-1234.abc"})
    assert response.headers["x-request-id"] == "trace-1234.abc"


def test_request_ids_made_by_the_server_differ(api):
    ids = {api.get("/tasks/stats").headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10
