"""A fixed script of requests that changes everything a store keeps, and notes what it was told.

Its `others` call what is left of the API, so that together they call each route there is.
"""

import http.client
import json
import re
import socket

from lib.server import ROOT
from lib.sessions import DEMOS
from lib.tokens import SECRET, Secret, claims

BASE = "/api/v1"
LEASE_MS = 600_000
SESSION = "X-App-Session"
# Of a server that is to open each route.
ALL_ROUTES = {"TASKYARD_SESSIONS": "yes", "TASKYARD_JOBS": "yes", "TASKYARD_JWT_SECRET": SECRET}


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
        self.called = set()        # (method, path, whether by a session), when all went well

    def connect(self):
        try:
            self.http.connect()
            self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as failure:
            raise Gone from failure

    def ask(self, method, path, body=None, key=None, by=None, kept=True):
        """`by`: headers of somebody else. `kept`: it is about what is durable."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers.update(by or {"Authorization": f"Bearer {self.key}"})
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
            is_json = "json" in answer.getheader("Content-Type", "")
            told = json.loads(content) if is_json else {}
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise Gone from failure
        at = self.server.at()
        self.doubt = None
        self.answers.append(answer.status)
        if answer.status >= 300:
            raise Refused(answer.status, told)
        self.called.add((method, path.partition("?")[0], SESSION in headers))
        if method != "GET" and kept:
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


def user(name):
    """The headers of one with a token."""
    token = Secret(SECRET).token(claims(sub=name, roles=["user"]))
    return {"Authorization": f"Bearer {token}"}


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

    def run(self):
        """How many steps were answered with 2xx."""
        count = 0
        for step in self.steps():
            step()
            count += 1
        return count

    # --- all other routes -------------------------------------------------------------------------

    def others(self):
        """Behind the steps."""
        yield from self.reads()
        yield lambda: self.t.ask("PUT", f"/tasks/{self.tasks[4]['id']}", {"tags": {"a": "c"}})
        yield self.set_status
        yield self.rotate_key
        yield self.clean_up
        yield from self.doors()
        yield from self.of_sessions()

    def reads(self):
        task = self.tasks[2]["id"]
        for path in ("/tasks?include=payload,result&limit=1000", "/tasks?type=a&tag.a=b&q=s-",
                     "/tasks/stats", "/stats", "/tasks/pending", "/tasks/cleanup/status",
                     f"/tasks/{task}", f"/tasks/{task}/status", f"/tasks/{task}/events",
                     f"/tasks/{task}/attempts", f"/tasks/{task}/logs", f"/tasks/{task}/explain",
                     "/queues", "/queues/q", "/types", "/types/b", "/workers",
                     "/events?limit=1000", "/keys", "/sessions/stats", "//health", "//livez",
                     "//readyz", "//docs/errors", "//openapi.json", "//"):
            yield lambda path=path: self.t.ask("GET", path)

    def set_status(self):
        path = f"/tasks/{self.tasks[10]['id']}/status"
        task = self.t.ask("PATCH", path, {"status": "processing"})["task"]
        self.t.ask("PATCH", path, {"status": "pending", "leaseToken": task["leaseToken"]})

    def rotate_key(self):
        told = self.t.ask("POST", "/keys", {"name": self.name("turned"), "roles": ["reader"]})
        self.t.facts.add("A", told["key"]["id"], self.t.server.at())
        told = self.t.ask("POST", f"/keys/{told['key']['id']}/rotate", {})
        self.t.facts.add("A", told["key"]["id"], self.t.server.at())

    def clean_up(self):
        """Of two that are completed one may stay."""
        for number in (7, 8):
            self.create(number, type="c")
            self.claim(number)
            self.move(number, "complete", result=result_of(self.name(number)))
            self.t.facts.add("M", self.tasks[number]["id"], self.t.server.at())
        self.t.ask("PUT", "/types/c", {"keepCompleted": 1})
        self.t.ask("POST", "/tasks/cleanup/run", {})

    def doors(self):
        """A job's subject is its user, whom the judge looks for in the payload."""
        name = self.name("user")
        yield lambda: self.t.ask("POST", "//api/tasks", {"type": "a", "payload": {}})
        yield lambda: self.job(name, "/jobs", {"type": "a", "arguments": {"of": name}})
        yield lambda: self.t.ask("GET", "/jobs", by=user(name))
        yield lambda: self.t.ask("GET", f"/jobs/{self.made}", by=user(name))
        yield lambda: self.job("delayMaxSec", "/jobs/start-dummy-job", {"delayMaxSec": 1})

    def job(self, name, path, body):
        self.made = self.t.ask("POST", path, body, by=user(name))["id"]

    def of_sessions(self):
        """Nothing of them is durable."""
        own, other = {SESSION: self.name("own")}, {SESSION: self.name("other")}

        def ask(method, path, body=None, by=own):
            return self.t.ask(method, path, body, by=by, kept=False)

        def make():
            self.made = ask("POST", "/tasks", {"name": "made"})["task"]["id"]

        def work():
            """The worker of all sessions takes one that a demo has started."""
            body = {"sessions": True, "types": ["sample"], "workerId": "w", "waitMs": 1000}
            for task in self.t.ask("POST", "/claims", body, kept=False)["tasks"]:
                self.t.ask("POST", f"/tasks/{task['id']}/complete",
                           {"leaseToken": task["leaseToken"], "result": "done"}, kept=False)

        yield make
        for path in ("", "/status", "/events", "/logs", "/explain"):
            yield lambda path=path: ask("GET", f"/tasks/{self.made}{path}")
        for verb in ("start", "cancel", "retry"):
            yield lambda verb=verb: ask("POST", f"/tasks/{self.made}/{verb}", {})
        for demo, body in DEMOS.items():
            yield lambda demo=demo, body=body: ask("POST", f"/demo/tasks/{demo}", body)
        yield work
        for path in ("/tasks", "/tasks/stats", "/tasks/cleanup/status", "/events",
                     "/sessions/stats"):
            yield lambda path=path: ask("GET", path)
        yield lambda: ask("POST", "/tasks/cleanup/run", {})
        yield lambda: ask("DELETE", f"/sessions/{own[SESSION]}")
        yield lambda: ask("POST", "/tasks", {"name": "other"}, by=other)
        yield lambda: self.t.ask("DELETE", f"/sessions/{other[SESSION]}", kept=False)


# --- which routes there are -----------------------------------------------------------------------

def rows():
    """Those of routes.def: kind, method, path, handler."""
    text = (ROOT / "src/api/routes.def").read_text()
    found = re.findall(r'^(\w*)ROUTE\(.*?([A-Z]+), "(/[^"]*)", (\w+)', text, re.M)
    assert len(found) == len(re.findall(r"^\w*ROUTE\(", text, re.M))
    return found


def uncalled(called):
    """The routes that are not among the calls, to sessions and to everybody else."""
    paths = {path for _, _, path, _ in rows()}

    def row_of(path):
        """As the router chooses: a path that is written out comes first."""
        fitting = (row for row in sorted(paths)
                   if re.fullmatch(re.sub(r"{\w+}", "[^/]+", row), path))
        return path if path in paths else next(fitting, None)

    known = {(method, row_of(path), by_session) for method, path, by_session in called}
    wanted = {(method, path, False) for _, method, path, handler in rows()
              if handler != "session_needed"}
    wanted |= {(method, path, True) for kind, method, path, _ in rows() if kind == "SESSION_"}
    return sorted(f"{method} {path}" + " by a session" * by_session
                  for method, path, by_session in wanted - known)
