"""Front door S4: servers with sessions on, and a caller that is a session."""

import json

from lib.client import BASE, Api, fresh_name
from lib.server import ADMIN

# The names of the document; the others of it have a test of their own.
ON = {"ENABLE_SESSION_ISOLATION": "true"}

STATUSES = ("pending", "running", "completed", "failed", "cancelled")
DEMOS = {   # route → what its body must have
    "sample": {},
    "file-processing": {"filePath": "/in/a.csv"},
    "api-call": {"endpoint": "https://example.com/v1"},
    "batch": {"items": ["one", "two", "three"]},
}


def with_sessions(**options):
    """Options of a server: sessions are on, there is room for those of many tests, and a key for
    what is durable. With key=None there is a local user, but not at the routes of sessions."""
    options.setdefault("key", ADMIN)
    options.setdefault("sessions_max", 1000)
    options.setdefault("sessions_per_address", 0)
    return {**options, "env": {**ON, **options.pop("env", {})}}


class Session(Api):
    """One session: sends its key with each request and no credential. Each answer says, at its end,
    that nothing of it is durable."""

    def __init__(self, server, session=None, **options):
        super().__init__(server, key="", **options)
        self.session = session or fresh_name("session")
        self.http.headers["X-App-Session"] = self.session

    def send(self, method, path, body=..., **options):
        if body is ...:
            response = super().send(method, path, **options)
        else:
            response = super().send(method, path, body, **options)
        says_so(response)
        return response

    def close(self):
        """Ends the session too, so that many tests have room on one server."""
        if self.server.is_alive():
            self.http.delete(f"{BASE}/sessions/{self.session}")
        super().close()

    def fields(self, **fields):
        return {"type": self.type, "name": "A task", **fields}

    def started(self, **fields):
        task = self.create(**fields)
        self.start(task)
        return task

    def demo(self, which, **fields):
        answer = self.post(f"/demo/tasks/{which}", {**DEMOS[which], **fields})
        return self.expect(answer, 201)

    def status(self, task):
        return self.expect(self.get(f"/tasks/{task['id']}/status"))

    def stats(self):
        return self.expect(self.get("/tasks/stats"))["stats"]

    def ids(self):
        return [task["id"] for task in self.expect(self.get("/tasks"))["tasks"]]

    def lives(self, worker, status, **fields):
        """A new task of this session that has come to `status`, by the moves of `worker`."""
        task = self.create(**fields)
        if status == "pending":
            return task
        if status == "cancelled":
            self.cancel(task)
            return task
        self.start(task)
        claimed = claim(worker, self)
        if status == "completed":
            worker.expect(worker.move(claimed, "complete", result={"n": 1}))
        if status == "failed":
            worker.expect(worker.move(claimed, "fail", error={"code": "bad", "message": "No."},
                                      retry=False))
        return claimed


def says_so(response):
    """`"durable":false` is the last member of a session's answer."""
    if response.status_code == 204 or not response.content:
        return
    assert response.content.rstrip().endswith(b'"durable":false}'), response.text
    assert list(json.loads(response.content))[-1] == "durable"


def claims(worker, *sessions, **fields):
    """What a worker of sessions gets: tasks of these sessions' types."""
    types = sorted({session.type for session in sessions})
    body = {"sessions": True, "types": types, "workerId": "of-sessions", **fields}
    return worker.expect(worker.post("/claims", body))["tasks"]


def claim(worker, session, **fields):
    tasks = claims(worker, session, **fields)
    assert len(tasks) == 1, f"claimed {len(tasks)} tasks"
    return tasks[0]
