"""The command line in a session, and the operator's commands for sessions."""

import json
import subprocess

import pytest

from lib.client import Api, fresh_name
from lib.server import ADMIN, BINARY, clean_environment
from lib.sessions import Session, claim

DONE, FAILURE, USAGE, NOT_AUTHORISED = 0, 1, 64, 77


@pytest.fixture
def taskyard(session_server, tmp_path):
    """taskyard(*args, server=…, env=…, expect=0): standard output, or error when it fails."""
    def run(*args, server=session_server, env=None, expect=DONE, stdin=""):
        done = subprocess.run(
            [str(BINARY), *args], input=stdin, capture_output=True, text=True, timeout=30,
            env=clean_environment(tmp_path, {"TASKYARD_URL": server.url, **(env or {})}))
        assert done.returncode == expect, done.stdout + done.stderr
        return (done.stderr if expect else done.stdout).rstrip("\n")
    return run


@pytest.fixture
def key():
    return fresh_name("cli")


def test_a_task_is_submitted_started_shown_and_listed_in_a_session(
        taskyard, session, crew):
    mine = ("--session", session.session)
    id = taskyard("submit", session.type, '{"a": 1}', *mine)
    assert session.task(id)["waitingFor"] == "worker"
    assert session.task(id)["name"] == session.type and session.task(id)["payload"] == {"a": 1}
    assert id in taskyard("get", id, *mine)
    row = taskyard("list", *mine).splitlines()[-1].split("\t")
    assert row[:3] == [id, session.type, "pending"]
    crew.complete(claim(crew, session), {"b": 2})
    assert json.loads(taskyard("wait", id, *mine)) == {"b": 2}
    assert "task.completed" in taskyard("get", "--events", id, *mine)


def test_a_submit_with_a_key_may_be_repeated_in_a_session(taskyard, session):
    args = ("submit", session.type, "--session", session.session, "--idempotency-key", "k")
    id = taskyard(*args)
    assert taskyard(*args) == id and session.ids() == [id]
    assert session.task(id)["waitingFor"] == "worker"


def test_the_variable_is_as_good_as_the_option(taskyard, session):
    env = {"TASKYARD_SESSION": session.session}
    id = taskyard("submit", session.type, "--name", "By hand", "--hold", env=env)
    assert session.task(id)["waitingFor"] == "start" and session.task(id)["name"] == "By hand"
    assert "cancelled" in taskyard("cancel", id, env=env)
    assert "pending" in taskyard("retry", id, env=env)


def test_the_option_wins_over_a_key_of_the_environment(taskyard, session):
    id = taskyard("submit", session.type, "--session", session.session,
                  env={"TASKYARD_KEY": ADMIN, "TASKYARD_SESSION": "another"})
    assert session.ids() == [id]


def test_a_key_option_wins_over_a_session_of_the_environment(taskyard, crew):
    id = taskyard("submit", crew.type, "--key", ADMIN, env={"TASKYARD_SESSION": "mine"})
    assert crew.task(id)["sessionKey"] is None


@pytest.mark.parametrize("args, env", [
    (("--session", "mine", "--key", ADMIN), {}),
    ((), {"TASKYARD_KEY": ADMIN, "TASKYARD_SESSION": "mine"})])
def test_a_session_and_a_key_at_once_are_refused_before_the_call(taskyard, args, env):
    told = taskyard("list", *args, env=env, expect=USAGE)
    assert "session" in told.lower() and "key" in told.lower()


def test_what_no_session_takes_is_refused_by_its_name(taskyard, key):
    told = taskyard("submit", "t", "--queue", "q", "--session", key, expect=USAGE)
    assert told.startswith("taskyard: --queue: ") and "leave it out" in told, told
    args = ["--priority", "5", "--tag", "a=b", "--session", key]
    told = taskyard("submit", "t", *args, expect=USAGE)
    assert told.startswith("taskyard: --priority, --tag: ") and "leave them out" in told, told
    told = taskyard("list", "--type", "t", env={"TASKYARD_SESSION": key}, expect=USAGE)
    assert told.startswith("taskyard: --type: ") and "--key-file" in told, told
    told = taskyard("submit", "t", "--from-lines", "--session", key, stdin="1\n2\n", expect=USAGE)
    assert "one task at a time" in told
    assert "blank" in taskyard("list", "--session", "not a key", expect=USAGE)


def test_a_server_with_sessions_and_no_key_says_which_option_is_missing(taskyard, keyless, key):
    assert "--session KEY" in taskyard("list", server=keyless, expect=NOT_AUTHORISED)
    id = taskyard("submit", "t", "--session", key, server=keyless)
    assert id in taskyard("list", "--session", key, server=keyless)


def test_the_operator_lists_sessions_and_ends_them(taskyard, session_server):
    mine = [Session(session_server) for _ in range(2)]
    for one in mine:
        one.create()
    admin = {"TASKYARD_KEY": ADMIN}
    rows = [line.split("\t") for line in taskyard("session", "list", env=admin).splitlines()]
    assert {one.session for one in mine} <= {row[0] for row in rows}
    listed = [json.loads(line) for line in
              taskyard("session", "--json", env=admin).splitlines()]
    assert {one.session for one in mine} <= {one["sessionKey"] for one in listed}
    for one in mine:
        assert taskyard("session", "end", one.session, env=admin) == f"{one.session}\tended"
        assert one.ids() == []
    told = taskyard("session", "end", mine[0].session, env=admin, expect=FAILURE)
    assert told == f"taskyard: {mine[0].session}: there is no such session", told
    assert "session end KEY" in taskyard("session", "stop", env=admin, expect=USAGE)


def test_whoever_is_in_a_session_ends_it(taskyard, session_server, key):
    taskyard("submit", "t", "--session", key)
    assert taskyard("session", "end", key, "--session", key) == f"{key}\tended"
    api = Api(session_server)
    assert key not in api.get("/sessions/stats").text
    api.close()
