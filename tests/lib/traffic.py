"""Clients that put all nodes of a cluster under mixed load, and go to another node when one fails.

They never give up while the load lasts: what got no answer, or a 503, is asked again elsewhere if
it may be asked twice, and else written down as unknown.
"""

import http.client
import json
import random
import re
import socket
import threading
import time
from dataclasses import dataclass

from lib.history import DONE, REFUSED, UNKNOWN, Create, now_ms

BASE = "/api/v1"
TYPE, QUEUES = "load", ("default", "side")
LEASE_MS, SHORT_LEASE_MS = 3000, 1000
HELD_MOST, BACKLOG_MOST = 12, 300
GIVE_UP_S = 15.0


class Raw(str):
    """JSON that goes into a body as these very characters."""


def encode(body):
    """JSON bytes; the Raw strings in it are put in as they are."""
    pieces = []

    def keep(value):
        if isinstance(value, Raw):
            pieces.append(value)
            return f"@raw:{len(pieces) - 1}@"
        if isinstance(value, dict):
            return {name: keep(item) for name, item in value.items()}
        return [keep(item) for item in value] if isinstance(value, list) else value

    text = json.dumps(keep(body))
    return re.sub(r'"@raw:(\d+)@"', lambda mark: pieces[int(mark[1])], text).encode()


class Gone(Exception):
    """No answer came. `sent`: the request may have been done all the same."""

    def __init__(self, sent):
        super().__init__()
        self.sent = sent


@dataclass
class Answer:
    """What became of a request in the end."""
    outcome: str
    status: int | None = None
    content: bytes = b""
    headers: dict | None = None
    doubted: bool = False       # an earlier try of it may have been done

    @property
    def body(self):
        return json.loads(self.content)


class Caller:
    """One client's connections: one to each node, opened when needed."""

    def __init__(self, nodes, history, dice, key=None):
        self.nodes, self.history, self.dice, self.api_key = nodes, history, dice, key
        self.connections = {}
        self.at = dice.randrange(100)
        self.pause = threading.Event()  # never set: its wait is a pause between two tries

    def close(self):
        for connection in self.connections.values():
            connection.close()

    def once(self, node, method, path, body=None, key=None):
        """(status, headers, content) of one try at one node."""
        connection = self.connections.get(node.name)
        if connection is None:
            connection = self.connections[node.name] = self._connect(node)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        try:
            connection.request(method, BASE + path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as failure:
            self.connections.pop(node.name).close()
            self.history.answered(node.name, None)
            raise Gone(sent=True) from failure
        self.history.answered(node.name, answer.status)
        return answer.status, answer.headers, content

    def _connect(self, node):
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
        try:
            connection.connect()
        except OSError as failure:
            self.history.answered(node.name, None)
            raise Gone(sent=False) from failure
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, method, path, body=None, key=None, again=True, allowed=(), patience_s=GIVE_UP_S):
        """Asks one node after another. `again`: even when an earlier try may have been done."""
        content = encode(body) if body is not None else None
        give_up, doubted = time.monotonic() + patience_s, False
        while True:
            node = self.nodes[self.at % len(self.nodes)]
            try:
                status, headers, answer = self.once(node, method, path, content, key)
                if not self._is_no_answer(method, path, status, headers, answer):
                    outcome = DONE if status < 300 else UNKNOWN if doubted else REFUSED
                    if outcome != DONE and status not in allowed:
                        self.history.complain(f"{method} {path} was answered {status}: {answer}")
                    return Answer(outcome, status, answer, headers, doubted)
                doubted = True
            except Gone as gone:
                doubted = doubted or gone.sent
            if (doubted and not again) or time.monotonic() >= give_up:
                return Answer(UNKNOWN if doubted else REFUSED, doubted=doubted)
            self.at += 1
            self.pause.wait(0.03)

    def _is_no_answer(self, method, path, status, headers, content):
        """A 503 leaves it open, as does the word that the same request is still under way."""
        if status == 409:
            return json.loads(content)["code"] == "idempotency_in_progress"
        if status != 503:
            return False
        if not headers.get("Retry-After", "").isdigit():
            self.history.complain(f"{method} {path}: a 503 without Retry-After: {content}")
        return True


class Client(threading.Thread):
    """One client; its role decides the mix of its requests."""

    MIX = {
        "producer": [("create", 5), ("create_with_key", 3), ("create_batch", 1),
                     ("create_batch_with_key", 1), ("create_unique", 2), ("create_for_later", 1)],
        "worker": [("claim", 4), ("claim_with_key", 1), ("heartbeat", 2), ("progress", 2),
                   ("complete", 5), ("complete_and_claim", 2), ("complete_batch", 1), ("fail", 1),
                   ("release", 1), ("use_stale_token", 1), ("desert", 0.3)],
        "person": [("cancel", 1), ("read", 3), ("list", 1)],
    }

    def __init__(self, load, role, seed):
        super().__init__(daemon=True)
        self.load, self.history = load, load.history
        self.dice = random.Random(seed)
        self.caller = Caller(load.nodes, load.history, self.dice)
        self.moves, self.weights = zip(*self.MIX[role])
        self.held, self.stale = [], []
        self.failure = None

    def run(self):
        try:
            while not self.load.over.wait(self.dice.uniform(0, 2 * self.load.think_s)):
                getattr(self, self.dice.choices(self.moves, self.weights)[0])()
                if self.dice.random() < 0.1:
                    self.caller.at += 1
        except Exception as failure:  # an error of the test itself: shown by who joins
            self.failure = failure
        finally:
            self.caller.close()

    def new_key(self):
        return f"key/{self.history.number()}"

    # --- producers --------------------------------------------------------------------------------

    def new_task(self, batch=None, unique=None, **fields):
        """(what is written down, what is sent)"""
        number = self.history.number()
        text = '{"n": %d,"d":1.50,  "t":"gr\\u00f6\\u00dfe %s"}' % (
            number, "x" * self.dice.randrange(200))
        create = Create(f"s{number}", text, unique, batch)
        self.history.will_create(create)
        sent = {"type": TYPE, "subject": create.subject, "payload": Raw(text),
                "queue": self.dice.choice(QUEUES), "priority": self.dice.randint(-1, 1),
                "maxAttempts": self.dice.choice([1, 3, 50]),
                "backoff": {"type": "fixed", "delayMs": self.dice.choice([50, 300]), "jitter": 0},
                **fields}
        if unique:
            sent["uniqueKey"] = unique
        return create, sent

    def creating(self, key=None, again=False, **fields):
        if self.load.is_full():
            return
        create, sent = self.new_task(**fields)
        answer = self.caller.ask("POST", "/tasks", sent, key, again)
        done = answer.outcome == DONE
        self.history.created(create, answer.outcome, answer.body["task"] if done else None,
                             done and answer.body.get("deduplicated", False))
        if done and key and answer.doubted:
            self.must_be_the_same("/tasks", sent, key, answer)

    def must_be_the_same(self, path, sent, key, before):
        """An outcome that was unknown for a while has been settled, for good."""
        self.load.settled += 1
        answer = self.caller.ask("POST", path, sent, key)
        if answer.status is not None and answer.content != before.content:
            self.history.complain(f"{path} with {key} was answered {before.content}, and then "
                                  f"{answer.status} {answer.content}")

    def create(self):
        self.creating()

    def create_with_key(self):
        self.creating(self.new_key(), again=True)

    def create_unique(self):
        """The key of somebody else, now and then: then there must be no second task."""
        number = self.history.number()
        self.creating(again=True, unique=f"u{number - self.dice.choice([0, 0, 10, 50, 200])}")

    def create_for_later(self):
        self.creating(delayMs=self.dice.choice([100, 400]))

    def create_batch(self, key=None, again=False):
        if self.load.is_full():
            return
        number = self.history.number()
        pairs = [self.new_task(batch=number) for _ in range(self.dice.randint(2, 25))]
        sent = [one for _, one in pairs]
        answer = self.caller.ask("POST", "/tasks", sent, key, again)
        tasks = answer.body["tasks"] if answer.outcome == DONE else [None] * len(pairs)
        for (create, _), task in zip(pairs, tasks, strict=True):
            self.history.created(create, answer.outcome, task)
        if key and answer.outcome == DONE and answer.doubted:
            self.must_be_the_same("/tasks", sent, key, answer)

    def create_batch_with_key(self):
        self.create_batch(self.new_key(), again=True)

    # --- workers ----------------------------------------------------------------------------------

    def claim_body(self):
        body = {"types": [TYPE], "workerId": f"w{self.dice.randint(1, 9)}",
                "limit": self.dice.choice([1, 1, 2, 5]), "waitMs": self.dice.choice([0, 100, 300]),
                "leaseMs": SHORT_LEASE_MS if self.dice.random() < 0.05 else LEASE_MS}
        if self.dice.random() < 0.2:
            body["queues"] = [self.dice.choice(QUEUES)]
        return body

    def claim(self, key=None, **fields):
        if len(self.held) >= HELD_MOST:
            return 0
        body = {**self.claim_body(), **fields}
        sent = now_ms()
        answer = self.caller.ask("POST", "/claims", body, key, again=key is not None)
        return self.take(answer, body["limit"], sent)

    def take(self, answer, limit, sent):
        """The tasks that came with an answer."""
        if answer.outcome != DONE:
            if answer.outcome == UNKNOWN:
                self.history.claim_unknown(limit)
            return 0
        leases = self.history.claimed(answer.body["tasks"], sent, now_ms())
        self.held += leases
        return len(leases)

    def claim_with_key(self):
        self.claim(self.new_key())

    def some_lease(self, keep):
        if not self.held:
            return None
        place = self.dice.randrange(len(self.held))
        return self.held[place] if keep else self.held.pop(place)

    def using(self, lease, verb, fields, key=None, **options):
        """A worker's move; the lease may be over, and then it is refused."""
        use = self.history.will_use(lease, verb, fields.get("result"))
        answer = self.caller.ask("POST", f"/tasks/{lease.task}/{verb}",
                                 {"leaseToken": lease.token, **fields}, key, allowed=(409,),
                                 **options)
        self.history.used(use, answer.outcome)
        if answer.outcome == DONE and verb in ("heartbeat", "progress"):
            lease.expires = max(lease.expires, answer.body["leaseExpiresAt"])
        return answer

    def report(self, verb, fields):
        lease = self.some_lease(keep=True)
        if lease and self.using(lease, verb, fields).status == 409:
            self.let_go(lease)

    def let_go(self, lease):
        if lease in self.held:
            self.held.remove(lease)
        self.stale.append(lease)

    def heartbeat(self):
        self.report("heartbeat", {})

    def progress(self):
        self.report("progress", {"progress": self.dice.randint(0, 100)})

    def new_result(self):
        return Raw('{"by": %d, "x":2.0,"u":"\\u00e4"}' % self.history.number())

    def complete(self):
        if lease := self.some_lease(keep=False):
            self.using(lease, "complete", {"result": self.new_result()})
            self.stale.append(lease)

    def complete_and_claim(self):
        if lease := self.some_lease(keep=False):
            body = self.claim_body()
            sent = now_ms()
            answer = self.using(lease, "complete", {"result": self.new_result(), "claim": body},
                                self.new_key())
            self.take(answer, body["limit"], sent)
            self.stale.append(lease)

    def complete_batch(self, most=8):
        leases = [self.some_lease(keep=False) for _ in range(min(most, len(self.held)))]
        if not leases:
            return 0
        uses = [self.history.will_use(lease, "complete", self.new_result()) for lease in leases]
        items = [{"id": lease.task, "leaseToken": lease.token, "result": use.result}
                 for lease, use in zip(leases, uses)]
        answer = self.caller.ask("POST", "/completions", {"items": items})
        told = answer.body["items"] if answer.outcome == DONE else [None] * len(items)
        for use, item in zip(uses, told, strict=True):
            no = UNKNOWN if answer.doubted or item is None else REFUSED
            self.history.used(use, DONE if item and item["success"] else no)
        self.stale += leases
        return len(leases)

    def fail(self):
        if lease := self.some_lease(keep=False):
            self.using(lease, "fail", {"error": "planned", "retry": self.dice.random() < 0.8})
            self.stale.append(lease)

    def release(self):
        if lease := self.some_lease(keep=False):
            self.using(lease, "release", {}, self.new_key())
            self.stale.append(lease)

    def use_stale_token(self):
        """A worker that has not noticed; the audit knows whether it had to be refused."""
        if self.stale:
            lease = self.dice.choice(self.stale[-20:])
            self.using(lease, "heartbeat", {})

    def desert(self):
        if lease := self.some_lease(keep=False):
            self.stale.append(lease)

    # --- people -----------------------------------------------------------------------------------

    def cancel(self):
        task_id = self.load.some_task(self.dice)
        if task_id is None:
            return
        use = self.history.will_cancel(task_id)
        answer = self.caller.ask("POST", f"/tasks/{task_id}/cancel",
                                 {"graceMs": self.dice.choice([0, 50, 1000])}, allowed=(409,))
        self.history.used(use, answer.outcome)

    def read(self):
        if task_id := self.load.some_task(self.dice):
            self.caller.ask("GET", f"/tasks/{task_id}")

    def list(self):
        self.caller.ask("GET", "/tasks?limit=20&status=running")


class Tail(threading.Thread):
    """Follows the events of the tenant while they happen, going from node to node."""

    def __init__(self, load, seed):
        super().__init__(daemon=True)
        self.load, self.history = load, load.history
        self.caller = Caller(load.nodes, load.history, random.Random(seed))
        self.events = []
        self.open = set()       # tasks that have not ended
        self.recent = []
        self.closing = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.closing.wait(0.02):
                self.look()
        except Exception as failure:
            self.failure = failure
        finally:
            self.caller.close()

    def look(self):
        """Takes in what is new; the next number must be the next."""
        self.caller.at += 1
        after = self.events[-1]["seq"] if self.events else 0
        answer = self.caller.ask("GET", f"/events?after={after}&limit=1000")
        if answer.outcome != DONE:
            return 0
        events = answer.body["events"]
        for place, event in enumerate(events, start=after + 1):
            if event["seq"] != place:
                self.history.complain(f"the tail saw event {event['seq']} where {place} is due")
                break
            self.take(event)
        return len(events)

    def take(self, event):
        self.events.append(event)
        if event["event"] == "task.created":
            self.open.add(event["taskId"])
            self.recent = [*self.recent[-200:], event["taskId"]]
        elif event["event"].split(".")[1] in ("completed", "failed", "cancelled", "abandoned",
                                              "expired"):
            self.open.discard(event["taskId"])


class Load:
    """All clients together, on all nodes."""

    def __init__(self, nodes, history, seed, producers=5, workers=9, persons=2, think_s=0.010):
        self.nodes, self.history, self.seed = nodes, history, seed
        self.think_s = think_s
        self.over = threading.Event()
        self.settled = 0        # requests with a key that were in doubt, and are not any more
        self.tail = Tail(self, f"{seed}/tail")
        roles = ["producer"] * producers + ["worker"] * workers + ["person"] * persons
        self.clients = [Client(self, role, f"{seed}/{n}") for n, role in enumerate(roles)]

    def start(self):
        for thread in (self.tail, *self.clients):
            thread.start()
        return self

    def go_on(self, seconds):
        """Lets it run: the load itself is what is waited for."""
        self.over.wait(seconds)

    def is_full(self):
        return len(self.tail.open) > BACKLOG_MOST

    def some_task(self, dice):
        recent = self.tail.recent
        return dice.choice(recent) if recent else None

    def stop(self):
        """Lets every client finish what it does, and has all work done that is left."""
        self.over.set()
        for client in self.clients:
            client.join(60)
            assert not client.is_alive(), "a client hangs"
            if client.failure:
                raise client.failure
        self.drain()
        self.tail.closing.set()
        self.tail.join(60)
        if self.tail.failure:
            raise self.tail.failure
        self.catch_up()

    def drain(self, deadline_s=30):
        """Does what is left as a worker would, until nothing is pending or running."""
        last = Client(self, "worker", f"{self.seed}/drain")
        last.held = [lease for client in self.clients for lease in client.held]
        began = time.monotonic()
        while self.unfinished(last):
            assert time.monotonic() - began < deadline_s, "some tasks never end"
            while last.complete_batch(200):
                pass
            last.claim(limit=200, waitMs=300, leaseMs=10_000, types=[], queues=[])
        last.caller.close()

    @staticmethod
    def unfinished(client):
        stats = client.caller.ask("GET", "/tasks/stats").body["stats"]
        return stats["pending"] + stats["running"]

    def catch_up(self):
        while self.tail.look():
            pass
        self.tail.caller.close()
