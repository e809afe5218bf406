"""Fixtures of the black-box suite: one shared server, special servers, a client for each test."""

import os
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import nodes  # noqa: E402
from lib.client import Api, fresh_name, new_key  # noqa: E402
from lib.described import routes  # noqa: E402
from lib.nodes import server_or_nodes  # noqa: E402
from lib.server import ADMIN, drop_all_schemas, servers  # noqa: E402
from lib.sessions import Session, with_sessions  # noqa: E402
from lib.tokens import SECRET, Secret, claims  # noqa: E402
from one_node import number_of, of_nodes  # noqa: E402

STORE = os.environ.get("TASKYARD_TEST_STORE", "sqlite")
# What concerns that store, or none: once is enough.
collect_ignore = [] if STORE == "sqlite" else [
    "test_network.py", "test_site.py", "test_sqlite.py", "test_suites.py"]
if STORE != "postgresql":
    collect_ignore.append("test_door_repository_plans.py")
if STORE == "memory:":  # a restart keeps nothing of it, so there is nothing to test
    collect_ignore += ["test_restart.py", "test_door_jobs.py"]
tests_by_nodes_asked = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """With several nodes only the tests run that ask them."""
    if nodes.COUNT > 1:
        config.hook.pytest_deselected(items=[item for item in items if not of_nodes(item)])
        items[:] = [item for item in items if of_nodes(item)]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    nodes.begin_test(number_of(item))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown():
    tests_by_nodes_asked[nodes.nodes_asked()] += 1


def pytest_terminal_summary(terminalreporter):
    if nodes.COUNT > 1:
        for asked, tests in sorted(tests_by_nodes_asked.items()):
            terminalreporter.write_line(f"{tests} tests asked {asked} of {nodes.COUNT} nodes")


@pytest.fixture(scope="session")
def store():
    """What the suite runs on: memory:, or for each server a file of its own (sqlite), or a schema
    of its own (postgresql) on the server at TASKYARD_TEST_POSTGRES."""
    yield STORE
    drop_all_schemas()


@pytest.fixture(scope="session")
def server(tmp_path_factory, store):
    running = server_or_nodes(tmp_path_factory.mktemp("server"), store).start()
    yield running
    running.stop()


@pytest.fixture
def make_server(tmp_path, store):
    """make_server(key="k", body_max=4096, …) starts another server. All stop with the test, and
    what they stored goes with them."""
    with servers(tmp_path, store) as make:
        yield make


@pytest.fixture
def api(server):
    client = Api(server)
    yield client
    client.close()


def all_doors(store):
    """Options of a server that asks everyone for a key or a token, and serves sessions and jobs."""
    return {"store": "sqlite" if store == "memory:" else store, "key": ADMIN,
            "auth_failures_max": 0, "args": ["--sessions"], "sessions_max": 1000,
            "env": {"TASKYARD_JWT_SECRET": SECRET, "TASKYARD_JOBS": "yes"}}


@pytest.fixture(scope="module")
def keyed(request, tmp_path_factory, store):
    """Such a server, the module's own. For jobs memory: will not do."""
    running = server_or_nodes(tmp_path_factory.mktemp(request.module.__name__),
                              **all_doors(store)).start()
    yield running
    running.stop()


@pytest.fixture
def fresh(make_server, store):
    """Another such server, on which there is nothing."""
    return make_server(**all_doors(store))


@pytest.fixture
def admin(keyed, make_api):
    """The holder of its first key."""
    return make_api(keyed)


@pytest.fixture
def described(admin):
    """The routes of that server."""
    return routes(admin)


@pytest.fixture
def open_to_sessions(described):
    found = [route.of_session() for route in described if route.session]
    assert len(found) > 15
    return found


@pytest.fixture(params=["key", "token"])
def credential(request, admin):
    """credential(roles, tenant=…): a key or a token with these roles, good for a while."""
    def make(roles, **fields):
        if request.param == "key":
            return new_key(admin, roles, **fields)["secret"]
        return Secret().token(claims(roles=roles, **fields))
    return make


@pytest.fixture
def tenant(keyed, admin, make_api):
    """tenant(): an admin of a tenant that has nothing yet."""
    return lambda: make_api(
        keyed, key=new_key(admin, ["admin"], tenant=fresh_name("tenant"))["secret"])


@pytest.fixture
def stranger(keyed, credential, make_api):
    """The same, by a key and by a token."""
    return make_api(keyed, key=credential(["admin"], tenant=fresh_name("tenant")))


@pytest.fixture
def visit(keyed, make_api):
    """visit(): a client in a session of its own; visit(None): one that sends neither key nor
    credential."""
    def make(session="", server=keyed):
        api = make_api(server, key="")
        api.http.headers.pop("Authorization", None)
        api.session = fresh_name("s") if session == "" else session
        if api.session:
            api.http.headers["X-App-Session"] = api.session
        return api
    return make


@pytest.fixture
def make_api():
    """make_api(server, key=…) for servers and principals of a test's own."""
    made = []

    def make(server, **options):
        made.append(Api(server, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def session_server(tmp_path_factory, store):
    """A server with sessions on. Each test has sessions and types of its own there."""
    running = server_or_nodes(tmp_path_factory.mktemp("sessions"), store, **with_sessions()).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def keyless(tmp_path_factory, store):
    """The same without an API key, so that there is a local user. Nobody makes one there."""
    running = server_or_nodes(tmp_path_factory.mktemp("keyless"), store,
                              **with_sessions(key=None)).start()
    yield running
    running.stop()


@pytest.fixture
def make_session(session_server):
    """make_session(KEY, server=…): one more session; all have what the test calls them by."""
    made = []

    def make(session=None, server=session_server, **options):
        made.append(Session(server, session, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def session(make_session):
    return make_session()


@pytest.fixture
def crew(session_server, make_api):
    """Who claims tasks of sessions on that server, and may do everything there."""
    return make_api(session_server)


class Parallel:
    """Runs calls in threads of their own; join() gives their results or raises their failure."""

    def __init__(self):
        self.threads = []

    def start(self, call, *args, **options):
        box = {}

        def run():
            try:
                box["value"] = call(*args, **options)
            except BaseException as failure:  # handed over to the thread that joins
                box["failure"] = failure

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

        def join(timeout_s=20.0):
            thread.join(timeout_s)
            assert not thread.is_alive(), "a parallel call did not come back"
            if "failure" in box:
                raise box["failure"]
            return box["value"]

        return join


@pytest.fixture
def parallel():
    """start = parallel(call, …); start() waits for the result."""
    runner = Parallel()
    yield runner.start
    for thread in runner.threads:
        thread.join(5.0)


@pytest.fixture
def random_seed():
    """Printed, so that a failure shows it; TASKYARD_SEED runs the same dice again."""
    seed = int(os.environ.get("TASKYARD_SEED", int.from_bytes(os.urandom(4), "big")))
    print(f"TASKYARD_SEED={seed}")
    return seed


@pytest.fixture(scope="module")
def alive_after(server):
    """For modules of bad input: afterwards the server lives and a canary task runs its life."""
    pid = server.pid
    yield
    assert server.is_alive() and server.pid == pid, server.log_tail()
    canary = Api(server)
    task = canary.running(payload={"canary": True})
    assert canary.complete(task, {"sings": True})["status"] == "completed"
    canary.close()
