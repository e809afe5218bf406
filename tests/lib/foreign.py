"""What belongs to somebody else, and all ways to ask for it: the tenants and sessions of the tests
of isolation."""

import json
import re

from lib.client import Api, fresh_name, new_key
from lib.described import bodies

ALWAYS = {"X-Request-Id": "the-same-for-all"}
LIVE = {**ALWAYS, "Accept": "text/event-stream"}


def ask(api, route, path, body=None, method=None, headers=None, **options):
    raw = None if body is None else json.dumps(body).encode()
    return api.send(method or route.method, path, raw=raw, headers=headers or ALWAYS, **options)


def ways(route, queries, **known):
    """All ways to ask a route: each field of its bodies, each parameter, by HEAD, and live.

    `queries` has a value for each parameter that the route may have."""
    found = [{"body": body} for body in bodies(route, **known)]
    for name in route.parameters:
        assert name in queries, f"{route}: what may stand in ?{name}= must be told here"
        key = "tag.a" if name == "tag.*" else name
        found.append({**found[0], "params": {key: queries[name]}})
    if route.method == "GET":
        found += [{**way, "headers": LIVE} for way in found] + [{"method": "HEAD"}]
    return found


def absent(name):
    """Of the same length, and nobody's."""
    return name[:-12] + "0" * 12 if re.fullmatch("[0-9a-f-]{36}", name) else "Z" * len(name)


def told(response, name):
    """Status, headers and body, with the name that was asked for taken out."""
    headers = {key: value.replace(name, "NAME") for key, value in response.headers.items()
               if key != "date"}
    body = response.content.replace(name.encode(), b"NAME")
    if response.status_code < 300:
        body = re.sub(rb"\b1[6-9]\d{11}\b", b"TIME", body)
    return response.status_code, headers, body


def assert_free(text, theirs, where):
    """`theirs` has a mark in every text and name, so this finds whatever shows of it."""
    for secret in theirs.secrets():
        assert secret not in text, f"{where} shows {secret}: {text}"


class Foreign:
    """What a tenant has: one of each noun, and the name of one that nobody has."""

    def __init__(self, api, status):
        self.api, self.mark = api, fresh_name("mark")
        self.queue, self.project, self.worker = (f"{stem}.{self.mark}" for stem in "qpw")
        marked = {"of": self.mark}
        fields = {"queue": self.queue, "projectId": self.project, "subject": self.project,
                  "uniqueKey": self.project, "name": self.project, "description": self.mark,
                  "payload": marked, "metadata": marked,
                  "tags": {"a": self.project, "service": self.project}}
        api.expect(api.put(f"/types/{api.type}", {"description": self.mark}))
        if status == "pending":
            self.task = api.create(**fields)
        else:
            self.task = api.running(claim={"workerId": self.worker}, **fields)
            api.log(self.task, self.mark)
            api.progress(self.task, 10, currentStep=self.mark, currentStepDescription=self.mark)
        self.token = self.task.get("leaseToken", "0" * 16)
        if status == "completed":
            api.complete(self.task, {"secret": self.mark})
        api.expect(api.post(f"/queues/{self.queue}/pause"))
        self.key = new_key(api, ["reader"], name=self.mark, service=self.mark)["key"]["id"]
        self.job = api.create(type=f"j.{self.mark}", queue="jobs", subject=self.mark)
        api.cancel(api.create(type=f"j.{self.mark}", queue="jobs"), reason=self.mark)
        visitor = Api(api.server, key="")
        visitor.http.headers["X-App-Session"] = self.session = fresh_name("s")
        visitor.expect(visitor.post("/tasks", {"name": "theirs"}), 201)
        visitor.close()
        self.names = {"tasks": self.task["id"], "queues": self.queue, "types": api.type,
                      "keys": self.key, "jobs": self.job["id"], "sessions": self.session}
        self.queries = {"waitMs": 1, "force": "true", "after": 0, "limit": 1, "lastEventId": 0,
                        "progressMs": 0, "processor_id": self.worker, "tenant_id": self.project}
        self.filters = {"taskId": self.task["id"], "type": api.type, "queue": self.queue,
                        "projectId": self.project, "subject": self.project, "q": self.project,
                        "worker": self.worker, "uniqueKey": self.project, "tag.*": self.project,
                        "task_type": api.type, "tenant_id": self.project,
                        "service_tag": self.project}

    def secrets(self):
        token = [] if self.token == "0" * 16 else [self.token]
        return [self.mark, self.api.type, self.task["id"], self.job["id"], self.key, *token]

    def snapshot(self):
        """All of it, as its owner sees it."""
        paths = [f"/tasks/{self.task['id']}", f"/tasks/{self.task['id']}/logs",
                 f"/tasks/{self.job['id']}", "/tasks?include=payload",
                 f"/queues/{self.queue}", f"/types/{self.api.type}", "/keys", "/events?limit=1000"]
        seen = [self.api.get(path).json() for path in paths]
        for key in seen[paths.index("/keys")]["keys"]:
            del key["lastUsedAt"]  # the look itself moves it
        return seen


class ForeignSession:
    """What a session has: a task in that status, another one, and its own name."""

    def __init__(self, api, worker, status):
        self.api, self.mark = api, fresh_name("mark")
        body = {"name": self.mark, "description": self.mark, "type": api.type,
                "payload": {"secret": self.mark}, "metadata": {"of": self.mark}}
        self.task = api.expect(api.post("/tasks", body), 201)["task"]
        self.other = api.expect(api.post("/tasks", body), 201)["task"]
        if status != "unstarted":
            api.expect(api.act(self.task, "start"))
        if status in ("running", "completed"):
            claim = {"sessions": True, "types": [api.type]}
            [self.task] = worker.expect(worker.post("/claims", claim))["tasks"]
            worker.log(self.task, self.mark)
            worker.progress(self.task, 10, currentStep=self.mark)
        if status == "completed":
            worker.expect(worker.act(self.task, "complete", {
                "leaseToken": self.task["leaseToken"], "result": {"secret": self.mark}}))
        self.names = {"tasks": self.task["id"], "sessions": api.session}
        self.queries = {"session": api.session, "waitMs": 1, "after": 0, "limit": 1,
                        "lastEventId": 0, "progressMs": 0,
                        "queue": "default", "projectId": "x"}  # not a session's to choose
        self.filters = {"taskId": self.task["id"], "type": api.type}

    def secrets(self):
        token = [self.task["leaseToken"]] if self.task.get("leaseToken") else []
        return [self.mark, self.api.type, self.api.session, self.task["id"], self.other["id"],
                *token]

    def snapshot(self):
        paths = ["/tasks", f"/tasks/{self.task['id']}", f"/tasks/{self.task['id']}/logs",
                 f"/tasks/{self.task['id']}/events", "/tasks/stats"]
        return [self.api.get(path).json() for path in paths]
