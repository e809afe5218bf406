"""The cluster tests start PostgreSQL servers and Taskyard nodes of their own."""

import itertools
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.client import Api  # noqa: E402
from lib.cluster import Cluster, take_seed  # noqa: E402
from lib.postgres import Postgres  # noqa: E402

_numbers = itertools.count(1)


def pytest_configure():
    """A run that is told to stop takes its servers with it."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


@pytest.fixture
def seed():
    return take_seed()


@pytest.fixture(scope="session")
def shared_postgres():
    """One server for all tests that leave it as it was. It counts statements."""
    server = Postgres(shared_preload_libraries="pg_stat_statements")
    try:
        yield server.create().start()
    finally:
        server.remove()


@pytest.fixture
def postgres(shared_postgres):
    """Running, even if the test before has left it dead."""
    if not shared_postgres.is_alive():
        shared_postgres.start()
    return shared_postgres


@pytest.fixture
def database():
    """A name that no test has used."""
    return f"test{next(_numbers)}"


@pytest.fixture
def make_cluster(tmp_path, seed):
    """make_cluster(url, nodes=3, …): nodes that are started; all are gone with the test."""
    made = []

    def make(store, **options):
        made.append(Cluster(tmp_path / f"cluster{len(made)}", store, seed, **options))
        return made[-1].start()

    yield make
    for one in made:
        one.close()


@pytest.fixture
def cluster(make_cluster, postgres, database):
    """Three nodes on a fresh database."""
    return make_cluster(postgres.make_database(database))


@pytest.fixture
def apis(cluster):
    """A client of each node, all with the same type."""
    first = Api(cluster.nodes[0])
    made = [first] + [Api(node, type_name=first.type) for node in cluster.nodes[1:]]
    yield made
    for one in made:
        one.close()
