"""Lists: filters, search, what is included, and cursors that lose and repeat nothing."""

import pytest

from lib.client import TASK_FIELDS, fresh_name, problem


def ids(tasks):
    return [task["id"] for task in tasks]


def pages(api, path="/tasks", **params):
    """All pages of a list, by following its cursor."""
    cursor, got = None, []
    for _ in range(1000):
        answer = api.expect(api.get(path, params={**params, **({"cursor": cursor} if cursor
                                                               else {})}))
        assert answer["count"] == len(answer["tasks"]) <= int(params.get("limit", 50))
        got.append(answer["tasks"])
        cursor = answer["nextCursor"]
        if cursor is None:
            return got
    raise AssertionError("the cursor does not end")


def test_a_list_is_newest_first_without_payload_and_result(api):
    made = [api.create(payload=n)["id"] for n in range(5)]
    answer = api.expect(api.get("/tasks", params={"type": api.type}))
    assert ids(answer["tasks"]) == made[::-1]
    assert answer["count"] == 5 and answer["nextCursor"] is None
    for task in answer["tasks"]:
        assert list(task) == [name for name in TASK_FIELDS if name not in ("payload", "result")]


@pytest.mark.parametrize("include, present", [
    ("payload", {"payload"}), ("result", {"result"}), ("payload,result", {"payload", "result"}),
    ("result,payload", {"payload", "result"})])
def test_payload_and_result_come_when_asked_for(api, include, present):
    api.complete(api.running(payload={"in": 1}), {"out": 2})
    task, = api.list(include=include)
    assert {"payload", "result"} & set(task) == present
    assert task.get("payload", {"in": 1}) == {"in": 1}
    assert task.get("result", {"out": 2}) == {"out": 2}


def test_the_default_page_has_fifty(api):
    api.create_many([{}] * 60)
    answer = api.expect(api.get("/tasks", params={"type": api.type}))
    assert answer["count"] == 50 and answer["nextCursor"]


def test_the_largest_page_has_a_thousand(api):
    api.create_many([{}] * 1000)
    assert len(api.list(limit=1000)) == 1000


@pytest.fixture
def one_of_each(api):
    """One task in every status but abandoned, by status."""
    made = {status: api.ended(status) for status in ("completed", "failed", "cancelled")}
    made["running"] = api.running()
    made["pending"] = api.create()
    return made


def test_status_filters_by_one_or_several(api, one_of_each):
    for status, task in one_of_each.items():
        assert ids(api.list(status=status)) == [task["id"]], status
    both = api.list(status="failed,running")
    assert {task["status"] for task in both} == {"failed", "running"}
    assert len(api.list(status="pending,running,completed,failed,cancelled,abandoned")) == 5


def test_queue_filters(api):
    queues = [fresh_name("q"), fresh_name("q")]
    tasks = [api.create(queue=queue) for queue in queues]
    assert ids(api.list(queue=queues[1])) == [tasks[1]["id"]]
    assert api.list(queue=fresh_name("q")) == []


def test_a_tag_filters_by_name_and_value(api):
    red = api.create(tags={"colour": "red", "size": "L"})
    api.create(tags={"colour": "blue"})
    api.create()
    assert ids(api.list(**{"tag.colour": "red"})) == [red["id"]]
    assert ids(api.list(**{"tag.size": "L"})) == [red["id"]]
    assert api.list(**{"tag.colour": "re"}) == []
    assert api.list(**{"tag.shade": "red"}) == []


def test_a_tag_with_odd_characters_is_found(api):
    tags = {"größe & mehr": "50 % \"x\" 'y' \\ ü", "a.b": "c", "[0]": "z"}
    task = api.create(tags=tags)
    api.create(tags={"other": "x"})
    for name, value in tags.items():
        assert ids(api.list(**{f"tag.{name}": value})) == [task["id"]], name


def test_an_empty_tag_value_is_a_value(api):
    empty = api.create(tags={"a": ""})
    api.create(tags={"a": "b"})
    assert ids(api.list(**{"tag.a": ""})) == [empty["id"]]


@pytest.mark.parametrize("name", ["projectId", "subject", "uniqueKey"])
def test_a_reference_filters_exactly(api, name):
    value = fresh_name("r")
    wanted = api.create(**{name: value})
    api.create(**{name: value + "x"})
    api.create()
    assert ids(api.list(**{name: value})) == [wanted["id"]]
    assert api.list(**{name: value[:-1]}) == []


def test_worker_filters_by_the_latest_claim(api):
    mine = api.running(claim={"workerId": api.type})
    api.running(claim={"workerId": "other"})
    assert ids(api.list(worker=api.type)) == [mine["id"]]


def test_created_after_and_before_cut_a_window(api):
    made = []
    for _ in range(3):
        made.append(api.create())
        api.task(made[-1], wait_ms=5)  # lets a few milliseconds pass
    middle = made[1]["createdAt"]
    assert ids(api.list(createdAfter=middle)) == [made[2]["id"]]
    assert ids(api.list(createdBefore=middle)) == [made[0]["id"]]
    window = api.list(createdAfter=made[0]["createdAt"], createdBefore=made[2]["createdAt"])
    assert ids(window) == [made[1]["id"]]


def test_q_searches_name_description_subject_and_id_whatever_the_case(api):
    word = fresh_name("Word")
    found = [api.create(name=f"The {word} of it"), api.create(description=f"about {word.lower()}"),
             api.create(subject=word.upper())]
    api.create(name="nothing")
    assert set(ids(api.list(q=word))) == set(ids(found))
    assert ids(api.list(q=found[0]["id"])) == [found[0]["id"]]


def test_q_takes_its_characters_as_they_are(api):
    exact = api.create(name="100%_sure [a]*?")
    api.create(name="100 sure")
    for text in ("%", "_", "[a]", "*?", "100%_s"):
        assert ids(api.list(q=text)) == [exact["id"]], text
    assert api.list(q="1__") == []


def test_filters_are_joined_by_and(api):
    queue = fresh_name("q")
    wanted = api.create(queue=queue, tags={"a": "1"}, projectId="p")
    api.create(queue=queue, tags={"a": "1"})
    api.create(queue=queue, projectId="p")
    found = api.list(queue=queue, projectId="p", status="pending", **{"tag.a": "1"})
    assert ids(found) == [wanted["id"]]


def test_cursors_walk_a_few_hundred_tasks_without_loss_or_repeat(api):
    made = ids(api.create_many([{"priority": n % 7} for n in range(310)]))
    got = pages(api, type=api.type, limit=37)
    assert ids(task for page in got for task in page) == made[::-1]


def test_a_walk_is_not_disturbed_by_tasks_that_come_and_change_meanwhile(api):
    made = ids(api.create_many([{}] * 120))
    first = api.expect(api.get("/tasks", params={"type": api.type, "limit": 40}))
    api.create_many([{}] * 30)
    for task in api.claim(limit=20):
        api.complete(task)
    seen = ids(first["tasks"])
    cursor = first["nextCursor"]
    while cursor:
        answer = api.expect(api.get("/tasks", params={"type": api.type, "limit": 40,
                                                      "cursor": cursor}))
        seen += ids(answer["tasks"])
        cursor = answer["nextCursor"]
    assert seen == made[::-1]


def test_a_walk_with_a_filter_returns_exactly_what_fits(api):
    made = api.create_many([{"tags": {"n": str(n % 3)}, "projectId": f"p{n % 2}"}
                            for n in range(200)])
    wanted = [task["id"] for n, task in enumerate(made) if n % 3 == 1 and n % 2 == 0]
    got = pages(api, type=api.type, projectId="p0", limit=10, **{"tag.n": "1"})
    assert ids(task for page in got for task in page) == wanted[::-1]


def first_cursor(api, path="/tasks", **params):
    api.create_many([{}] * 5)
    return api.expect(api.get(path, params={"type": api.type, "limit": 2, **params}))["nextCursor"]


@pytest.mark.parametrize("other", [
    {"type": "another"}, {"status": "pending"}, {"queue": "default"}, {"tag.a": "b"},
    {"projectId": "p"}, {"q": "x"}, {"createdAfter": "1"}])
def test_a_cursor_is_bound_to_its_filter(api, other):
    cursor = first_cursor(api)
    params = {"type": api.type, "limit": 2, "cursor": cursor, **other}
    problem(api.get("/tasks", params=params), 400, "bad_cursor")


def test_the_limit_may_change_from_page_to_page(api):
    cursor = first_cursor(api)
    answer = api.expect(api.get("/tasks", params={"type": api.type, "limit": 3, "cursor": cursor}))
    assert answer["count"] == 3


def test_a_tampered_cursor_is_refused(api):
    cursor = first_cursor(api)
    for at in range(0, len(cursor), 3):
        changed = "A" if cursor[at] != "A" else "B"
        tampered = cursor[:at] + changed + cursor[at + 1:]
        response = api.get("/tasks", params={"type": api.type, "limit": 2, "cursor": tampered})
        problem(response, 400, "bad_cursor")


@pytest.mark.parametrize("cursor", ["x", "null", "0", "../..", "%00", "ü", "1'--", "A" * 60])
def test_a_made_up_cursor_is_refused(api, cursor):
    problem(api.get("/tasks", params={"type": api.type, "cursor": cursor}), 400, "bad_cursor")


@pytest.mark.parametrize("cursor", ["", "A" * 5000])
def test_an_empty_or_endless_cursor_is_refused(api, cursor):
    response = api.get("/tasks", params={"type": api.type, "cursor": cursor})
    assert response.status_code in (400, 422), response.text


def test_a_cursor_of_another_list_is_refused(api):
    cursor = first_cursor(api, path="/tasks/pending")
    problem(api.get("/tasks", params={"type": api.type, "cursor": cursor}), 400, "bad_cursor")


def test_pending_lists_ready_tasks_in_the_order_of_claims(api):
    api.create(name="late", priority=-1)
    api.create(name="first", priority=3)
    api.create(name="second", priority=3)
    api.create(name="middle")
    api.create(delayMs=60_000)
    api.create(autoStart=False)
    answer = api.expect(api.get("/tasks/pending", params={"type": api.type}))
    names = ["first", "second", "middle", "late"]
    assert [task["name"] for task in answer["tasks"]] == names
    assert [task["name"] for task in api.claim(limit=10)] == names


def test_cursors_walk_the_pending_list_too(api):
    made = api.create_many([{"priority": n % 5} for n in range(130)])
    got = ids(task for page in pages(api, "/tasks/pending", type=api.type, limit=17)
              for task in page)
    by_claim = sorted(made, key=lambda task: (-task["priority"], task["id"]))
    assert got == ids(by_claim)


@pytest.mark.parametrize("params, pointer", [
    ({"limit": "0"}, "?limit"), ({"limit": "1001"}, "?limit"), ({"limit": "ten"}, "?limit"),
    ({"limit": "-1"}, "?limit"), ({"limit": "5.0"}, "?limit"), ({"limit": ""}, "?limit"),
    ({"status": "done"}, "?status"), ({"status": "pending,,"}, "?status"),
    ({"include": "everything"}, "?include"), ({"createdAfter": "yesterday"}, "?createdAfter"),
    ({"createdBefore": "1e3"}, "?createdBefore"), ({"type": "bad name"}, "?type"),
    ({"queue": "a b"}, "?queue"), ({"colour": "red"}, "?colour"), ({"Type": "x"}, "?Type"),
    ({"tag.": "x"}, ("?tag.", "?tag")),
])
def test_a_bad_query_is_pointed_at(api, params, pointer):
    problem(api.get("/tasks", params=params), 422, "invalid_field", pointer)


def test_a_filter_takes_32_names_as_long_as_names_can_be(api):
    names = [f"{n:02}".ljust(128, "x") for n in range(33)]
    for param in ("type", "queue"):
        api.expect(api.get("/tasks", params={param: ",".join(names[:32])}))
        answer = api.get("/tasks", params={param: ",".join(names)})
        assert "at most 32" in problem(answer, 422, "invalid_field", f"?{param}")["detail"]
