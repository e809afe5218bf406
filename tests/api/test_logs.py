"""What the log tells of tasks (log_jobs), and the directory that gets it too (log_dir)."""

import calendar
import json
import re
import signal
import subprocess
import threading
import time

import pytest

from lib.server import BINARY, clean_environment

QUEUE = "task-queue"
WAIT_S = 10.0


def created(api):
    """A task in the queue of front door S1."""
    return api.expect(api.post("//api/tasks", {"type": api.type, "payload": {}}), 200)


@pytest.fixture
def yard(make_server, make_api):
    """A server with a log of its own; its client."""
    return make_api(make_server())


def job_lines(server):
    """Lines of the server's log that begin with Job, by task."""
    found = {}
    for line in server.log().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("message", "").startswith("Job "):
            found.setdefault(entry["taskId"], []).append(entry)
    return found


# --- log_jobs -------------------------------------------------------------------------------------

def test_the_ends_of_its_jobs_are_logged_once_they_are_committed(yard):
    done, failed = created(yard), created(yard)
    yard.complete(yard.claim_one(queues=[QUEUE]), {"ok": True})
    yard.fail(yard.claim_one(queues=[QUEUE]), {"code": "net", "message": "No route."})
    lines = job_lines(yard.server)
    [line] = lines[done["id"]]
    assert (line["level"], line["message"]) == ("info", f"Job completed: {done['id']}")
    [line] = lines[failed["id"]]
    assert (line["level"], line["message"]) == ("error", f"Job failed: {failed['id']}")
    assert line["error"] == "No route." and line["code"] == "net" and line["status"] == "pending"
    assert line["type"] == yard.type and line["attempt"] == 1


def test_a_stalled_job_is_logged_and_tried_again_or_abandoned(yard):
    yard.expect(yard.put(f"/types/{yard.type}", {"maxAttempts": 2}))
    task = created(yard)
    yard.claim_one(queues=[QUEUE], leaseMs=1000)
    yard.claim_one(queues=[QUEUE], leaseMs=1000, waitMs=8000)
    assert yard.final(task)["status"] == "abandoned"
    lines = job_lines(yard.server)[task["id"]]
    assert {line["message"] for line in lines} == {f"Job {task['id']} is stalled"}
    assert [(line["level"], line["status"]) for line in lines] == \
        [("warn", "pending"), ("warn", "abandoned")]


@pytest.mark.parametrize("which, logged", [("no", set()), ("door", {"door"}),
                                           ("all", {"door", "other"})])
def test_which_tasks_are_logged_is_a_setting(make_server, make_api, which, logged):
    api = make_api(make_server(log_jobs=which))
    ids = {"door": created(api)["id"], "other": api.create()["id"]}
    for _ in ids:
        api.complete(api.claim_one())
    assert {name for name in ids if ids[name] in job_lines(api.server)} == logged


def reload(server):
    """SIGHUP, and waits until the log says that it is done."""
    server.signal(signal.SIGHUP)
    deadline = time.monotonic() + WAIT_S
    while "reloaded" not in server.log():
        assert time.monotonic() < deadline, server.log_tail()
        threading.Event().wait(0.02)


def test_which_tasks_are_logged_may_change_while_it_serves(make_server, make_api, tmp_path):
    config = tmp_path / "taskyard.conf"
    config.write_text("log_jobs = no\n")
    api = make_api(make_server(config=config))
    before, after = api.create(), api.create()
    api.complete(api.claim_one())
    config.write_text("log_jobs = all\n")
    reload(api.server)
    api.complete(api.claim_one())
    assert set(job_lines(api.server)) == {after["id"]}, before["id"]
    assert "waits for the next start" not in api.server.log()


def test_the_level_is_info_when_nobody_says_otherwise(yard, tmp_path):
    created(yard)
    yard.complete(yard.claim_one())
    levels = {json.loads(line)["level"] for line in yard.server.log().splitlines()}
    assert "info" in levels and "debug" not in levels
    shown = subprocess.run([str(BINARY), "config", "--json"], capture_output=True, text=True,
                           env=clean_environment(tmp_path), cwd=tmp_path, timeout=WAIT_S)
    assert json.loads(shown.stdout)["settings"]["log_level"] == \
        {"value": "info", "from": "default"}


# --- log_dir --------------------------------------------------------------------------------------

def test_a_text_line_is_the_time_the_level_and_the_message(make_server, make_api):
    yard = make_api(make_server(log_format="text", log_jobs="all", log_level="debug"))
    began = time.time()
    task = yard.fail(yard.running(), "broken", retry=False)
    lines = [line for line in yard.server.log().splitlines() if line]
    form = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (error|warn|info|debug): \S.*")
    assert len(lines) > 1 and all(form.fullmatch(line) for line in lines), yard.server.log()
    stamp, level = next(form.match(line) for line in lines
                        if f"Job failed: {task['id']}" in line).groups()
    assert level == "error"
    at = calendar.timegm(time.strptime(stamp, "%Y-%m-%d %H:%M:%S"))
    assert int(began) <= at <= time.time()


def messages(path):
    return [json.loads(line)["message"] for line in path.read_text().splitlines()]


def test_a_log_directory_gets_all_lines_and_the_errors_apart(make_server, make_api, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    api = make_api(make_server(log_dir=logs))
    created(api), created(api)
    api.complete(api.claim_one())
    api.fail(api.claim_one(), "broken")
    combined, errors = messages(logs / "combined.log"), messages(logs / "error.log")
    assert combined == [json.loads(line)["message"] for line in api.server.log().splitlines()]
    assert [message.split(":")[0] for message in errors] == ["Job failed"]
    assert set(errors) < set(combined)


def test_a_rotated_log_directory_is_opened_again(make_server, make_api, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    server = make_server(log_dir=logs)
    api = make_api(server)
    for name in ("combined.log", "error.log"):
        (logs / name).rename(logs / f"{name}.1")
    reload(server)
    created(api)
    api.fail(api.claim_one(), "broken")
    assert any(line.startswith("Job failed") for line in messages(logs / "error.log"))
    assert "listening" in messages(logs / "combined.log.1")
    assert "listening" not in messages(logs / "combined.log")


def test_a_log_directory_that_is_not_there_is_refused_at_the_start(tmp_path):
    args = [str(BINARY), "serve", "--listen", "127.0.0.1:0", "--store", "memory:",
            "--log-dir", str(tmp_path / "nowhere")]
    done = subprocess.run(args, capture_output=True, text=True, timeout=WAIT_S, cwd=tmp_path,
                          env=clean_environment(tmp_path))
    assert done.returncode == 78
    assert "combined.log and error.log cannot be opened" in done.stderr
    assert str(tmp_path / "nowhere") in done.stderr
