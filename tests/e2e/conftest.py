"""Fixtures of the end-to-end run: the one server, and for each test a client and a worker.

The server may be a developer's own, with tasks and workers of its own: each test has a type of its
own, its worker takes no other, and its tasks go with it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.client import Api  # noqa: E402
from lib.site import site  # noqa: E402
from lib.worker import Worker  # noqa: E402

QUEUE = "task-queue"  # of POST /api/tasks


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def api(server):
    client = Api(server)
    yield client
    for task in client.list():
        client.expect(client.delete(f"/tasks/{task['id']}", params={"force": "true"}))
    client.close()


@pytest.fixture
def worker(server, api, tmp_path):
    """worker(script): runs it, by sh, for the test's tasks, and has begun to wait for them."""
    started = []

    def start(script):
        (tmp_path / "program.sh").write_text(script)
        one = Worker(server, tmp_path, "--type", api.type, "--queue", QUEUE, "--lease", "10s",
                     "--exec", f"sh {tmp_path / 'program.sh'}")
        started.append(one)
        api.until_worker(one.id, waiting=True)
        return one

    yield start
    for one in started:
        one.stop()
