"""`taskyard import`: a file of mongoexport becomes tasks, once, and nothing is lost silently."""

import json
import subprocess

import pytest

from lib.client import fresh_name
from lib.server import BINARY, clean_environment
from lib.worker import until


def oid(number):
    return {"$oid": f"65f0c0ffee{number:014x}"}


def document(number, kind, **fields):
    """As mongoexport writes it."""
    return {"_id": oid(number), "task_type": kind, "status": "pending", "priority": 5,
            "tenant_id": "acme", "request": {"content": {"n": number}},
            "template": {"service_type": "GENERATIVE", "parameters": {"max_tokens": 5}},
            "tags": {"service": "content", "custom_tags": {"a": "b"}},
            "created_at": {"$date": "2025-04-22T10:00:00Z"}, **fields}


@pytest.fixture
def imports(api, tmp_path):
    """imports(lines, *options): a file of these lines, imported; the finished process."""
    def run(lines, *options, url=None, stdin=False):
        path = tmp_path / "tasks.jsonl"
        path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n"
                                for line in lines))
        env = {"TASKYARD_URL": url or api.server.url}
        return subprocess.run(
            [str(BINARY), "import", "--from", "-" if stdin else str(path), *options],
            capture_output=True, text=True, timeout=60, cwd=tmp_path,
            input=path.read_text() if stdin else None, env=clean_environment(tmp_path, env))
    return run


@pytest.fixture
def numbers():
    """Fresh ids: documents of one test are not those of another."""
    base = int.from_bytes(fresh_name().encode()[-7:], "big")
    return range(base, base + 1000)


def counts(process):
    """status → {outcome: number} of the summary."""
    rows = [line.split("\t") for line in process.stdout.splitlines()]
    return {row[0]: dict(zip(("made", "existed", "left_out", "bad"), map(int, row[1:])))
            for row in rows}


def report_of(tmp_path):
    return [json.loads(line) for line in (tmp_path / "report").read_text().splitlines()]


def test_a_pending_document_becomes_a_task_with_the_whole_of_it(api, imports, numbers):
    one = document(numbers[0], api.type, priority={"$numberInt": "2"}, batch_id="b1",
                   metadata={"k": {"$numberLong": "5"}}, later={"$date": {"$numberLong": "0"}})
    done = imports([one])
    assert done.returncode == 0, done.stderr
    assert counts(done)["pending"] == {"made": 1, "existed": 0, "left_out": 0, "bad": 0}
    task = api.task(api.list()[0])
    assert task["uniqueKey"] == one["_id"]["$oid"]
    assert (task["type"], task["status"], task["priority"]) == (api.type, "pending", 3)
    assert (task["projectId"], task["subject"], task["metadata"]) == ("acme", "b1", {"k": 5})
    assert task["tags"] == {"service": "content"}
    assert task["payload"] == {**one, "_id": one["_id"]["$oid"], "priority": 2,
                               "metadata": {"k": 5}, "created_at": "2025-04-22T10:00:00Z",
                               "later": "1970-01-01T00:00:00.000Z"}


def test_a_repeated_import_makes_nothing_twice(api, imports, numbers):
    lines = [document(n, api.type) for n in numbers[:5]]
    assert counts(imports(lines[:3]))["pending"]["made"] == 3
    again = imports(lines)
    assert counts(again)["pending"] == {"made": 2, "existed": 3, "left_out": 0, "bad": 0}
    assert len(api.list()) == 5


def interrupted(server, tmp_path, lines, count, cut):
    """Imports the first lines from a pipe that stays open, and cuts that off: cut(process)."""
    env = clean_environment(tmp_path, {"TASKYARD_URL": server.url})
    with subprocess.Popen([str(BINARY), "import", "--from", "-"], text=True, cwd=tmp_path, env=env,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write("".join(lines[:count]))
        process.stdin.flush()
        cut(process)
        try:
            process.stdin.write("".join(lines[count:]))
        except BrokenPipeError:
            pass
        return process.communicate(timeout=60)[1], process.returncode


@pytest.mark.parametrize("end", ["the import is killed", "the server goes away"])
def test_an_interrupted_import_goes_on_when_it_is_repeated(
        make_server, make_api, imports, tmp_path, numbers, end):
    server = make_server(store="sqlite")
    api = make_api(server)
    lines = [json.dumps(document(number, api.type)) + "\n" for number in numbers[:40]]

    def cut(process):
        until(lambda: len(api.list(limit=100)) == 15)
        process.kill() if end == "the import is killed" else server.stop()

    said, code = interrupted(server, tmp_path, lines, 15, cut)
    if end == "the server goes away":
        assert code != 0 and "stopped at line 16; repeat the command to go on" in said
        server.port_given = True    # it comes back where it was
        server.start()
    again = imports(lines, url=server.url)
    assert again.returncode == 0
    assert counts(again)["pending"] == {"made": 25, "existed": 15, "left_out": 0, "bad": 0}
    assert len(api.list(limit=100)) == 40


def test_bad_lines_are_told_with_their_number_and_passed_over(api, imports, numbers, tmp_path):
    good = document(numbers[0], api.type)
    lines = [good, "{\"_id\": 1,\n", "[1]\n", "\n", {**good, "_id": None},
             {**good, "task_type": None}, {**good, "status": "lost"}, {**good, "priority": 11},
             document(numbers[1], "two words"), document(numbers[2], api.type)]
    done = imports(lines, "--report", "report")
    assert done.returncode == 1
    report = {line["line"]: line for line in report_of(tmp_path)}
    assert [n for n, line in report.items() if line["outcome"] == "bad"] == [2, 3, 5, 6, 7, 8, 9]
    assert [report[n]["outcome"] for n in (1, 10)] == ["made", "made"]
    for number, word in ((2, "column"), (3, "object"), (5, "_id"), (6, "task_type"),
                         (7, "status"), (8, "priority"), (9, "type")):
        assert word in report[number]["reason"]
        assert f"line {number}: " in done.stderr
    assert len(api.list()) == 2


def test_what_has_ended_or_is_processing_is_left_out_and_told(api, imports, numbers, tmp_path):
    statuses = ["processing", "completed", "failed", "canceled", "cancelled"]
    lines = [document(n, api.type, status=s) for n, s in zip(numbers, statuses)]
    done = imports(lines, "--report", "report")
    assert done.returncode == 0, done.stderr
    told = counts(done)
    assert told["processing"]["left_out"] == told["completed"]["left_out"] == 1
    assert told["failed"]["left_out"] == 1 and told["cancelled"]["left_out"] == 2
    report = report_of(tmp_path)
    assert [line["status"] for line in report] == statuses
    assert all(line["outcome"] == "left_out" and line["reason"] for line in report)
    assert api.list() == []


def test_what_is_processing_is_taken_when_asked_for(api, imports, numbers):
    done = imports([document(numbers[0], api.type, status="processing")], "--processing")
    assert counts(done)["processing"]["made"] == 1
    assert api.list()[0]["status"] == "pending"


def test_history_becomes_ended_tasks_that_no_worker_gets(api, imports, numbers):
    lines = [document(numbers[0], api.type, status="completed", results={"text": "x"}),
             document(numbers[1], api.type, status="failed", error="it broke"),
             document(numbers[2], api.type, status="canceled"),
             document(numbers[3], api.type, status="failed", error={"code": 5}),
             document(numbers[4], api.type, status="completed")]
    for outcome in ("made", "existed"):
        done = imports(lines, "--history")
        assert done.returncode == 0, done.stderr
        told = counts(done)
        assert [told[s][outcome] for s in ("completed", "failed", "cancelled")] == [2, 2, 1]
    assert api.list() == []
    found = {task["uniqueKey"]: api.task(task) for task in api.list(type=f"history/{api.type}")}
    ended = [found[line["_id"]["$oid"]] for line in lines]
    assert [task["status"] for task in ended] == [
        "completed", "failed", "cancelled", "failed", "completed"]
    assert ended[0]["result"] == {"text": "x"} and ended[4]["result"] is None
    assert ended[1]["error"]["message"] == "it broke"
    assert json.loads(ended[3]["error"]["message"]) == {"code": 5}
    assert ended[0]["payload"]["created_at"] == "2025-04-22T10:00:00Z"


def test_an_ended_task_that_an_interruption_left_open_is_ended_by_the_next_run(
        api, imports, numbers):
    line = document(numbers[0], api.type, status="completed", results=[1])
    key = line["_id"]["$oid"]
    api.create(type=f"history/{api.type}", uniqueKey=key)
    assert imports([line], "--history").returncode == 0
    task, = api.list(type=f"history/{api.type}", include="result")
    assert (task["status"], task["result"]) == ("completed", [1])


def test_only_one_tenant_or_service_is_taken_when_asked_for(api, imports, numbers):
    lines = [document(numbers[0], api.type), document(numbers[1], api.type, tenant_id="other"),
             document(numbers[2], api.type, tags={"service": "other"}),
             document(numbers[3], api.type, tags=None)]
    done = imports(lines, "--tenant", "acme", "--service", "content")
    assert counts(done)["pending"] == {"made": 1, "existed": 0, "left_out": 3, "bad": 0}


def test_a_dry_run_reads_the_file_and_calls_nobody(api, imports, numbers):
    lines = [document(numbers[0], api.type), "nonsense\n"]
    done = imports(lines, "--dry-run", url="http://127.0.0.1:1")
    assert done.returncode == 1 and "line 2: " in done.stderr
    assert counts(done)["pending"]["made"] == 1
    assert counts(done)["no document"]["bad"] == 1
    assert api.list() == []


def test_standard_input_is_read_too(api, imports, numbers):
    assert imports([document(numbers[0], api.type)], stdin=True).returncode == 0
    assert len(api.list()) == 1


def test_a_server_that_does_not_answer_stops_the_import(imports, numbers):
    done = imports([document(numbers[0], "t")], url="http://127.0.0.1:1")
    assert done.returncode == 69
    assert "127.0.0.1:1" in done.stderr


def test_a_file_that_is_not_there_is_named(api, tmp_path):
    done = subprocess.run([str(BINARY), "import", "--from", "nothing.jsonl"],
                          capture_output=True, text=True, timeout=10, cwd=tmp_path,
                          env=clean_environment(tmp_path))
    assert done.returncode == 1 and "nothing.jsonl" in done.stderr


@pytest.fixture
def processor(make_server, make_api, tmp_path):
    """The client of a service into whose tenant document 1 was imported."""
    server = make_server(key="an-admin-key")
    admin = make_api(server)
    made = admin.expect(admin.post("/keys", {
        "name": "n", "roles": ["producer", "worker"], "service": "content"}), 201)
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(document(1, "GENERATIVE", priority=1)))
    env = {"TASKYARD_URL": server.url, "TASKYARD_KEY": made["secret"]}
    done = subprocess.run([str(BINARY), "import", "--from", str(path)], timeout=10, cwd=tmp_path,
                          env=clean_environment(tmp_path, env))
    assert done.returncode == 0
    return make_api(server, key=made["secret"])


def test_a_processor_sees_an_imported_task_as_one_of_its_own(processor):
    listed = processor.get("/tasks", params={"task_type": "GENERATIVE"})
    task, = processor.expect(listed)["tasks"]
    assert task["request"] == {"content": {"n": 1}}
    answer = processor.expect(processor.post(f"/tasks/{task['task_id']}/claim"))
    assert (answer["status"], answer["priority"]) == ("processing", 1)


def test_an_imported_task_is_reached_by_its_old_id(processor):
    path = f"/tasks/{oid(1)['$oid']}"
    assert processor.expect(processor.get(path))["request"] == {"content": {"n": 1}}
    assert processor.expect(processor.post(path + "/claim"))["status"] == "processing"
    processor.expect(processor.post(path + "/complete", {"done": True}))
    assert processor.expect(processor.get(path))["results"] == {"done": True}
