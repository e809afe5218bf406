"""Front door S4: what the server's log tells of sessions and the executions of their tasks."""

import json
import re

import pytest

from lib.server import ADMIN
from lib.sessions import claim, with_sessions
from lib.tokens import Secret, claims
from lib.worker import until


@pytest.fixture
def yard(make_server, make_session, make_api):
    """yard(log_level="info", …): a server, one of its sessions, and who works for it."""
    def make(**options):
        server = make_server(**with_sessions(**options))
        return make_session(server=server), make_api(server)
    return make


def lines(server):
    return [(entry["level"], entry["message"]) for entry in
            (json.loads(line) for line in server.log().splitlines() if line.startswith("{"))]


def about(server, task):
    return [line for line in lines(server) if task["id"] in line[1]]


def run(session, crew, end, **fields):
    task = session.started()
    running = claim(crew, session)
    for percent in (0, 25, 50, 75, 100):
        crew.progress(running, percent)
    crew.expect(crew.move(running, end, **fields))
    return task


def test_the_start_is_told_when_sessions_are_on_and_not_otherwise(yard, make_server):
    session, _ = yard()
    assert ("info", "Task system initialized successfully") in lines(session.server)
    off = make_server()
    assert "Task system initialized" not in off.log()


def test_an_execution_is_told_from_its_start_to_its_end(yard):
    session, crew = yard(log_level="debug")
    task = run(session, crew, "complete", result=None)
    assert about(session.server, task) == [
        ("info", f"Starting execution of task {task['id']} for session {session.session}"),
        *(("debug", f"Task {task['id']} progress: {n}%") for n in (0, 25, 50, 75, 100)),
        ("info", f"Completed execution of task {task['id']} for session {session.session}")]


def test_progress_is_not_told_at_info(yard):
    session, crew = yard()
    task = run(session, crew, "complete", result=None)
    assert [level for level, _ in about(session.server, task)] == ["info", "info"]


def test_a_failure_is_told_with_its_message_at_error(yard):
    session, crew = yard()
    task = run(session, crew, "fail", error={"code": "io", "message": "The disk is gone."},
               retry=False)
    assert about(session.server, task)[-1] == (
        "error", f"Failed execution of task {task['id']} for session {session.session}: "
                 "The disk is gone.")


def test_a_worker_that_vanished_is_told_as_a_failure(yard):
    session, crew = yard()
    task = session.started()
    claim(crew, session, leaseMs=1000)
    session.expect(session.get(f"/tasks/{task['id']}", params={"waitMs": 8000}))
    level, message = about(session.server, task)[-1]
    assert level == "error"
    assert message.startswith(
        f"Failed execution of task {task['id']} for session {session.session}: ")


def test_each_run_of_a_retried_task_is_told(yard):
    session, crew = yard()
    task = run(session, crew, "fail", error="no", retry=False)
    assert session.retry(task)["waitingFor"] == "worker"
    crew.complete(claim(crew, session))
    assert [message.split()[0] for _, message in about(session.server, task)] == [
        "Starting", "Failed", "Starting", "Completed"]


def test_the_lines_of_a_text_log_have_the_form_of_the_document(yard):
    session, crew = yard(log_format="text", log_level="debug")
    task = run(session, crew, "fail", error="no", retry=False)
    told = [line for line in session.server.log().splitlines() if task["id"] in line]
    form = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (\w+): (.*)")
    found = [form.fullmatch(line).groups() for line in told]
    assert [level for level, _ in found] == ["info", *["debug"] * 5, "error"]
    assert found[0][1].startswith(
        f"Starting execution of task {task['id']} for session {session.session}")


def test_an_error_message_forges_no_line(yard):
    session, crew = yard(log_format="text")
    forged = "no\n2026-01-01 00:00:00 info: Completed execution of task x for session y\x1b[2K"
    task = run(session, crew, "fail", error={"code": "c", "message": forged}, retry=False)
    told = [line for line in session.server.log().splitlines() if "Failed execution" in line]
    assert len(told) == 1 and task["id"] in told[0]
    assert "\x1b" not in session.server.log()
    assert not any(line.startswith("2026-01-01 00:00:00") for line in
                   session.server.log().splitlines())


def test_a_cleanup_is_told_with_the_session_that_it_was_of(yard):
    session, crew = yard(env={"MAX_COMPLETED_TASKS": "1"})
    for _ in range(3):
        session.lives(crew, "completed")
    session.expect(session.post("/tasks/cleanup/run"))
    [told] = [json.loads(line) for line in session.server.log().splitlines()
              if "a cleanup removed ended tasks" in line]
    assert (told["session"], told["completed"]) == (session.session, 2)
    assert told["by"] == f"session:{session.session}"


def test_durable_tasks_are_not_told_as_executions(yard):
    session, crew = yard(log_level="debug")
    crew.complete(crew.running())
    assert "execution of task" not in session.server.log()


def test_a_full_session_is_told_once_by_its_name_and_is_no_error(yard):
    session, _ = yard(session_bytes="1MiB")
    answers = [session.post("/tasks", {"name": "n", "payload": "x" * 50_000}).status_code
               for _ in range(40)]
    assert answers[0] == 201 and answers[-1] == 507
    told = [json.loads(line) for line in session.server.log().splitlines()
            if line.startswith("{") and json.loads(line)["level"] in ("warn", "error")]
    assert [(one["level"], one["session"], one["bytes"]) for one in told] == [
        ("warn", session.session, 1 << 20)]


@pytest.mark.parametrize("path", [
    "/api/v1/tasks/KEY", "/KEY", "/api/v1/keys/KEY", "/api/v1/tasks?session=KEY",
    "/api/v1/sessions/xKEY"])
def test_a_credential_that_was_pasted_into_a_path_shows_in_no_log(yard, path):
    session, crew = yard(args=["--access-log"])
    secret = crew.expect(crew.post("/keys", {"name": "n", "roles": ["reader"]}), 201)["secret"]
    token = Secret().token(claims())
    escaped = [f"%{ord(key[0]):02x}{key[1:]}" for key in (secret, ADMIN, token)]
    for credential in (secret, ADMIN, token, *escaped):
        crew.get("/" + path.replace("KEY", credential))
    crew.get("/queues/to-wait-for")
    until(lambda: "to-wait-for" in session.server.log())
    log = session.server.log()
    for telling in (secret[12:], ADMIN[1:], *token[3:].split(".")):
        assert telling not in log
    assert log.count("***") == 6 or "?" in path
