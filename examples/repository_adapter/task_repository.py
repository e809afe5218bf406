"""What a service calls its task store by, an old store behind it, and Taskyard behind it.

Python 3.9 or later, nothing else. A service keeps calling the interface while its store is changed.
"""

import json
import os
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
import uuid
from abc import ABC, abstractmethod


class StoreError(Exception):
    """The store did not do it, and the caller cannot know whether it would do it later."""


class TaskRepositoryAdapter(ABC):
    """A task is a dict in the document's shape, with `task_id` and `status`. Whoever creates it may
    give it its `task_id`; both stores keep that."""

    @abstractmethod
    def create_task(self, task):
        """The task's id."""

    @abstractmethod
    def get_task(self, task_id):
        """The task, or None."""

    @abstractmethod
    def get_pending_tasks(self, task_type, limit=5):
        """The most urgent first, then the oldest."""

    @abstractmethod
    def claim_task(self, task_id):
        """The task, now processing; None when it was not pending."""

    @abstractmethod
    def complete_task(self, task_id, results):
        """False when the task was not ours to complete."""

    @abstractmethod
    def fail_task(self, task_id, message):
        """False when the task was not ours to fail."""


def new_id():
    return f"task_{uuid.uuid4().hex}"


class OldRepository(TaskRepositoryAdapter):
    """Stands for the store that a service has now: an SQLite file of its own."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS task (number INTEGER PRIMARY KEY, id TEXT UNIQUE, "
            "type TEXT, priority INTEGER, status TEXT, body TEXT, results TEXT, error TEXT)")

    def _run(self, sql, *values):
        try:
            return self.db.execute(sql, values)
        except sqlite3.Error as failure:
            raise StoreError(f"old store: {failure}") from failure

    @staticmethod
    def _task(row):
        task_id, status, body, results, error = row
        task = {**json.loads(body), "task_id": task_id, "status": status}
        task["results"] = json.loads(results) if results else None
        task["error"] = error
        return task

    def _select(self, where, *values):
        sql = f"SELECT id, status, body, results, error FROM task WHERE {where}"
        return [self._task(row) for row in self._run(sql, *values)]

    def create_task(self, task):
        task_id = task.get("task_id") or new_id()
        self._run("INSERT INTO task (id, type, priority, status, body) "
                  "VALUES (?, ?, ?, 'pending', ?) ON CONFLICT (id) DO NOTHING", task_id,
                  task["task_type"], task.get("priority", 5), json.dumps(task))
        return task_id

    def get_task(self, task_id):
        found = self._select("id = ?", task_id)
        return found[0] if found else None

    def get_pending_tasks(self, task_type, limit=5):
        return self._select("type = ? AND status = 'pending' ORDER BY priority, number LIMIT ?",
                            task_type, limit)

    def claim_task(self, task_id):
        moved = self._run("UPDATE task SET status = 'processing' "
                          "WHERE id = ? AND status = 'pending'", task_id).rowcount
        return self.get_task(task_id) if moved else None

    def _end(self, task_id, status, results, error):
        return bool(self._run(
            "UPDATE task SET status = ?, results = ?, error = ? "
            "WHERE id = ? AND status = 'processing'", status, results, error, task_id).rowcount)

    def complete_task(self, task_id, results):
        return self._end(task_id, "completed", json.dumps(results), None)

    def fail_task(self, task_id, message):
        return self._end(task_id, "failed", None, message)


class TaskyardRepository(TaskRepositoryAdapter):
    """Taskyard, by the key of the service."""

    def __init__(self, url=None, key=None, service="default-service", timeout_s=30):
        self.url = (url or os.environ.get("TASK_SERVICE_URL", "http://127.0.0.1:8503")).rstrip("/")
        self.key = key or os.environ.get("TASK_SERVICE_API_KEY", "")
        self.service = service
        self.timeout_s = timeout_s
        self.open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def _call(self, method, path, body=None, query=None):
        """Status and answer; StoreError when there is no answer, or one that says "later"."""
        url = f"{self.url}/api/v1{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(
            url, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": self.key, "x-service-id": self.service,
                     "Content-Type": "application/json"})
        try:
            with self.open(request, timeout=self.timeout_s) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            problem = json.loads(refusal.read() or b"{}")
            if refusal.code in (404, 409):
                return refusal.code, problem
            raise StoreError(f"taskyard: {refusal.code} {problem.get('detail')}") from refusal
        except (OSError, ValueError) as failure:
            raise StoreError(f"taskyard: {failure}") from failure

    def _own_id(self, task_id):
        """Taskyard's id of a task that we may know by an id of our own."""
        try:
            return str(uuid.UUID(task_id))
        except ValueError:
            pass
        query = {"uniqueKey": task_id, "status": "all"}
        tasks = self._call("GET", "/tasks", query=query)[1]["tasks"]
        return tasks[0]["id"] if tasks else None

    @staticmethod
    def _task(document):
        """As it was created, with its id as it was given."""
        task = dict(document)
        if isinstance(task.get("task"), dict):
            task["task_id"] = task.pop("task")["uniqueKey"] or task["task_id"]
        else:
            task["task_id"] = task.get("uniqueKey") or task["task_id"]
        return task

    def create_task(self, task):
        answer = self._call("POST", "/tasks", task)[1]
        return task.get("task_id") or answer["task_id"]

    def get_task(self, task_id):
        own = self._own_id(task_id)
        status, answer = self._call("GET", f"/tasks/{own}") if own else (404, None)
        return self._task(answer) if status == 200 else None

    def get_pending_tasks(self, task_type, limit=5):
        query = {"task_type": task_type, "limit": limit}
        return [self._task(one) for one in self._call("GET", "/tasks", query=query)[1]["tasks"]]

    def claim_task(self, task_id):
        own = self._own_id(task_id)
        status, answer = self._call("POST", f"/tasks/{own}/claim", {}) if own else (404, None)
        return self._task(answer) if status == 200 else None

    def _end(self, task_id, verb, body):
        own = self._own_id(task_id)
        return bool(own) and self._call("POST", f"/tasks/{own}/{verb}", body)[0] == 200

    def complete_task(self, task_id, results):
        return self._end(task_id, "complete", {"result": results})

    def fail_task(self, task_id, message):
        return self._end(task_id, "fail", {"message": message})
