"""examples/repository_adapter: two stores written as one, compared, and put right."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.client import fresh_name
from lib.nodes import server_or_nodes
from lib.server import ADMIN, clean_environment

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "repository_adapter"
CLIENT = ROOT / "clients" / "python"
sys.path[:0] = [str(EXAMPLE), str(CLIENT)]

import task_client  # noqa: E402
from dual_writer import DualWriter, Flags, Journal  # noqa: E402
from old_repository import OldRepository  # noqa: E402
from task_repository import StoreError, TaskRepositoryAdapter, TaskyardRepository  # noqa: E402

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory, store):
    running = server_or_nodes(tmp_path_factory.mktemp("adapter"), store, key=ADMIN).start()
    yield running
    running.stop()


@pytest.fixture
def kind():
    return fresh_name("GENERATIVE")


@pytest.fixture
def key(keyed, make_api):
    admin = make_api(keyed)
    return admin.expect(admin.post("/keys", {
        "name": "content", "roles": ["producer", "worker"], "service": "content",
        "tenant": fresh_name("tenant")}), 201)["secret"]


@pytest.fixture
def new(keyed, key):
    return TaskyardRepository(keyed.url, key, "content")


@pytest.fixture
def old(tmp_path):
    return OldRepository(str(tmp_path / "content.db"))


@pytest.fixture(params=["old", "new"])
def either(request, old, new):
    return old if request.param == "old" else new


@pytest.fixture
def mode(tmp_path):
    """mode("dual", rollback=True) sets the flags of the service."""
    def set_mode(name, **more):
        (tmp_path / "services.json").write_text(
            json.dumps({"content": {"mode": name, **more}}))
    return set_mode


@pytest.fixture
def both(old, new, mode, tmp_path):
    mode("dual")
    return DualWriter("content", old, new, Flags(tmp_path / "services.json"), tmp_path)


def task_of(kind, **fields):
    return {"task_type": kind, "request": {"content": {"prompt": "p"}, "metadata": {}},
            "template": {"service_type": "GENERATIVE", "parameters": {"max_tokens": 5}},
            "tags": {"service": "content", "source": "test"}, **fields}


# --- one interface, two stores --------------------------------------------------------------------

def test_both_stores_keep_the_interface(either, kind):
    assert isinstance(either, TaskRepositoryAdapter)
    first, second = (either.create_task(task_of(kind, priority=p)) for p in (5, 1))
    assert [one["task_id"] for one in either.get_pending_tasks(kind)] == [second, first]
    assert len(either.get_pending_tasks(kind, limit=1)) == 1
    task = either.claim_task(first)
    assert (task["task_id"], task["status"]) == (first, "processing")
    assert task["request"] == task_of(kind)["request"]
    assert either.claim_task(first) is None
    assert either.complete_task(first, {"text": "x", "metadata": {"tokens_used": 3}})
    assert not either.complete_task(first, {})
    either.claim_task(second)
    assert either.fail_task(second, "no")
    seen = either.get_task(first)
    assert (seen["status"], seen["results"]["metadata"]) == ("completed", {"tokens_used": 3})
    assert (either.get_task(second)["status"], either.get_task(second)["error"]) == ("failed", "no")


def test_both_stores_keep_an_id_that_they_are_given(either, kind):
    own = fresh_name("task")
    assert either.create_task(task_of(kind, task_id=own)) == own
    assert either.create_task(task_of(kind, task_id=own)) == own
    assert [one["task_id"] for one in either.get_pending_tasks(kind)] == [own]
    assert either.get_task(own)["task_id"] == own


def test_what_is_not_there_is_none_or_false(either):
    absent = fresh_name("task")
    assert either.get_task(absent) is None and either.claim_task(absent) is None
    assert not either.complete_task(absent, {}) and not either.fail_task(absent, "m")


def test_a_store_that_cannot_be_reached_says_so(key):
    with pytest.raises(StoreError, match="taskyard"):
        TaskyardRepository(NOWHERE, key, retries=0).create_task(task_of("t"))


# --- both at once ---------------------------------------------------------------------------------

def live(both, kind):
    """The life of two tasks; their ids."""
    done, broken = both.create_task(task_of(kind)), both.create_task(task_of(kind))
    both.claim_task(done)
    both.complete_task(done, {"text": "x"})
    both.claim_task(broken)
    both.fail_task(broken, "no")
    return done, broken


def test_a_task_lives_in_both_stores_and_they_are_compared(both, old, new, kind):
    for task_id in live(both, kind):
        one, other = old.get_task(task_id), new.get_task(task_id)
        assert one["status"] == other["status"] in ("completed", "failed")
    rows = both.counters.rows
    assert {name: row["calls"] for name, row in rows.items()} == {
        "create": 2, "claim": 2, "complete": 1, "fail": 1}
    for row in rows.values():
        assert row["matches"] == row["calls"]
        assert row["mismatches"] == row["old_failures"] == row["new_failures"] == 0
        assert row["old_seconds"] > 0 and row["new_seconds"] > 0
    assert both.journal.open_ids() == []


def test_a_difference_is_counted_recorded_and_put_right(both, old, kind):
    task_id = both.create_task(task_of(kind))
    both.stores["new"].claim_task(task_id)  # past the writer
    both.stores["new"].complete_task(task_id, {"by": "somebody else"})
    both.claim_task(task_id)
    assert both.counters.rows["claim"]["mismatches"] == 1
    assert both.journal.open_ids() == [task_id]
    both.flags.path.write_text(json.dumps({"content": {"mode": "dual-new"}}))
    assert both.repair() == []
    assert old.get_task(task_id)["results"] == {"by": "somebody else"}


@pytest.mark.parametrize("broken", ["new", "old"])
def test_what_one_store_missed_is_recorded_and_put_right(both, old, new, kind, mode, broken):
    mode("dual" if broken == "new" else "dual-new")
    before = both.create_task(task_of(kind))
    works = both.stores[broken]
    both.stores[broken] = Broken()
    both.claim_task(before)
    both.complete_task(before, {"text": "x"})
    ids = [before, *live(both, kind)]
    assert both.counters.rows["create"][f"{broken}_failures"] == 2
    assert both.journal.open_ids() == ids
    both.stores[broken] = works
    assert both.repair() == []
    assert both.journal.open_ids() == []
    for task_id in ids:
        one, other = old.get_task(task_id), new.get_task(task_id)
        assert (one["status"], one["results"], one["error"]) == (
            other["status"], other["results"], other["error"])


class Broken(TaskRepositoryAdapter):
    """A store that answers nothing."""

    def _no(self, *_):
        raise StoreError("out of reach")

    create_task = get_task = get_pending_tasks = claim_task = complete_task = fail_task = _no


def test_a_failure_of_the_store_that_counts_is_the_callers(both, old, kind):
    both.stores["old"] = Broken()
    with pytest.raises(StoreError):
        both.create_task(task_of(kind))
    assert both.counters.rows["create"]["old_failures"] == 1
    assert both.stores["new"].get_pending_tasks(kind) == []
    both.stores["old"] = old
    assert both.repair() == []


def test_a_server_that_is_down_stops_no_service_and_is_caught_up(both, old, new, keyed, kind):
    away = TaskyardRepository(NOWHERE, "k", "content", retries=0)
    both.stores["new"] = away
    ids = live(both, kind)
    assert both.journal.open_ids() == list(ids)
    both.stores["new"] = new
    assert both.repair() == []
    assert [new.get_task(one)["status"] for one in ids] == ["completed", "failed"]


def test_a_claim_that_the_first_store_refuses_is_not_made_in_the_second(both, old, new, kind):
    task_id = both.create_task(task_of(kind))
    both.claim_task(task_id)
    assert both.claim_task(task_id) is None
    assert both.counters.rows["claim"]["matches"] == 2
    assert new.get_task(task_id)["status"] == "processing"


# --- flags ----------------------------------------------------------------------------------------

def test_reading_moves_to_the_new_store_and_back_by_a_flag_of_the_service(
        both, old, new, mode, kind, monkeypatch):
    both.create_task(task_of(kind))
    only_new = new.create_task(task_of(kind))
    seen = {}
    for name in ("old", "dual", "dual-new", "new"):
        mode(name)
        seen[name] = len(both.get_pending_tasks(kind))
    assert seen == {"old": 1, "dual": 1, "dual-new": 2, "new": 2}
    for name in ("dual-new", "new"):
        mode(name, rollback=True)
        assert len(both.get_pending_tasks(kind)) == 1
        assert both.flags.sides("content") == ["old", "new"]
    assert both.flags.sides("another-service") == ["old"]
    monkeypatch.setenv("TASK_MODE_CONTENT", "new")
    mode("old")
    assert both.get_task(only_new) is not None


def test_a_service_can_use_the_new_store_alone(both, new, mode, kind):
    mode("new")
    both.stores["old"] = Broken()
    assert [new.get_task(one)["status"] for one in live(both, kind)] == ["completed", "failed"]
    assert both.journal.open_ids() == []


def test_a_crash_between_the_two_writes_is_found_again(both, old, new, kind, tmp_path):
    task_id = old.create_task(task_of(kind))
    Journal(tmp_path / "content.journal").begin(task_id)
    assert new.get_task(task_id) is None
    assert both.repair() == []
    assert new.get_task(task_id)["status"] == "pending"


def environment(tmp_path, url, key):
    return {"TASK_MIGRATION": str(tmp_path), "TASK_SERVICE_URL": url, "TASK_SERVICE_API_KEY": key,
            "PYTHONPATH": str(CLIENT)}


def run(arguments, tmp_path, url, key):
    return subprocess.run(
        [sys.executable, str(EXAMPLE / "dual_writer.py"), *arguments], capture_output=True,
        text=True, timeout=30, env=environment(tmp_path, url, key))


def test_status_lists_what_is_done_and_open_and_repair_puts_it_right(
        both, old, new, keyed, key, kind, tmp_path):
    both.stores["new"] = Broken()
    live(both, kind)
    (tmp_path / "services.json").write_text(
        json.dumps({"content": {"mode": "dual"}, "moved": {"mode": "new"}}))
    told = run(["status"], tmp_path, keyed.url, key).stdout
    assert "content: open, mode dual, reads old, writes old and new, 2 to repair" in told
    assert "moved: done, mode new, reads new, writes new, 0 to repair" in told
    assert "new_failures 2" in told
    repaired = run(["repair", "content"], tmp_path, keyed.url, key)
    assert repaired.returncode == 0, repaired.stderr
    assert "0 to repair" in run(["status"], tmp_path, keyed.url, key).stdout
    assert new.get_pending_tasks(kind) == []


# --- services of the document ---------------------------------------------------------------------

@pytest.fixture
def services(keyed, make_api, tmp_path):
    """services("content", …): a key for each service, of one tenant that is the test's own."""
    tenant, admin = fresh_name("tenant"), make_api(keyed)

    def make(*names):
        return [admin.expect(admin.post("/keys", {
            "name": name, "roles": ["producer", "worker"], "service": name,
            "tenant": tenant}), 201)["secret"] for name in names]
    return make


def process(folder, tmp_path, url, key, *arguments):
    """Runs a service until nothing is pending for it."""
    return subprocess.run(
        [sys.executable, str(folder / "processor.py"), "--once", *arguments], capture_output=True,
        text=True, timeout=30, env=environment(tmp_path, url, key))


def test_each_service_does_the_work_of_its_types_by_the_client_library(
        keyed, services, tmp_path):
    (tmp_path / "services.json").write_text(
        json.dumps({"a": {"mode": "new"}, "b": {"mode": "new"}}))
    key_a, key_b = services("a", "b")
    asks = TaskyardRepository(keyed.url, key_a, "a")
    kind_a, kind_b = fresh_name("GENERATIVE"), fresh_name("ANALYSIS")
    of_a = [asks.create_task(task_of(kind_a)) for _ in range(2)]
    of_b, broken = asks.create_task(task_of(kind_b)), asks.create_task(
        {"task_type": kind_b, "request": {"content": {}}})
    done = process(EXAMPLE, tmp_path, keyed.url, key_a, "a", kind_a)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{one} completed" for one in of_a]
    assert [asks.get_task(one)["status"] for one in (of_b, broken)] == ["pending"] * 2
    done = process(EXAMPLE, tmp_path, keyed.url, key_b, "b", kind_b)
    assert done.stdout.splitlines() == [f"{of_b} completed", f"{broken} failed"]
    ended = asks.get_task(of_a[0])
    assert (ended["status"], ended["results"]["text"]) == ("completed", "done: p")
    assert ended["processor_id"] == "a"
    assert (asks.get_task(broken)["status"], asks.get_task(broken)["error"]) == (
        "failed", "KeyError: 'prompt'")


def test_no_service_speaks_http_but_by_the_client_library():
    for path in EXAMPLE.glob("*.py"):
        words = path.read_text()
        assert "urllib.request" not in words and "http.client" not in words, path.name
    assert "import taskyard" in (EXAMPLE / "task_repository.py").read_text()


def test_a_service_that_was_moved_runs_with_its_old_store_removed(
        keyed, services, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(EXAMPLE, moved, ignore=shutil.ignore_patterns("__pycache__"))
    (moved / "old_repository.py").unlink()
    key, = services("content")
    kind = fresh_name("GENERATIVE")
    task_id = TaskyardRepository(keyed.url, key, "content").create_task(task_of(kind))
    (tmp_path / "services.json").write_text(json.dumps({"content": {"mode": "dual"}}))
    refused = process(moved, tmp_path, keyed.url, key, "content", kind)
    assert refused.returncode != 0 and "old_repository" in refused.stderr
    (tmp_path / "services.json").write_text(json.dumps({"content": {"mode": "new"}}))
    done = process(moved, tmp_path, keyed.url, key, "content", kind)
    assert (done.returncode, done.stdout) == (0, f"{task_id} completed\n"), done.stderr
    for command in (["status"], ["repair", "content"]):
        ran = subprocess.run([sys.executable, str(moved / "dual_writer.py"), *command], text=True,
                             capture_output=True, timeout=30,
                             env=environment(tmp_path, keyed.url, key))
        assert ran.returncode == 0, ran.stderr
    assert not list(tmp_path.glob("*.db"))


def test_a_mode_that_needs_the_removed_store_says_so(new, mode, kind, tmp_path):
    mode("new")
    alone = DualWriter("content", None, new, Flags(tmp_path / "services.json"), tmp_path)
    task_id = alone.create_task(task_of(kind))
    mode("dual")
    with pytest.raises(StoreError, match="not there any more"):
        alone.get_task(task_id)


# --- the module of the document -------------------------------------------------------------------

def test_the_functions_of_the_client_module_need_no_object(keyed, key, kind, monkeypatch):
    monkeypatch.setenv("TASK_SERVICE_URL", keyed.url)
    monkeypatch.setenv("TASK_SERVICE_API_KEY", key)
    monkeypatch.setenv("SERVICE_ID", "content")

    async def flow():
        ids = [await task_client.create_task(task_of(kind)) for _ in range(7)]
        found = await task_client.get_pending_tasks(kind)
        task = await task_client.claim_task(ids[0])
        done = await task_client.complete_task(ids[0], {"a": 1})
        await task_client.claim_task(ids[1])
        failed = await task_client.fail_task(ids[1], "no")
        return ids, found, task, done, failed, await task_client.get_task(ids[0])

    ids, found, task, done, failed, seen = asyncio.run(flow())
    assert [one["task_id"] for one in found] == ids[:5]
    assert (task["task_id"], task["status"]) == (ids[0], "processing")
    assert done and failed
    assert (seen["status"], seen["results"]) == ("completed", {"a": 1})


SERVICE = """
import asyncio
from database_layer.common import task_client
from database_layer.common.task_client import create_task, get_pending_tasks

async def serve():
    made = await create_task({"task_type": "%s", "request": {"content": {"n": 1}}})
    [found] = await get_pending_tasks("%s", limit=5)
    await task_client.claim_task(made)
    assert await task_client.complete_task(found["task_id"], {"a": 1})
    return await task_client.get_task(made)

print(asyncio.run(serve())["status"])
"""


def test_a_service_imports_them_by_the_documents_path(keyed, key, kind, tmp_path):
    """With the module of one line that the page of the door shows."""
    page = (ROOT / "docs" / "doors" / "repository.md").read_text()
    module = page.partition("# database_layer/common/task_client.py\n")[2].partition("\n")[0]
    place = tmp_path / "database_layer" / "common"
    place.mkdir(parents=True)
    (place / "task_client.py").write_text(module.strip() + "\n")
    (tmp_path / "service.py").write_text(SERVICE % (kind, kind))
    env = clean_environment(tmp_path, {
        "PYTHONPATH": f"{EXAMPLE}:{CLIENT}", "TASK_SERVICE_URL": keyed.url,
        "TASK_SERVICE_API_KEY": key, "SERVICE_ID": "content"})
    ran = subprocess.run([sys.executable, "service.py"], cwd=tmp_path, env=env, text=True,
                         capture_output=True, timeout=30)
    assert ran.stdout == "completed\n", ran.stderr
