"""What is kept of tasks that ended, and what the cleanup removes."""

import json
import time

import pytest

from lib.client import fresh_name, problem

ADMIN = "an-admin-key-of-the-tests"


def status_of(api):
    return api.expect(api.get("/tasks/cleanup/status"))["status"]


def run(api):
    return api.expect(api.post("/tasks/cleanup/run", {}))


def set_type(api, **fields):
    return api.expect(api.put(f"/types/{api.type}", fields))["type"]


def removed(completed=0, failed=0, cancelled=0):
    return {"completed": completed, "failed": failed, "cancelled": cancelled}


def until(look, what):
    """Looks again and again, for 10 s at most, until there is something."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
    raise AssertionError(f"never seen: {what}")


def ids(tasks):
    return [task["id"] for task in tasks]


# --- the routes -----------------------------------------------------------------------------------

def test_the_state_of_a_server_that_keeps_everything(make_server, make_api):
    api = make_api(make_server())
    assert api.expect(api.get("/tasks/cleanup/status")) == {"success": True, "status": {
        "isRunning": False, "isActive": False,
        "options": {"maxCompletedTasks": None, "maxFailedTasks": None, "keepForMs": None,
                    "cleanupInterval": 300000},
        "lastRun": "idle", "lastRunAt": None, "lastRunMs": None, "lastRunError": None,
        "removed": removed(), "nextRunAt": None, "types": []}}


def test_the_state_shows_the_limits_and_when_it_looks_next(make_server, make_api):
    api = make_api(make_server(keep_completed=50, keep_failed=20, keep_for="7d",
                               cleanup_interval="1h"))
    set_type(api, keepCompleted=0, keepFailed=3, keepForMs=1000, keepResult=True)
    before = api.task(api.create())["createdAt"]
    state = status_of(api)
    assert state["isActive"] is True
    assert state["options"] == {"maxCompletedTasks": 50, "maxFailedTasks": 20,
                                "keepForMs": 7 * 86400_000, "cleanupInterval": 3600_000}
    assert state["types"] == [{"name": api.type, "keepCompleted": 0, "keepFailed": 3,
                               "keepForMs": 1000, "keepResult": True}]
    assert before < state["nextRunAt"] <= before + 3600_000


def test_a_run_on_request_removes_tells_how_many_and_is_seen_in_the_state(make_server, make_api):
    api = make_api(make_server())
    set_type(api, keepCompleted=2, keepFailed=1)
    completed = [api.ended("completed") for _ in range(4)]
    failed = [api.ended("failed") for _ in range(3)]
    cancelled = [api.ended("cancelled") for _ in range(2)]
    answer = run(api)
    assert answer == {"success": True, "skipped": False, "message": "cleanup completed",
                      "removed": removed(2, 2, 1)}
    kept = ids(api.list())
    assert set(kept) == set(ids(completed[2:] + failed[2:] + cancelled[1:]))
    state = status_of(api)
    assert state["removed"] == removed(2, 2, 1)
    assert (state["isRunning"], state["lastRun"]) == (False, "idle")
    assert cancelled[-1]["updatedAt"] <= state["lastRunAt"]
    assert state["lastRunMs"] >= 0 and state["lastRunError"] is None
    assert run(api)["removed"] == removed()


def test_an_idempotency_key_brings_back_the_answer_of_its_run(api):
    set_type(api, keepCompleted=1)
    for _ in range(3):
        api.ended("completed")
    headers = {"Idempotency-Key": fresh_name("key")}
    first = api.post("/tasks/cleanup/run", {}, headers=headers)
    again = api.post("/tasks/cleanup/run", {}, headers=headers)
    assert first.json()["removed"]["completed"] >= 2
    assert again.content == first.content


@pytest.mark.parametrize("method, path, allow", [
    ("POST", "/tasks/cleanup/status", "GET, HEAD"), ("GET", "/tasks/cleanup/run", "POST"),
    ("PATCH", "/tasks/cleanup/status", "GET, HEAD"), ("DELETE", "/tasks/cleanup/run", "POST")])
def test_the_words_of_the_cleanup_are_no_ids(api, method, path, allow):
    response = api.send(method, path, raw=b"{}" if method != "GET" else None)
    problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == allow


@pytest.mark.parametrize("method, path", [("GET", "/tasks/cleanup"), ("DELETE", "/tasks/cleanup")])
def test_the_cleanup_is_no_task(api, method, path):
    problem(api.send(method, path), 404, "not_found")


def test_a_run_takes_no_fields(api):
    problem(api.post("/tasks/cleanup/run", {"tenant": "other"}), 422, "invalid_field", "/tenant")


# --- by itself ------------------------------------------------------------------------------------

def test_it_runs_by_itself_keeps_the_newest_and_logs_what_it_removed(make_server, make_api):
    server = make_server(keep_completed=3, keep_failed=1, cleanup_interval="100ms")
    api = make_api(server)
    completed = [api.ended("completed") for _ in range(6)]
    failed = [api.ended("failed") for _ in range(2)]
    kept = set(ids(completed[3:] + failed[1:]))
    until(lambda: set(ids(api.list())) == kept, "the newest alone")
    state = until(lambda: not status_of(api)["isRunning"] and status_of(api), "an idle cleanup")
    assert state["lastRunAt"] >= completed[0]["completedAt"]
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines() if "cleanup removed" in line]
    assert sum(line["completed"] for line in lines) == 3
    assert sum(line["failed"] for line in lines) == 1
    assert all(line["level"] == "info" and line["by"] == "system" for line in lines)


def test_what_ended_too_long_ago_goes_by_itself_and_what_runs_or_waits_stays(
        make_server, make_api):
    api = make_api(make_server(keep_for="300ms", cleanup_interval="100ms"))
    running, pending = api.running(), api.create()
    for status in ("completed", "failed", "cancelled"):
        api.ended(status)
    until(lambda: set(ids(api.list())) == {running["id"], pending["id"]}, "what has not ended")
    assert api.complete(running)["status"] == "completed"


def test_rules_hold_over_a_restart_and_what_they_ask_for_is_done_after_it(
        make_server, make_api, store):
    if store == "memory:":
        pytest.skip("a restart keeps nothing of it")
    server = make_server(cleanup_interval="0")
    api = make_api(server)
    set_type(api, keepCompleted=1, description="kept")
    newest = [api.ended("completed") for _ in range(4)][-1]
    server.stop()
    server.args[server.args.index("--cleanup-interval") + 1] = "100ms"
    server.port_given = True
    server.start()
    until(lambda: ids(api.list()) == [newest["id"]], "the newest alone")
    found = api.expect(api.get(f"/types/{api.type}"))["type"]
    assert (found["keepCompleted"], found["keepFailed"], found["keepForMs"]) == (1, None, None)
    assert found["keepResult"] is False


# --- what goes and what stays ---------------------------------------------------------------------

def test_payload_result_and_log_go_and_the_events_stay(make_server, make_api):
    api = make_api(make_server())
    set_type(api, keepCompleted=1)
    gone = api.running(payload={"secret": "x" * 3000})
    api.log(gone, "a line")
    api.complete(gone, {"made": "y" * 3000})
    api.ended("completed")
    run(api)
    problem(api.get(f"/tasks/{gone['id']}"), 404, "not_found")
    problem(api.get(f"/tasks/{gone['id']}/logs"), 404, "not_found")
    events = api.events(gone)
    assert [event["event"] for event in events] == [
        "task.created", "task.claimed", "task.completed", "task.deleted"]
    last = events[-1]
    assert (last["actor"], last["note"]) == (events[0]["actor"], "cleanup")  # who asked for it
    assert last["text"] == "the newest 1 are kept"


def test_a_unique_key_is_free_again_when_its_task_was_removed(make_server, make_api):
    api = make_api(make_server())
    set_type(api, keepCompleted=1)
    first = api.ended("completed", uniqueKey="order-1")
    api.ended("completed")
    run(api)
    assert api.create(uniqueKey="order-1")["id"] != first["id"]


def test_a_type_whose_results_are_kept_loses_none_by_count(make_server, make_api):
    api = make_api(make_server(keep_completed=1, keep_for="300ms", cleanup_interval="0"))
    set_type(api, keepResult=True, keepForMs=0)
    for _ in range(3):
        api.ended("completed")
    assert run(api)["removed"] == removed()
    set_type(api, keepResult=True, keepForMs=1)
    until(lambda: run(api)["removed"]["completed"] and not api.list(), "all gone by age")


def test_stats_agree_after_a_cleanup_of_many(make_server, make_api):
    api = make_api(make_server())
    set_type(api, keepCompleted=10)
    api.create_many([{} for _ in range(700)])
    tasks = api.claim(limit=700)
    api.expect(api.post("/completions", {"items": [
        {"id": task["id"], "leaseToken": task["leaseToken"]} for task in tasks]}))
    assert run(api)["removed"] == removed(690)
    assert len(api.list(limit=1000)) == 10
    stats = api.expect(api.get("/tasks/stats"))["stats"]
    assert (stats["total"], stats["completed"]) == (10, 10)


# --- settings of types ----------------------------------------------------------------------------

@pytest.mark.parametrize("field, good, bad", [
    ("keepCompleted", (0, 1, 100_000_000), (-1, 100_000_001, 1.5, "5")),
    ("keepFailed", (0, 1, 100_000_000), (-1, 100_000_001, True)),
    ("keepForMs", (0, 1, 3653 * 86400_000), (-1, 3653 * 86400_000 + 1, "1d")),
    ("keepResult", (True, False), (1, "yes"))])
def test_what_a_type_may_say_of_what_is_kept(api, field, good, bad):
    for value in good:
        assert set_type(api, **{field: value})[field] == value
    for value in bad:
        problem(api.put(f"/types/{api.type}", {field: value}), 422, "invalid_field", f"/{field}")


def test_a_section_of_the_settings_says_the_same(make_server, make_api, tmp_path):
    path = tmp_path / "taskyard.conf"
    path.write_text("[type t]\nkeep_completed = 5\nkeep_failed = 0\nkeep_for = 30d\n"
                    "keep_result = yes\n")
    api = make_api(make_server(config=path), type_name="t")
    found = until(lambda: next((one for one in status_of(api)["types"]), None), "the type")
    assert found == {"name": "t", "keepCompleted": 5, "keepFailed": 0, "keepForMs": 30 * 86400_000,
                     "keepResult": True}


# --- tenants --------------------------------------------------------------------------------------

def test_a_run_on_request_removes_of_its_own_tenant_alone(make_server, make_api):
    server = make_server(key=ADMIN, keep_completed=1, cleanup_interval="0")
    ours = make_api(server)
    secret = ours.expect(ours.post("/keys", {"name": "o", "roles": ["admin"],
                                             "tenant": "other"}), 201)["secret"]
    theirs = make_api(server, key=secret, type_name=ours.type)
    for api in (ours, theirs):
        for _ in range(3):
            api.ended("completed")
    assert run(theirs)["removed"] == removed(2)
    assert len(ours.list()) == 3 and len(theirs.list()) == 1
    assert status_of(ours)["lastRunAt"] is None
    assert status_of(ours)["removed"] == removed()
