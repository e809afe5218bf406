"""The calls of the document's client library, as functions of a module, over Taskyard.

Settings from the environment: TASK_SERVICE_URL, TASK_SERVICE_API_KEY (the key of the service) and
SERVICE_ID. Each call runs in a thread of its own, so that the event loop goes on.
"""

import asyncio
import os
from functools import lru_cache

from task_repository import TaskyardRepository


@lru_cache(maxsize=16)
def _known(url, key, service):
    return TaskyardRepository(url, key, service)


def _store():
    return _known(os.environ.get("TASK_SERVICE_URL"), os.environ.get("TASK_SERVICE_API_KEY"),
                  os.environ.get("SERVICE_ID", "default-service"))


async def create_task(task_data):
    return await asyncio.to_thread(_store().create_task, task_data)


async def get_task(task_id):
    return await asyncio.to_thread(_store().get_task, task_id)


async def get_pending_tasks(task_type, limit=5):
    return await asyncio.to_thread(_store().get_pending_tasks, task_type, limit)


async def claim_task(task_id):
    return await asyncio.to_thread(_store().claim_task, task_id)


async def complete_task(task_id, results):
    return await asyncio.to_thread(_store().complete_task, task_id, results)


async def fail_task(task_id, message):
    return await asyncio.to_thread(_store().fail_task, task_id, message)
