"""Due times and leases that run out: each is moved once, whichever node does it."""

import time
from collections import defaultdict

import pytest

from lib.client import Api
from lib.postgres import until

DELAYED, LEASED = 200, 100
DELAY_MS, LEASE_MS = 2000, 1500
LATE_MS, LATE_AFTER_KILL_MS = 1000, 5000


def times_told(cluster, node):
    """task id -> [(event, at)]"""
    told = defaultdict(list)
    for event in cluster.events(node):
        told[event["taskId"]].append((event["event"].split(".")[1], event["at"]))
    return told


def make_timers(nodes):
    """id -> when it is due. Tasks that wait for their time, and leases that nobody will renew."""
    delayed, leased = {}, {}
    for place, node in enumerate(nodes):
        share = slice(place, None, len(nodes))
        api = Api(node)
        for task in api.create_many([{"delayMs": DELAY_MS}] * len(range(DELAYED)[share])):
            delayed[task["id"]] = task["runAt"]
        count = len(range(LEASED)[share])
        api.create_many([{"queue": "leased"}] * count)
        for task in api.claim(queues=["leased"], limit=count, leaseMs=LEASE_MS):
            leased[task["id"]] = task["leaseExpiresAt"]
        api.close()
    assert (len(delayed), len(leased)) == (DELAYED, LEASED)
    return delayed, leased


def all_ready(cluster, node):
    return cluster.stats(node)["stats"]["ready"] == DELAYED + LEASED


def lateness(told, timers, kind, life):
    """How late each was moved, in ms; its whole history must be as it should."""
    late = []
    for task_id, due in timers.items():
        assert [event for event, _ in told[task_id]] == life, told[task_id]
        late.append(dict(told[task_id])[kind] - due)
    return late


@pytest.mark.parametrize("killed", [False, True], ids=["all nodes live", "their node is killed"])
def test_each_timer_goes_off_once(cluster, killed):
    witness = cluster.nodes[1]
    delayed, leased = make_timers(cluster.nodes[:1] if killed else cluster.nodes)
    if killed:
        cluster.nodes[0].kill()
        assert time.time() * 1000 < min([*delayed.values(), *leased.values()]), "killed too late"
    until(lambda: all_ready(cluster, witness), 15, "not all were moved")
    told = times_told(cluster, witness)
    late = lateness(told, delayed, "due", ["created", "due"])
    late += lateness(told, leased, "lease_lost", ["created", "claimed", "lease_lost"])
    print(f"moved {min(late)} to {max(late)} ms after their time")
    assert min(late) >= 0, "moved before its time"
    assert max(late) <= (LATE_AFTER_KILL_MS if killed else LATE_MS)
    cluster.check_store()
