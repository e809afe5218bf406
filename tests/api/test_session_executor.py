"""examples/session_executor: an application that runs tasks of its callers' sessions itself."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from lib.server import ROOT
from lib.worker import WAIT_S, until

EXAMPLE = ROOT / "examples" / "session_executor"
sys.path.insert(0, str(EXAMPLE))

from task_system import Attempt, TaskSystem, check_executor  # noqa: E402
from taskyard_http import Refused, Unreachable, request  # noqa: E402

PATTERN = (0, 25, 50, 75, 100)


def start_program(path, url, *args, **env):
    return subprocess.Popen(
        [sys.executable, str(EXAMPLE / path), *args], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "TASKYARD_URL": url, "STEP_S": "0.05", **env})


@pytest.fixture
def program(session_server):
    """The application, as a process: its address. env: program(STEP_S="60")."""
    started = []

    def start(url=session_server.url, **env):
        process = start_program("program.py", url, "0", TASKYARD_KEY=session_server.key, **env)
        started.append(process)
        return re.search(r"http://\S+", process.stdout.readline()).group(0)

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=WAIT_S)[1]
        assert process.returncode == 0 and "Traceback" not in told, told


def call(url, body, **headers):
    return httpx.post(f"{url}/process", content=json.dumps(body).encode(), headers=headers,
                      trust_env=False, timeout=WAIT_S)


def process_file(url, session, name="a.png", size=1200):
    answer = call(url, {"fileName": name, "fileSize": size}, **{"X-App-Session": session.session})
    assert answer.status_code == 202, answer.text
    return answer.json()


def progress_of(session, task):
    events = session.expect(session.get(f"/tasks/{task['id']}/events"))["events"]
    return [event["progress"] for event in events if event["event"] == "task.progress"]


# --- the application ------------------------------------------------------------------------------

def test_it_answers_its_caller_at_once_and_the_task_is_in_the_callers_session(session, program):
    answer = process_file(program(), session)
    assert list(answer) == ["message", "taskId", "status"]
    assert (answer["message"], answer["status"]) == ("File processing started", "pending")
    task = session.task(answer["taskId"])
    assert (task["name"], task["description"]) == ("Process a.png", "A file to process")
    assert task["metadata"] == {"fileName": "a.png", "fileSize": 1200}
    assert task["sessionKey"] == session.session


def test_its_executor_runs_the_task_and_its_progress_is_awaited_step_by_step(session, program):
    answer = process_file(program(), session)
    done = session.final(answer["taskId"])
    assert (done["status"], done["progress"]) == ("completed", 100)
    assert done["result"] == {"fileName": "a.png", "bytes": 1200}
    assert progress_of(session, done) == list(PATTERN)


def test_an_executor_that_raises_fails_the_task_with_its_text(session, program):
    failed = session.final(process_file(program(), session, size=0)["taskId"])
    assert failed["status"] == "failed"
    assert (failed["error"]["code"], failed["error"]["message"]) == ("ValueError", "a.png is empty")


def test_a_failed_task_is_retried_by_the_same_executor(session, program):
    failed = session.final(process_file(program(), session, size=0)["taskId"])
    assert session.retry(failed)["waitingFor"] == "worker"
    again = session.final(failed)
    assert again["status"] == "failed" and again["error"]["message"] == "a.png is empty"
    assert progress_of(session, failed) == [0, 25, 50] * 2


def test_a_cancelled_task_stops_its_executor(session, program):
    url = program(STEP_S="600")
    task = process_file(url, session)["taskId"]
    until(lambda: session.status({"id": task})["currentStep"])
    session.cancel(task, graceMs=60_000)    # so that only the executor's own end is in time
    assert session.final(task)["status"] == "cancelled"


def test_two_callers_have_their_tasks_apart(make_session, program):
    url = program()
    one, other = make_session(), make_session()
    tasks = {caller: process_file(url, caller, name=caller.session)["taskId"]
             for caller in (one, other)}
    for caller, task in tasks.items():
        assert caller.final(task)["result"]["fileName"] == caller.session
        assert caller.ids() == [task]


def test_a_caller_without_a_session_hears_what_the_server_says(program):
    answer = call(program(), {"fileName": "a", "fileSize": 1})
    assert answer.status_code == 401 and "X-App-Session" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, [], {"fileName": "", "fileSize": 1}, {"fileName": "a"},
                                  {"fileName": "a", "fileSize": True}, "x"])
def test_a_body_that_does_not_fit_is_refused(program, session, body):
    answer = call(program(), body, **{"X-App-Session": session.session})
    assert answer.status_code == 400 and answer.json()["error"]
    assert session.ids() == []


def test_a_program_that_ends_gives_back_what_it_runs(session, session_server, crew):
    process = start_program("program.py", session_server.url, "0", STEP_S="600",
                            TASKYARD_KEY=session_server.key)
    url = re.search(r"http://\S+", process.stdout.readline()).group(0)
    task = process_file(url, session)["taskId"]
    until(lambda: session.status({"id": task})["currentStep"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0, process.stderr.read()
    process.communicate()
    assert session.task(task)["status"] == "pending"


def test_it_says_that_sessions_are_off(server):
    process = start_program("program.py", server.url, "0")
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1 and "hands out no tasks of sessions" in told


# --- executors of one's own -----------------------------------------------------------------------

class Fits:
    async def execute(self, task, progress):
        for percent in PATTERN:
            await progress(percent, f"At {percent}", "of a hundred")
        return {"ran": task["id"]}


class NoExecute:
    def run(self, task, progress):
        pass


class NotAsync:
    def execute(self, task, progress):
        pass


class TooFew:
    async def execute(self, task):
        pass


class TooMany:
    async def execute(self, task, progress, more):
        pass


class NoMethod:
    execute = "execute"


@pytest.mark.parametrize("executor, word", [
    (NoExecute(), "no method execute"), (NotAsync(), "async def"), (TooFew(), "(task, progress)"),
    (TooMany(), "(task, progress)"), (NoMethod(), "no method execute"), (None, "no method execute"),
    (Fits, "(task, progress)"), (lambda task, progress: None, "no method execute")])
def test_an_executor_that_does_not_fit_is_refused_when_it_is_registered(session, executor, word):
    with pytest.raises(TypeError, match=re.escape(word)):
        check_executor(executor)

    async def register():
        system = TaskSystem(session.server.url)
        task = await system.create_task(session.session, "n")
        with pytest.raises(TypeError, match=re.escape(word)):
            await system.execute_task(session.session, task["id"], executor)
        return task

    task = asyncio.run(register())
    assert session.task(task["id"])["waitingFor"] == "start"    # it was not started


def test_an_executor_that_fits_is_taken():
    check_executor(Fits())


def run_here(session, *executors, until_ended=True):
    """The tasks that these executors were given, run by this process: their last status each."""
    async def flow():
        system = TaskSystem(session.server.url, session.server.key)
        serving = asyncio.ensure_future(system.serve())
        tasks = [await system.create_task(session.session, f"Number {n}")
                 for n in range(len(executors))]
        for task, executor in zip(tasks, executors):
            await system.execute_task(session.session, task["id"], executor)
        for task in tasks:
            await asyncio.wait_for(system.wait(session.session, task["id"], every_s=0.02), WAIT_S)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return tasks

    return [session.task(task["id"]) for task in asyncio.run(flow())]


def test_each_task_is_run_by_the_executor_that_it_was_given(session):
    class Raises:
        async def execute(self, task, progress):
            await progress(25)
            raise RuntimeError("out of paper")

    class NoJson:
        async def execute(self, task, progress):
            return {1, 2}

    class Silent:
        async def execute(self, task, progress):
            pass

    fits, raises, no_json, silent = run_here(session, Fits(), Raises(), NoJson(), Silent())
    assert (fits["status"], fits["result"]) == ("completed", {"ran": fits["id"]})
    assert (fits["currentStep"], fits["currentStepDescription"]) == ("At 100", "of a hundred")
    assert progress_of(session, fits) == list(PATTERN)
    assert (raises["status"], raises["error"]["message"]) == ("failed", "out of paper")
    assert (no_json["status"], no_json["error"]["code"]) == ("failed", "result_is_no_json")
    assert (silent["status"], silent["result"]) == ("completed", None)


def test_a_progress_that_is_none_fails_the_task_and_says_why(session):
    class TooMuch:
        async def execute(self, task, progress):
            await progress(101)

    [failed] = run_here(session, TooMuch())
    assert failed["status"] == "failed" and "progress" in failed["error"]["message"]


class Deaf:
    """In place of a TaskSystem: one request forgets that it was cancelled, and gives its answer, as
    wait_for may before Python 3.12."""

    def __init__(self, deaf_verb):
        self.deaf_verb, self.verbs = deaf_verb, []
        self.asked = asyncio.Event()

    async def as_worker(self, method, path, body):
        self.verbs.append(path.rsplit("/", 1)[1])
        if self.verbs[-1] == self.deaf_verb and not self.asked.is_set():
            self.asked.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        return {}


class Endless:
    async def execute(self, task, progress):
        await progress(0)
        await asyncio.Event().wait()


def run_deaf(verb, lease_ms, stop):
    """What was asked of the server; `stop` gets the attempt, and its run, amid the deaf request."""
    async def flow():
        system = Deaf(verb)
        attempt = Attempt(system, {"id": "1", "leaseToken": "t", "claimedAt": 0,
                                   "leaseExpiresAt": lease_ms})
        run = asyncio.ensure_future(attempt.run(Endless()))
        await asyncio.wait_for(system.asked.wait(), WAIT_S)
        stop(attempt, run)
        # With the run all that it began; what still ran behind it would run for ever.
        _, late = await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()},
                                     timeout=WAIT_S)
        assert not late
        return system.verbs

    return asyncio.run(flow())


def test_an_end_that_meets_the_answer_to_a_progress_ends_the_executor():
    verbs = run_deaf("progress", 60_000, lambda attempt, run: run.cancel())
    assert verbs == ["progress", "release"]


def test_a_cancel_that_meets_the_answer_to_a_progress_ends_the_executor():
    verbs = run_deaf("progress", 60_000, lambda attempt, run: attempt.stop("cancelled"))
    assert verbs == ["progress", "fail"]


def test_heartbeats_end_with_the_executor_although_one_was_under_way():
    verbs = run_deaf("heartbeat", 3, lambda attempt, run: run.cancel())
    assert verbs == ["progress", "heartbeat", "release"]


def test_a_task_of_another_session_cannot_be_executed(make_session):
    one, other = make_session(), make_session()

    async def steal():
        system = TaskSystem(one.server.url)
        task = await system.create_task(other.session, "n")
        with pytest.raises(Refused) as refusal:
            await system.execute_task(one.session, task["id"], Fits())
        assert task["id"] not in system.executors
        return refusal.value.status

    assert asyncio.run(steal()) == 404


# --- the polling client ---------------------------------------------------------------------------

@pytest.mark.parametrize("status, code", [("completed", 0), ("failed", 1), ("cancelled", 2)])
def test_polling_ends_on_every_final_status(session, crew, status, code):
    task = session.lives(crew, "running")
    poll = start_program("poll.py", session.server.url, session.session, task["id"])
    assert poll.stdout.readline() == "running 0%\n"
    if status == "completed":
        crew.complete(task)
    elif status == "failed":
        crew.fail(task, "broken", retry=False)
    else:
        session.cancel(task, graceMs=0)
    printed, told = poll.communicate(timeout=WAIT_S)
    assert poll.returncode == code, told
    assert printed.splitlines()[-1].startswith(f"{status} ")
    assert ("broken" in told) == (status == "failed")


def test_polling_ends_when_the_worker_of_the_task_vanished(session, crew):
    session.started()
    [task] = crew.claim(sessions=True, types=[session.type], workerId="w", leaseMs=1000)
    poll = start_program("poll.py", session.server.url, session.session, task["id"])
    printed, told = poll.communicate(timeout=WAIT_S)
    assert poll.returncode == 1 and printed.splitlines()[-1].startswith("failed "), told


def test_polling_ends_when_the_session_is_gone(session, crew):
    task = session.lives(crew, "running")
    poll = start_program("poll.py", session.server.url, session.session, task["id"])
    assert poll.stdout.readline() == "running 0%\n"
    session.expect(session.delete(f"/sessions/{session.session}"))
    _, told = poll.communicate(timeout=WAIT_S)
    assert poll.returncode == 3 and "sessions live in memory" in told


# --- its requests ---------------------------------------------------------------------------------

def test_a_header_cannot_be_smuggled_in():
    with pytest.raises(ValueError, match="control character"):
        asyncio.run(request("GET", "http://127.0.0.1:1/", headers={"X-App-Session": "a\r\nX: y"}))


def test_no_server_is_told_as_such():
    with pytest.raises(Unreachable, match="127.0.0.1:1"):
        asyncio.run(request("GET", "http://127.0.0.1:1/"))
