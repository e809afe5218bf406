"""What can be done can be done by the API: the commands do nothing else, and it reaches all of the
engine."""

import re
import subprocess

import pytest

from lib.described import routes
from lib.nodes import server_or_nodes
from lib.server import ADMIN, BINARY, ROOT, clean_environment

# Commands that work on this machine, and why they must: each one either is the server, is about its
# files when it may not run, or says something of the program itself.
LOCAL = {
    "serve": "is the server",
    "config": "shows the settings of a server that may not have been started",
    "check": "reads a store that may be damaged, and may have no server",
    "backup": "copies the file beside the server, with the rights of its owner",
    "migrate": "moves a store that nobody may serve meanwhile",
    "completion": "prints a script",
    "version": "tells of the program",
    "help": "tells of the program",
    "docs": "prints pages of the reference while it is built",
}
# Commands that use the API and something besides; what they send is looked at below too.
PROGRAMS = {"worker", "bench"}


def commands():
    text = (ROOT / "src" / "app" / "commands.def").read_text()
    return set(re.findall(r"^(?:COMMAND|PROGRAM|HIDDEN)\((\w+)", text, re.M))


# What is said to each command that calls a server; {task} is a pending task, {failed} a failed one.
SAID = {
    "submit": ["submit", "{type}", "1"],
    "get": ["get", "{task}", "--events"],
    "list": ["list", "--limit", "1"],
    "wait": ["wait", "{failed}"],
    "cancel": ["cancel", "{task}"],
    "retry": ["retry", "{failed}"],
    "queue": ["queue", "pause", "q"],
    "type": ["type", "list"],
    "key": ["key", "create", "--name", "k", "--role", "reader"],
    "session": ["session", "list"],
    "events": ["events", "--task", "{task}", "--after", "0", "--count", "1"],
    "health": ["health"],
    "import": ["import", "--from", "tasks.jsonl"],
    "worker": ["worker", "--type", "{type}", "--exec", "cat", "--until-empty"],
    "bench": ["bench", "--profile", "create", "--seconds", "1", "--warmup", "0",
              "--connections", "1"],
}


def test_each_command_is_either_local_for_a_reason_or_uses_the_api():
    assert set(SAID) | set(LOCAL) == commands()
    assert not set(SAID) & set(LOCAL) and PROGRAMS < set(SAID)


@pytest.fixture(scope="module")
def asked(tmp_path_factory, store):
    """A server whose log tells each request."""
    running = server_or_nodes(tmp_path_factory.mktemp("asked"), store, key=ADMIN,
                              args=["--access-log", "--sessions"]).start()
    yield running
    running.stop()


def requests_of(log):
    return set(re.findall(r'"method":"(\w+)","path":"([^"?]*)', log))


@pytest.mark.parametrize("command", sorted(SAID))
def test_a_command_uses_routes_of_the_api_alone(command, asked, make_api, tmp_path):
    api = make_api(asked)
    failed = api.running(maxAttempts=1)
    api.fail(failed, "no")
    names = {"type": api.type, "task": api.create()["id"], "failed": failed["id"]}
    (tmp_path / "tasks.jsonl").write_text('{"_id": "%s", "task_type": "t"}\n' % names["task"])
    known = routes(api)
    before = len(asked.log())
    done = subprocess.run([str(BINARY), *(word.format(**names) for word in SAID[command])],
                          capture_output=True, timeout=60, cwd=tmp_path,
                          env=clean_environment(tmp_path, {"TASKYARD_URL": asked.url,
                                                           "TASKYARD_KEY": ADMIN}))
    assert done.returncode == (10 if command == "wait" else 0), done.stderr  # 10: a task failed
    made = requests_of(asked.log()[before:])
    assert made, "it asked the server nothing"
    for method, path in made:
        assert any(route.method == method and fits(route.path, path) for route in known), (
            method, path)


def fits(pattern, path):
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)


# --- the engine -----------------------------------------------------------------------------------

# By which route each kind of order is given.
GIVEN_BY = {
    "CREATE": "POST /api/v1/tasks",
    "CLAIM": "POST /api/v1/claims",
    "CLAIM_ONE": "POST /api/v1/tasks/{id}/claim",
    "SETTLE": "POST /api/v1/completions",
    "REPORT": "POST /api/v1/tasks/{id}/heartbeat",
    "START": "POST /api/v1/tasks/{id}/start",
    "CANCEL": "POST /api/v1/tasks/{id}/cancel",
    "RETRY": "POST /api/v1/tasks/{id}/retry",
    "EDIT": "PUT /api/v1/tasks/{id}",
    "DELETE": "DELETE /api/v1/tasks/{id}",
    "WATCH": "GET /api/v1/tasks/{id}",
    "PAUSE": "POST /api/v1/queues/{name}/pause",
    "TYPE": "PUT /api/v1/types/{name}",
    "KEY": "POST /api/v1/keys",
    "ROTATE": "POST /api/v1/keys/{name}/rotate",
    "REVOKE": "DELETE /api/v1/keys/{name}",
    "CLEANUP": "POST /api/v1/tasks/cleanup/run",
}
# By no route of its own: time, and any request whose token names a tenant that is new.
BY_ITSELF = {"SWEEP", "TENANT"}


def handlers():
    """route → the function that handles it, by the table of routes."""
    text = (ROOT / "src" / "api" / "routes.def").read_text()
    rows = re.findall(r'(GET|POST|PUT|PATCH|DELETE), "([^"]+)", (\w+)', text)
    return {f"{method} {path}": handler for method, path, handler in rows}


def given_in(kind):
    """The files of the API that give orders of this kind."""
    return [path for path in (ROOT / "src" / "api").rglob("*.c")
            if not path.name.endswith("_test.c") and re.search(rf"\bORDER_{kind}\b",
                                                               path.read_text())]


def test_each_kind_of_order_is_given_by_a_route():
    text = (ROOT / "src" / "engine" / "orders.def").read_text()
    kinds = set(re.findall(r"^ORDER\((\w+)", text, re.M))
    assert kinds == set(GIVEN_BY) | BY_ITSELF
    known = handlers()
    for kind, route in GIVEN_BY.items():
        files = given_in(kind)
        assert route in known and files, f"{kind} is given by no route"
        assert any(re.search(rf"\b{known[route]}\(", path.read_text()) for path in files), (
            f"{known[route]} does not stand where {kind} is given")
