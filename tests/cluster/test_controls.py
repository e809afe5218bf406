"""The controls: what is spoilt behind the nodes' back, the audit and the check notice."""

import pytest

from lib.cluster import SCHEMA, Cluster, take_seed

LOAD_S = 1.0
TABLES = ("task", "done", "event")
ONE = f"(SELECT id FROM {SCHEMA}.done WHERE status = 2 ORDER BY id LIMIT 1)"

# What is done to the store, and what must be said of it.
SPOILT = {
    "a task is gone": (
        f"""DELETE FROM {SCHEMA}.event WHERE task = {ONE};
            DELETE FROM {SCHEMA}.task WHERE id = {ONE};
            DELETE FROM {SCHEMA}.done WHERE id = {ONE}""", "was acknowledged and is lost"),
    "a result has changed": (
        f"UPDATE {SCHEMA}.done SET result = '1' WHERE id = {ONE}", "was acknowledged; it is"),
    "a payload has changed": (
        f"UPDATE {SCHEMA}.task SET payload = '1' WHERE id = {ONE}", "another payload"),
    "an event is gone": (
        f"DELETE FROM {SCHEMA}.event WHERE seq = 10", "event 10 is missing"),
    "the last events are gone": (
        f"""DELETE FROM {SCHEMA}.event
            WHERE seq > (SELECT max(seq) - 5 FROM {SCHEMA}.event)""", "its events make it"),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, shared_postgres):
    """Nodes after a load that went well."""
    url = shared_postgres.make_database("controls")
    cluster = Cluster(tmp_path_factory.mktemp("controls"), url, take_seed()).start()
    try:
        cluster.start_load().go_on(LOAD_S)
        print(cluster.settle())
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def sql(shared_postgres, loaded):
    """A session; what it does to the tables is undone."""
    assert loaded.violations() == []
    with shared_postgres.sql("controls") as session:
        for name in TABLES:
            session(f"CREATE TEMPORARY TABLE old_{name} AS TABLE {SCHEMA}.{name}")
        yield session
        for name in TABLES:
            session(f"BEGIN; TRUNCATE {SCHEMA}.{name}")
            session(f"INSERT INTO {SCHEMA}.{name} TABLE old_{name}; COMMIT")


@pytest.mark.parametrize("statement, sentence", SPOILT.values(), ids=SPOILT.keys())
def test_the_audit_notices_what_was_spoilt(loaded, sql, statement, sentence):
    sql(f"BEGIN; {statement}; COMMIT")
    found = loaded.violations()
    assert any(sentence in one for one in found), found[:5]


def test_the_audit_notices_a_move_that_is_counted_twice(loaded, sql):
    move = """INSERT INTO {}.tally_move SELECT tenant, number, 0, 0, 0, {}, 0, 0, 0
              FROM {}.channel WHERE number = 1"""
    sql(move.format(SCHEMA, 1, SCHEMA))
    found = loaded.violations()
    sql(move.format(SCHEMA, -1, SCHEMA))
    assert any("the counts of" in one for one in found), found[:5]


def test_the_check_notices_an_event_that_is_gone(loaded, sql):
    sql(f"DELETE FROM {SCHEMA}.event WHERE seq = 10")
    with pytest.raises(AssertionError, match="I16"):
        loaded.check_store()
