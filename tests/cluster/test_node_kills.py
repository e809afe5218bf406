"""SIGKILL of a node under load, again and again: the others go on, and nothing is lost."""

import os
import time

CYCLES = int(os.environ.get("TASKYARD_NODE_KILLS", "20"))
BACK_S, SILENCE_S = 5.0, 2.0


def outage(cluster, victim):
    """Kills a node and brings it back. A lease that was taken there is used elsewhere."""
    others = cluster.others(victim)
    with cluster.at(victim) as at_victim, cluster.at(*others) as elsewhere:
        created = at_victim.create()
        leases = at_victim.claim(limit=20, lease_ms=10_000)
        assert created in [lease.task for lease in leases]
        victim.kill()
        for lease in leases:
            assert elsewhere.complete(lease), f"{lease} did not outlive the node it came from"
    cluster.until_serving(others, SILENCE_S)
    victim.start()
    assert victim.ready_s <= BACK_S, f"{victim.name} needed {victim.ready_s:.1f} s"
    return victim.ready_s + cluster.until_serving([victim], BACK_S - victim.ready_s)


def assert_not_interrupted(history, names, began, ended):
    silence = history.longest_silence(names, began, ended)
    assert silence <= SILENCE_S, f"the other nodes said nothing for {silence:.1f} s"
    refused = [status for at, name, status in history.answers
               if name in names and began <= at <= ended and status in (500, 503)]
    assert not refused, f"the other nodes answered {refused}"
    return silence


def test_nothing_is_lost_when_nodes_are_killed(cluster):
    load = cluster.start_load()
    outages, silences = [], []
    for _ in range(CYCLES):
        load.go_on(cluster.dice.uniform(0.1, 0.5))
        victim = cluster.dice.choice(cluster.nodes)
        began = time.monotonic()
        outages.append(outage(cluster, victim))
        names = [node.name for node in cluster.others(victim)]
        silences.append(assert_not_interrupted(cluster.history, names, began, time.monotonic()))
    print(cluster.settle())
    print(f"{CYCLES} kills; back after {max(outages):.2f} s at most, the others were silent for "
          f"{max(silences):.2f} s at most")


def test_a_node_that_is_told_to_stop_finishes_what_it_has(cluster):
    """SIGTERM: no connection is cut before its answer."""
    load = cluster.start_load()
    for node in cluster.nodes:
        load.go_on(0.5)
        node.stop()
        cluster.until_serving(cluster.others(node), SILENCE_S)
        node.start()
    print(cluster.settle())
