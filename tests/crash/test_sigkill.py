"""SIGKILL under load, restart, and every acknowledged task accounted for, fifty times over."""

import os
import random
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib import leases
from lib.checker import all_tasks, check
from lib.client import Api
from lib.journal import Journal
from lib.load import (
    Client, ServerGone, Shared, finish, join_clients, repeat_in_doubt, start_clients)
from lib.server import BINARY, Server, clean_environment

CYCLES = int(os.environ.get("TASKYARD_CRASH_CYCLES", "50"))
TOKENS = os.environ.get("TASKYARD_CRASH_TOKENS")  # a file for the lease tokens that were given
RECOVERY_S = 3.0
CHECK_EVERY = 10
STATUSES = ("pending", "running", "completed", "failed", "cancelled", "abandoned")


class Yard:
    """A server that is killed again and again, and what its clients know of it."""

    def __init__(self, directory, seed):
        self.seed = seed
        self.dice = random.Random(seed)
        self.server = Server(directory)
        self.recoveries = []
        self.generations = []
        self.tokens = {}  # of all generations
        self.next_generation()

    def next_generation(self):
        """New tasks are of a new type; the old ones must only stay as they are."""
        self.shared = Shared(Journal(self.tokens), f"crash.{len(self.generations) + 1}")
        self.generations.append(self.shared)

    @property
    def journal(self):
        return self.shared.journal

    def start(self):
        self.server.start()
        self.recoveries.append(self.server.ready_s)
        assert self.server.ready_s <= RECOVERY_S, f"recovery took {self.server.ready_s:.1f} s"

    def load_and_kill(self, cycle, load_s=None):
        """Mixed load for a random 20 to 500 ms, then SIGKILL in the middle of it."""
        clients = start_clients(self.server, self.shared, f"{self.seed}/{cycle}")
        threading.Event().wait(load_s or self.dice.uniform(0.020, 0.500))
        assert self.server.is_alive(), f"it died by itself\n{self.server.log_tail()}"
        self.server.kill()
        join_clients(clients)

    def counts(self, api):
        rows = api.expect(api.get("/tasks/stats"))["byType"]
        return next((row for row in rows if row["type"] == api.type), {})

    def violations(self, shared=None):
        shared = shared or self.shared
        journal, api = shared.journal, Api(self.server, type_name=shared.type)
        tasks = all_tasks(api)
        found = check(journal, tasks)
        counts = self.counts(api)
        counted = sum(counts.get(status, 0) for status in STATUSES)
        if counted != len(tasks):
            found.append(f"the counts say {counted} tasks, the list has {len(tasks)}")
        api.close()
        return found

    def finish_generation(self):
        finish(self.server, self.shared)
        api = Api(self.server, type_name=self.shared.type)
        counts = self.counts(api)
        api.close()
        assert (counts["pending"], counts["running"]) == (0, 0), counts

    def check_file(self):
        """`taskyard check` finds nothing wrong in what the killed server left behind."""
        done = subprocess.run([str(BINARY), "check", "--store", self.server.store], timeout=30,
                              capture_output=True, text=True, cwd=self.server.directory,
                              env=clean_environment(self.server.directory))
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.fixture
def yard(tmp_path, seed):
    """A fresh yard; what still runs at the end of a test that failed is killed."""
    made = Yard(tmp_path / "yard", seed)
    yield made
    made.server.kill()


def assert_none(violations, cycle):
    shown = "\n".join(violations[:5])
    count = len(violations)
    assert count == 0, f"{count} violations after cycle {cycle}:\n{shown}"


def test_nothing_acknowledged_is_lost_undone_or_doubled_by_kills(yard):
    began = time.monotonic()
    yard.start()
    repeated = 0
    for cycle in range(1, CYCLES + 1):
        yard.load_and_kill(cycle)
        if cycle % CHECK_EVERY == 0:
            yard.check_file()
        yard.start()
        assert_none(yard.violations(), cycle)
        repeated += repeat_in_doubt(yard.server, yard.shared)
        if cycle % CHECK_EVERY == 0:
            yard.finish_generation()
            assert_none(yard.violations(), cycle)
            yard.next_generation()
    yard.server.kill()
    yard.start()
    for shared in yard.generations:
        assert_none(yard.violations(shared), "the last")
    yard.server.stop()
    yard.check_file()
    told = sum(shared.journal.told for shared in yard.generations)
    tasks = sum(len(shared.journal.by_id) for shared in yard.generations)
    if TOKENS:
        leases.write(Path(TOKENS), yard.tokens)
    print(f"{CYCLES} kills, {told} acknowledged changes, {tasks} tasks, {repeated} requests "
          f"repeated, slowest recovery {max(yard.recoveries) * 1000:.0f} ms, "
          f"{time.monotonic() - began:.0f} s")
    assert told > CYCLES * 20, "the load was too thin to prove anything"


def test_the_checker_notices_a_store_that_lost_its_last_cycle(yard, tmp_path):
    """The control: a server on a copy from before the last cycle has lost acknowledged changes."""
    yard.start()
    yard.load_and_kill(1, load_s=0.3)
    shutil.copytree(yard.server.directory, tmp_path / "old")
    yard.start()
    assert_none(yard.violations(), 1)
    yard.load_and_kill(2, load_s=0.3)
    yard.server = Server(tmp_path / "old").start()
    found = yard.violations()
    yard.server.stop()
    assert any("is lost" in sentence for sentence in found), found[:5]


@pytest.mark.parametrize("spoil", ["result", "status", "payload", "token", "delete", "double"])
def test_the_checker_notices_a_single_wrong_task(yard, spoil):
    yard.start()
    yard.load_and_kill(1, load_s=0.5)
    yard.start()
    assert_none(yard.violations(), 1)
    api = Api(yard.server, type_name=yard.shared.type)
    tasks = all_tasks(api)
    api.close()
    yard.server.stop()
    spoiled(yard.journal, tasks, spoil)
    assert len(check(yard.journal, tasks)) >= 1


def test_who_knows_of_no_task_notices_that_the_server_is_gone(yard):
    yard.start()
    person = Client(yard.server, yard.shared, "person", "a seed")
    person.connection.connect()
    yard.server.kill()
    for move in person.moves:
        with pytest.raises(ServerGone):
            getattr(person, move)()


def test_the_checker_notices_a_token_of_an_earlier_generation(yard):
    task = {"id": "t", "subject": "s", "revision": 1, "status": "running", "attempt": 1,
            "maxAttempts": 1, "leaseToken": "1f"}
    for _ in range(2):
        yard.journal.will_create("s", {})
        yard.journal.claimed(task, short=False)
        yard.next_generation()
    first, second = (shared.journal.violations for shared in yard.generations[:2])
    assert (first, second) == ([], ["the token of t was given to t before"])


def spoiled(journal, tasks, how):
    """Makes one task of the list untrue."""
    completed = [task for task in tasks if task["status"] == "completed"]
    assert completed, "a cycle completes something"
    task = completed[0]
    if how == "result":
        task["result"] = {"by": -1}
    elif how == "status":
        task["status"], task["result"] = "pending", None
    elif how == "payload":
        task["payload"] = {"n": -1}
    elif how == "delete":
        tasks.remove(task)
    elif how == "double":
        tasks.append({**tasks[-1], "id": task["id"][:-4] + "0000"})
    elif how == "token":
        token = next(iter(journal.tokens))
        journal.claimed({**task, "leaseToken": token}, short=False)
