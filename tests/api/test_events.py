"""Events: what happened, in order, to one task and to all; and the log of a task."""

import pytest

from lib.client import problem

EVENT_FIELDS = ["seq", "event", "at", "taskId", "queue", "type", "attempt", "actor", "worker",
                "note", "text", "progress"]
FIXED_50 = {"type": "fixed", "delayMs": 50, "jitter": 0}


def eventful(api):
    """A task with every common thing in its life."""
    task = api.running(backoff=FIXED_50, claim={"workerId": "w1"})
    api.progress(task, 10, currentStep="one", currentStepDescription="The first.")
    api.fail(task, {"code": "net", "message": "No route."})
    again = api.claim_one(waitMs=5000, workerId="w2")
    api.release(again)
    last = api.claim_one(workerId="w3")
    api.complete(last, 1)
    return task


LIFE = ["task.created", "task.claimed", "task.progress", "task.attempt_failed", "task.due",
        "task.claimed", "task.released", "task.claimed", "task.completed"]


def test_the_events_of_a_task_are_its_life_in_order(api):
    task = eventful(api)
    events = api.events(task)
    assert [event["event"] for event in events] == LIFE
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs))
    times = [event["at"] for event in events]
    assert times == sorted(times) and times[0] == task["createdAt"]
    for event in events:
        assert sorted(event) == sorted(EVENT_FIELDS)
        assert event["taskId"] == task["id"]
        assert (event["queue"], event["type"]) == ("default", api.type)


def test_an_event_tells_who_and_what(api):
    by_name = {}
    for event in api.events(eventful(api)):
        by_name.setdefault(event["event"], []).append(event)
    assert by_name["task.created"][0]["actor"] == "local"
    assert by_name["task.due"][0]["actor"] == "system"
    assert [event["worker"] for event in by_name["task.claimed"]] == ["w1", "w2", "w3"]
    assert [event["attempt"] for event in by_name["task.claimed"]] == [1, 2, 2]
    progress, = by_name["task.progress"]
    assert (progress["progress"], progress["note"], progress["text"]) == (10, "one", "The first.")
    failed, = by_name["task.attempt_failed"]
    assert (failed["note"], failed["text"]) == ("net", "No route.")


def test_the_events_of_a_task_are_paged_with_after(api):
    task = eventful(api)
    seen, after = [], 0
    while True:
        page = api.expect(api.get(f"/tasks/{task['id']}/events",
                                  params={"after": after, "limit": 2}))
        assert page["count"] == len(page["events"]) <= 2
        if not page["events"]:
            break
        seen += page["events"]
        assert page["nextAfter"] == page["events"][-1]["seq"]
        after = page["nextAfter"]
    assert [event["event"] for event in seen] == LIFE


def test_after_the_last_event_there_is_nothing(api):
    task = api.create()
    last = api.events(task)[-1]["seq"]
    page = api.expect(api.get(f"/tasks/{task['id']}/events", params={"after": last}))
    assert page["events"] == [] and page["count"] == 0


def test_the_feed_of_all_is_filtered_by_task_type_and_queue(api):
    first, second = api.create(), api.create(queue=api.type)
    for params, wanted in (
            ({"taskId": first["id"]}, [first["id"]]),
            ({"type": api.type}, [first["id"], second["id"]]),
            ({"queue": api.type}, [second["id"]]),
            ({"type": api.type, "queue": api.type}, [second["id"]])):
        feed = api.expect(api.get("/events", params={**params, "limit": 100}))
        assert [event["taskId"] for event in feed["events"]] == wanted, params


def test_the_feed_of_a_project_is_paged_without_gap_or_repeat(api):
    for _ in range(10):
        api.create_many([{"projectId": api.type}, {"projectId": "another"}, {}])
    seen, after, more = [], 0, True
    while more:
        page = api.expect(api.get("/events", params={"projectId": api.type, "after": after,
                                                     "limit": 3}))
        assert page["count"] == len(page["events"]) <= 3
        seen += page["events"]
        after, more = page["nextAfter"], page["more"]
    assert [one["taskId"] for one in seen] == [
        task["id"] for task in reversed(api.list(projectId=api.type))]
    assert len(seen) == 10


def test_the_feed_of_all_is_paged_without_gap_or_repeat(api):
    api.create_many([{}] * 25)
    seen, after = [], 0
    while True:
        page = api.expect(api.get("/events", params={"type": api.type, "after": after,
                                                     "limit": 10}))
        seen += page["events"]
        if not page["events"]:
            break
        after = page["nextAfter"]
    assert len(seen) == len({event["seq"] for event in seen}) == 25


def test_a_reader_of_the_feed_under_load_never_meets_an_older_number_later(api, parallel):
    twins = [api.twin() for _ in range(4)]
    done = [parallel(lambda twin=twin: [twin.create() for _ in range(50)]) for twin in twins]
    seen, after = [], 0
    while len(seen) < 200:
        page = api.expect(api.get("/events", params={"type": api.type, "after": after,
                                                     "limit": 1000}))
        seen += [event["seq"] for event in page["events"]]
        after = page["nextAfter"] if page["events"] else after
    for join in done:
        join()
    assert seen == sorted(set(seen)) and len(seen) == 200
    for twin in twins:
        twin.close()


@pytest.mark.parametrize("params, pointer", [
    ({"after": "x"}, "?after"), ({"after": "-1"}, "?after"), ({"limit": "0"}, "?limit"),
    ({"limit": "1001"}, "?limit"), ({"nonsense": "1"}, "?nonsense")])
def test_a_bad_query_of_events_and_logs_is_pointed_at(api, params, pointer):
    task = api.create()
    for path in ("/events", f"/tasks/{task['id']}/events", f"/tasks/{task['id']}/logs"):
        problem(api.get(path, params=params), 422, "invalid_field", pointer)


@pytest.mark.parametrize("name", ["type", "queue"])
@pytest.mark.parametrize("value", ["a b", "", "n" * 129, "\u00e9", "a,"])
def test_a_name_is_refused_alike_by_lists_of_tasks_and_of_events(api, name, value):
    rule = f"{name} must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -"
    for path in ("/tasks", "/tasks/pending", "/events"):
        answer = api.get(path, params={name: value})
        assert problem(answer, 422, "invalid_field", f"?{name}")["detail"].startswith(rule)


@pytest.mark.parametrize("path, params", [
    ("/tasks", {"status": "done", "type": "a b", "createdAfter": "x", "limit": "0"}),
    ("/tasks/pending", {"queue": "a b", "include": "all", "limit": "x"}),
    ("/events", {"taskId": "x", "type": "a b", "after": "-1", "progressMs": "1"}),
    ("/events", {"nonsense": "1", "limits": "1"})])
def test_all_parameters_that_are_wrong_are_named(api, path, params):
    body = problem(api.get(path, params=params), 422, "invalid_field")
    assert {error["pointer"] for error in body["errors"]} == {f"?{name}" for name in params}


# --- logs -----------------------------------------------------------------------------------------

def test_log_lines_are_appended_and_read_in_order(api):
    task = api.running()
    api.log(task, "first", "second")
    api.expect(api.move(task, "logs", text="third"))
    answer = api.expect(api.get(f"/tasks/{task['id']}/logs"))
    assert [line["text"] for line in answer["logs"]] == ["first", "second", "third"]
    assert [line["number"] for line in answer["logs"]] == [1, 2, 3]
    assert answer["count"] == 3
    assert all(line["at"] >= task["claimedAt"] for line in answer["logs"])


def test_a_text_is_split_at_its_line_ends(api):
    task = api.running()
    api.expect(api.move(task, "logs", text="one\ntwo\n\nfour\n"))
    assert [line["text"] for line in api.logs(task)] == ["one", "two", "", "four"]


def test_a_log_line_keeps_its_characters(api):
    task = api.running()
    lines = ["größe 🚚 \"q\" \\ \t tab", "", "\u001b[31mred\u001b[0m", "a" * 4096]
    api.log(task, *lines)
    assert [line["text"] for line in api.logs(task)] == lines


def test_a_line_that_is_too_long_is_cut_with_a_mark(api):
    task = api.running()
    response = api.move(task, "logs", lines=["x" * 5000, "after"])
    if response.status_code == 422:
        problem(response, 422, "invalid_field", "/lines/0")
        return
    cut, after = api.logs(task)
    assert cut["text"].startswith("x" * 4000) and len(cut["text"].encode()) <= 4096 + 16
    assert cut["text"] != "x" * 5000 and after["text"] == "after"


def test_logs_are_paged_with_after(api):
    task = api.running()
    api.log(task, *[str(n) for n in range(10)])
    page = api.expect(api.get(f"/tasks/{task['id']}/logs", params={"after": 3, "limit": 4}))
    assert [line["number"] for line in page["logs"]] == [4, 5, 6, 7]
    assert page["nextAfter"] == 7


def test_the_newest_thousand_lines_are_kept(api):
    task = api.running()
    for start in range(0, 1250, 50):
        api.log(task, *[f"line {n}" for n in range(start, start + 50)])
    lines = api.logs(task, limit=1000)
    assert [line["text"] for line in lines] == [f"line {n}" for n in range(250, 1250)]
    assert lines[-1]["number"] == 1250


def test_logs_outlive_their_attempt_and_its_end(api):
    task = api.running()
    api.log(task, "from the first attempt")
    api.release(task)
    again = api.claim_one()
    api.log(again, "from the second")
    api.complete(again)
    assert len(api.logs(task)) == 2


@pytest.mark.parametrize("fields, pointer", [
    ({"lines": ["x"] * 101}, "/lines"), ({"lines": "x"}, "/lines"),
    ({"lines": [1]}, ("/lines/0", "/lines")), ({"text": 5}, "/text"), ({"line": "x"}, "/line"),
    ({"lines": ["ok", "a\u0000b"]}, ("/lines/1", "/lines"))])
def test_bad_log_lines_are_pointed_at(api, fields, pointer):
    task = api.running()
    problem(api.move(task, "logs", **fields), 422, "invalid_field", pointer)
    assert api.logs(task) == []
