"""Calls a Taskyard server: Python 3.9 or later, the standard library alone, one module.

    with Client() as taskyard:                        # TASKYARD_URL, TASKYARD_KEY
        task = taskyard.create("mail", {"to": "a@b.c"})
        for lease in taskyard.claim(["mail"], worker="mailer-1", wait_s=20):
            with lease:                               # heartbeats while the block lasts
                lease.complete({"sent": True})

Whatever a call does not get done is an exception of this module: `Unreachable` when no answer came,
else a `Problem` with the server's problem document. Both are repeated first where that can help,
with the same Idempotency-Key, so that nothing is done twice. Many threads may use one client.
"""

import http.client
import json
import logging
import os
import random
import ssl
import threading
import time
import uuid
from contextlib import suppress
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Type
from urllib.parse import quote, urlencode, urlsplit

__version__ = "0.1.0"
__all__ = ["Busy", "Cancelled", "Client", "Conflict", "Denied", "Invalid", "Lease", "LeaseLost",
           "NotFound", "Problem", "TaskyardError", "Unreachable"]

Task = Dict[str, Any]

URL = "http://127.0.0.1:8503"
WAIT_MAX_S = 60.0         # the longest that one request may wait at the server
BACKOFF_MAX_S = 5.0       # the longest pause of our own between two tries
RETRY_AFTER_MAX_S = 30.0  # the longest that the server may make us pause
MESSAGE_BYTES_MAX = 2000  # of the text of a failure
LIST_LIMIT = 100          # tasks of one page of a list

_log = logging.getLogger("taskyard")


# --- what can go wrong ----------------------------------------------------------------------------

class TaskyardError(Exception):
    """Any failure of this module."""


class Unreachable(TaskyardError):
    """No answer came, so nobody knows whether the request was carried out."""


class Cancelled(TaskyardError):
    """The task is to be stopped: somebody asked for it, or the lease is lost."""


class Problem(TaskyardError):
    """The server said no. `document` is its problem document (RFC 9457)."""

    def __init__(self, status: int, document: Mapping[str, Any],
                 retry_after_s: Optional[float] = None) -> None:
        self.status = status
        self.document = dict(document)
        self.code: Optional[str] = self.document.get("code")
        self.detail: str = self.document.get("detail") or f"the server answered {status}"
        self.errors: List[Dict[str, Any]] = self.document.get("errors") or []
        self.request_id: Optional[str] = self.document.get("requestId")
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.code or 'no code'}: {self.detail}")


class Invalid(Problem):
    """400, 413 or 422: the request is wrong; `errors` points at its fields."""


class Denied(Problem):
    """401 or 403: the key is missing or wrong, or lacks the role."""


class NotFound(Problem):
    """404: there is no such thing, or it belongs to another tenant."""


class Conflict(Problem):
    """409 or 412: the task's status, or its revision, forbids it."""


class LeaseLost(Conflict):
    """The lease is over and the task may be somebody else's: stop working on it."""


class Busy(Problem):
    """429, 502, 503 or 504: the same may go through later; `retry_after_s` says when."""


_KINDS: Dict[int, Type[Problem]] = {
    400: Invalid, 413: Invalid, 422: Invalid, 401: Denied, 403: Denied, 404: NotFound,
    409: Conflict, 412: Conflict, 429: Busy, 502: Busy, 503: Busy, 504: Busy}
_SOON = "idempotency_in_progress"  # a try before this one is still being answered
_REPEATABLE = ("/heartbeat", "/progress")  # whose repetition does no harm. /keys keeps no secret


def _problem(status: int, document: Mapping[str, Any], retry_after: Optional[str]) -> Problem:
    kind = _KINDS.get(status, Problem)
    code = document.get("code")
    if code == "lease_lost":
        kind = LeaseLost
    if code == _SOON:
        kind = Busy
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    return kind(status, document, seconds)


# --- connections ----------------------------------------------------------------------------------

class _Connections:
    """Connections to one server. Any thread takes one, and brings it back with its answer read."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"the URL of a server begins with http:// or https://, not {url!r}")
        self._host, self._port = address.hostname, address.port
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._idle: List[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def _new(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s,
                                           context=self._tls)

    def take(self, timeout_s: float) -> Tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it was used before."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            return self._new(timeout_s), False
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        return connection, True

    def bring(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


# --- the client -----------------------------------------------------------------------------------

class Client:
    """A server, and the key by which it is called.

    url, key   of the server; else TASKYARD_URL and TASKYARD_KEY, else this machine without a key
    service    who we are, for servers that know services by X-Service-Id
    timeout_s  the longest silence of the server, besides what a call waits on purpose
    retries    tries after the first one, when no answer came or the server was busy
    backoff_s  bounds the pause before the second try, and doubles with each; the pause is random
    pause      what waits between tries, for tests
    """

    def __init__(self, url: Optional[str] = None, key: Optional[str] = None, *,
                 service: Optional[str] = None, timeout_s: float = 30.0, retries: int = 4,
                 backoff_s: float = 0.2, pause: Callable[[float], Any] = time.sleep) -> None:
        self.url = (url or os.environ.get("TASKYARD_URL") or URL).rstrip("/")
        self.timeout_s, self.retries, self.backoff_s = timeout_s, retries, backoff_s
        self._pause = pause
        self._connections = _Connections(self.url)
        self._prefix = urlsplit(self.url).path
        self._headers = {"Accept": "application/json"}
        key = key if key is not None else os.environ.get("TASKYARD_KEY")
        if key:
            self._headers["x-api-key"] = key
        if service:
            self._headers["x-service-id"] = service

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are idle. The client may be used again."""
        self._connections.close()

    # --- requests ---------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: Any = None, *,
                query: Optional[Mapping[str, Any]] = None,
                headers: Optional[Mapping[str, str]] = None, wait_s: float = 0.0) -> Dict[str, Any]:
        """The answer to any request of the API; `path` begins behind /api/v1. It may keep us
        waiting for `wait_s` on purpose."""
        target = f"{self._prefix}/api/v1{path}"
        if query:
            target += "?" + urlencode({k: v for k, v in query.items() if v is not None})
        sent = {**self._headers, **(headers or {})}
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            sent["Content-Type"] = "application/json"
        if method == "POST" and not path.startswith("/keys") and not path.endswith(_REPEATABLE):
            sent.setdefault("Idempotency-Key", uuid.uuid4().hex)
        tries = 0
        while True:
            try:
                return self._exchange(method, target, content, sent, self.timeout_s + wait_s)
            except (Unreachable, Busy) as failure:
                if tries >= self.retries:
                    raise
                self._pause(self._delay_s(tries, failure))
                tries += 1

    def _delay_s(self, tries: int, failure: TaskyardError) -> float:
        delay = random.uniform(0, min(self.backoff_s * 2 ** tries, BACKOFF_MAX_S))
        asked = getattr(failure, "retry_after_s", None) or 0.0
        return max(delay, min(asked, RETRY_AFTER_MAX_S))

    def _exchange(self, method: str, target: str, content: Optional[bytes],
                  headers: Mapping[str, str], timeout_s: float) -> Dict[str, Any]:
        while True:
            connection, used = self._connections.take(timeout_s)
            try:
                connection.request(method, target, content, dict(headers))
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as failure:
                connection.close()
                # The server closes what is idle too long, which is learned at the next use.
                if used and isinstance(failure, (ConnectionError, http.client.BadStatusLine)):
                    continue
                raise Unreachable(f"{self.url}: {failure or type(failure).__name__}") from failure
            if answer.will_close:
                connection.close()
            else:
                self._connections.bring(connection)
            return self._understood(answer, text)

    def _understood(self, answer: http.client.HTTPResponse, text: bytes) -> Dict[str, Any]:
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if 200 <= answer.status < 300:
            if isinstance(document, dict):
                return document
            raise Unreachable(f"{self.url} does not answer like Taskyard; is that the right URL?")
        raise _problem(answer.status, document if isinstance(document, dict) else {},
                       answer.getheader("Retry-After"))

    @staticmethod
    def _path(task_id: str, verb: str = "") -> str:
        return f"/tasks/{quote(task_id, safe='')}{verb}"

    def _move(self, task_id: str, verb: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        return self.request("POST", self._path(task_id, verb), dict(body))

    # --- whoever wants something done -------------------------------------------------------------

    def create(self, type: str, payload: Any = None, **fields: Any) -> Task:
        """The new task. `fields` as in the API: queue, priority, delayMs, uniqueKey, …"""
        body = {"type": type, "payload": payload, **fields}
        return _task(self.request("POST", "/tasks", body))

    def create_many(self, tasks: Iterable[Mapping[str, Any]]) -> List[Task]:
        """All of up to 1,000, or none."""
        return _tasks(self.request("POST", "/tasks", [dict(task) for task in tasks]))

    def get(self, task_id: str, *, wait_s: float = 0.0) -> Task:
        """The task; with `wait_s` (60 at most) as soon as it has ended, or as it is by then."""
        wait_s = min(wait_s, WAIT_MAX_S)
        query = {"waitMs": int(wait_s * 1000)} if wait_s else None
        return _task(self.request("GET", self._path(task_id), query=query, wait_s=wait_s))

    def wait(self, task_id: str, timeout_s: Optional[float] = None) -> Task:
        """The task when it has ended. TimeoutError when that takes longer."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = WAIT_MAX_S if end is None else end - time.monotonic()
            task = self.get(task_id, wait_s=max(left, 0.0))
            if task["status"] not in ("pending", "running"):
                return task
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"{task_id} is {task['status']} after {timeout_s} s")

    def list(self, **filters: Any) -> Iterator[Task]:
        """Tasks, page by page as they are asked for. `filters` as in the API: status, type, …; a
        tag as `**{"tag.album": "summer"}`."""
        filters.setdefault("limit", LIST_LIMIT)
        while True:
            answer = self.request("GET", "/tasks", query=filters)
            yield from answer["tasks"]
            filters["cursor"] = answer.get("nextCursor")
            if filters["cursor"] is None:
                return

    def pending(self, types: Iterable[str] = (), limit: int = 10) -> List[Task]:
        """Ready tasks in the order in which claims get them, with their payloads."""
        query = {"type": ",".join(types) or None, "limit": limit, "include": "payload"}
        return _tasks(self.request("GET", "/tasks/pending", query=query))

    def cancel(self, task_id: str, reason: Optional[str] = None) -> Task:
        return _task(self._move(task_id, "/cancel", {"reason": reason} if reason else {}))

    def retry(self, task_id: str) -> Task:
        """Sends an ended task back to work."""
        return _task(self._move(task_id, "/retry", {}))

    def delete(self, task_id: str, *, force: bool = False) -> None:
        """A repeated try may find the task gone already, which is NotFound."""
        self.request("DELETE", self._path(task_id), query={"force": "true"} if force else None)

    # --- whoever does it --------------------------------------------------------------------------

    def claim(self, types: Iterable[str] = (), *, worker: str, limit: int = 1,
              lease_s: Optional[float] = None, wait_s: float = 0.0) -> List["Lease"]:
        """The best ready tasks of these types, or of all; `wait_s` (60 at most) waits for some."""
        wait_s = min(wait_s, WAIT_MAX_S)
        body: Dict[str, Any] = {"types": list(types), "workerId": worker, "limit": limit,
                                "waitMs": int(wait_s * 1000)}
        if lease_s is not None:
            body["leaseMs"] = int(lease_s * 1000)
        answer = self.request("POST", "/claims", body, wait_s=wait_s)
        return [Lease(self, task) for task in answer["tasks"]]

    def claim_one(self, task_id: str, *, worker: Optional[str] = None,
                  lease_s: Optional[float] = None) -> "Lease":
        """This very task. Conflict when it is not ready."""
        body: Dict[str, Any] = {"workerId": worker} if worker else {}
        if lease_s is not None:
            body["leaseMs"] = int(lease_s * 1000)
        return Lease(self, self._move(task_id, "/claim", body)["task"])

    def work(self, types: Iterable[str], handler: Callable[["Lease"], Any], *, worker: str,
             stop: Optional[threading.Event] = None, wait_s: float = 20.0) -> int:
        """Claims and handles one task after the other until `stop` is set; how many. What `handler`
        returns is the result; what it raises fails the attempt. A handler may also end the task
        itself. A server that is away for a while is waited for. With `wait_s=0` it returns when
        nothing is ready, and does not wait for a server."""
        done, types, stop = 0, list(types), stop or threading.Event()
        while not stop.is_set():
            try:
                leases = self.claim(types, worker=worker, wait_s=wait_s)
            except (Unreachable, Busy) as failure:
                if not wait_s:
                    raise
                _log.warning("no task can be claimed: %s", failure)
                stop.wait(BACKOFF_MAX_S)
                continue
            for lease in leases:
                lease.run(handler)
                done += 1
            if not leases and not wait_s:
                break
        return done


def _task(answer: Mapping[str, Any]) -> Task:
    task: Task = answer["task"]
    return task


def _tasks(answer: Mapping[str, Any]) -> List[Task]:
    tasks: List[Task] = answer["tasks"]
    return tasks


# --- a claimed task -------------------------------------------------------------------------------

class Lease:
    """A task that is ours until it is ended, or the lease is lost.

    `with lease:` renews it from a thread of its own, at a third of its length. Leaving the block
    fails the attempt if an exception does, and else gives the task back, unless it was ended.
    """

    def __init__(self, client: Client, task: Task) -> None:
        self.client, self.task = client, task
        self.id: str = task["id"]
        self.payload: Any = task.get("payload")
        self.token: str = task["leaseToken"]
        self.length_s = max(task["leaseExpiresAt"] - task["claimedAt"], 1000) / 1000
        self.ended = False
        self.cancel_requested = threading.Event()
        self.lost = threading.Event()
        self._stop = threading.Event()
        self._beats: Optional[threading.Thread] = None

    def _call(self, verb: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        path = self.client._path(self.id, verb)
        headers = {"Lease-Token": self.token}
        try:
            answer = self.client.request("POST", path, dict(body), headers=headers)
        except LeaseLost:
            self.lost.set()
            raise
        if answer.get("cancelRequested"):
            self.cancel_requested.set()
        return answer

    # --- while it runs ----------------------------------------------------------------------------

    def heartbeat(self) -> None:
        """Renews the lease; `with` does so by itself."""
        self._call("/heartbeat", {})

    def progress(self, percent: int, step: Optional[str] = None,
                 description: Optional[str] = None) -> None:
        body = {"progress": percent, "currentStep": step, "currentStepDescription": description}
        self._call("/progress", {k: v for k, v in body.items() if v is not None})

    def log(self, *lines: str) -> None:
        self._call("/logs", {"lines": list(lines)})

    def check(self) -> None:
        """Raises Cancelled when there is no use in going on. Calls nobody."""
        if self.lost.is_set():
            raise Cancelled(f"the lease of {self.id} is lost")
        if self.cancel_requested.is_set():
            raise Cancelled(f"{self.id} was cancelled")

    # --- its end ----------------------------------------------------------------------------------

    def _end(self, verb: str, body: Mapping[str, Any]) -> None:
        self._stop.set()
        self._call(verb, body)
        self.ended = True

    def complete(self, result: Any = None) -> None:
        self._end("/complete", {"result": result})

    def fail(self, message: str, *, code: Optional[str] = None, detail: Any = None,
             retry: bool = True) -> None:
        error: Dict[str, Any] = {"message": _cut(message)}
        if code is not None:
            error["code"] = code
        if detail is not None:
            error["detail"] = detail
        self._end("/fail", {"error": error, "retry": retry})

    def release(self, delay_s: float = 0.0) -> None:
        """Gives it back unharmed; the attempt does not count."""
        self._end("/release", {"delayMs": int(delay_s * 1000)})

    def run(self, handler: Callable[["Lease"], Any]) -> None:
        """Ends the task as `handler` does: its result, or what it raises as the error."""
        try:
            with self:
                result = handler(self)
                if not self.ended:
                    self.complete(result)
        except Exception:
            _log.warning("the attempt at %s failed", self.id, exc_info=True)

    # --- heartbeats -------------------------------------------------------------------------------

    def _beat(self) -> None:
        while not self._stop.wait(self.length_s / 3):
            try:
                self.heartbeat()
            except (LeaseLost, NotFound):
                self.lost.set()
                return
            except TaskyardError:
                continue  # the lease may outlast it

    def __enter__(self) -> "Lease":
        self._beats = threading.Thread(target=self._beat, name=f"lease {self.id}", daemon=True)
        self._beats.start()
        return self

    def __exit__(self, kind: Any, error: Any, _trace: Any) -> None:
        self._stop.set()
        if self.ended or self.lost.is_set():
            return
        if kind is None:
            self.release()
            return
        if issubclass(kind, (Unreachable, Busy)):
            return  # perhaps it was ended; else the lease runs out and others try
        with suppress(TaskyardError):  # what left the block is what the caller is to see
            if issubclass(kind, Exception) and kind is not Cancelled:
                self.fail(f"{kind.__name__}: {error}")
            else:
                self.release()


def _cut(text: str) -> str:
    return text.encode()[:MESSAGE_BYTES_MAX].decode(errors="ignore")
