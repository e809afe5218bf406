"""The bundled worker: `taskyard worker --exec` and `--demo`, against a real server."""

import os
import re
import signal
import subprocess
import time

import pytest

from lib.server import BINARY, clean_environment
from lib.worker import WAIT_S, Worker, until


@pytest.fixture
def worker(server, tmp_path):
    """worker("--exec", "cat", …) starts a worker; all stop with the test."""
    started = []

    def start(*args, server=server):
        started.append(Worker(server, tmp_path, *args))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def runs(worker, api, tmp_path):
    """runs(script, **task) has a worker run a shell script for one task: the task in its end."""

    def run(script, *args, **fields):
        path = tmp_path / "program.sh"
        path.write_text(script)
        task = api.create(**fields)
        worker("--type", api.type, "--exec", f"sh '{path}'", *args)
        return api.final(task)

    return run


def alive(pid):
    """Whether a process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_from(path):
    """The process id that a program has written to a file, once it has."""
    return int(until(lambda: path.exists() and path.read_text().strip()))


# --- what a program gets and gives ----------------------------------------------------------------


def test_the_payload_arrives_byte_for_byte_on_stdin(runs):
    task = runs("cat", payload={"b": [1, 2.5, "ü\n"], "a": None})
    assert task["status"] == "completed"
    assert task["result"] == {"b": [1, 2.5, "ü\n"], "a": None}


def test_with_text_a_string_arrives_without_its_quotes(runs):
    assert runs("cat", "--text", payload='say "hi"\n')["result"] == 'say "hi"'


def test_with_text_other_json_arrives_as_it_is(runs):
    assert runs("cat", "--text", payload={"a": "b"})["result"] == {"a": "b"}


def test_a_task_without_a_payload_gives_null(runs):
    assert runs("cat")["result"] is None


def test_a_large_payload_passes_through(runs):
    text = "x" * 900_000
    assert runs("cat", payload=text)["result"] == text


def test_a_program_need_not_read_its_payload(runs):
    assert runs("exec <&-; echo '\"done\"'", payload="x" * 900_000)["result"] == "done"


@pytest.mark.parametrize("printed, result", [
    ("printf ''", None),
    ("echo", None),
    ("echo 'hello  world'", "hello  world"),
    ("echo 42", 42),
    ("echo '{\"a\": 1}'", {"a": 1}),
    ("echo '{\"a\": 1'", '{"a": 1'),
    ("printf 'a\\n\\n b\\n\\n'", "a\n\n b"),
    ("printf 'bad \\377 byte'", "bad \ufffd byte"),
])
def test_what_is_printed_is_the_result(runs, printed, result):
    task = runs(printed)
    assert task["status"] == "completed"
    assert task["result"] == result


def test_the_task_is_described_in_the_environment(runs, api):
    task = runs(
        'env | grep -E "^(TASKYARD_|TRACEPARENT)" | sort', "--queue", api.type,
        name="My task", queue=api.type, maxAttempts=7)
    seen = dict(line.split("=", 1) for line in task["result"].splitlines())
    assert seen["TASKYARD_TASK_ID"] == task["id"]
    assert seen["TASKYARD_TYPE"] == api.type
    assert seen["TASKYARD_QUEUE"] == api.type
    assert seen["TASKYARD_ATTEMPT"] == "1"
    assert seen["TASKYARD_MAX_ATTEMPTS"] == "7"
    assert seen["TASKYARD_WORKER_ID"] == task["workerId"]
    assert seen["TASKYARD_NAME"] == "My task"
    trace = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", seen["TRACEPARENT"])
    assert trace.group(1) == task["id"].replace("-", "")


def test_a_program_gets_four_descriptors_and_no_blocked_signal(runs):
    task = runs('ls /proc/self/fd | tr "\\n" " "; grep SigBlk /proc/self/status')
    descriptors, _, blocked = task["result"].partition("SigBlk:")
    assert descriptors.split() == ["0", "1", "2", "3", "4"]  # 4 is the folder that ls reads
    assert int(blocked, 16) == 0


def test_lines_on_stderr_go_to_the_log_in_their_order(runs, api):
    task = runs("i=0; while [ $i -lt 120 ]; do echo line $i >&2; i=$((i+1)); done; printf last >&2")
    texts = [line["text"] for line in api.logs(task, limit=1000)]
    assert texts == [f"line {i}" for i in range(120)] + ["last"]


def test_lines_on_fd_3_are_progress(runs, api, worker, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    path = tmp_path / "steps.sh"
    path.write_text(f"echo 'progress 40 resize: page 2 of 5' >&3; read _ < '{gate}'")
    task = api.create()
    worker("--type", api.type, "--exec", f"sh '{path}'")
    seen = until(lambda: (now := api.task(task))["progress"] == 40 and now)
    assert (seen["currentStep"], seen["currentStepDescription"]) == ("resize", "page 2 of 5")
    gate.write_text("\n")
    assert api.final(task)["status"] == "completed"


def test_a_lower_percentage_right_behind_a_higher_one_does_not_hide_it(worker, api, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    path = tmp_path / "steps.sh"
    path.write_text(f"printf 'progress 50 up\nprogress 20 down\n' >&3; read _ < '{gate}'")
    task = api.create()
    worker("--type", api.type, "--exec", f"sh '{path}'")
    seen = until(lambda: (now := api.task(task))["currentStep"] == "down" and now)
    assert seen["progress"] == 50
    gate.write_text("\n")
    assert api.final(task)["status"] == "completed"


def test_a_malformed_progress_line_is_logged_and_harms_nothing(runs, api):
    task = runs("echo 'progress lots' >&3; echo 'progress 101' >&3; echo nonsense >&3")
    assert task["status"] == "completed"
    texts = [line["text"] for line in api.logs(task)]
    assert len(texts) == 3 and all("not a progress line" in text for text in texts)


# --- how it ends ----------------------------------------------------------------------------------


def test_any_other_exit_code_fails_for_good_with_the_last_lines(runs, api):
    task = runs("i=0; while [ $i -lt 30 ]; do echo line $i >&2; i=$((i+1)); done; exit 3")
    assert task["status"] == "failed" and task["attempt"] == 1
    assert task["error"]["code"] == "exit_3"
    assert task["error"]["message"] == "\n".join(f"line {i}" for i in range(10, 30))


def test_a_signal_fails_the_task_and_names_itself(runs):
    task = runs("kill -SEGV $$")
    assert task["status"] == "failed" and task["error"]["code"] == "signal_SEGV"
    assert "nothing to stderr" in task["error"]["message"]


def test_exit_75_asks_for_a_retry(runs, api):
    task = runs('[ $TASKYARD_ATTEMPT = 1 ] && exit 75; echo \'"second"\'',
                backoff={"type": "fixed", "delayMs": 100})
    assert task["status"] == "completed" and task["attempt"] == 2 and task["result"] == "second"
    assert api.outcomes(task) == ["failed", "completed"]


def test_exit_75_fails_when_no_attempt_is_left(runs):
    task = runs("echo busy >&2; exit 75", maxAttempts=1)
    assert task["status"] == "failed"
    assert task["error"]["code"] == "exit_75" and task["error"]["message"] == "busy"


def test_a_result_over_the_limit_fails_the_task(runs):
    task = runs("head -c 2000000 /dev/zero | tr '\\0' x")
    assert task["status"] == "failed" and task["error"]["code"] == "result_too_large"


def test_a_program_that_leaves_a_child_with_its_pipes_still_ends(runs, tmp_path):
    pid_file = tmp_path / "pid"
    task = runs(f"sleep 60 & echo $! > '{pid_file}'; echo '\"done\"'")
    try:
        assert task["status"] == "completed" and task["result"] == "done"
    finally:
        os.kill(pid_from(pid_file), signal.SIGKILL)


# --- leases, cancellation, draining ---------------------------------------------------------------

LONG = "trap 'echo got TERM >&2; exit 0' TERM; echo $$ > '{pid}'; sleep 60 & wait"
STUBBORN = "trap '' TERM; echo $$ > '{pid}'; while :; do sleep 1; done"


@pytest.fixture
def busy(worker, api, tmp_path):
    """busy(script, …) gives a worker, its running task, and the process id of its program."""

    def start(script, *args, **fields):
        pid, path = tmp_path / "pid", tmp_path / "busy.sh"
        path.write_text(script.format(pid=pid))
        task = api.create(**fields)
        one = worker("--type", api.type, "--exec", f"sh '{path}'", *args)
        return one, task, pid_from(pid)

    return start


def test_heartbeats_keep_the_lease_of_a_long_task(busy, api):
    _, task, pid = busy("echo $$ > '{pid}'; sleep 2.5; echo '\"slept\"'", "--lease", "1s")
    done = api.final(task)
    assert done["status"] == "completed" and done["attempt"] == 1 and done["result"] == "slept"


def test_a_cancelled_task_gets_sigterm(busy, api):
    _, task, pid = busy(LONG, "--lease", "2s")
    api.cancel(task)
    assert api.final(task)["status"] == "cancelled"
    assert "got TERM" in [line["text"] for line in api.logs(task)]
    assert not alive(pid)


def test_sigkill_follows_when_sigterm_is_ignored(busy, api):
    _, task, pid = busy(STUBBORN, "--lease", "2s", "--grace", "200ms")
    api.cancel(task, graceMs=60000)
    assert api.final(task)["status"] == "cancelled"
    until(lambda: not alive(pid))


def test_a_program_whose_lease_is_lost_is_killed_at_once(busy, api):
    _, task, pid = busy(STUBBORN, "--lease", "1s", "--grace", "60s")
    api.expect(api.delete(f"/tasks/{task['id']}", params={"force": "true"}))
    until(lambda: not alive(pid))


def test_a_drain_lets_running_tasks_end(busy, api, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    one, task, _ = busy(f"echo $$ > '{{pid}}'; read _ < '{gate}'; echo '\"in time\"'")
    left = api.create()
    one.signal(signal.SIGTERM)
    until(lambda: "draining" in one.log())
    gate.write_text("\n")
    assert one.wait() == 0
    assert api.task(task)["status"] == "completed"
    assert api.task(left)["status"] == "pending"


def test_what_outlasts_the_drain_is_given_back(busy, api):
    one, task, pid = busy(LONG, "--drain", "100ms")
    one.signal(signal.SIGTERM)
    assert one.wait() == 0
    assert not alive(pid)
    seen = api.task(task)
    assert seen["status"] == "pending" and seen["attempt"] == 0
    assert api.outcomes(task) == ["released"]


def test_a_second_signal_ends_at_once(busy, api):
    one, task, pid = busy(STUBBORN, "--drain", "60s", "--grace", "60s")
    one.signal(signal.SIGTERM)
    until(lambda: "draining" in one.log())
    one.signal(signal.SIGINT)
    assert one.wait() == 128 + signal.SIGINT
    assert not alive(pid)
    assert api.task(task)["status"] == "pending"


def test_an_idle_worker_ends_its_long_poll_on_sigterm(worker, api):
    one = worker("--type", api.type, "--exec", "cat")
    api.until_worker(one.id, True)
    began = time.monotonic()
    one.signal(signal.SIGTERM)
    assert one.wait() == 0
    assert time.monotonic() - began < 2.0


def test_a_worker_waits_for_a_server_that_is_not_there_yet(make_server, make_api, worker):
    server = make_server()
    server.port_given = True  # it comes back where it was
    server.stop()
    one = worker("--type", "t", "--exec", "cat", server=server)
    until(lambda: "trying again" in one.log())
    server.start()
    api = make_api(server, type_name="t")
    assert api.final(api.create(payload=[1]), wait_ms=15000)["result"] == [1]


@pytest.fixture
def fragile(make_server, make_api, worker, tmp_path):
    """A server of the test's own that can go and come back, its client, and a busy worker on it."""
    server = make_server()
    server.port_given = True  # it comes back where it was
    api = make_api(server, type_name="t")

    def start(script, *args, **fields):
        pid, path = tmp_path / "pid", tmp_path / "fragile.sh"
        path.write_text(script.format(pid=pid))
        task = api.create(**fields)
        one = worker("--type", "t", "--exec", f"sh '{path}'", *args, server=server)
        return server, api, one, task, pid_from(pid)

    return start


def test_a_result_waits_for_a_server_that_was_away(fragile, store, tmp_path):
    if store == "memory:":
        pytest.skip("this store forgets the task")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    server, api, one, task, _ = fragile(
        f"echo $$ > '{{pid}}'; read _ < '{gate}'; echo log >&2; echo '\"kept\"'")
    server.kill()
    gate.write_text("\n")
    until(lambda: "did not take word" in one.log() or "trying again" in one.log())
    server.start()
    done = api.final(task, wait_ms=20000)
    assert done["result"] == "kept" and done["attempt"] == 1
    assert [line["text"] for line in api.logs(task)] == ["log"]


def test_a_program_is_killed_when_its_lease_ends_without_a_server(fragile):
    server, _, one, _, pid = fragile(STUBBORN, "--lease", "1s", "--grace", "60s")
    server.kill()
    until(lambda: not alive(pid))


# --- the command ----------------------------------------------------------------------------------


def test_many_tasks_are_run_side_by_side(worker, api):
    tasks = [api.create(payload=number) for number in range(40)]
    worker("--type", api.type, "--exec", "cat", "--concurrency", "8")
    assert [api.final(task)["result"] for task in tasks] == list(range(40))


def test_until_empty_ends_when_nothing_is_ready(worker, api):
    tasks = [api.create() for _ in range(5)]
    assert worker("--type", api.type, "--exec", "cat", "--until-empty").wait() == 0
    assert {api.task(task)["status"] for task in tasks} == {"completed"}


def test_until_empty_gives_up_on_a_server_that_does_not_answer(worker):
    lost = worker("--type", "t", "--exec", "cat", "--until-empty", "--url", "http://127.0.0.1:1")
    assert lost.wait(timeout_s=60) == 69
    assert "giving up on the server" in lost.log()


def test_once_runs_one_task(worker, api):
    tasks = [api.create() for _ in range(2)]
    assert worker("--type", api.type, "--exec", "cat", "--once").wait() == 0
    assert [api.task(task)["status"] for task in tasks] == ["completed", "pending"]


@pytest.mark.parametrize("args, word", [
    ([], "--exec or --demo"),
    (["--exec", "cat"], "--type"),
    (["--exec", "cat", "--demo"], "--exec or --demo"),
    (["--type", "t", "--exec", "no-such-program-at-all"], "no-such-program-at-all"),
    (["--type", "t", "--exec", "cat 'open"], "open"),
    (["--type", "t", "--exec", "cat", "--concurrency", "0"], "--concurrency"),
    (["--type", "t", "--exec", "cat", "--lease", "soon"], "--lease"),
    (["--type", "t", "--exec", "cat", "--url", "ftp://x"], "URL"),
    (["--type", "t", "--exec", "cat", "--tipe", "t"], "--type"),
])
def test_a_wrong_command_line_is_refused_with_a_sentence(worker, args, word):
    one = worker(*args)
    assert one.wait() == 64
    assert word in one.log()


@pytest.mark.parametrize("program, make", [
    ("./absent.sh", lambda path: None),
    ("./plain.txt", lambda path: path.write_text("#!/bin/sh\n")),
    ("./folder", lambda path: path.mkdir()),
])
def test_a_program_that_cannot_be_run_is_refused_at_the_start(worker, tmp_path, program, make):
    make(tmp_path / program)
    one = worker("--type", "t", "--exec", f"{program} --size 200")
    assert one.wait() == 64
    assert f"--exec: {program} is not a program that can be run" in one.log()
    assert "worker started" not in one.log()


def test_a_refused_key_ends_the_worker(make_server, worker):
    server = make_server(key="right")
    one = worker("--type", "t", "--exec", "cat", "--key", "wrong", server=server)
    assert one.wait() == 77


def test_help_explains_the_contract(tmp_path):
    done = subprocess.run([str(BINARY), "worker", "--help"], capture_output=True, text=True,
                          env=clean_environment(tmp_path), timeout=WAIT_S)
    assert done.returncode == 0 and "fd 3" in done.stdout and "75" in done.stdout


# --- the demo types -------------------------------------------------------------------------------


@pytest.fixture
def demo(worker, api):
    """demo(type, payload) has a demo worker run one task, in a queue of the test's own."""
    worker("--demo", "--queue", api.type)

    def create(kind, payload):
        return api.create(type=kind, queue=api.type, payload=payload)

    return create


@pytest.mark.parametrize("kind, payload, part", [
    ("sample", {"delayMs": 50, "description": "d"}, {"message": "Sample task completed"}),
    ("sample", {"delayMs": 0}, {"steps": 5}),
    ("file-processing", {"filePath": "/a/\"b\"", "fileSize": 12, "delayMs": 50},
     {"filePath": "/a/\"b\"", "bytesProcessed": 12}),
    ("api-call", {"endpoint": "https://x/y", "data": {"k": [1]}, "delayMs": 50},
     {"statusCode": 200, "response": {"ok": True, "echo": {"k": [1]}}}),
    ("batch", {"items": ["a", {"b": 2}, 3], "delayMs": 50},
     {"processed": 3, "failed": 0, "items": [{"item": "a", "status": "done"},
                                             {"item": {"b": 2}, "status": "done"},
                                             {"item": 3, "status": "done"}]}),
    ("batch", {"items": [], "delayMs": 50}, {"processed": 0}),
    ("sendMessage", {"message": {"text": "Hello"}}, {"message": "Message sent",
                                                     "sent": {"text": "Hello"}}),
    ("processVoice", {"filePath": "/a.wav", "description": "d"},
     {"message": "Voice processed", "filePath": "/a.wav"}),
])
def test_a_demo_task_completes_with_a_sensible_result(demo, api, kind, payload, part):
    task = api.final(demo(kind, payload))
    assert task["status"] == "completed", task["error"]
    assert part.items() <= task["result"].items()
    assert task["result"]["description"] == payload.get("description")


@pytest.mark.parametrize("kind, payload, word", [
    ("sample", {"delayMs": -1}, "delayMs"),
    ("sample", {"delayMs": "soon"}, "delayMs"),
    ("sample", [1], "object"),
    ("file-processing", {}, "filePath"),
    ("api-call", {"endpoint": ""}, "endpoint"),
    ("batch", {}, "items"),
    ("batch", {"items": "abc"}, "items"),
])
def test_a_demo_refuses_a_bad_payload_for_good(demo, api, kind, payload, word):
    task = api.final(demo(kind, payload))
    assert task["status"] == "failed" and task["attempt"] == 1
    assert task["error"]["code"] == "bad_payload" and word in task["error"]["message"]


def test_a_demo_fails_a_type_that_it_does_not_know_for_good(demo, api):
    task = api.final(demo("fly.to/the-moon", [1]))
    assert task["status"] == "failed" and task["attempt"] == 1
    assert task["error"] == {"code": "unknown_task_type", "detail": None,
                             "message": "Unknown task type: fly.to/the-moon"}


def test_a_demo_without_a_queue_takes_only_what_it_knows(worker, api):
    unknown = api.create()
    known = api.create(type="sample", payload={"delayMs": 0}, subject=api.type)
    worker("--demo")
    assert api.final(known)["status"] == "completed"
    assert api.task(unknown)["status"] == "pending"


@pytest.mark.parametrize("said, count", [(["--concurrency", "5"], 5), ([], 4)],
                         ids=["as_said", "by_default"])
def test_no_more_than_the_concurrency_run_at_once_and_so_many_do(worker, api, said, count):
    tasks = [api.create(type="sample", queue=api.type, payload={"delayMs": 600000})
             for _ in range(count + 2)]
    worker("--demo", "--queue", api.type, "--drain", "0s", *said)

    def running():
        return api.expect(api.get(f"/queues/{api.type}"))["queue"]["running"]

    until(lambda: running() == count)
    assert len([task for task in tasks if api.task(task)["status"] == "pending"]) == 2
    api.cancel(next(task for task in tasks if api.task(task)["status"] == "running"))
    until(lambda: len([task for task in tasks if api.task(task)["status"] == "pending"]) == 1)
    assert running() == count


def test_programs_run_one_after_the_other_unless_more_are_asked_for(worker, api):
    tasks = [api.create() for _ in range(3)]
    worker("--type", api.type, "--exec", "sleep 0.1")
    ends = sorted((api.final(task) for task in tasks), key=lambda task: task["startedAt"])
    for earlier, later in zip(ends, ends[1:]):
        assert later["startedAt"] >= earlier["completedAt"]


def test_the_batch_demo_reports_item_by_item(demo, api):
    task = api.final(demo("batch", {"items": ["one", "two", "three"], "delayMs": 1500}))
    assert task["status"] == "completed"
    steps = [(event["note"], event["text"], event["progress"]) for event in api.events(task)
             if event["event"] == "task.progress"]
    assert steps == [("Item 1 of 3", "one", 0), ("Item 2 of 3", "two", 33),
                     ("Item 3 of 3", "three", 66)]


def test_a_demo_honours_a_cancel_promptly(demo, api):
    task = api.create(type="sample", queue=api.type, payload={"delayMs": 600000}, leaseMs=1000)
    until(lambda: api.task(task)["currentStep"])
    began = time.monotonic()
    api.cancel(task, graceMs=60000)
    assert api.final(task)["status"] == "cancelled"
    assert time.monotonic() - began < 3.0
