"""`make run`: tools/run starts a server and workers by the settings of the environment."""

import json
import re
import signal
import socket
import subprocess
import urllib.request

import pytest

from lib.server import BINARY, ROOT, clean_environment, free_port
from lib.worker import until

WAIT_S = 20.0


class Run:
    """tools/run in a folder of its own; `printed` is what it said until it was up, or ended."""

    def __init__(self, home, **env):
        for folder, target in (("tools", ROOT / "tools" / "run"), ("build", BINARY)):
            (home / folder).mkdir(exist_ok=True)
            (home / folder / target.name).symlink_to(target)
        self.log_path = home / "run.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [str(home / "tools" / "run")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, text=True, env=clean_environment(home, env))
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if "Ctrl-C stops" in line:
                break

    @property
    def url(self):
        return re.search(r"http://[^\s,/]+", self.printed).group(0)

    def said(self):
        return self.log_path.read_text()

    def get(self, path, body=None, **headers):
        request = urllib.request.Request(self.url + path, headers=headers)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WAIT_S)


@pytest.fixture
def run(tmp_path):
    started = []

    def start(**env):
        started.append(Run(tmp_path, **env))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()
        one.process.stdout.close()


def test_the_port_of_the_environment_counts_and_the_workers_find_it(run):
    port = free_port()
    one = run(PORT=str(port))
    assert one.url == f"http://127.0.0.1:{port}", one.said()
    done = one.get("/api/v1/tasks?waitMs=8000", {"type": "sample", "payload": {"delayMs": 0}})
    assert done["task"]["status"] == "completed"
    assert one.stop() == 0


def test_the_host_of_the_environment_counts_too_and_a_key_reaches_the_workers(run):
    one = run(HOST="0.0.0.0", PORT=str(free_port()), API_KEY="of-the-test")
    assert '-H "authorization: Bearer $TASKYARD_KEY"' in one.printed, one.said()
    done = one.get("/api/v1/tasks?waitMs=8000", {"type": "sample", "payload": {"delayMs": 0}},
                   Authorization="Bearer of-the-test")
    assert done["task"]["status"] == "completed"


def printed_commands(one):
    """The curl lines that it invites to, each with its continuation."""
    text = re.sub(r"\\\n\s+", "", one.printed)
    return [line.strip() for line in text.splitlines() if line.strip().startswith("curl ")]


def test_with_sessions_on_a_worker_serves_them_and_the_lines_that_are_printed_work(run):
    one = run(PORT=str(free_port()), ENABLE_SESSION_ISOLATION="true")
    create, ask = printed_commands(one)
    create = re.sub(r'"delayMs": \d+', '"delayMs": 0', create)
    made = json.loads(subprocess.check_output(["sh", "-c", create]))
    assert made["task"]["sessionKey"] == "me" and made["durable"] is False
    path = f"/api/v1/tasks/{made['task']['id']}?waitMs=8000"
    assert one.get(path, **{"X-App-Session": "me"})["task"]["status"] == "completed"
    [task] = json.loads(subprocess.check_output(["sh", "-c", ask]))["tasks"]
    assert task["id"] == made["task"]["id"]
    assert one.stop() == 0


def test_without_sessions_the_line_that_is_printed_works(run):
    one = run(PORT=str(free_port()))
    [create] = printed_commands(one)
    done = json.loads(subprocess.check_output(["sh", "-c", create]))
    assert done["task"]["status"] == "completed", done


def test_when_a_key_is_made_the_end_of_the_workers_is_explained_once(run):
    one = run(PORT=str(free_port()))
    until(lambda: [worker["waiting"] for worker in one.get("/api/v1/workers")["workers"]] == [
        True, True], WAIT_S)
    one.get("/api/v1/keys", {"name": "boss", "roles": ["admin"]})
    until(lambda: "run: the demo workers ended: a key was made" in one.said(), WAIT_S)
    assert one.stop() == 0
    [told] = [line for line in one.said().splitlines() if line.startswith("run: ")]
    assert "TASKYARD_KEY=… make run" in told


def test_a_port_that_is_taken_says_which_to_try(run):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        one = run(PORT=str(port))
        assert one.process.wait(timeout=WAIT_S) == 1
        assert f"something answers on http://127.0.0.1:{port} already" in one.said()
        assert re.search(r"PORT=\d+ make run", one.said())


@pytest.mark.parametrize("port, word", [("0", "PORT=3000 make run"), ("many", "PORT")])
def test_a_port_that_cannot_be_meant_is_refused(run, port, word):
    one = run(PORT=port)
    assert one.process.wait(timeout=WAIT_S) == 1
    assert word in one.said()
