"""Several nodes on one schema, asked in turn, where a test means one server."""

import contextlib
import itertools
import os
import re
from pathlib import Path

from lib.server import Server

COUNT = int(os.environ.get("TASKYARD_TEST_NODES", "1"))
# What a node tells the others of. They have up to a second to follow; where it was answered, it
# holds at once (docs/cluster.md, what is promised).
CONTROLS = re.compile(
    r"POST \S*/queues/[^/]+/(pause|resume)|PUT \S*/types/[^/]+"
    r"|POST \S*/keys|POST \S*/keys/[^/]+/rotate|DELETE \S*/keys/[^/]+")


class Nodes:
    """So many `taskyard serve` on one schema. Whoever asks for its port gets the next one's.

    A test that changes what the others hear of late stays with the node that has told it of that,
    until it is over; one that `begin_test` is told a number for stays with that node."""

    running = []
    only = None  # the number of the node that all requests go to

    def __init__(self, directory, store, count=COUNT, **settings):
        assert store == "postgresql", "several nodes share a store on PostgreSQL, and no other"
        self.directory = Path(directory)
        self.nodes = [Server(self.directory / "node1", store, node="node1", **settings)]
        self.schema = self.nodes[0].schema
        for number in range(2, count + 1):
            name = f"node{number}"
            self.nodes.append(Server(self.directory / name, store, node=name,
                                     store_schema=self.schema, **settings))
        self.store, self.key, self.args = (
            self.nodes[0].store, self.nodes[0].key, self.nodes[0].args)
        self.turn = itertools.count()
        self.held = None
        self.asked = set()
        self.told, self.read = "", [0] * count

    def next_node(self):
        """The one that is to get the next request."""
        number = next(self.turn) if Nodes.only is None else Nodes.only
        node = self.held or self.nodes[number % len(self.nodes)]
        self.asked.add(node)
        return node

    def answered(self, method, path, status, node):
        """Hears of each answer, and of the node that gave it."""
        if status < 300 and CONTROLS.fullmatch(f"{method} {path}"):
            self.held = node

    @property
    def port(self):
        return self.next_node().port

    @property
    def url(self):
        return self.next_node().url

    @property
    def pid(self):
        return [node.pid for node in self.nodes]

    def start(self):
        Nodes.running.append(self)
        try:
            for node in self.nodes:
                node.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        Nodes.running.remove(self)
        with contextlib.ExitStack() as all_of_them:
            for node in self.nodes:
                all_of_them.callback(node.stop)

    def is_alive(self):
        return all(node.is_alive() for node in self.nodes)

    def log(self):
        """The whole lines that all have logged. Later there is more behind them, none between."""
        for number, node in enumerate(self.nodes):
            fresh = node.log()[self.read[number]:]
            whole = fresh[:fresh.rfind("\n") + 1]
            self.read[number] += len(whole)
            self.told += whole
        return self.told

    def log_tail(self, lines=40):
        return "\n".join(f"{node.directory.name}:\n{node.log_tail(lines)}" for node in self.nodes)

    def where_it_says(self, *texts):
        return sorted({name for node in self.nodes for name in node.where_it_says(*texts)})


def server_or_nodes(directory, store, **settings):
    """One server; or so many nodes as TASKYARD_TEST_NODES says, where that is more than one."""
    return Server(directory, store, **settings) if COUNT == 1 else Nodes(directory, store,
                                                                        **settings)


def begin_test(number=None):
    """From now on requests go to all nodes in turn, or all of them to that one."""
    Nodes.only = number
    for nodes in Nodes.running:
        nodes.held, nodes.asked = None, set()


def nodes_asked():
    """How many nodes, of those that share a store, the test has asked so far."""
    return max((len(nodes.asked) for nodes in Nodes.running), default=0)
