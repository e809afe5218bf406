"""Tests do not meet: names, servers and stores are a test's own and go with it, and nothing outside
this machine takes part."""

import re
import subprocess
from urllib.parse import urlsplit

import pytest

from lib import nodes
from lib.client import fresh_name, problem
from lib.server import POSTGRES, ROOT, Server, servers
from one_node import STAY

DATABASE = "taskmanagement_test"
# Of this machine, or set aside for documents and tests by RFC 2606 and 6761; or a mere letter.
NOBODYS = re.compile(r"(.+\.)?(localhost|example|example\.(com|org|net)|invalid|test)|[a-z]", re.I)
URL = re.compile(r"https?://[^\s\"'`)>,]+")


def psql(sql):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", POSTGRES, "-c", sql],
                          capture_output=True, text=True, check=True).stdout.split()


def stored(server):
    """What there is of its store: the tables of its schema, or files."""
    if server.store == POSTGRES:
        return psql(f"SELECT tablename FROM pg_tables WHERE schemaname = '{server.schema}'")
    return list(server.directory.glob("taskyard.db"))


def test_names_are_never_given_twice():
    assert len({fresh_name() for _ in range(1000)}) == 1000


def test_two_tests_on_the_shared_server_do_not_meet(server, make_api):
    one, other = make_api(server), make_api(server)
    task = one.create()
    assert other.list() == [] and other.claim() == []
    assert [mine["id"] for mine in one.list()] == [one.claim_one()["id"]] == [task["id"]]


def test_two_servers_do_not_see_each_others_tasks(make_server, make_api):
    one, other = make_api(make_server(), type_name="t"), make_api(make_server(), type_name="t")
    task = one.create()
    assert one.task(task)["status"] == "pending"
    problem(other.get(f"/tasks/{task['id']}"), 404, "not_found")
    assert other.list() == [] and other.claim() == []
    assert other.expect(other.get("/tasks/stats"))["stats"]["total"] == 0


def test_a_server_whose_port_another_one_has_is_not_taken_for_ready(server, tmp_path):
    with pytest.raises(AssertionError, match="did not become ready(.|\n)*in use"):
        Server(tmp_path, "memory:", port=server.port).start()


def test_a_server_of_a_test_starts_with_nothing_and_leaves_nothing(tmp_path, store, make_api):
    for _ in range(2):
        with servers(tmp_path / fresh_name("folder"), store) as make:
            api = make_api(make(), type_name="t")
            assert api.expect(api.get("/tasks/stats"))["stats"]["total"] == 0
            api.create()
            assert store == "memory:" or stored(api.server)
        assert not api.server.is_alive()
        if store == "postgresql":  # files lie in the test's own folder, which pytest removes
            assert stored(api.server) == []
            assert psql(f"SELECT 1 FROM pg_namespace WHERE nspname = '{api.server.schema}'") == []


def test_the_store_is_the_tests_own(make_server, store, tmp_path):
    server = make_server()
    if store == "postgresql":
        assert urlsplit(POSTGRES).hostname == "127.0.0.1"
        assert psql("SELECT current_database()") == [DATABASE], \
            "TASKYARD_TEST_POSTGRES is to be what tools/postgres start DIR prints"
        assert re.fullmatch(r"test_[0-9a-f]{8}_\d+", server.schema)
    else:
        assert server.store == "memory:" or tmp_path in server.directory.parents


def test_what_stays_with_one_node_is_there():
    for name in STAY:
        file, _, test = name.partition("::")
        assert f"def {test or 'test_'}" in (ROOT / "tests" / "api" / file).read_text(), name


def test_the_nodes_of_a_server_are_asked_in_turn(api):
    names = [api.expect(api.get("/workers")).get("node") for _ in range(2 * nodes.COUNT)]
    assert len(set(names[:nodes.COUNT])) == nodes.COUNT
    assert names[:nodes.COUNT] == names[nodes.COUNT:]


def hosts(path):
    """Those of the URLs in a file that are whole there."""
    for found in URL.findall(path.read_text()):
        try:
            host = urlsplit(found).hostname
        except ValueError:
            continue
        if host and re.fullmatch(r"[A-Za-z0-9.:-]+", host):
            yield host


def is_here(host):
    return host.startswith("127.") or host == "::1" or bool(NOBODYS.fullmatch(host))


def test_services_of_others_are_played_on_this_machine():
    found = {(path.name, host) for folder in ("api", "cluster", "crash", "lib")
             for path in (ROOT / "tests" / folder).glob("*.py") for host in hosts(path)}
    assert len(found) > 10
    assert [one for one in found if not is_here(one[1])] == []


@pytest.mark.parametrize("host, here", [
    ("127.0.0.1", True), ("localhost", True), ("login.example", True), ("example.com", True),
    ("a.example.org", True), ("example.com.evil.net", False), ("10.0.0.1", False),
    ("api.of-somebody" + ".io", False),
])
def test_what_is_here_is_known(host, here):
    assert is_here(host) is here
