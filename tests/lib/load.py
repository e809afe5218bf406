"""Clients that put a server under mixed load until it dies, and write everything into a journal."""

import http.client
import json
import random
import socket
import threading

BASE = "/api/v1"
LEASE_MS, SHORT_LEASE_MS = 600_000, 1000


class ServerGone(Exception):
    """No answer came: whether the request was done is unknown."""


class Connection:
    """One keep-alive connection; raises ServerGone for everything that is not an answer."""

    def __init__(self, server):
        self.http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)

    def connect(self):
        try:
            self.http.connect()
            self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as failure:
            raise ServerGone from failure

    def ask(self, method, path, body=None, key=None):
        """(status, parsed body) of one request."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        content = json.dumps(body).encode() if body is not None else None
        try:
            self.http.request(method, BASE + path, content, headers)
            answer = self.http.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise ServerGone from failure

    def close(self):
        self.http.close()


class Shared:
    """What the clients of all cycles have in common."""

    def __init__(self, journal, type_name):
        self.journal = journal
        self.type = type_name
        self.lock = threading.Lock()
        self.held = []        # (task id, token) of claims that were told and not yet settled
        self.repeats = []     # (path, body, key) in doubt, to be repeated with the same key
        self.numbers = 0

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.numbers

    def hold(self, task_id, token):
        with self.lock:
            self.held.append((task_id, token))

    def take_held(self, dice, count):
        with self.lock:
            dice.shuffle(self.held)
            taken, self.held = self.held[:count], self.held[count:]
            return taken


class Client(threading.Thread):
    """One client; its role decides the mix of its requests."""

    MIX = {
        "producer": [("create", 6), ("create_batch", 2), ("create_with_key", 3)],
        "worker": [("claim", 4), ("claim_with_key", 1), ("heartbeat", 2), ("progress", 3),
                   ("complete", 6), ("complete_batch", 1), ("fail", 2)],
        "person": [("cancel", 4), ("delete", 3), ("delete_by_force", 1), ("read", 3)],
    }

    def __init__(self, server, shared, role, seed):
        super().__init__(daemon=True)
        self.connection = Connection(server)
        self.shared, self.journal = shared, shared.journal
        self.dice = random.Random(seed)
        self.moves, self.weights = zip(*self.MIX[role])
        self.failure = None

    def run(self):
        try:
            self.connection.connect()
            while True:
                getattr(self, self.dice.choices(self.moves, self.weights)[0])()
        except ServerGone:
            pass
        except Exception as failure:  # an error of the test itself: shown by who joins
            self.failure = failure
        finally:
            self.connection.close()

    def ask(self, method, path, body=None, key=None, allowed=()):
        status, answer = self.connection.ask(method, path, body, key)
        if 200 <= status < 300:
            self.journal.acknowledged()
        else:
            assert status in allowed, f"{method} {path} was answered {status}: {answer}"
        return status, answer

    def refused(self, task_id, what, answer):
        """A worker's move is refused only when somebody meddled with its task."""
        with self.journal.lock:
            record = self.journal.by_id[task_id]
            if not record.meddled:
                self.journal.complain(f"{what} of {task_id} was refused: {answer}")

    # --- producers --------------------------------------------------------------------------------

    def new_task(self):
        number = self.shared.number()
        subject, payload = f"s{number}", {"n": number, "text": "x" * self.dice.randrange(200)}
        self.journal.will_create(subject, payload)
        return {"type": self.shared.type, "subject": subject, "payload": payload,
                "maxAttempts": self.dice.randint(1, 4), "priority": self.dice.randint(-1, 1),
                "backoff": {"type": "fixed", "delayMs": self.dice.choice([1, 50, 500])}}

    def new_key(self):
        return f"{self.shared.type}/{self.shared.number()}"

    def create(self):
        _, answer = self.ask("POST", "/tasks", self.new_task())
        self.journal.saw(answer["task"])

    def create_batch(self):
        items = [self.new_task() for _ in range(self.dice.randint(2, 25))]
        group = [item["subject"] for item in items]
        with self.journal.lock:
            self.journal.groups.append(group)
        _, answer = self.ask("POST", "/tasks", items)
        with self.journal.lock:
            self.journal.groups.remove(group)
            for task in answer["tasks"]:
                self.journal.saw(task)

    def create_with_key(self):
        body, key = self.new_task(), self.new_key()
        task = self.with_key("/tasks", body, key)["task"]
        self.journal.saw(task)

    def with_key(self, path, body, key):
        """A request that will be repeated after the restart when its answer is lost."""
        entry = (path, body, key)
        with self.shared.lock:
            self.shared.repeats.append(entry)
        _, answer = self.ask("POST", path, body, key)
        with self.shared.lock:
            self.shared.repeats.remove(entry)
        return answer

    # --- workers ----------------------------------------------------------------------------------

    def claim_body(self):
        short = self.dice.random() < 0.05
        return {"types": [self.shared.type], "workerId": f"w{self.dice.randint(1, 9)}",
                "limit": self.dice.choice([1, 1, 1, 5, 20]), "waitMs": self.dice.choice([0, 50]),
                "leaseMs": SHORT_LEASE_MS if short else LEASE_MS}

    def claim(self, **fields):
        body = {**self.claim_body(), **fields}
        return self.claiming(body, lambda: self.ask("POST", "/claims", body)[1])

    def claim_with_key(self):
        body, key = self.claim_body(), self.new_key()
        self.claiming(body, lambda: self.with_key("/claims", body, key))

    def claiming(self, body, call):
        with self.journal.lock:
            self.journal.claims_in_doubt += body["limit"]
        answer = call()
        with self.journal.lock:
            self.journal.claims_in_doubt -= body["limit"]
            self.take_in(answer["tasks"], body["leaseMs"])
        return answer["count"]

    def take_in(self, tasks, lease_ms):
        for task in tasks:
            self.journal.claimed(task, short=lease_ms == SHORT_LEASE_MS)
            self.shared.hold(task["id"], task["leaseToken"])

    def reporting(self, verb, fields):
        for task_id, token in self.shared.take_held(self.dice, 1):
            self.shared.hold(task_id, token)
            status, answer = self.ask("POST", f"/tasks/{task_id}/{verb}",
                                      {"leaseToken": token, **fields}, allowed=(404, 409))
            if status != 200:
                self.reporting_refused(task_id, token, verb, answer)

    def reporting_refused(self, task_id, token, verb, answer):
        """Another client may have settled it in between: then its token was used."""
        with self.journal.lock:
            record = self.journal.by_id[task_id]
            if token not in record.results and token not in record.fails:
                self.refused(task_id, verb, answer)

    def heartbeat(self):
        self.reporting("heartbeat", {})

    def progress(self):
        self.reporting("progress", {"progress": self.dice.randint(0, 100), "currentStep": "s"})

    def complete(self):
        for task_id, token in self.shared.take_held(self.dice, 1):
            result = {"by": self.shared.number()}
            self.journal.will(task_id, "complete", token, result)
            status, answer = self.ask("POST", f"/tasks/{task_id}/complete",
                                      {"leaseToken": token, "result": result},
                                      allowed=(404, 409))
            if status == 200:
                self.journal.saw(answer["task"])
            else:
                self.refused(task_id, "complete", answer)

    def complete_batch(self, most=None):
        taken = self.shared.take_held(self.dice, most or self.dice.randint(2, 20))
        if not taken:
            return 0
        items = []
        for task_id, token in taken:
            result = {"by": self.shared.number()}
            self.journal.will(task_id, "complete", token, result)
            items.append({"id": task_id, "leaseToken": token, "result": result})
        with self.journal.lock:
            self.journal.batches.append(taken)
        _, answer = self.ask("POST", "/completions", {"items": items})
        with self.journal.lock:
            self.journal.batches.remove(taken)
        for item, one in zip(items, answer["items"]):
            if one["success"]:
                self.journal.completed(item["id"], item["result"])
            else:
                self.refused(item["id"], "complete", one)
        return len(taken)

    def fail(self):
        for task_id, token in self.shared.take_held(self.dice, 1):
            self.journal.will(task_id, "fail", token)
            status, answer = self.ask(
                "POST", f"/tasks/{task_id}/fail",
                {"leaseToken": token, "error": "planned", "retry": self.dice.random() < 0.7},
                allowed=(404, 409))
            if status == 200:
                self.journal.saw(answer["task"])
            else:
                self.refused(task_id, "fail", answer)

    # --- people -----------------------------------------------------------------------------------

    def some_task(self):
        """The id of one that somebody was told of. While there is none the server is asked all the
        same: who asks nothing does not notice that it is gone."""
        task_id = self.journal.some_id(self.dice)
        if task_id is None:
            self.connection.ask("GET", "/tasks/stats")
        return task_id

    def cancel(self):
        task_id = self.some_task()
        if task_id is not None:
            self.cancel_this(task_id, self.dice.choice([0, 50, 60_000]))

    def cancel_this(self, task_id, grace_ms):
        self.journal.will(task_id, "cancel")
        status, answer = self.ask("POST", f"/tasks/{task_id}/cancel", {"graceMs": grace_ms},
                                  allowed=(404, 409))
        if status == 200:
            self.journal.saw(answer["task"])

    def delete(self, query=""):
        task_id = self.some_task()
        if task_id is None:
            return
        self.journal.will(task_id, "delete")
        status, _ = self.ask("DELETE", f"/tasks/{task_id}{query}", allowed=(404, 409))
        if status == 200:
            self.journal.deleted(task_id)

    def delete_by_force(self):
        self.delete("?force=true")

    def read(self):
        task_id = self.some_task()
        if task_id is None:
            return
        status, answer = self.connection.ask("GET", f"/tasks/{task_id}")
        if status == 200:
            self.journal.saw(answer["task"])


def start_clients(server, shared, seed, producers=5, workers=8, people=3):
    roles = ["producer"] * producers + ["worker"] * workers + ["person"] * people
    clients = [Client(server, shared, role, f"{seed}/{n}") for n, role in enumerate(roles)]
    for client in clients:
        client.start()
    return clients


def join_clients(clients):
    for client in clients:
        client.join(20)
        assert not client.is_alive(), "a client did not notice that its server is gone"
        if client.failure:
            raise client.failure


def repeat_in_doubt(server, shared):
    """Sends what is in doubt again, with the same Idempotency-Key: it must converge."""
    repeats, shared.repeats = shared.repeats, []
    client = Client(server, shared, "worker", "repeat")
    client.connection.connect()
    for path, body, key in repeats:
        if path == "/claims":
            _, answer = client.ask("POST", path, {**body}, key)
            client.take_in(answer.get("tasks", []), body["leaseMs"])
        else:
            with shared.journal.lock:
                if body["subject"] not in shared.journal.by_subject:
                    shared.journal.will_create(body["subject"], body["payload"])
            _, answer = client.ask("POST", path, body, key)
            shared.journal.saw(answer["task"])
    client.connection.close()
    return len(repeats)


def finish(server, shared):
    """Ends everything that is left, as workers and people would: no task is stuck."""
    client = Client(server, shared, "worker", "finish")
    client.connection.connect()
    while client.complete_batch(1000):
        pass
    path = f"/tasks?type={shared.type}&status=running&limit=1000"
    while running := client.ask("GET", path)[1]["tasks"]:
        for task in running:  # claimed by somebody who never heard of it
            client.cancel_this(task["id"], 0)
        client.ask("GET", f"/tasks/{running[0]['id']}?waitMs=5000")
    while client.claim(limit=1000, waitMs=1000, leaseMs=LEASE_MS):
        client.complete_batch(1000)
    client.connection.close()
