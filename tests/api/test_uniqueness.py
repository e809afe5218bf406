"""uniqueKey: one task for one key, as long as the task is there."""

from lib.client import fresh_name, problem


def test_a_second_create_with_the_same_unique_key_answers_the_first_task(api):
    key = fresh_name("u")
    first = api.create(uniqueKey=key, payload={"n": 1})
    response = api.post("/tasks", api.fields(uniqueKey=key, payload={"n": 2}))
    answer = api.expect(response, 200)
    assert answer["deduplicated"] is True
    assert answer["task"]["id"] == first["id"]
    assert api.task(first)["payload"] == {"n": 1}
    assert len(api.list()) == 1


def test_a_first_create_is_not_called_deduplicated(api):
    body = api.expect(api.post("/tasks", api.fields(uniqueKey=fresh_name("u"))), 201)
    assert "deduplicated" not in body


def test_a_unique_key_holds_whatever_became_of_its_task(api):
    for status in ("completed", "failed", "cancelled"):
        key = fresh_name("u")
        first = api.ended(status, uniqueKey=key)
        answer = api.expect(api.post("/tasks", api.fields(uniqueKey=key)), 200)
        assert (answer["task"]["id"], answer["task"]["status"]) == (first["id"], status)


def test_an_array_puts_the_existing_task_in_its_place(api):
    key = fresh_name("u")
    first = api.create(uniqueKey=key)
    items = [api.fields(), api.fields(uniqueKey=key), api.fields()]
    answer = api.expect(api.post("/tasks", items), 201)
    assert answer["deduplicated"] == 1 and answer["count"] == 3
    assert answer["tasks"][1]["id"] == first["id"]
    assert len(api.list()) == 3


def test_the_same_key_twice_in_one_array_makes_one_task(api):
    key = fresh_name("u")
    answer = api.expect(api.post("/tasks", [api.fields(uniqueKey=key)] * 3), 201)
    assert answer["deduplicated"] == 2
    assert len({task["id"] for task in answer["tasks"]}) == 1
    assert len(api.list()) == 1


def test_a_storm_of_creates_with_one_unique_key_makes_one_task(api, parallel):
    key = fresh_name("u")
    twins = [api.twin() for _ in range(32)]
    joins = [parallel(twin.post, "/tasks", api.fields(uniqueKey=key, payload=n))
             for n, twin in enumerate(twins)]
    answers = [join() for join in joins]
    assert sorted(answer.status_code for answer in answers) == [200] * 31 + [201]
    assert len({answer.json()["task"]["id"] for answer in answers}) == 1
    assert len(api.list()) == 1
    for twin in twins:
        twin.close()


def test_unique_keys_differ_by_case_and_by_every_byte(api):
    key = fresh_name("u")
    made = {api.create(uniqueKey=one)["id"] for one in (key, key.upper(), key + " ", key + "ü")}
    assert len(made) == 4



def test_a_unique_key_that_is_too_long_is_pointed_at(api):
    problem(api.post("/tasks", api.fields(uniqueKey="u" * 201)), 422, "invalid_field",
            "/uniqueKey")
