"""Several Taskyard nodes on one database."""

import http.client
import json
import os
import random
import subprocess
import time

from lib.audit import Picture, audit
from lib.client import fresh_name, raw_payload, raw_result
from lib.history import DONE, UNKNOWN, Create, History, now_ms
from lib.postgres import until
from lib.server import BINARY, Server, clean_environment
from lib.traffic import Caller, Load

SCHEMA = "yard"


def take_seed():
    """Printed, so that a failure shows it; TASKYARD_SEED takes the same dice again."""
    value = int(os.environ.get("TASKYARD_SEED", int.from_bytes(os.urandom(4), "big")))
    print(f"TASKYARD_SEED={value}")
    return value


class Node(Server):
    """One `taskyard serve`, with a name."""

    def __init__(self, directory, name, store, **settings):
        super().__init__(directory / name, store=store, **settings)
        self.name = name

    def start(self, timeout_s=20.0):
        """A node keeps its port, so that clients find it again."""
        super().start(timeout_s)
        self.port_given = True
        return self


class Cluster:
    """Nodes that share a store, and all that clients know of it."""

    def __init__(self, directory, store, seed, nodes=3, **settings):
        self.directory, self.store, self.seed = directory, store, seed
        self.dice = random.Random(seed)
        self.history = History()
        self.settings = settings
        self.nodes = [self.new_node(f"node{n + 1}") for n in range(nodes)]
        self.caller = Caller(self.nodes, self.history, self.dice)
        self.load = None

    def new_node(self, name, store=None, **settings):
        store = store or self.store
        if store.startswith("postgresql"):
            settings = {"store_schema": SCHEMA, "node": name, **settings}
        return Node(self.directory, name, store, **{**self.settings, **settings})

    def start(self):
        for node in self.nodes:
            node.start()
        return self

    def start_load(self, **options):
        self.load = Load(self.nodes, self.history, self.seed, **options).start()
        return self.load

    def others(self, node):
        return [one for one in self.nodes if one is not node]

    def close(self):
        """For the end of a test, well or not: nothing of it goes on."""
        if self.load:
            self.load.over.set()
            self.load.tail.closing.set()
        self.caller.close()
        for node in self.nodes:
            node.kill()
        for node in self.nodes:
            node.assert_log_clean()

    # --- checking ---------------------------------------------------------------------------------

    def settle(self):
        """Ends the load and holds the nodes against what the clients know."""
        self.load.stop()
        found = self.violations()
        assert not found, f"{len(found)} violations:\n" + "\n".join(found[:8])
        self.check_store()
        return self.summary()

    def violations(self):
        node = self.dice.choice(self.nodes)
        picture = self.picture(node)
        found = audit(self.history, picture)
        if picture.events != self.load.tail.events:
            found.append("the tail saw other events than are there now")
        for other in self.others(node):
            if self.stats(other) != picture.stats:
                found.append(f"{other.name} counts otherwise than {node.name}")
        return found

    def summary(self):
        """What the load was, for people who read the output."""
        history = self.history
        answers = [status for _, _, status in history.answers]
        moves = sum(use.outcome == DONE for lease in history.leases.values() for use in lease.uses)
        return (f"{len(answers)} requests ({answers.count(503)} answered 503, "
                f"{answers.count(None)} not at all), {len(history.creates)} creates, "
                f"{len(history.leases)} claims and {moves} moves told, {self.load.settled} "
                f"in doubt settled by their key, {history.claimable} claimable by claims in doubt")

    def check_store(self):
        """`taskyard check` finds nothing wrong."""
        command = [str(BINARY), "check", "--store", self.nodes[0].store]
        where = clean_environment(self.directory, {"TASKYARD_STORE_SCHEMA": SCHEMA})
        done = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False,
                              cwd=self.directory, env=where)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def get(self, node, path):
        status, _, content = self.caller.once(node, "GET", path)
        assert status == 200, f"{path}: {status} {content}"
        return content

    def picture(self, node):
        return Picture(self.tasks(node), self.events(node), self.stats(node))

    def stats(self, node):
        return json.loads(self.get(node, "/tasks/stats"))

    def tasks(self, node):
        """All tasks, with payload and result as the bytes that came."""
        tasks, cursor = [], ""
        while cursor is not None:
            content = self.get(node, f"/tasks?limit=1000&include=payload,result{cursor}")
            page = json.loads(content)
            pieces = content.split(b'{"id":"')[1:]
            for task, piece in zip(page["tasks"], pieces, strict=True):
                task["payload"] = raw_payload(piece).decode()
                task["result"] = raw_result(piece).decode()
            tasks += page["tasks"]
            cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
        return tasks

    def events(self, node):
        events = []
        while True:
            after = events[-1]["seq"] if events else 0
            page = json.loads(self.get(node, f"/events?after={after}&limit=1000"))["events"]
            if not page:
                return events
            events += page

    # --- is it well? ------------------------------------------------------------------------------

    @staticmethod
    def ready(node):
        """The status of /readyz; None when there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def serves(self, node):
        """Whether a node takes a task, hands it out and takes its result, right now."""
        with self.at(node) as one:
            created = one.create()
            leases = one.claim(limit=20) if created else []  # earlier tries may have left some
            completed = [lease.task for lease in leases if one.complete(lease)]
            return created in completed

    def until_serving(self, nodes, deadline_s):
        """Returns how long it took until each of the nodes served."""
        began = time.monotonic()
        for node in nodes:
            left_s = deadline_s - (time.monotonic() - began)
            until(lambda node=node: self.serves(node), left_s, f"{node.name} did not serve")
        return time.monotonic() - began

    def at(self, *nodes):
        return Canary(nodes, self.history, self.dice)


def pickup(here, there, parallel):
    """How long after a create at one node a claim that waits at another has its task, in s.

    Both are Apis of one type; `parallel` submits to a pool of threads."""
    worker = fresh_name("w")
    waiting = parallel(lambda: (here.claim_one(waitMs=10_000, workerId=worker), time.monotonic()))
    here.until_worker(worker, waiting=True)
    created, began = there.create(), time.monotonic()
    task, ended = waiting.result()
    assert task["id"] == created["id"]
    here.complete(task)
    return ended - began


class Canary:
    """Single steps of a task's life at given nodes, in a type of their own; each is tried once."""

    def __init__(self, nodes, history, dice):
        self.caller, self.history = Caller(nodes, history, dice), history
        self.type = f"canary.{nodes[0].name}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.caller.close()

    def create(self):
        """The id of the new task, or None."""
        create = Create(f"c{self.history.number()}", "null")
        self.history.will_create(create)
        body = {"type": self.type, "subject": create.subject}
        answer = self.caller.ask("POST", "/tasks", body, again=False, patience_s=0)
        done = answer.outcome == DONE
        self.history.created(create, answer.outcome, answer.body["task"] if done else None)
        return create.id

    def claim(self, limit=1, lease_ms=2000):
        """Leases."""
        began = now_ms()
        body = {"types": [self.type], "workerId": "canary", "limit": limit, "leaseMs": lease_ms}
        answer = self.caller.ask("POST", "/claims", body, again=False, patience_s=0)
        if answer.outcome == UNKNOWN:
            self.history.claim_unknown(limit)
        if answer.outcome != DONE:
            return []
        return self.history.claimed(answer.body["tasks"], began, now_ms())

    def complete(self, lease):
        use = self.history.will_use(lease, "complete", '"alive"')
        answer = self.caller.ask("POST", f"/tasks/{lease.task}/complete",
                                 {"leaseToken": lease.token, "result": "alive"}, patience_s=0,
                                 allowed=(409,))
        self.history.used(use, answer.outcome)
        return answer.outcome == DONE
