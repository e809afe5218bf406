"""Nodes whose clocks are wrong: the database's clock decides."""

import re
import subprocess
from pathlib import Path

import pytest

from lib.client import Api
from lib.postgres import until
from lib.server import BINARY

LOAD_S, LATE_MS = 6, 1000
SKEWS = ("-30m", "+0", "+30m")


def skewed(by):
    """The environment of a process whose clock is off; what only ever rises stays true."""
    library, = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    listing = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    first = re.findall(r"libasan\S* => (\S+)", listing)  # a sanitizer must come before it
    return {"LD_PRELOAD": " ".join([*first, str(library)]), "FAKETIME": by,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


@pytest.fixture
def skewed_cluster(make_cluster, postgres, database):
    cluster = make_cluster(postgres.make_database(database), nodes=0)
    cluster.nodes += [cluster.new_node(f"node{n + 1}", env=skewed(by))
                      for n, by in enumerate(SKEWS)]
    return cluster.start()


def test_wrong_clocks_neither_end_leases_nor_move_tasks_early(skewed_cluster):
    """The audit holds the times that nodes tell against ours, which are the database's."""
    load = skewed_cluster.start_load()
    load.go_on(LOAD_S)
    print(skewed_cluster.settle())


def test_timers_of_a_node_with_a_wrong_clock_go_off_in_time(skewed_cluster):
    made = {}
    for node in skewed_cluster.nodes:
        api = Api(node)
        for task in api.create_many([{"delayMs": 1000}] * 10):
            made[task["id"]] = task["createdAt"] + 1000
        api.close()
    witness = skewed_cluster.nodes[1]

    def due():
        return {event["taskId"]: event["at"] for event in skewed_cluster.events(witness)
                if event["event"] == "task.due"}

    until(lambda: len(due()) == len(made), 10, "some were never due")
    late = [at - made[task_id] for task_id, at in due().items()]
    assert 0 <= min(late) and max(late) <= LATE_MS, late
