"""Front door S4: how workers get the tasks of sessions, and what their lease tokens open."""

import signal
import time

import pytest

from lib.client import fresh_name, new_key, problem
from lib.rawhttp import Raw, request_bytes
from lib.server import ADMIN
from lib.sessions import claim, claims, with_sessions
from lib.worker import WAIT_S, Worker, until

SAME = {"X-Request-Id": "the-same"}


def move(crew, task, verb, token=None, **fields):
    return crew.act(task, verb, {"leaseToken": token or task["leaseToken"], **fields},
                    headers=SAME)


# --- claims ---------------------------------------------------------------------------------------

def test_a_claim_brings_the_whole_task_of_a_session(session, crew):
    task = session.started(payload={"a": [1, 2.50]}, metadata={"m": 1})
    got = claim(crew, session, workerId="w-1")
    assert got["id"] == task["id"] and got["sessionKey"] == session.session
    assert (got["payload"], got["metadata"]) == ({"a": [1, 2.5]}, {"m": 1})
    assert (got["status"], got["workerId"], got["attempt"]) == ("running", "w-1", 1)
    assert got["leaseExpiresAt"] > got["claimedAt"]
    assert got["leaseToken"].startswith("s") and "." in got["leaseToken"]


def test_a_worker_with_the_key_of_a_service_is_not_known_by_it(make_server, make_api, make_session):
    server = make_server(**with_sessions())
    admin = make_api(server)
    made = new_key(admin, ["worker"], service="thumbnails")
    session = make_session(server=server)
    task = session.started()
    claim(make_api(server, key=made["secret"]), session)
    assert made["key"]["id"] not in session.get(f"/tasks/{task['id']}").text
    assert made["key"]["id"] not in session.get(f"/tasks/{task['id']}/events").text


def test_a_claim_of_durable_tasks_brings_none_of_a_session(session, crew):
    session.started()
    assert crew.claim(types=[session.type]) == []
    assert crew.claim(types=[session.type], sessions=False) == []
    assert claim(crew, session)


def test_a_claim_of_sessions_brings_none_that_is_durable(session, crew):
    durable = crew.create(type=session.type)
    assert claims(crew, session) == []
    assert crew.claim(types=[session.type])[0]["id"] == durable["id"]


def test_a_claim_that_waits_gets_the_task_that_is_started(session, crew, parallel):
    twin = crew.twin()
    waiting = parallel(claims, twin, session, waitMs=15_000, workerId=session.type)
    crew.until_worker(session.type, True)
    task = session.started()
    assert [one["id"] for one in waiting()] == [task["id"]]
    twin.close()


def test_many_claims_that_wait_get_one_task_each(make_session, crew, parallel):
    type_name = fresh_name("many")
    sessions = [make_session(type_name=type_name) for _ in range(4)]
    twins = [crew.twin() for _ in range(8)]
    waiting = [parallel(claims, twin, sessions[0], waitMs=15_000, workerId=f"{type_name}.{number}")
               for number, twin in enumerate(twins)]
    for number in range(8):
        crew.until_worker(f"{type_name}.{number}", True)
    made = [one.started()["id"] for one in sessions for _ in range(2)]
    got = [task["id"] for join in waiting for task in join()]
    assert sorted(got) == sorted(made)
    for twin in twins:
        twin.close()


def test_a_claim_that_waits_in_vain_is_empty_at_its_time(session, crew):
    began = time.monotonic()
    assert claims(crew, session, waitMs=300) == []
    assert 0.25 < time.monotonic() - began < 5


def test_a_new_session_is_seen_by_a_claim_that_waits_already(make_session, crew, parallel):
    type_name = fresh_name("new")
    twin = crew.twin()
    first = make_session(type_name=type_name)
    waiting = parallel(claims, twin, first, waitMs=15_000, workerId=type_name)
    crew.until_worker(type_name, True)
    task = make_session(type_name=type_name).started()
    assert [one["id"] for one in waiting()] == [task["id"]]
    twin.close()


def test_a_caller_that_went_away_is_handed_nothing(session, crew, session_server):
    body = ('{"sessions":true,"types":["%s"],"workerId":"%s","waitMs":15000}'
            % (session.type, session.type)).encode()
    with Raw(session_server) as raw:
        raw.send(request_bytes("POST", "/api/v1/claims", body, headers=[
            f"Authorization: Bearer {session_server.key}".encode()]))
        crew.until_worker(session.type, True)
    crew.until_worker(session.type, False)
    task = session.started()
    assert claim(crew, session, waitMs=5000)["id"] == task["id"]


def test_the_sessions_take_turns(make_session, crew):
    type_name = fresh_name("turns")
    greedy, modest = make_session(type_name=type_name), make_session(type_name=type_name)
    for _ in range(10):
        greedy.started()
    mine = [modest.started()["id"] for _ in range(2)]
    order = [claim(crew, greedy)["id"] for _ in range(6)]
    assert set(mine) <= set(order), "ten tasks of one session kept two of another waiting"


def test_a_limit_of_many_fills_up_from_several_sessions_or_says_less(make_session, crew):
    type_name = fresh_name("limit")
    sessions = [make_session(type_name=type_name) for _ in range(3)]
    made = {one.started()["id"] for one in sessions for _ in range(2)}
    got = []
    while len(got) < 6:
        page = claims(crew, sessions[0], limit=4)
        assert 0 < len(page) <= 4
        got += [task["id"] for task in page]
    assert sorted(got) == sorted(made)


def test_types_and_queues_filter_as_ever(session, crew):
    task = session.started()
    assert claims(crew, session, queues=["elsewhere"]) == []
    assert crew.claim(types=[fresh_name("other")], sessions=True) == []
    assert claims(crew, session, queues=["default"])[0]["id"] == task["id"]


def test_with_sessions_off_a_claim_says_which_setting(api):
    answer = api.post("/claims", {"sessions": True, "workerId": "w"})
    assert "ENABLE_SESSION_ISOLATION" in problem(answer, 409, "sessions_off")["detail"]


@pytest.mark.parametrize("value", ["yes", 1, None, [], {}])
def test_sessions_of_a_claim_is_a_boolean(session, crew, value):
    answer = crew.post("/claims", {"sessions": value, "types": [session.type], "workerId": "w"})
    if value is None and answer.status_code == 200:
        return  # null is absent
    problem(answer, 422, "invalid_field", "/sessions")


def test_only_a_worker_of_the_default_tenant_serves_sessions(make_server, make_api, make_session):
    server = make_server(**with_sessions())
    admin, session = make_api(server), make_session(server=server)
    task = session.started()

    def key(roles, **fields):
        return make_api(server, key=new_key(admin, roles, **fields)["secret"])

    body = {"sessions": True, "types": [session.type], "workerId": "w"}
    for refused in (key(["producer"]), key(["reader"]), key(["worker"], tenant="another")):
        problem(refused.post("/claims", body), 403, "forbidden")
    worker = key(["worker"])
    got = claim(worker, session)
    assert got["id"] == task["id"]
    # The lease is the right to move the task: but not for who could not have claimed it.
    for refused in (key(["producer"]), key(["worker"], tenant="another")):
        answer = move(refused, got, "complete", result=1)
        assert answer.status_code in (403, 404, 409), answer.text
    assert session.task(task)["status"] == "running"
    worker.complete(got, 1)
    assert session.task(task)["status"] == "completed"


# --- moves ----------------------------------------------------------------------------------------

def test_each_move_finds_the_session_by_the_token(session, crew):
    session.started()
    task = claim(crew, session)
    assert crew.heartbeat(task)["cancelRequested"] is False
    crew.progress(task, 40, currentStep="s", currentStepDescription="d")
    crew.log(task, "one", "two")
    seen = session.task(task)
    assert (seen["progress"], seen["currentStep"]) == (40, "s")
    texts = [line["text"] for line in
             session.expect(session.get(f"/tasks/{task['id']}/logs"))["logs"]]
    assert texts == ["one", "two"]
    crew.release(task)
    assert session.task(task)["status"] == "pending"
    again = claim(crew, session)
    crew.complete(again, {"r": [1]})
    assert session.task(task)["result"] == {"r": [1]}


def test_a_result_is_kept_byte_for_byte(session, crew):
    session.started()
    task = claim(crew, session)
    result = b'{ "a" : 1.50, "b":"\\u00e9" }'
    raw = b'{"leaseToken":"%s","result":%s}' % (task["leaseToken"].encode(), result)
    crew.expect(crew.send("POST", f"/tasks/{task['id']}/complete", raw=raw))
    assert result in session.get(f"/tasks/{task['id']}").content


def test_the_token_may_come_as_a_header(session, crew):
    session.started()
    task = claim(crew, session)
    answer = crew.act(task, "heartbeat", {}, headers={"Lease-Token": task["leaseToken"]})
    assert answer.status_code == 200, answer.text


def ended_together(crew, tasks):
    return crew.post("/completions", {"items": [
        {"id": task["id"], "leaseToken": task["leaseToken"], "result": number}
        for number, task in enumerate(tasks)]})


def test_many_of_one_session_are_ended_at_once(session, crew):
    made = [session.started() for _ in range(3)]
    tasks = claims(crew, session, limit=3)
    answer = crew.expect(ended_together(crew, tasks))
    assert [one["success"] for one in answer["items"]] == [True] * 3
    assert {session.task(task)["status"] for task in made} == {"completed"}


def test_tasks_of_two_sessions_are_not_ended_in_one_request(make_session, crew):
    type_name = fresh_name("batch")
    sessions = [make_session(type_name=type_name) for _ in range(2)]
    for one in sessions:
        one.started()
    tasks = [claim(crew, sessions[0]) for _ in sessions]
    problem(ended_together(crew, tasks), 422, "invalid_field", "/items/1/leaseToken")
    assert {one.stats()["running"] for one in sessions} == {1}
    for task in tasks:
        crew.expect(ended_together(crew, [task]))
    assert {one.stats()["completed"] for one in sessions} == {1}


def test_durable_and_session_tasks_are_not_ended_in_one_request(session, crew):
    session.started()
    mine, durable = claim(crew, session), crew.running()
    for tasks in ([mine, durable], [durable, mine]):
        problem(ended_together(crew, tasks), 422, "invalid_field", "/items/1/leaseToken")
    assert session.task(mine)["status"] == "running" == crew.task(durable)["status"]


def test_completions_of_a_session_that_is_gone_have_lost_their_leases(make_session, crew):
    session = make_session()
    session.started()
    task = claim(crew, session)
    session.expect(session.delete(f"/sessions/{session.session}"))
    [answer] = crew.expect(ended_together(crew, [task]))["items"]
    assert answer["success"] is False and answer["code"] == "lease_lost", answer


@pytest.mark.parametrize("more", [{"sessions": True}, {}])
def test_a_completion_does_not_claim_too(session, crew, more):
    first, _ = session.started(), session.started()
    task = claim(crew, session)
    answer = move(crew, task, "complete", result=1,
                  claim={"types": [session.type], "workerId": "w", **more})
    problem(answer, 422, "invalid_field", "/claim")
    assert session.task(first)["status"] == "running"


# --- tokens ---------------------------------------------------------------------------------------

VERBS = {"heartbeat": {}, "progress": {"progress": 1}, "logs": {"lines": ["x"]},
         "complete": {"result": 1}, "fail": {"error": "x"}, "release": {}}


@pytest.mark.parametrize("verb", VERBS)
def test_the_token_of_a_session_that_is_gone_is_a_lost_lease_and_looks_like_any(
        make_session, crew, verb):
    session = make_session()
    session.started()
    old = claim(crew, session)
    crew.release(old)
    held = claim(crew, session)
    stale = move(crew, old, verb, **VERBS[verb])
    problem(stale, 409, "lease_lost")
    crew.complete(held)
    session.expect(session.delete(f"/sessions/{session.session}"))
    gone = move(crew, old, verb, **VERBS[verb])
    assert (gone.status_code, gone.content) == (stale.status_code, stale.content)


def forged(task, other):
    """Tokens that are not the one of `task`; `other` is a task of another session."""
    number, _, lease = task["leaseToken"].partition(".")
    theirs, _, their_lease = other["leaseToken"].partition(".")
    flipped = lease[:-1] + ("0" if lease[-1] != "0" else "1")
    return [other["leaseToken"], f"{theirs}.{lease}", f"{number}.{their_lease}",
            f"{number}.{flipped}", f"s{int(number[1:], 16) + 1:x}.{lease}", f"sffffffff.{lease}",
            f"s0.{lease}", f"{number}.", number, f".{lease}", lease, f"s.{lease}",
            f"S{number[1:]}.{lease}",
            f"s-1.{lease}", f"s{'f' * 40}.{lease}", f"{number}.{lease}.{lease}",
            f"{number}.{lease} ",
            f"s0x{number[1:]}.{lease}", f"{number}.{'0' * 16}", "s.", "s", "."]


def test_no_other_token_moves_the_task(make_session, crew):
    mine, theirs = make_session(), make_session()
    for one in (mine, theirs):
        one.started()
    task, other = claim(crew, mine), claim(crew, theirs)
    for token in forged(task, other):
        for verb, fields in VERBS.items():
            answer = move(crew, task, verb, token=token, **fields)
            assert answer.status_code in (400, 404, 409, 422), f"{token}: {answer.text}"
    assert mine.task(task)["status"] == "running" == theirs.task(other)["status"]
    assert mine.task(task)["progress"] == 0
    crew.complete(task)
    crew.complete(other)


def test_a_task_of_a_session_is_not_claimed_by_its_id(session, crew):
    task = session.started()
    answer = crew.act(task, "claim", {"workerId": "w"})
    assert answer.status_code == 404, answer.text


def test_a_lease_that_ends_fails_the_task_and_the_worker_hears_of_it(session, crew):
    session.started()
    task = claim(crew, session, leaseMs=1000)
    assert session.final(task)["status"] == "failed"
    problem(move(crew, task, "complete", result=1), 409, "lease_lost")


# --- the end of the server ------------------------------------------------------------------------

def test_a_stop_answers_a_claim_that_waits_for_sessions(make_server, make_api, make_session,
                                                        parallel):
    server = make_server(**with_sessions())
    crew, session = make_api(server), make_session(server=server)
    session.create()
    waiting = parallel(crew.post, "/claims", {
        "sessions": True, "types": [session.type], "workerId": "w", "waitMs": 30_000})
    make_api(server).until_worker("w", True)
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    answer = waiting()
    assert answer.status_code == 503 or answer.json()["tasks"] == []
    server.stop()
    assert time.monotonic() - began < 8


def test_a_stop_answers_a_session_that_waits_for_its_task(make_server, make_api, make_session,
                                                          parallel):
    server = make_server(**with_sessions())
    session = make_session(server=server)
    task = session.create()
    waiting = parallel(session.get, f"/tasks/{task['id']}", params={"waitMs": 30_000})
    make_api(server).until_in_flight(1)
    server.signal(signal.SIGTERM)
    answer = waiting()
    assert answer.status_code == 503 or answer.json()["task"]["status"] == "pending"
    server.stop()


# --- the bundled worker ---------------------------------------------------------------------------

@pytest.fixture
def bundled(session_server, tmp_path):
    started = []

    def start(*args, server=session_server, env=None):
        started.append(Worker(server, tmp_path, "--sessions", *args, env=env))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_a_program_runs_the_tasks_of_sessions(session, bundled, tmp_path):
    bundled("--type", session.type, "--exec",
            "sh -c 'echo progress 50 half >&3; echo note >&2; cat'")
    task = session.started(payload={"a": [1, 2.5]})
    done = session.final(task)
    assert (done["status"], done["result"]) == ("completed", {"a": [1, 2.5]})
    logs = session.expect(session.get(f"/tasks/{task['id']}/logs"))["logs"]
    assert [line["text"] for line in logs] == ["note"]


def test_a_program_of_a_session_sees_no_keys(session, bundled):
    secrets = ("TASKYARD_SESSION", "TASKYARD_API_KEY", "API_KEY", "TASKYARD_JWT_SECRET",
               "TASKYARD_STORE", "DATABASE_URL", "PGPASSWORD")
    bundled("--type", session.type, "--exec", "env",
            env={**{name: "a-secret" for name in secrets}, "SHOWN": "yes"})
    result = session.task(session.started(), wait_ms=10_000)["result"]
    assert "TASKYARD_TASK_ID=" in result and "SHOWN=yes" in result
    assert "TASKYARD_KEY" not in result and ADMIN not in result and "a-secret" not in result


def test_a_program_that_fails_is_seen_with_its_last_words(session, bundled):
    bundled("--type", session.type, "--exec", "sh -c 'echo no such file >&2; exit 3'")
    failed = session.final(session.started())
    assert failed["status"] == "failed"
    assert (failed["error"]["code"], failed["error"]["message"]) == ("exit_3", "no such file")


def test_it_takes_no_durable_tasks(session, crew, bundled):
    durable = crew.create(type=session.type)
    assert bundled("--type", session.type, "--exec", "cat", "--until-empty").wait() == 0
    assert crew.task(durable)["status"] == "pending"


def test_one_worker_serves_many_sessions_and_none_waits_for_the_others_end(make_session, bundled):
    type_name = fresh_name("many")
    sessions = [make_session(type_name=type_name) for _ in range(3)]
    made = [(one, one.started(payload=n)) for n in range(4) for one in sessions]
    assert bundled("--type", type_name, "--exec", "cat", "--until-empty").wait() == 0
    began = {one: [] for one in sessions}
    for one, task in made:
        seen = one.task(task)
        assert (seen["status"], seen["result"]) == ("completed", task["payload"])
        began[one].append(seen["startedAt"])
    # Every session had its first turn before any had its last.
    assert max(min(times) for times in began.values()) <= min(
        max(times) for times in began.values())


def test_a_cancelled_program_is_ended(session, bundled, tmp_path):
    pid = tmp_path / "pid"
    (tmp_path / "long.sh").write_text(
        f"trap 'echo got TERM >&2; exit 0' TERM; echo $$ > '{pid}'; sleep 60 & wait")
    bundled("--type", session.type, "--exec", "sh long.sh", "--lease", "2s")
    task = session.started()
    until(lambda: pid.exists() and pid.read_text().strip())
    session.cancel(task)
    assert session.final(task)["status"] == "cancelled"
    logs = session.expect(session.get(f"/tasks/{task['id']}/logs"))["logs"]
    assert "got TERM" in [line["text"] for line in logs]


def test_a_program_of_a_session_that_is_gone_is_ended(make_session, crew, bundled, tmp_path):
    session, pid = make_session(), tmp_path / "pid"
    (tmp_path / "long.sh").write_text(f"trap '' TERM; echo $$ > '{pid}'; while :; do sleep 1; done")
    one = bundled("--type", session.type, "--exec", "sh long.sh", "--lease", "1s")
    session.started()
    until(lambda: pid.exists() and pid.read_text().strip())
    answer = session.delete(f"/sessions/{session.session}")
    assert answer.status_code == 200, answer.text
    until(lambda: "lease lost" in one.log())


def test_where_sessions_are_off_the_worker_says_so_and_ends(server, bundled):
    one = bundled("--type", "t", "--exec", "cat", server=server)
    assert one.wait(WAIT_S) == 1
    assert "sessions" in one.log() and "refuses to hand out tasks" in one.log()


# --- one token, one credential --------------------------------------------------------------------

def test_two_lease_tokens_that_differ_are_refused(session, crew):
    one, other = [session.lives(crew, "running") for _ in range(2)]
    answer = crew.post(f"/tasks/{one['id']}/progress",
                       {"progress": 10, "leaseToken": one["leaseToken"]},
                       headers={"Lease-Token": other["leaseToken"]})
    problem(answer, 422, "invalid_field", "/leaseToken")
    assert session.task(one)["progress"] == 0
    answer = crew.post(f"/tasks/{one['id']}/progress",
                       {"progress": 10, "leaseToken": one["leaseToken"]},
                       headers={"Lease-Token": one["leaseToken"]})
    crew.expect(answer)
    for task in (one, other):
        crew.complete(task)


def test_an_idempotency_key_is_that_of_the_credential_that_sent_it(session, crew, make_api):
    """Two workers that use one key by chance must not get each other's answers."""
    task = session.lives(crew, "running")
    secrets = [new_key(crew, ["worker"])["secret"] for _ in range(2)]
    one, other = [make_api(session.server, key=secret) for secret in secrets]
    body = {"leaseToken": task["leaseToken"], "result": 1}
    key = {"Idempotency-Key": fresh_name("same")}
    first = one.post(f"/tasks/{task['id']}/complete", body, headers=key)
    one.expect(first)
    again = one.post(f"/tasks/{task['id']}/complete", body, headers=key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    theirs = other.post(f"/tasks/{task['id']}/complete", body, headers=key)
    assert "idempotent-replayed" not in theirs.headers
    events = session.expect(session.get(f"/tasks/{task['id']}/events"))["events"]
    assert {event["actor"] for event in events} == {f"session:{session.session}", "worker"}
