"""The server of the end-to-end run (lib/site.py), in a network of its own, where port 3000 is free
and nobody else's."""

import os
import sys

import pytest

from lib import site
from lib.alone import run_alone
from lib.server import ROOT, Server

WAIT_S = 180

# What is there before the run begins, the run, and what is there after it.
SCENE = """
import http.server, json, pathlib, subprocess, sys, threading, urllib.request
sys.path.insert(0, "tests")
from lib.server import Server
folder, there = pathlib.Path(sys.argv[1]), sys.argv[2]
if there == "ours":
    server = Server(folder / "mine", port=3000).start()
elif there == "another":
    other = http.server.HTTPServer(("127.0.0.1", 3000), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=other.serve_forever, daemon=True).start()
done = subprocess.run([sys.executable, "-m", "pytest", "-q", f"--basetemp={folder / 'run'}",
                       "tests/e2e/test_workflow.py"])
if there == "ours":
    with urllib.request.urlopen("http://127.0.0.1:3000/api/v1/tasks/stats") as answer:
        print("left there:", json.load(answer)["stats"]["total"])
    server.stop()
sys.exit(done.returncode)
"""


@pytest.fixture
def end_to_end(tmp_path):
    """end_to_end(ci=…, there=…): the run, beside what is there already."""
    def run(ci, there="nothing"):
        env = {name: value for name, value in os.environ.items()
               if name not in ("CI", "TASKYARD_KEY")}
        return run_alone([sys.executable, "-c", SCENE, tmp_path, there], cwd=ROOT, timeout=WAIT_S,
                         env={**env, **({"CI": "true"} if ci else {})})
    return run


@pytest.mark.parametrize("ci", [True, False])
def test_the_run_starts_a_server_on_port_3000_and_waits_for_it(end_to_end, tmp_path, ci):
    done = end_to_end(ci)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr
    assert '"port":3000' in (tmp_path / "run" / "site0" / "server.log").read_text()


def test_it_waits_for_its_server_for_up_to_two_minutes(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Server, "start", lambda _, timeout_s: asked.append(timeout_s) or 1 / 0)
    monkeypatch.setattr(site, "is_taken", lambda: False)
    with pytest.raises(ZeroDivisionError), site.site(tmp_path):
        pass
    assert asked == [120.0]


def test_outside_ci_it_uses_one_that_runs_there_and_leaves_it_running(end_to_end):
    done = end_to_end(ci=False, there="ours")
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr
    assert "left there: 0" in done.stdout  # what it made went with it


def test_in_ci_it_takes_no_server_that_is_there_already(end_to_end):
    done = end_to_end(ci=True, there="ours")
    assert done.returncode != 0 and "in CI the run starts its own" in done.stdout
    assert "left there: 0" in done.stdout


def test_what_is_no_taskyard_is_told_from_one(end_to_end):
    done = end_to_end(ci=False, there="another")
    assert done.returncode != 0 and "is no Taskyard; stop it, or start ours there" in done.stdout
