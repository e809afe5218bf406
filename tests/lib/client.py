"""A thin client for tests: one method a route, raw responses when wanted."""

import itertools
import json
import os
import socket
import time

import httpcore
import httpx
from httpcore.backends.sync import SyncBackend

from lib.nodes import Nodes

BASE = "/api/v1"
UNSET = object()
_numbers = itertools.count(1)

TASK_FIELDS = (
    "id type name description status waitingFor queue priority payload result error progress "
    "currentStep currentStepDescription attempt maxAttempts version tags metadata tenantId "
    "projectId subject sessionKey cost parentId dependsOn concurrencyKey uniqueKey callbackUrl "
    "workerId claimedAt leaseExpiresAt cancelRequested runAt expiresAt createdAt updatedAt "
    "startedAt completedAt resultHandling revision"
).split()
NO_ID = "01890000-0000-7000-8000-000000000000"  # one that no task has
FINAL = ("completed", "failed", "cancelled", "abandoned")


def fresh_name(stem="t"):
    """A name nobody has used: for types, queues, workers and keys."""
    return f"{stem}.{os.urandom(4).hex()}.{next(_numbers)}"


def new_key(admin, roles, **fields):
    """The answer to its creation: {"key", "secret", …}."""
    body = {"name": fresh_name("key"), "roles": list(roles), **fields}
    return admin.expect(admin.post("/keys", body), 201)


def raw_field(content, name, following):
    """The bytes of one field of a task in an answer, found by its neighbour in the fixed order."""
    start = content.index(b'"%s":' % name.encode()) + len(name) + 3
    return content[start:content.index(b',"%s":' % following.encode(), start)]


def raw_payload(content):
    return raw_field(content, "payload", "result")


def raw_result(content):
    return raw_field(content, "result", "error")


def problem(response, status, code, pointer=None):
    """Asserts a whole problem document and returns it. `pointer`: one, or several that will do."""
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    assert response.headers["content-type"].split(";")[0] == "application/problem+json"
    body = response.json()
    assert body["success"] is False
    assert body["status"] == status
    assert body["code"] == code, response.text
    assert body["type"] == f"/docs/errors#{code}"
    assert body["title"] and isinstance(body["title"], str)
    assert body["detail"] and body["error"] == body["detail"]
    assert body["requestId"] == response.headers["x-request-id"]
    if pointer is not None:
        wanted = {pointer} if isinstance(pointer, str) else set(pointer)
        assert wanted & {field["pointer"] for field in body["errors"]}, \
            f"{pointer} is not in {response.text}"
        assert all(field["code"] and field["detail"] for field in body["errors"])
    return body


class PromptBackend(SyncBackend):
    """Without it httpx's two writes a request wait 40 ms for each other (Nagle, delayed ACK)."""

    def connect_tcp(self, *args, **options):
        stream = super().connect_tcp(*args, **options)
        stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream


def prompt_transport():
    transport = httpx.HTTPTransport(trust_env=False, verify=False)
    transport._pool = httpcore.ConnectionPool(network_backend=PromptBackend())
    return transport


class InTurn(httpx.BaseTransport):
    """Sends each request to the next of several nodes, or to the one that it names."""

    def __init__(self, nodes):
        self.nodes, self.way = nodes, prompt_transport()

    def handle_request(self, request):
        node = request.extensions.get("node") or self.nodes.next_node()
        response = self.way.handle_request(httpx.Request(
            request.method, request.url.copy_with(port=node.port), headers=request.headers,
            stream=request.stream, extensions=request.extensions))
        self.nodes.answered(request.method, request.url.path, response.status_code, node)
        return response

    def close(self):
        self.way.close()


class Api:
    """Talks to one server as one principal; to nodes in turn. Each has its own task type, so tests
    do not meet."""

    def __init__(self, server, key=None, type_name=None, timeout_s=20.0):
        self.server = server
        self.key = key if key is not None else server.key
        self.type = type_name or fresh_name("t")
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        transport = InTurn(server) if isinstance(server, Nodes) else prompt_transport()
        self.http = httpx.Client(base_url=server.url, headers=headers, trust_env=False,
                                 timeout=timeout_s, transport=transport)

    def close(self):
        self.http.close()

    def twin(self, key=None):
        """Another connection with the same type, for a second thread or another principal."""
        return Api(self.server, key=key or self.key, type_name=self.type)

    # --- requests ---------------------------------------------------------------------------------

    def send(self, method, path, body=UNSET, *, raw=None, headers=None, params=None, node=None):
        """Any request; `path` under /api/v1 unless it begins with "//"."""
        url = path[1:] if path.startswith("//") else BASE + path
        content, sent = raw, dict(headers or {})
        if body is not UNSET:
            content = json.dumps(body, ensure_ascii=False).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        response = self.http.request(method, url, content=content, headers=sent, params=params,
                                     extensions={"node": node} if node else None)
        assert response.headers.get("x-request-id"), "every answer carries X-Request-Id"
        return response

    def get(self, path, **options):
        return self.send("GET", path, **options)

    def from_each(self, path):
        """What it says, from the server, or from each node."""
        nodes = self.server.nodes if isinstance(self.server, Nodes) else [None]
        return [self.get(path, node=node).json() for node in nodes]

    def post(self, path, body=UNSET, **options):
        return self.send("POST", path, body, **options)

    def put(self, path, body=UNSET, **options):
        return self.send("PUT", path, body, **options)

    def patch(self, path, body=UNSET, **options):
        return self.send("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.send("DELETE", path, **options)

    @staticmethod
    def expect(response, status=200):
        assert response.status_code == status, f"{response.status_code}: {response.text}"
        body = response.json()
        assert body["success"] is True, response.text
        return body

    # --- tasks ------------------------------------------------------------------------------------

    def fields(self, **fields):
        return {"type": self.type, **fields}

    def create(self, **fields):
        return self.expect(self.post("/tasks", self.fields(**fields)), 201)["task"]

    def create_many(self, items):
        answer = self.expect(self.post("/tasks", [self.fields(**item) for item in items]), 201)
        assert answer["count"] == len(answer["tasks"]) == len(items)
        return answer["tasks"]

    def task(self, task, wait_ms=None):
        params = {"waitMs": wait_ms} if wait_ms is not None else None
        return self.expect(self.get(f"/tasks/{id_of(task)}", params=params))["task"]

    def final(self, task, wait_ms=8000):
        """The task once it has ended; the server tells when, nobody polls."""
        seen = self.task(task, wait_ms=wait_ms)
        assert seen["status"] in FINAL, f"still {seen['status']} after {wait_ms} ms"
        return seen

    def list(self, **params):
        params.setdefault("type", self.type)
        return self.expect(self.get("/tasks", params=params))["tasks"]

    def events(self, task):
        return self.expect(self.get(f"/tasks/{id_of(task)}/events",
                                    params={"limit": 1000}))["events"]

    def event_names(self, task):
        return [event["event"] for event in self.events(task)]

    def attempts(self, task):
        return self.expect(self.get(f"/tasks/{id_of(task)}/attempts"))["attempts"]

    def outcomes(self, task):
        return [attempt["outcome"] for attempt in self.attempts(task)]

    def explain(self, task):
        return self.expect(self.get(f"/tasks/{id_of(task)}/explain"))["explain"]

    def act(self, task, verb, body=UNSET, **options):
        """start, cancel, retry and every worker's move, as a raw response."""
        return self.post(f"/tasks/{id_of(task)}/{verb}", body, **options)

    def start(self, task):
        return self.expect(self.act(task, "start"))["task"]

    def cancel(self, task, **fields):
        return self.expect(self.act(task, "cancel", fields))["task"]

    def retry(self, task):
        return self.expect(self.act(task, "retry"))["task"]

    # --- claims -----------------------------------------------------------------------------------

    def claim(self, **fields):
        """A list of claimed tasks, of this client's type unless `types` says otherwise."""
        fields.setdefault("types", [self.type])
        fields.setdefault("workerId", "tester")
        answer = self.expect(self.post("/claims", fields))
        assert answer["count"] == len(answer["tasks"])
        return answer["tasks"]

    def claim_one(self, **fields):
        tasks = self.claim(**fields)
        assert len(tasks) == 1, f"claimed {len(tasks)} tasks"
        assert tasks[0]["leaseToken"]
        return tasks[0]

    def running(self, claim=None, **fields):
        """A new task that this client has claimed, whatever else is ready."""
        created = self.create(**fields)
        body = {"workerId": "tester", **(claim or {})}
        return self.expect(self.act(created, "claim", body))["task"]

    def ended(self, status, **fields):
        """A new task in the given final status."""
        if status == "cancelled":
            return self.cancel(self.create(**fields))
        if status == "abandoned":  # takes the second that its lease lasts
            lost = self.running(claim={"leaseMs": 1000}, **{**fields, "maxAttempts": 1})
            return self.final(lost)
        claimed = self.running(**fields)
        if status == "failed":
            return self.fail(claimed, retry=False)
        return self.complete(claimed)

    def until_worker(self, worker_id, waiting):
        """Asks again and again, for 20 s at most, until that worker does (not) wait for a task."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            seen = [one for answer in self.from_each("/workers") for one in answer["workers"]
                    if one["workerId"] == worker_id]
            worker = next((one for one in seen if one["waiting"]), None)
            if (worker is not None) == waiting:
                return worker or next(iter(seen), None)
        raise AssertionError(f"{worker_id} was never seen with waiting={waiting}")

    def until_in_flight(self, count):
        """Asks again and again, for 5 s at most, until the server has so many to answer."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            in_flight = sum(health["requestsInFlight"] - 1  # the asking itself
                            for health in self.from_each("//health"))
            if in_flight == count:
                return
        raise AssertionError(f"{in_flight} requests are in flight, never {count}")

    # --- a worker's moves -------------------------------------------------------------------------

    def move(self, task, verb, **fields):
        return self.act(task, verb, {"leaseToken": task["leaseToken"], **fields})

    def heartbeat(self, task):
        return self.expect(self.move(task, "heartbeat"))

    def progress(self, task, progress, **fields):
        return self.expect(self.move(task, "progress", progress=progress, **fields))

    def log(self, task, *lines):
        return self.expect(self.move(task, "logs", lines=list(lines)))

    def logs(self, task, **params):
        return self.expect(self.get(f"/tasks/{id_of(task)}/logs", params=params))["logs"]

    def complete(self, task, result=None):
        return self.expect(self.move(task, "complete", result=result))["task"]

    def fail(self, task, error="broken", **fields):
        return self.expect(self.move(task, "fail", error=error, **fields))["task"]

    def release(self, task, **fields):
        return self.expect(self.move(task, "release", **fields))["task"]


def id_of(task):
    return task if isinstance(task, str) else task["id"]
