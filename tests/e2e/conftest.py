"""Fixtures of the end-to-end run: the one server, a worker, a client for each test."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.client import Api  # noqa: E402
from lib.site import site  # noqa: E402
from lib.worker import Worker  # noqa: E402


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def api(server):
    client = Api(server)
    yield client
    client.close()


@pytest.fixture(scope="session")
def worker(server, tmp_path_factory):
    """The bundled worker, on the queue of POST /api/tasks."""
    one = Worker(server, tmp_path_factory.mktemp("worker"), "--demo", "--queue", "task-queue")
    yield one
    one.stop()
