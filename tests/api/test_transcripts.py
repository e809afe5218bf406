"""The transcripts of docs/doors and docs/security.md are what happens.

Each command is given to a shell as it stands there, with the places of the servers and the ids of
this run; what it prints must be what the page says, but for ids, times and how far a demo is just
then.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

from lib.server import BINARY, ROOT, clean_environment
from lib.sessions import with_sessions
from lib.tokens import SECRET, Secret, claims
from lib.worker import Worker, until

# Not run here, and why.
LEFT_OUT = {"make run": "needs a checkout of its own; tests/api/test_run.py runs it",
            "mongoexport ": "needs MongoDB; what it would write is there already"}
OF_SQLITE = "sqlite3 "  # the view of a PostgreSQL is read by tests/api/test_door_bull.py
ENDS_WITH = {"taskyard import ": 1}  # a line was bad; all others end with 0
CHANGES = re.compile(r" -d |POST|DELETE|taskyard key|taskyard import|=\$\(")
IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=Key )\w{8}|^\w{8}(?=\t)", re.M)
OF_THIS_RUN = [
    (IDS, "ID"), (re.compile(r"\b1[6-9]\d{11}\b"), "TIME"),
    (re.compile(r"^\d{16}(?=\|)", re.M), "ROW"),
    (re.compile(r'"(requestId|rowId|durationMs|progress|currentStep|currentStepDescription)":'
                r'(?:"[^"]*"|[^",}]+)'), r'"\1":…')]


def blocks(page):
    return re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.S)


def goes_on(command):
    """In the next line."""
    try:
        shlex.split(command)
    except ValueError:
        return True
    return command.endswith("\\")


def commands(block):
    """[command, what it prints], …"""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and not found[-1][1] and goes_on(found[-1][0]):
            found[-1][0] += "\n" + line
        else:
            found[-1][1] += line + "\n"
    return [(command, told.strip()) for command, told in found]


def of_any_run(text):
    for pattern, word in OF_THIS_RUN:
        text = pattern.sub(word, text)
    return text


class Reader:
    """Someone who types what a page says into a shell."""

    def __init__(self, server, home, **env):
        (home / "bin").mkdir(exist_ok=True)
        for name, plays in (("jq", "jq.py"), ("sqlite3", "sqlite_shell.py")):
            program = ROOT / "tests" / "lib" / plays
            (home / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
            (home / "bin" / name).chmod(0o755)
        path = f"{home / 'bin'}:{BINARY.parent}:{os.environ['PATH']}"
        self.place, self.ids, self.ran = f"127.0.0.1:{server.port}", {}, 0
        self.file = server.store.partition("sqlite:")[2]
        self.shell = subprocess.Popen(
            ["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT, cwd=home, start_new_session=True,
            env=clean_environment(home, {"PATH": path, "TASKYARD_URL": server.url, **env}))

    def close(self):
        """With what it has started."""
        os.killpg(self.shell.pid, signal.SIGTERM)
        self.shell.communicate()

    def type(self, command):
        if command.endswith("&"):
            command = command[:-1] + ">worker.log 2>&1 &"
        self.shell.stdin.write(f"{command}\nprintf '\\n= %d =\\n' $?\n")
        self.shell.stdin.flush()
        told = ""
        for line in self.shell.stdout:
            if re.fullmatch(r"= \d+ =\n", line):
                status = next((n for word, n in ENDS_WITH.items() if word in command), 0)
                assert line == f"= {status} =\n", f"{command}: {told}"
                break
            told += line
        return told.replace("\r", "").strip()

    def here(self, text):
        text = re.sub(r"127\.0\.0\.1:(8503|3000)", self.place, text)
        text = re.sub(r"\btaskyard\.db\b", self.file, text)
        for theirs, ours in self.ids.items():
            text = text.replace(theirs, ours)
        return text

    def follow(self, block):
        for command, told in commands(block):
            if any(word in command for word in LEFT_OUT):
                continue
            if OF_SQLITE in command and not self.file:
                continue
            command, told = self.here(command), self.here(told)
            asks = not CHANGES.search(command) and told
            seen = []

            def holds():
                seen[:] = [self.type(command)]
                return not told or of_any_run(seen[0]) == of_any_run(told) or not asks

            until(holds)   # what is only read may take a moment to be so
            assert not told or of_any_run(seen[0]) == of_any_run(told), command
            self.ids.update(zip(IDS.findall(told), IDS.findall(seen[0])))
            self.ran += 1


@pytest.fixture
def read(tmp_path):
    """read(server, NAME=VALUE, …): someone who reads on that server."""
    made = []

    def make(server, **env):
        made.append(Reader(server, tmp_path, **env))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_page_of_s1(make_server, read):
    reader = read(make_server())
    for block in blocks("doors/bull.md"):
        reader.follow(block)
    assert reader.ran == (7 if reader.file else 6)


EXPORTED = {"pending": 812, "processing": 3, "completed": 5120, "failed": 41, "cancelled": 7}


def test_the_page_of_s3(make_server, read, tmp_path):
    """Its collection has so many documents, and a line that is none."""
    lines = [json.dumps({"_id": {"$oid": f"{n:024x}"}, "task_type": "GENERATIVE", "status": status})
             for n, status in enumerate(s for s, count in EXPORTED.items() for _ in range(count))]
    (tmp_path / "tasks.jsonl").write_text("\n".join([*lines, "{"]))
    reader = read(make_server(key="first-key"))
    reader.type("""call() { local key=$1 method=$2 path=$3; shift 3; curl -s -X "$method" """
                """-H "x-api-key: $key" -H 'Content-Type: application/json' """
                f'''"http://{reader.place}/api/v1$path" "$@"; }}''')
    for block in blocks("doors/repository.md"):
        reader.follow(block)
    assert reader.ran == 12


def test_the_page_of_the_sessions_of_s4(make_server, read, tmp_path):
    server = make_server(**with_sessions(key=None))
    worker = Worker(server, tmp_path, "--demo", "--sessions", "--lease", "3s")
    reader = read(server)
    for block in blocks("doors/sessions.md"):
        reader.follow(block)
    worker.stop()
    assert reader.ran == 18


def test_the_page_of_the_jobs_of_s4(make_server, read, store):
    off = make_server(store="memory:", env={"TASKYARD_JOBS": "yes"})
    lasting = "sqlite" if store == "memory:" else store
    on = make_server(store=lasting, env={"TASKYARD_JOBS": "yes", "TASKYARD_JWT_SECRET": SECRET})
    without, *others = blocks("doors/jobs.md")
    first, reader = read(off), read(on, TOKEN=Secret().token(claims(roles=["user"])))
    first.follow(without)
    for block in others:
        reader.follow(block)
    assert first.ran + reader.ran == 2


def test_the_page_of_who_may_see_what(make_server, read):
    reader = read(make_server(key="first-key"), TASKYARD_KEY="first-key")
    for block in blocks("security.md"):
        reader.follow(block)
    assert reader.ran == 4
