"""What a service calls its task store by, and Taskyard behind it, called by its client library.

Python 3.9 or later and `clients/python/taskyard.py`. A service keeps calling the interface while
its store is changed.
"""

import os
import uuid
from abc import ABC, abstractmethod
from urllib.parse import quote

import taskyard


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


class TaskyardRepository(TaskRepositoryAdapter):
    """Taskyard, by the key of the service. Paths name a task by the id that it was given."""

    def __init__(self, url=None, key=None, service="default-service", **options):
        options.setdefault("retries", 2)  # whoever writes to two stores shall not wait long for one
        self.client = taskyard.Client(url or os.environ.get("TASK_SERVICE_URL"),
                                      key or os.environ.get("TASK_SERVICE_API_KEY"),
                                      service=service, **options)

    def _call(self, method, path, body=None, query=None):
        """The answer; None when the task is absent or not in the state for it. StoreError when
        there is no answer, or any other refusal."""
        try:
            return self.client.request(method, path, body, query=query)
        except (taskyard.NotFound, taskyard.Conflict):
            return None
        except taskyard.TaskyardError as failure:
            raise StoreError(f"taskyard: {failure}") from failure

    def _move(self, task_id, verb, body):
        return self._call("POST", f"/tasks/{quote(task_id, safe='')}/{verb}", body)

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
        answer = self._call("POST", "/tasks", task)
        if answer is None:
            raise StoreError("taskyard: the task was not created")
        return task.get("task_id") or answer["task_id"]

    def get_task(self, task_id):
        answer = self._call("GET", f"/tasks/{quote(task_id, safe='')}")
        return self._task(answer) if answer else None

    def get_pending_tasks(self, task_type, limit=5):
        answer = self._call("GET", "/tasks", query={"task_type": task_type, "limit": limit})
        return [self._task(one) for one in answer["tasks"]] if answer else []

    def claim_task(self, task_id):
        answer = self._move(task_id, "claim", {})
        return self._task(answer) if answer else None

    def complete_task(self, task_id, results):
        return self._move(task_id, "complete", {"result": results}) is not None

    def fail_task(self, task_id, message):
        return self._move(task_id, "fail", {"message": message}) is not None
