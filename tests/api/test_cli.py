"""The command line against a real server: what people and scripts see."""

import codecs
import http.server
import json
import os
import pty
import re
import select
import socket
import subprocess
import threading

import pytest
from lib.client import fresh_name
from lib.server import BINARY, clean_environment

DONE, FAILURE, FAILED, CANCELLED, ABANDONED = 0, 1, 10, 11, 12
USAGE, UNREACHABLE, TIMED_OUT, NOT_AUTHORISED, CONFIG = 64, 69, 75, 77, 78
NOBODY = "01a22948-0000-7000-8000-000000000000"


class Cli:
    """taskyard(…) runs the program against a server and gives the finished process."""

    def __init__(self, home, server, key=None):
        self.home, self.server = home, server  # which may be a URL
        self.env = {"LC_ALL": "C.UTF-8"}
        if key:
            self.env["TASKYARD_KEY"] = key

    def environment(self, extra=None):
        url = self.server if isinstance(self.server, str) else self.server.url
        return clean_environment(self.home, {"TASKYARD_URL": url, **self.env, **(extra or {})})

    def __call__(self, *args, stdin="", env=None, expect=DONE):
        ended = subprocess.run([str(BINARY), *map(str, args)], input=stdin, text=True,
                               capture_output=True, cwd=self.home, timeout=60,
                               env=self.environment(env))
        assert ended.returncode == expect, (
            f"{args}: {ended.returncode}\n{ended.stdout}{ended.stderr}")
        return ended

    def out(self, *args, **options):
        return self(*args, **options).stdout.rstrip("\n")

    def on_terminal(self, *args, env=None, when=None, then=None):
        """Runs it with a terminal for stdout and stderr; gives exit code and all that was shown.

        As soon as `when` was shown, calls `then`."""
        main, other = pty.openpty()
        with subprocess.Popen([str(BINARY), *map(str, args)], stdin=subprocess.DEVNULL,
                              stdout=other, stderr=other, cwd=self.home,
                              env=self.environment({"TERM": "xterm", **(env or {})})) as process:
            os.close(other)
            shown = ""
            for piece in read_pieces(main):
                shown += piece
                if when and when in shown:
                    then()
                    when = None
            code = process.wait(timeout=60)
        os.close(main)
        return code, shown


def read_pieces(descriptor):
    decoder = codecs.getincrementaldecoder("utf-8")()
    while select.select([descriptor], [], [], 60)[0]:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            return
        if not piece:
            return
        yield decoder.decode(piece)


@pytest.fixture
def taskyard(server, tmp_path):
    return Cli(tmp_path, server)


@pytest.fixture
def offline(tmp_path):
    """The program with no server anywhere."""
    return Cli(tmp_path, "http://127.0.0.1:1")


def finish(api, kind, how):
    """Claims the one task of a type and ends it: how(task)."""
    task = api.claim(types=[kind], waitMs=20000)[0]
    how(task)
    return task


# --- the frame ------------------------------------------------------------------------------------

def test_without_a_command_the_commands_are_listed(offline):
    assert "submit" in offline(expect=USAGE).stderr
    assert "submit" in offline("help").stdout
    assert "submit" in offline("--help").stdout


def test_an_unknown_command_is_refused_with_the_nearest(offline):
    assert "did you mean submit?" in offline("sumbit", expect=USAGE).stderr


def test_an_unknown_option_is_refused_with_the_nearest(offline):
    assert "--queue" in offline("submit", "a", "--qeue", "b", expect=USAGE).stderr


def test_every_command_explains_itself(offline):
    names = offline.out("completion", "bash").split('local commands="')[1].split('"')[0].split()
    assert {"serve", "worker", "submit", "wait", "check", "bench"} <= set(names)
    for name in names:
        assert f"Usage: taskyard {name}" in offline.out(name, "--help")
        assert offline.out("help", name) == offline.out(name, "--help")


def test_the_version_is_told_in_words_and_in_json(offline):
    version = json.loads(offline.out("version", "--json"))["version"]
    assert offline.out("version").startswith(f"taskyard {version}\n")
    assert offline.out("--version").startswith(f"taskyard {version}\n")


def test_without_a_server_the_exit_code_is_69(offline):
    for args in (["list"], ["submit", "a"], ["wait", "x"], ["key", "list"]):
        told = offline(*args, expect=UNREACHABLE).stderr
        assert told.startswith("taskyard: ") and "127.0.0.1:1" in told


def test_output_that_cannot_be_written_is_a_failure(taskyard):
    with open("/dev/full", "w") as full:
        ended = subprocess.run([str(BINARY), "help"], stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == FAILURE and b"cannot be written" in ended.stderr


# --- submit ---------------------------------------------------------------------------------------

def test_submit_prints_the_id_and_sends_what_was_said(taskyard, api):
    kind = fresh_name()
    task_id = taskyard.out(
        "submit", kind, '{"a": 1.50}', "--queue", "q", "--priority", -5, "--max-attempts", 7,
        "--tag", "a=b", "--tag", "c=d=e", "--name", "Näme", "--metadata", '{"m": []}',
        "--project", "p", "--subject", "s", "--unique-key", kind)
    task = api.task(task_id)
    assert (task["type"], task["queue"], task["priority"]) == (kind, "q", -5)
    assert (task["payload"], task["maxAttempts"]) == ({"a": 1.5}, 7)
    assert task["tags"] == {"a": "b", "c": "d=e"}
    assert (task["name"], task["metadata"]) == ("Näme", {"m": []})
    assert (task["projectId"], task["subject"], task["uniqueKey"]) == ("p", "s", kind)


def test_submit_reads_a_payload_from_a_file_and_from_standard_input(taskyard, api, tmp_path):
    (tmp_path / "in.json").write_text('{"from": "file"}\n')
    assert api.task(taskyard.out("submit", "t", "@in.json"))["payload"] == {"from": "file"}
    assert api.task(taskyard.out("submit", "t", "-", stdin="[1]"))["payload"] == [1]
    assert api.task(taskyard.out("submit", "t", "two words", "--text"))["payload"] == "two words"
    assert api.task(taskyard.out("submit", "t"))["payload"] is None


def test_submit_refuses_what_is_wrong_before_it_calls(offline):
    told = offline("submit", "t", "{bad", expect=USAGE).stderr
    assert "not JSON" in told and "--text" in told
    assert "NAME=VALUE" in offline("submit", "t", "--tag", "x", expect=USAGE).stderr
    assert "JSON object" in offline("submit", "t", "--metadata", "[]", expect=USAGE).stderr
    assert "2030-" in offline("submit", "t", "--run-at", "soon", expect=USAGE).stderr
    assert "--priority" in offline("submit", "t", "--priority", "high", expect=USAGE).stderr
    assert "no-such" in offline("submit", "t", "@no-such", expect=USAGE).stderr


def test_submit_tells_the_server_s_refusal(taskyard):
    assert "type" in taskyard("submit", "two words", expect=FAILURE).stderr


def test_submit_can_delay_and_hold(taskyard, api):
    assert api.task(taskyard.out("submit", "t", "--delay", "1h"))["waitingFor"] == "time"
    run_at = api.task(taskyard.out("submit", "t", "--run-at", "2030-01-31T09:30:00Z"))["runAt"]
    assert run_at == 1896082200000
    assert api.task(taskyard.out("submit", "t", "--hold"))["waitingFor"] == "start"


def test_a_unique_key_gives_the_same_task_again(taskyard):
    key = fresh_name()
    assert taskyard.out("submit", "t", "-u", key) == taskyard.out("submit", "t", "-u", key)


def test_an_idempotency_key_adds_nothing_when_repeated(taskyard):
    key = fresh_name()
    first = taskyard.out("submit", "t", "1", "--idempotency-key", key)
    assert taskyard.out("submit", "t", "1", "--idempotency-key", key) == first


def test_from_lines_makes_a_task_of_each_line_in_order(taskyard, api):
    kind = fresh_name()
    ids = taskyard.out("submit", kind, "--from-lines", "--queue", kind,
                       stdin="\n".join(str(n) for n in range(2500)) + "\n\n").split()
    assert len(ids) == 2500
    assert api.task(ids[0])["payload"] == 0 and api.task(ids[2499])["payload"] == 2499


def test_from_lines_takes_text_and_a_file(taskyard, api, tmp_path):
    (tmp_path / "names").write_text("a b.txt\nc.txt\n")
    ids = taskyard.out("submit", "t", "@names", "--from-lines", "--text").split()
    assert [api.task(one)["payload"] for one in ids] == ["a b.txt", "c.txt"]


def test_from_lines_names_the_bad_line(taskyard):
    told = taskyard("submit", "t", "--from-lines", stdin="1\nnope\n", expect=FAILURE).stderr
    assert "line 2 is not JSON" in told


# --- events ---------------------------------------------------------------------------------------

def test_events_tells_what_happens_until_it_has_told_enough(taskyard, api, parallel):
    task = api.running()
    after = api.events(task)[-1]["seq"]
    telling = parallel(taskyard.out, "events", "--type", api.type, "--after", after, "--count", 2)
    api.progress(task, 40, currentStep="half")
    api.complete(task)
    rows = [line.split("\t") for line in telling(30).splitlines()]
    shown = [[task["id"], api.type, "running", "40", "half", ""],
             [task["id"], api.type, "completed", "100", "", ""]]
    assert [row[1] for row in rows] == ["task.progress", "task.completed"], rows
    assert [row[2:] for row in rows] == shown
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", row[0]) for row in rows)


def test_a_line_of_events_has_its_columns_whatever_stands_in_its_text(taskyard, api):
    task = api.running(maxAttempts=1)
    api.fail(task, {"code": "odd", "message": "a\tb\nc \x1b[31m"})
    after = api.events(task)[-2]["seq"]
    args = ["events", "--task", task["id"], "--after", after, "--count", 1]
    text = "a\ufffdb\ufffdc \ufffd[31m"
    assert taskyard.out(*args).split("\t")[4:] == ["failed", "0", "odd", text]
    code, shown = taskyard.on_terminal(*args, env={"NO_COLOR": "1"})
    assert (code, shown.rstrip().partition(api.type)[2]) == (DONE, f"  failed  0%  odd: {text}")


def test_events_as_json_are_those_of_the_list(taskyard, api):
    task = api.running()
    told = [json.loads(line) for line in taskyard.out(
        "events", "--json", "--task", task["id"], "--after", 0, "--count", 2).splitlines()]
    assert [one["seq"] for one in told] == [one["seq"] for one in api.events(task)]
    assert told[-1]["status"] == "running"


def test_events_waits_for_a_server_that_stops_and_goes_on_where_it_broke_off(
        make_server, make_api, tmp_path, store):
    if store == "memory:":  # keeps nothing to go on with
        return
    server = make_server()
    api = make_api(server)
    first = api.create()
    taskyard = Cli(tmp_path, server.url)
    with subprocess.Popen([str(BINARY), "events", "--json", "--after", "0", "--count", "2"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=tmp_path, env=taskyard.environment()) as telling:
        told = [json.loads(telling.stdout.readline())]
        server.stop()
        server.port_given = True
        server.start()
        second = make_api(server).create()
        told.append(json.loads(telling.stdout.readline()))
        assert telling.wait(timeout=20) == DONE
    assert [one["taskId"] for one in told] == [first["id"], second["id"]]


class Torn(http.server.BaseHTTPRequestHandler):
    """A stream that breaks off behind the next of its server's `pieces`; notes the marks."""

    def do_GET(self):
        self.server.marks.append(self.headers["Last-Event-ID"])
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self.server.pieces.pop(0).encode())

    def log_message(self, *_):
        pass


def test_events_that_break_off_are_asked_for_again(tmp_path):
    events = [f'id: {n}\nevent: task.created\ndata: {{"seq":{n}}}\n' for n in range(4)]
    with http.server.HTTPServer(("127.0.0.1", 0), Torn) as torn:
        torn.marks = []
        torn.pieces = [f"retry: 1\n{events[1]}\n{events[2]}", "id: 1\n\nid: 9\n",
                       f"{events[2]}\n{events[3]}\n"]
        thread = threading.Thread(target=torn.serve_forever, args=(0.01,))
        thread.start()
        try:
            taskyard = Cli(tmp_path, f"http://127.0.0.1:{torn.server_address[1]}")
            told = taskyard.out("events", "--json", "--count", 3).splitlines()
        finally:
            torn.shutdown()
            thread.join()
    assert [json.loads(line)["seq"] for line in told] == [1, 2, 3]
    assert torn.marks == [None, "1", "1"]


def test_events_that_the_server_refuses_are_an_error(taskyard):
    told = taskyard("events", "--task", "nonsense", expect=FAILURE)
    assert "taskId" in told.stderr and told.stdout == ""
    taskyard("events", "--count", "0", expect=USAGE)


# --- wait -----------------------------------------------------------------------------------------

def test_submit_wait_prints_the_result_as_it_was_sent(taskyard, api, parallel):
    kind = fresh_name()
    join = parallel(finish, api, kind, lambda task: api.complete(task, {"n": [1, 2]}))
    out = taskyard.out("submit", kind, "--wait", "--timeout", "30s")
    join()
    assert json.loads(out) == {"n": [1, 2]}


def test_wait_exits_by_how_the_task_ended(taskyard, api):
    kind = fresh_name()
    completed = taskyard.out("submit", kind)
    finish(api, kind, lambda task: api.complete(task, None))
    assert taskyard.out("wait", completed) == "null"

    failed = taskyard.out("submit", kind, "--max-attempts", 1)
    finish(api, kind, lambda task: api.fail(task, "no paper"))
    ended = taskyard("wait", failed, expect=FAILED)
    assert "no paper" in ended.stderr and ended.stdout == ""

    cancelled = taskyard.out("submit", kind)
    taskyard("cancel", cancelled)
    taskyard("wait", cancelled, expect=CANCELLED)
    taskyard("wait", completed, failed, cancelled, expect=FAILED)

    lost = api.running(claim={"leaseMs": 1000}, maxAttempts=1)  # nobody renews it
    taskyard("wait", lost["id"], expect=ABANDONED)
    assert api.task(lost)["status"] == "abandoned"


def test_wait_gives_up_in_time(taskyard):
    waiting = taskyard.out("submit", fresh_name())
    told = taskyard("wait", waiting, "--timeout", "100ms", expect=TIMED_OUT)
    assert waiting in told.stderr and told.stdout == ""
    taskyard("submit", fresh_name(), "--wait", "--timeout", "100ms", expect=TIMED_OUT)


def test_wait_is_quiet_in_a_pipe(taskyard, api):
    kind = fresh_name()
    done = taskyard.out("submit", kind)
    finish(api, kind, lambda task: api.complete(task, "ok"))
    ended = taskyard("wait", done)
    assert (ended.stdout, ended.stderr) == ('"ok"\n', "")
    assert json.loads(taskyard.out("wait", done, "--json"))["result"] == "ok"


def test_wait_shows_a_bar_on_a_terminal(taskyard, api):
    task = api.running()
    api.progress(task, 40, currentStep="resize", currentStepDescription="page 2 of 5")
    code, shown = taskyard.on_terminal("wait", task["id"], when="page 2 of 5",
                                       then=lambda: api.complete(task, "done"))
    assert code == DONE
    assert "━" in shown and " 40%  resize: page 2 of 5" in shown and "\x1b[36m" in shown
    assert shown.rstrip().endswith('"done"')


def test_wait_counts_several_tasks_in_its_bar(taskyard, api):
    first, second = api.ended("completed"), api.running()
    code, shown = taskyard.on_terminal("wait", first["id"], second["id"], when="2/2",
                                       then=lambda: api.complete(second, 2),
                                       env={"LC_ALL": "C", "NO_COLOR": "1"})
    assert code == DONE and "2/2  ----" in shown


def test_what_is_not_there_is_named(taskyard, api):
    for args in (["wait", api.ended("completed")["id"], "nope"], ["get", "nope"],
                 ["get", "nope", "--logs"], ["events", "--task", NOBODY], ["cancel", "nope"]):
        told = taskyard(*args, expect=FAILURE).stderr
        name = NOBODY if NOBODY in args else "nope"
        assert told.startswith(f"taskyard: {name}: there is no such "), told


# --- get and list ---------------------------------------------------------------------------------

def test_get_shows_a_task_in_words_and_in_json(taskyard):
    kind = fresh_name()
    task_id = taskyard.out("submit", kind, '{"x":  1}', "--name", "two\x1b[2Jfaced")
    text = taskyard.out("get", task_id)
    assert f"id           {task_id}" in text and "status       pending" in text
    assert '{"x":  1}' in text and "\x1b" not in text
    assert json.loads(taskyard.out("get", task_id, "--json"))["id"] == task_id


def test_get_shows_history_attempts_log_and_reason(taskyard, api):
    kind = fresh_name()
    task_id = taskyard.out("submit", kind)
    assert taskyard.out("get", task_id, "--explain")
    task = api.claim(types=[kind])[0]
    api.log(task, "one", "two")
    api.complete(task, 1)
    assert [line.split("\t")[1] for line in taskyard.out("get", task_id, "--logs").split("\n")] == [
        "one", "two"]
    events = [line.split("\t")[1] for line in taskyard.out("get", task_id, "--events").split("\n")]
    assert events[0] == "task.created" and events[-1] == "task.completed"
    attempt = taskyard.out("get", task_id, "--attempts").split("\t")
    assert (attempt[0], attempt[4]) == ("1", "completed")
    assert json.loads(taskyard.out("get", task_id, "--logs", "--json"))[1]["text"] == "two"


def test_list_in_a_pipe_has_tabs_and_no_titles(taskyard):
    kind = fresh_name()
    first, second = taskyard.out("submit", kind), taskyard.out("submit", kind)
    rows = [line.split("\t") for line in taskyard.out("list", "--type", kind).split("\n")]
    assert [row[0] for row in rows] == [second, first]
    assert rows[0][1:4] == [kind, "pending", "0"] and rows[0][4].endswith("Z")


def test_list_on_a_terminal_is_a_table(taskyard):
    kind = fresh_name()
    taskyard.out("submit", kind)
    code, shown = taskyard.on_terminal("list", "--type", kind)
    assert code == DONE and shown.split("\r\n")[0].split("\x1b[2m")[1].startswith("ID")
    code, shown = taskyard.on_terminal("list", "--type", kind, env={"NO_COLOR": "1"})
    assert code == DONE and "\x1b" not in shown and shown.startswith("ID")
    assert "\x1b" in taskyard.out("list", "--type", kind, env={"FORCE_COLOR": "1"})


def test_list_filters_and_follows_cursors(taskyard):
    kind = fresh_name()
    taskyard("submit", kind, "--from-lines", "--tag", f"set={kind}",
             stdin="\n".join("1" for _ in range(1100)))
    tagged = ["list", "--tag", f"set={kind}"]
    assert len(taskyard.out(*tagged, "--all").split("\n")) == 1100
    assert len(taskyard.out(*tagged, "--limit", 1050).split("\n")) == 1050
    assert len(taskyard.out(*tagged).split("\n")) == 50
    assert taskyard.out(*tagged, "--status", "completed,failed") == ""
    lines = taskyard.out(*tagged, "--json", "-n", 3).split("\n")
    assert [json.loads(line)["type"] for line in lines] == [kind] * 3


# --- moves, queues, keys --------------------------------------------------------------------------

def test_cancel_and_retry_go_on_after_a_refusal(taskyard, api):
    one, two = taskyard.out("submit", fresh_name()), taskyard.out("submit", fresh_name())
    ended = taskyard("cancel", one, "nope", two, "--reason", 'a "reason"', expect=FAILURE)
    assert ended.stdout == f"{one}\tcancelled\n{two}\tcancelled\n" and "nope" in ended.stderr
    assert taskyard.out("retry", one, two) == f"{one}\tpending\n{two}\tpending"
    taskyard("retry", one, expect=FAILURE)
    assert any(e["text"] == 'a "reason"' or e["note"] == 'a "reason"'
               for e in api.events(one))


def test_cancel_of_a_running_task_asks_its_worker(taskyard, api):
    kind = fresh_name()
    task_id = taskyard.out("submit", kind)
    api.claim(types=[kind])
    assert taskyard.out("cancel", task_id) == f"{task_id}\trunning, asked to stop"


def test_queues_are_listed_paused_and_resumed(taskyard):
    queue = fresh_name("q")
    taskyard("submit", "t", "--queue", queue)
    assert taskyard.out("queue", "pause", queue) == f"{queue}\tpaused"
    row = next(line for line in taskyard.out("queue").split("\n") if line.startswith(queue + "\t"))
    assert row.split("\t")[:3] == [queue, "paused", "1"]
    assert taskyard.out("queue", "resume", queue) == f"{queue}\tactive"
    taskyard("queue", "drop", queue, expect=USAGE)


def test_types_are_listed(taskyard):
    kind = fresh_name()
    taskyard("submit", kind)
    assert any(line.startswith(kind + "\t") for line in taskyard.out("type", "list").split("\n"))


def test_keys_are_created_used_and_revoked(make_server, tmp_path):
    server = make_server(key="first-key")
    anyone, admin = Cli(tmp_path, server.url), Cli(tmp_path, server.url, "first-key")
    anyone("list", expect=NOT_AUTHORISED)
    made = admin("key", "create", "--name", "web", "--role", "reader", "--role", "producer")
    secret = made.stdout.strip()
    web = Cli(tmp_path, server.url, secret)
    assert web.out("submit", "t")
    web("key", "list", expect=NOT_AUTHORISED)
    (tmp_path / "key").write_text(secret + "\n")
    assert anyone.out("list", "--key-file", "key") and anyone.out("list", "--key", secret)
    row = next(line for line in admin.out("key", "list").split("\n") if "\tweb\t" in line)
    assert secret not in row
    assert admin.out("key", "revoke", row.split("\t")[0]).endswith("\trevoked")
    web("list", expect=NOT_AUTHORISED)


def test_a_key_is_rotated_and_both_open_for_a_while(make_server, tmp_path):
    server = make_server(key="first-key")
    admin = Cli(tmp_path, server.url, "first-key")
    old = admin.out("key", "create", "--name", "mail", "--role", "reader", "--service", "mail",
                    "--expires-in", "90d")
    made = json.loads(admin.out("key", "list", "--json"))
    assert made["service"] == "mail"
    assert made["expiresAt"] - made["createdAt"] == 90 * 86400 * 1000
    rotated = admin("key", "rotate", made["id"], "--overlap", "2h")
    assert f"Key {made['id']} opens until 20" in rotated.stderr
    for secret in (old, rotated.stdout.strip()):
        Cli(tmp_path, server.url, secret)("list")
    rows = [line.split("\t") for line in admin.out("key", "list").split("\n")]
    assert [row[1:5] for row in rows if row[1] == "mail"] == \
        [["mail", "default", "reader", "mail"]] * 2
    assert "rotated already" in admin("key", "rotate", made["id"], expect=FAILURE).stderr


@pytest.mark.parametrize("args", [
    ["create", "--name", "n", "--role", "reader", "--expires-in", "soon"],
    ["create", "--name", "n", "--role", "reader", "--expires-in", "0s"],
    ["rotate", "4f9a1c02", "--overlap", "1w"], ["rotate"], ["rotate", "4f9a1c02", "4f9a1c03"]])
def test_a_bad_rotation_or_lifetime_is_refused_before_it_is_sent(taskyard, args):
    taskyard("key", *args, expect=USAGE)


def test_key_create_needs_a_name_and_a_role(taskyard):
    assert "--role" in taskyard("key", "create", "--name", "x", expect=USAGE).stderr


# --- settings and upkeep --------------------------------------------------------------------------

def test_config_tells_where_each_value_comes_from(offline, tmp_path):
    (tmp_path / "taskyard.conf").write_text("lease = 1m\n[type a]\nmax_attempts = 2\n")
    env = {"PORT": "9000", "API_KEY": "hidden"}
    text = offline.out("config", "--drain", "3s", env=env)
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in text.split("\n")}
    assert rows["lease"] == ["1m", "taskyard.conf:1"]
    assert rows["listen"] == ["127.0.0.1:9000", "PORT"]
    assert rows["drain"] == ["3s", "--drain"]
    assert rows["readers"][1] == "default"
    assert rows["api_key"] == ["********", "API_KEY"]
    document = json.loads(offline.out("config", "--json", env=env))
    assert document["settings"]["lease"] == {"value": "1m", "from": "taskyard.conf:1"}
    assert document["types"] == ["a"] and "hidden" not in json.dumps(document)


def test_wrong_settings_are_refused_with_place_and_help(offline, tmp_path):
    (tmp_path / "bad.conf").write_text("\nlog_levle = info\n")
    for command in ("config", "serve"):
        told = offline(command, "--config", "bad.conf", expect=CONFIG).stderr
        assert told.startswith("taskyard: bad.conf:2: ") and "did you mean log_level?" in told
    assert "between" in offline("config", "--lease", "2d", expect=CONFIG).stderr
    told = offline("serve", "--store", "mysql://me:secret@x", expect=CONFIG).stderr
    assert "postgresql://" in told and "secret" not in told
    assert "1 to 63" in offline("config", "--store-schema", "No", expect=CONFIG).stderr


def test_a_check_tells_all_that_is_wrong_in_the_order_of_its_places(offline, tmp_path):
    (tmp_path / "bad.conf").write_text(
        "log_levle = info\nreaders = 99\nlease = 1m\n[tipe a]\nlease = 1x\n[type b]\n"
        "max_attempts = 0\nlease = 1m\n[queue q]\npaused = maybe\nno entry\n")
    env = {"TASKYARD_DRAIN": "soon", "PORT": "x"}
    for command in (["config", "--check"], ["config"], ["serve"]):
        args = [*command, "--config", "bad.conf", "--idle-timeout", "1w"]
        told = offline(*args, env=env, expect=CONFIG).stderr.splitlines()
        places = [line.removeprefix("taskyard: ").split(": ")[0] for line in told]
        assert places == ["bad.conf:1", "bad.conf:2", "bad.conf:4", "bad.conf:7", "bad.conf:10",
                          "bad.conf:11", "PORT", "TASKYARD_DRAIN", "--idle-timeout"], told
    (tmp_path / "bad.conf").write_text("lease = 1m\n")
    assert offline("config", "--check", "--config", "bad.conf").stderr == ""


def test_a_section_that_is_not_closed_is_told_and_not_the_keys_in_it(offline, tmp_path):
    (tmp_path / "bad.conf").write_text("[type a\nqueue = voice\nbackoff = fixed 10s\n")
    told = offline("config", "--check", "--config", "bad.conf", expect=CONFIG).stderr
    assert told.startswith("taskyard: bad.conf:1: expected [section]") and told.count("\n") == 1


@pytest.mark.parametrize("wrong", [1, 20, 21, 25])
def test_of_many_wrong_settings_twenty_are_told_and_by_a_check_all(offline, tmp_path, wrong):
    (tmp_path / "bad.conf").write_text("log_levle = info\n" * wrong)
    for command in ("serve", "config", "check"):
        told = offline(command, "--config", "bad.conf", expect=CONFIG).stderr.splitlines()
        assert len(told) == min(wrong, 21), told
        assert ("more" in told[-1]) == (wrong > 20)
        assert wrong <= 20 or told[-1].startswith(f"taskyard: and {wrong - 20} more; ")
    told = offline("config", "--check", "--config", "bad.conf", expect=CONFIG).stderr
    assert len(told.splitlines()) == wrong


def test_a_password_in_the_stores_address_is_not_shown(offline):
    store = "postgresql://me:secret@127.0.0.1:1/x"
    assert "me:***@127.0.0.1:1/x" in offline.out("config", env={"DATABASE_URL": store})
    told = offline("serve", env={"DATABASE_URL": store}, expect=1).stderr
    assert "cannot connect to the database" in told and "secret" not in told


@pytest.mark.parametrize("store, hints", [
    ("postgresql://me@127.0.0.1:1/x", ["is it running", "pg_isready -h 127.0.0.1 -p 1"]),
    ("postgresql://me@/x?host=/nowhere", ["is it running", "pg_isready -h /nowhere"]),
    ("postgresql://me@nobody.invalid/x", ["host's name"])])
def test_a_database_that_is_not_reached_is_told_with_what_to_look_at(offline, store, hints):
    told = offline("serve", "--store", store, expect=1).stderr
    assert "cannot connect to the database" in told and all(hint in told for hint in hints), told


def test_serve_refuses_to_listen_in_public_without_a_key(offline):
    told = offline("serve", "--listen", "0.0.0.0:0", "--store", "memory:", expect=CONFIG).stderr
    assert "API key" in told
    env = {"API_KEY": "dev_api_key"}
    told = offline("serve", "--listen", "0.0.0.0:0", "--store", "memory:", env=env,
                   expect=CONFIG).stderr
    assert "dev_api_key" in told


def test_what_is_refused_without_a_store_leaves_none(offline, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        busy = f"127.0.0.1:{other.getsockname()[1]}"
        told = offline("serve", "--listen", busy, expect=FAILURE).stderr
    assert "address already in use" in told and "listen elsewhere" in told
    assert "API key" in offline("serve", "--listen", "0.0.0.0:0", expect=CONFIG).stderr
    assert list(tmp_path.iterdir()) == []


def test_config_check_is_quiet_when_all_is_well(offline):
    ended = offline("config", "--check")
    assert (ended.stdout, ended.stderr) == ("", "")
    offline("config", "--check", "--listen", "0.0.0.0:1", env={"API_KEY": "dev_api_key"},
            expect=CONFIG)


def test_config_check_tells_what_a_public_address_relies_on(offline):
    public = ("config", "--check", "--listen", "0.0.0.0:1")
    assert "only if the store holds a key" in offline(*public).stderr
    for lets_in in ({"API_KEY": "k" * 40}, {"TASKYARD_JWT_SECRET": "s" * 40}):
        assert offline(*public, env=lets_in).stderr == ""


def test_a_mistyped_variable_is_pointed_out(offline):
    told = offline("config", env={"TASKYARD_LISTN": "x"}).stderr
    assert "TASKYARD_LISTN is not used; did you mean TASKYARD_LISTEN?" in told


def test_check_and_backup_work_beside_a_running_server(make_server, tmp_path):
    server = make_server(store="sqlite")
    if not server.store.startswith("sqlite:"):
        pytest.skip("needs a file")
    cli = Cli(tmp_path, server.url)
    task_id = cli.out("submit", "t")
    lines = cli.out("check", "--store", server.store).split("\n")
    assert lines and all(line.startswith("ok ") for line in lines)
    cli("backup", "--store", server.store, tmp_path / "copy.db")
    cli("check", "--store", "sqlite:copy.db")
    copy = make_server(store=f"sqlite:{tmp_path}/copy.db")
    assert Cli(tmp_path, copy.url).out("list").startswith(task_id)


def test_a_store_that_is_not_there_or_in_memory_cannot_be_checked(offline):
    offline("check", "--store", "memory:", expect=USAGE)
    assert offline("check", "--store", "sqlite:none.db", expect=FAILURE).stderr


def test_a_schema_is_only_for_postgresql(offline):
    ended = offline("check", "--store", "sqlite:none.db", "--store-schema", "x", expect=USAGE)
    assert "--store-schema is for PostgreSQL" in ended.stderr
    assert "--store-schema" in offline("check", "--help").stdout
    assert "--store-schema" not in offline("backup", "--help").stdout


# --- completion -----------------------------------------------------------------------------------

def complete(taskyard, *words):
    """What bash would offer for the last word."""
    script = taskyard.out("completion", "bash")
    quoted = " ".join(f"'{word}'" for word in words)
    asked = (f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _taskyard\n"
             "printf '%s\\n' \"${COMPREPLY[@]}\"")
    return subprocess.run(["bash", "-c", asked], capture_output=True, text=True,
                          check=True).stdout.split()


def test_bash_completes_commands_options_and_words(offline):
    assert complete(offline, "taskyard", "sub") == ["submit"]
    assert complete(offline, "taskyard", "queue", "p") == ["pause"]
    assert complete(offline, "taskyard", "list", "--ta") == ["--tag"]
    assert "--exec" in complete(offline, "taskyard", "worker", "--e")
    assert complete(offline, "taskyard", "list", "--tag", "") == []
    assert "backup" in complete(offline, "taskyard", "help", "")


def test_a_wait_that_loses_its_server_still_tells_the_id(make_server, make_api, tmp_path):
    server = make_server()
    api = make_api(server)
    cli = Cli(tmp_path, server.url)
    with subprocess.Popen([str(BINARY), "submit", "lost", "--wait"], stderr=subprocess.PIPE,
                          text=True, cwd=tmp_path, env=cli.environment()) as waiting:
        while not api.http.get("/health").json()["watching"]:
            assert waiting.poll() is None
        task = api.expect(api.get("/tasks"))["tasks"][0]
        server.kill()
        told = waiting.communicate(timeout=30)[1]
    assert waiting.returncode == UNREACHABLE
    assert f"`taskyard wait {task['id']}` goes on waiting" in told
