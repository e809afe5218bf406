"""Databases that a node must not serve from: it says why, and what to do."""

import re
import subprocess

import pytest

from lib.postgres import CLIENTS, PgBouncer, Postgres, until

LINES_A_SECOND, BACK_S = 1, 5.0


@pytest.fixture
def own():
    """A server whose settings a test may spoil, and one that may follow it."""
    made = [Postgres(), Postgres()]
    try:
        made[0].create().start()
        yield made
    finally:
        for server in made:
            server.remove()


@pytest.fixture
def make_node(make_cluster):
    """make_node(url) is not started."""
    def make(url, **settings):
        return make_cluster(url, nodes=0).new_node("node", **settings)

    made = []
    yield lambda *args, **settings: made.append(make(*args, **settings)) or made[-1]
    for node in made:
        node.kill()


def assert_refused(node, sentence):
    """It ends by itself, soon, with its reason."""
    with pytest.raises(AssertionError, match="did not become ready"):
        node.start(timeout_s=10)
    assert node.process.returncode > 0, "it went on trying"
    assert re.search(sentence, node.log()), node.log_tail()


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_may_lose_what_it_acknowledged_is_refused(own, make_node, name):
    server, _ = own
    server.configure(**{name: "off"})
    server.reload()
    with server.sql() as sql:
        until(lambda: sql.one(f"SHOW {name}") == "off", 5, "not reloaded")
    node = make_node(server.url())
    assert_refused(node, name)
    node.args.append("--unsafe-store")
    node.start()
    assert name in node.log()
    node.stop()


def test_a_commit_that_does_not_wait_for_the_synchronous_standby_is_refused(own, make_node):
    """Without such a standby it is as good as any."""
    server, _ = own
    server.configure(synchronous_commit="local")
    server.reload()
    with server.sql() as sql:
        until(lambda: sql.one("SHOW synchronous_commit") == "local", 5, "not reloaded")
    make_node(server.url()).start().stop()
    server.configure(synchronous_standby_names="ANY 1 (a)")
    server.reload()
    with server.sql() as sql:
        until(lambda: sql.one("SHOW synchronous_standby_names") != "", 5, "not reloaded")
    assert_refused(make_node(server.url()), "synchronous_commit local")


def test_a_server_that_comes_back_forgetful_is_not_written_to(own, make_cluster):
    """Nodes that run look again each time they connect, and serve when it is mended."""
    server, _ = own
    cluster = make_cluster(server.url(), nodes=1)
    node, = cluster.nodes

    def restart(fsync):
        server.stop()
        server.configure(fsync=fsync)
        server.start()

    cluster.until_serving([node], BACK_S)
    restart("off")
    until(lambda: "fsync off" in node.log(), BACK_S, "not noticed")
    assert cluster.ready(node) == 503
    assert not cluster.serves(node)
    restart("on")
    cluster.until_serving([node], BACK_S)


def test_a_database_with_its_own_setting_is_seen_through(postgres, database, make_node):
    """Settings of a database or a role win over those of the server."""
    url = postgres.make_database(database)
    with postgres.sql() as sql:
        sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    assert_refused(make_node(url), "synchronous_commit")


def test_a_database_that_is_not_utf_8_is_refused(postgres, database, make_node):
    with postgres.sql() as sql:
        sql(f"CREATE DATABASE {database} ENCODING 'LATIN1' TEMPLATE template0")
    assert_refused(make_node(postgres.url(database)), "UTF-?8")


def test_a_node_does_not_serve_from_a_standby(own, make_node):
    """It ends, or tries again without flooding the log, until the standby is promoted."""
    primary, standby = own
    make_node(primary.url()).start().stop()  # the schema is there
    standby.follow(primary)
    node = make_node(standby.url())
    with pytest.raises(AssertionError, match="did not become ready"):
        node.start(timeout_s=4)
    assert re.search("standby|read-only|recovery", node.log()), node.log_tail()
    assert len(node.log().splitlines()) <= 4 * LINES_A_SECOND + 5, node.log_tail()


def test_a_pooler_that_takes_no_transactions_is_refused(postgres, database, make_node):
    postgres.make_database(database)
    pooler = PgBouncer(postgres, mode="statement").start()
    try:
        assert_refused(make_node(pooler.url(database)), "session or transaction mode")
    finally:
        pooler.remove()


# --- who may come in ------------------------------------------------------------------------------

# Who asks for which database, with what else in the address; and what is said of it.
STRANGERS = {
    "wrong password": ("yard:wrong", "yard", "", "password authentication failed.*look at user"),
    "no password": ("yard", "yard", "", "no password supplied.*PGPASSWORD"),
    "standbys alone": ("poor", "open", "?target_session_attrs=standby",
                       "not in hot standby mode.*leave target_session_attrs"),
    "no such user": ("nobody", "open", "", "role .*nobody.* does not exist.*createuser"),
    "no login": ("group", "open", "", "not permitted to log in.*LOGIN"),
    "no such database": ("yard:right", "none", "", "database .*none.* does not exist.*createdb"),
    "no right to connect": ("yard:right", "closed", "", "permission denied.*GRANT CONNECT"),
    "no line for it": ("yard:right", "unlisted", "", "pg_hba.conf.*by a line there"),
    "as many as may": ("busy", "open", "", "too many connections.*fewer nodes"),
    "no encryption": ("yard:right", "yard", "?sslmode=require", "not support SSL.*sslmode"),
    "no right to a schema": ("poor", "yard", "", "may not make the schema.*AUTHORIZATION"),
    "no right to tables": ("poor", "made", "", "permission denied.*grant it"),
}
DOOR = """
host all postgres 127.0.0.1/32 trust
host open,yard,made poor,busy,group,nobody 127.0.0.1/32 trust
host yard,none,closed yard 127.0.0.1/32 scram-sha-256
"""


def lets_in(server, who, database):
    url = f"postgresql://{who}@127.0.0.1:{server.port}/{database}"
    done = subprocess.run([CLIENTS / "psql", "-Xwqd", url, "-c", "SELECT 1"], capture_output=True,
                          check=False, timeout=10)
    return done.returncode == 0


@pytest.fixture(scope="module")
def guarded():
    """A server that does not let in everybody."""
    server = Postgres()
    try:
        server.create().start()
        for name in ("open", "yard", "closed", "made", "unlisted"):
            server.make_database(name)
        with server.sql() as sql:
            sql("CREATE ROLE yard LOGIN PASSWORD 'right'")
            sql("CREATE ROLE poor LOGIN; CREATE ROLE busy LOGIN CONNECTION LIMIT 0")
            sql('CREATE ROLE "group"')
            sql("REVOKE CONNECT ON DATABASE closed FROM public")
        (server.data / "pg_hba.conf").write_text(DOOR)
        server.reload()
        until(lambda: not lets_in(server, "yard", "yard"), 5, "not reloaded")
        yield server
    finally:
        server.remove()


@pytest.mark.parametrize("who, database, more, sentence", STRANGERS.values(), ids=STRANGERS.keys())
def test_who_is_not_let_in_is_told_why_and_what_to_do(guarded, make_node, who, database, more,
                                                      sentence):
    if database == "made":  # by somebody else
        make_node(guarded.url(database)).start().stop()
    node = make_node(f"postgresql://{who}@127.0.0.1:{guarded.port}/{database}{more}")
    assert_refused(node, sentence)
    assert ":wrong" not in node.log() and ":right" not in node.log()


def test_what_is_wrong_with_an_address_is_said(postgres, make_node):
    assert_refused(make_node(f"{postgres.url()}?sslmod=require"), "sslmod")
    node = make_node("postgresql://taskyard:p@secret@127.0.0.1/x")
    assert_refused(node, "%40")
    assert "secret" not in node.log()
