"""clients/python: the calls, what is repeated and how, leases that renew themselves, failures."""

import ast
import doctest
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from lib.client import FINAL, NO_ID, fresh_name
from lib.scripted import CUT, Scripted, answer
from lib.server import ADMIN, ROOT, free_port

CLIENT = ROOT / "clients" / "python"
sys.path.insert(0, str(CLIENT))

import taskyard  # noqa: E402
from taskyard import Client  # noqa: E402

LEASE_S = 1.0  # the shortest


@pytest.fixture
def client(server):
    with Client(server.url) as made:
        yield made


@pytest.fixture
def kind():
    return fresh_name("mail")


@pytest.fixture
def lease(client, kind):
    client.create(kind, {"to": "a@b.c"})
    one, = client.claim([kind], worker="w1", lease_s=LEASE_S)
    return one


# --- the calls ------------------------------------------------------------------------------------

def test_a_task_goes_from_its_creation_to_its_result(client, kind):
    made = client.create(kind, {"to": "a@b.c"}, priority=3, tags={"album": "é"})
    assert (made["type"], made["priority"], made["status"]) == (kind, 3, "pending")
    assert [task["payload"] for task in client.pending([kind])] == [{"to": "a@b.c"}]
    lease, = client.claim([kind], worker="w1")
    assert (lease.id, lease.payload, lease.length_s) == (made["id"], {"to": "a@b.c"}, 30.0)
    with lease:
        lease.progress(40, "half", "the first half")
        lease.log("one", "two")
        lease.complete({"sent": True})
    done = client.wait(made["id"], timeout_s=10)
    assert (done["status"], done["result"], done["progress"]) == ("completed", {"sent": True}, 100)
    logged = client.request("GET", f"/tasks/{made['id']}/logs")
    assert [line["text"] for line in logged["logs"]] == ["one", "two"]


def test_lists_go_on_over_all_pages(client, kind):
    made = client.create_many([{"type": kind, "payload": n} for n in range(7)])
    found = list(client.list(type=kind, limit=3, include="payload"))
    assert [task["id"] for task in found] == [task["id"] for task in reversed(made)]
    assert list(client.list(type=kind, status="failed")) == []


def test_a_task_is_cancelled_retried_and_deleted(client, kind):
    task_id = client.create(kind)["id"]
    assert client.cancel(task_id, "not needed")["status"] == "cancelled"
    assert client.retry(task_id)["status"] == "pending"
    client.delete(task_id)
    with pytest.raises(taskyard.NotFound):
        client.get(task_id)


def test_a_claim_waits_for_a_task(client, server, kind, parallel):
    with Client(server.url) as other:
        claimed = parallel(other.claim, [kind], worker="w1", wait_s=20)
        made = client.create(kind)
        assert [lease.id for lease in claimed()] == [made["id"]]
    assert client.claim([kind], worker="w1") == []


def test_a_read_waits_for_the_end(client, server, kind, parallel, lease):
    with Client(server.url) as other:
        ended = parallel(other.wait, lease.id, 20)
        lease.complete([1])
        assert ended()["result"] == [1]


@pytest.mark.parametrize("status", FINAL)
def test_a_wait_ends_on_every_final_status(client, server, make_api, kind, parallel, status):
    api = make_api(server, type_name=kind)
    task = api.running(claim={"leaseMs": 1000} if status == "abandoned" else {}, maxAttempts=1)
    with Client(server.url) as other:
        ended = parallel(other.wait, task["id"], 20)
        if status == "completed":
            api.complete(task)
        elif status == "failed":
            api.fail(task)
        elif status == "cancelled":
            api.cancel(task, graceMs=0)
        assert ended()["status"] == status
    assert client.wait(task["id"], timeout_s=10)["status"] == status  # one that had ended before


def test_a_wait_that_is_too_short_says_so(client, kind):
    task_id = client.create(kind)["id"]
    with pytest.raises(TimeoutError, match="pending"):
        client.wait(task_id, timeout_s=0.05)


def test_settings_come_from_the_environment(server, kind, monkeypatch):
    monkeypatch.setenv("TASKYARD_URL", server.url + "/")
    with Client() as client:
        assert client.create(kind)["status"] == "pending"
    with pytest.raises(ValueError, match="http://"):
        Client("localhost:8503")


# --- refusals -------------------------------------------------------------------------------------

def test_each_refusal_has_an_exception_of_its_own(client, kind, lease):
    with pytest.raises(taskyard.NotFound):
        client.get(NO_ID)
    with pytest.raises(taskyard.Invalid) as caught:
        client.create("two words")
    assert caught.value.errors[0]["pointer"] == "/type"
    assert caught.value.code == "invalid_field" and caught.value.request_id
    with pytest.raises(taskyard.Conflict) as caught:
        client.claim_one(lease.id)
    assert caught.value.code == "wrong_status"
    lease.complete()
    with pytest.raises(taskyard.LeaseLost):
        lease.fail("too late")
    assert lease.lost.is_set()


def test_a_wrong_key_is_denied(make_server, kind):
    server = make_server(key=ADMIN)
    with pytest.raises(taskyard.Denied) as caught:
        Client(server.url, "wrong").create(kind)
    assert caught.value.status == 401
    assert Client(server.url, ADMIN).create(kind)["status"] == "pending"


def test_no_answer_is_unreachable_after_all_tries():
    pauses = []
    client = Client(f"http://127.0.0.1:{free_port()}", retries=3, pause=pauses.append)
    with pytest.raises(taskyard.Unreachable):
        client.create("t")
    assert len(pauses) == 3


def test_who_does_not_answer_like_taskyard_is_told_apart():
    with Scripted(answer(200, b"<html>")) as server:
        with pytest.raises(taskyard.Unreachable, match="right URL"):
            Client(server.url, retries=0).create("t")


# --- repetition -----------------------------------------------------------------------------------

MADE = answer(201, {"task": {"id": "1"}})


def keys(server):
    return [headers.get("idempotency-key") for _, _, headers, _ in server.requests]


@pytest.mark.parametrize("first", [
    CUT, answer(503), answer(429), answer(502, b"<html>"), answer(504),
    answer(409, {"code": "idempotency_in_progress"})])
def test_what_may_go_through_later_is_repeated_with_the_same_key(first):
    with Scripted(first, MADE) as server:
        assert Client(server.url, pause=lambda s: None).create("t") == {"id": "1"}
    assert len(set(keys(server))) == 1 and keys(server)[0]
    assert server.requests[0][3] == server.requests[1][3]


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500, 507])
def test_what_stays_refused_is_not_repeated(status):
    with Scripted(answer(status, {"code": "c", "detail": "d"})) as server:
        with pytest.raises(taskyard.Problem, match="c: d") as caught:
            Client(server.url, pause=pytest.fail).create("t")
        assert caught.value.status == status and len(server.requests) == 1


def test_each_call_has_a_key_of_its_own():
    with Scripted(MADE, MADE) as server:
        with Client(server.url) as client:
            client.create("t")
            client.create("t")
    assert len(set(keys(server))) == 2


def test_the_pause_is_what_the_server_asks_for_within_bounds():
    pauses = []
    with Scripted(answer(503, Retry_After=7), answer(503, Retry_After=3600),
                  answer(503, Retry_After="soon"), MADE) as server:
        Client(server.url, pause=pauses.append).create("t")
    assert pauses[:2] == [7, taskyard.RETRY_AFTER_MAX_S]
    assert pauses[2] <= 4 * 0.2


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_costs_no_try():
    with Scripted(MADE, MADE, CUT, MADE) as server:
        with Client(server.url, retries=0) as client:
            for _ in range(3):
                client.create("t")
    assert server.connections == 2
    assert keys(server)[2] == keys(server)[3]


def test_a_repeated_creation_makes_one_task(client, server, kind, monkeypatch):
    """The answer to the first try is lost on its way."""
    exchange, lost = Client._exchange, []

    def lossy(self, *arguments):
        document = exchange(self, *arguments)
        if not lost:
            lost.append(document)
            raise taskyard.Unreachable("lost")
        return document

    monkeypatch.setattr(Client, "_exchange", lossy)
    made = Client(server.url, pause=lambda s: None).create(kind)
    assert made == lost[0]["task"]
    assert len(list(client.list(type=kind))) == 1


# --- leases ---------------------------------------------------------------------------------------

def test_a_lease_lasts_as_long_as_its_block(client, server, lease):
    """Other calls renew it no more: two heartbeats of its own are waited for."""
    beats, twice = [], threading.Event()
    beat = lease.heartbeat

    def counted():
        beat()
        beats.append(client.get(lease.id)["leaseExpiresAt"])
        if len(beats) == 2:
            twice.set()

    lease.heartbeat = counted
    with lease:
        assert twice.wait(10)
        assert lease.task["leaseExpiresAt"] < beats[0] < beats[1]
        lease.complete()
    assert client.get(lease.id)["status"] == "completed"


def test_leaving_the_block_gives_the_task_back(client, lease):
    with lease:
        pass
    task = client.get(lease.id)
    assert (task["status"], task["attempt"]) == ("pending", 0)


def test_an_exception_fails_the_attempt_and_goes_on(client, lease):
    with pytest.raises(ZeroDivisionError):
        with lease:
            1 / 0
    task = client.get(lease.id)
    assert (task["status"], task["waitingFor"]) == ("pending", "retry")
    assert task["error"]["message"] == "ZeroDivisionError: division by zero"


def test_an_interruption_gives_the_task_back(client, lease):
    with pytest.raises(KeyboardInterrupt):
        with lease:
            raise KeyboardInterrupt
    assert client.get(lease.id)["waitingFor"] == "worker"


def test_a_failure_that_nobody_can_mend_is_final(client, lease):
    with lease:
        lease.fail("é" * 2000, code="bad_address", detail={"line": 7}, retry=False)
    task = client.get(lease.id)
    assert task["status"] == "failed"
    assert task["error"] == {"code": "bad_address", "message": "é" * 1000, "detail": {"line": 7}}


def test_who_is_cancelled_learns_it_from_the_next_call(client, lease):
    with pytest.raises(taskyard.Cancelled):
        with lease:
            lease.check()
            client.cancel(lease.id)
            assert lease.cancel_requested.wait(10)  # by a heartbeat
            lease.check()
    assert client.get(lease.id)["status"] == "cancelled"


def test_a_lost_lease_stops_the_worker(client, server, kind):
    client.create(kind)
    lease, = client.claim([kind], worker="w1", lease_s=LEASE_S)
    client.cancel(lease.id)
    with Client(server.url) as other:
        with pytest.raises(taskyard.Cancelled, match="lost"):
            with lease:
                other.request("DELETE", f"/tasks/{lease.id}", query={"force": "true"})
                assert lease.lost.wait(10)
                lease.check()


# --- workers --------------------------------------------------------------------------------------

def test_a_worker_handles_what_is_ready(client, kind):
    made = client.create_many([{"type": kind, "payload": n, "maxAttempts": 1} for n in (2, 1, 0)])
    assert client.work([kind], lambda lease: 10 / lease.payload, worker="w1", wait_s=0) == 3
    seen = [client.get(task["id"]) for task in made]
    assert [task["result"] for task in seen] == [5, 10, None]
    assert [task["status"] for task in seen] == ["completed", "completed", "failed"]


def test_a_handler_may_end_its_task_itself(client, kind):
    task_id = client.create(kind)["id"]
    client.work([kind], lambda lease: lease.release(delay_s=60), worker="w1", wait_s=0)
    assert client.get(task_id)["waitingFor"] == "retry"


def test_a_worker_outlives_a_restart_of_its_server(make_server, make_api, kind, store, parallel,
                                                   monkeypatch):
    if store == "memory:":
        return
    server = make_server()
    monkeypatch.setattr(taskyard, "BACKOFF_MAX_S", 0.05)
    stop, away = threading.Event(), threading.Event()
    with Client(server.url, retries=0) as client:
        claim = client.claim

        def watched(*arguments, **options):
            try:
                return claim(*arguments, **options)
            except taskyard.TaskyardError:
                away.set()
                raise

        client.claim = watched

        def handle(_):
            stop.set()  # this one is the last
            return "done"

        working = parallel(client.work, [kind], handle, worker="w1", stop=stop)
        server.stop()
        assert away.wait(20)
        server.port_given = True  # the same again
        server.start()
        api = make_api(server)
        task = api.create(type=kind)
        with Client(server.url) as other:
            assert other.wait(task["id"], 20)["result"] == "done"
        assert working() == 1


# --- what it says of itself -----------------------------------------------------------------------

def test_the_transcript_of_its_readme_is_what_happens(make_server, monkeypatch):
    monkeypatch.setenv("TASKYARD_URL", make_server().url)
    text = (CLIENT / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    test = doctest.DocTestParser().get_doctest(text, {}, "README.md", None, 0)
    told = []
    ran = doctest.DocTestRunner(verbose=False).run(test, out=told.append)
    assert ran.failed == 0 and ran.attempted >= 8, "".join(told)


# --- what it is made of ---------------------------------------------------------------------------

def test_it_has_a_type_for_everything_that_callers_use():
    tree = ast.parse((CLIENT / "taskyard.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        arguments = node.args.args + node.args.kwonlyargs
        for argument in arguments:
            assert argument.annotation or argument.arg == "self", (node.name, argument.arg)
        assert node.returns, node.name


def test_its_version_is_that_of_the_server(client, server):
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [] and project["requires-python"] == ">=3.9"
    meson = (Path(ROOT) / "meson.build").read_text()
    assert f"version: '{project['version']}'" in meson
    assert taskyard.__version__ == project["version"]
