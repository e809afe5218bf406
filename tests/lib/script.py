"""A fixed script of requests that changes everything a store keeps, and notes what it was told."""

import http.client
import json
import socket

BASE = "/api/v1"
LEASE_MS = 600_000


class Gone(Exception):
    """No answer came."""


class Refused(Exception):
    """An answer of 4xx or 5xx: (status, body)."""


class Teller:
    """One connection; each answer of 2xx becomes facts."""

    def __init__(self, server, facts, key):
        self.server, self.facts, self.key = server, facts, key
        self.http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        self.answers = []          # statuses, in order
        self.doubt = None          # the request that got no answer
        self.half = False          # an answer began and did not end

    def connect(self):
        try:
            self.http.connect()
            self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as failure:
            raise Gone from failure

    def ask(self, method, path, body=None, key=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers["Authorization"] = f"Bearer {self.key}"
        if key:
            headers["Idempotency-Key"] = key
        self.doubt = (method, path, body, key)
        content = json.dumps(body).encode() if body is not None else None
        path = BASE + path if not path.startswith("//") else path[1:]
        try:
            self.http.request(method, path, content, headers)
            answer = self.http.getresponse()
            self.half = True
            content = answer.read()
            self.half = False
            told = json.loads(content) if content else {}
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise Gone from failure
        at = self.server.at()
        self.doubt = None
        self.answers.append(answer.status)
        if answer.status >= 300:
            raise Refused(answer.status, told)
        if method != "GET":
            self.note(told, at)
            if key:
                self.facts.add("K", key, at)
        return told

    def note(self, told, at):
        tasks = [told["task"]] if told.get("task") else []
        tasks += told.get("tasks") or []
        for task in tasks:
            self.facts.task(task, at)

    def close(self):
        self.http.close()


def new_task(name, **fields):
    return {"type": "a", "subject": name, "payload": {"of": name}, **fields}


def result_of(name, length=0):
    return {"of": name, "text": "r" * length}


class Script:
    """Steps in order; each may be the last one that is answered."""

    def __init__(self, teller, mark="s"):
        self.t, self.mark, self.tasks = teller, mark, {}

    def name(self, number):
        return f"{self.mark}-{number}"

    def create(self, number, **fields):
        name = self.name(number)
        self.tasks[number] = self.t.ask("POST", "/tasks", new_task(name, **fields))["task"]

    def create_batch(self, numbers, key=None, **fields):
        names = [self.name(number) for number in numbers]
        self.t.facts.group(names)
        told = self.t.ask("POST", "/tasks", [new_task(name, **fields) for name in names], key)
        self.tasks.update(zip(numbers, told["tasks"]))

    def claim(self, number, **fields):
        task = self.tasks[number]
        told = self.t.ask("POST", f"/tasks/{task['id']}/claim",
                          {"workerId": "w", "leaseMs": LEASE_MS, **fields})
        self.tasks[number] = told["task"]

    def move(self, number, verb, **body):
        task = self.tasks[number]
        told = self.t.ask("POST", f"/tasks/{task['id']}/{verb}",
                          {"leaseToken": task["leaseToken"], **body})
        if told.get("task"):
            self.tasks[number] = {**told["task"], "leaseToken": task["leaseToken"]}

    def delete(self, number, force=False):
        task = self.tasks[number]
        self.t.facts.add("M", task["id"], self.t.server.at())
        self.t.ask("DELETE", f"/tasks/{task['id']}" + ("?force=true" if force else ""))
        if not force:
            self.t.facts.add("D", task["id"], self.t.server.at())

    def steps(self):
        yield lambda: self.create(1)
        yield lambda: self.create(2, priority=5, tags={"a": "b"}, metadata={"m": 1})
        yield lambda: self.create(3, uniqueKey=self.name("unique"), projectId="p")
        yield lambda: self.create(4, runAt=4_000_000_000_000)
        yield lambda: self.create(5, autoStart=False)
        yield lambda: self.create(6, payload=result_of(self.name(6), 9000))
        yield lambda: self.create_batch(range(10, 22))
        yield lambda: self.create_batch(range(30, 34), key=self.name("key"), type="b", queue="q")
        yield self.set_type
        yield lambda: self.t.ask("POST", f"/tasks/{self.tasks[5]['id']}/start", {})
        yield lambda: self.t.ask("PATCH", f"/tasks/{self.tasks[4]['id']}", {"priority": 7})
        yield lambda: self.claim(1)
        yield lambda: self.move(1, "heartbeat")
        yield lambda: self.move(1, "progress", progress=40, currentStep="half")
        yield lambda: self.move(1, "logs", lines=["one", "two", "l" * 3000])
        yield lambda: self.move(1, "complete", result=result_of(self.name(1)))
        yield lambda: self.claim(2)
        yield lambda: self.move(2, "complete", result=result_of(self.name(2), 6000))
        yield lambda: self.claim(3)
        yield lambda: self.move(3, "fail", error={"code": "c", "message": "m"}, retry=False)
        yield lambda: self.t.ask("POST", f"/tasks/{self.tasks[3]['id']}/retry", {})
        yield lambda: self.claim(3)
        yield lambda: self.move(3, "release")
        yield self.claim_many
        yield self.complete_many
        yield lambda: self.t.ask("POST", f"/tasks/{self.tasks[6]['id']}/cancel", {})
        yield lambda: self.t.ask("POST", f"/tasks/{self.tasks[6]['id']}/retry", {})
        yield lambda: self.delete(6)
        yield lambda: self.claim(5)
        yield lambda: self.delete(5, force=True)
        yield self.make_key
        yield self.pause
        yield lambda: self.t.ask("POST", "/queues/q/resume", {})
        yield lambda: self.delete(1)

    def set_type(self):
        self.t.ask("PUT", "/types/b", {"maxAttempts": 2, "leaseMs": 60_000})
        self.t.facts.add("Y", "b", self.t.server.at())

    def pause(self):
        self.t.ask("POST", "/queues/q/pause", {})
        self.t.facts.add("Q", "q", self.t.server.at())

    def make_key(self):
        told = self.t.ask("POST", "/keys", {"name": self.name("made"), "roles": ["reader"]})
        self.t.facts.add("A", told["key"]["id"], self.t.server.at())
        self.t.ask("DELETE", f"/keys/{told['key']['id']}")

    def claim_many(self):
        self.held = self.t.ask("POST", "/claims", {"types": ["b"], "workerId": "w", "limit": 3,
                                                   "leaseMs": LEASE_MS})["tasks"]

    def complete_many(self):
        items = [{"id": task["id"], "leaseToken": task["leaseToken"],
                  "result": result_of(task["subject"])} for task in self.held]
        if items:  # another client may have paused the queue
            self.t.ask("POST", "/completions", {"items": items})

    def reads(self):
        """Every route that only reads."""
        task = self.tasks[2]["id"]
        for path in ("/tasks?include=payload,result&limit=1000", "/tasks?type=a&tag.a=b&q=s-",
                     "/tasks/stats", "/tasks/pending", f"/tasks/{task}", f"/tasks/{task}/status",
                     f"/tasks/{task}/events", f"/tasks/{task}/attempts", f"/tasks/{task}/logs",
                     f"/tasks/{task}/explain", "/queues", "/queues/q", "/types", "/types/b",
                     "/workers", "/events?limit=1000", "/keys", "//health", "//livez", "//readyz"):
            yield lambda path=path: self.t.ask("GET", path)

    def run(self):
        """How many steps were answered with 2xx."""
        count = 0
        for step in self.steps():
            step()
            count += 1
        return count
