"""Tasks in a session, and executors that run them in this program.

    system = TaskSystem("http://127.0.0.1:8503")
    task = await system.create_task(session, "Thumbnail", "A small one", {"fileName": "a.png"})
    await system.execute_task(session, task["id"], MyExecutor())

An executor is an object with `async def execute(self, task, progress)`. `progress` is awaited with
a percentage, and with what is being done if there is more to say. What `execute` returns is the
task's result; raising means that the task failed. `await system.serve()` runs what was started.
"""

import asyncio
import inspect
import json
import sys
import uuid
from collections import OrderedDict

from taskyard_http import Refused, Unreachable, request

API = "/api/v1"
FINAL = ("completed", "failed", "cancelled")
KEPT_EXECUTORS = 1000  # a failed task may be retried, and then needs its executor again
CLAIM_WAIT_MS = 20000


def check_executor(executor):
    """Raises TypeError, with what is missing, unless it has `async def execute(task, progress)`."""
    what = f"{type(executor).__name__} is no executor"
    execute = getattr(executor, "execute", None)
    if not callable(execute):
        raise TypeError(f"{what}: it has no method execute(task, progress)")
    if not inspect.iscoroutinefunction(execute):
        raise TypeError(f"{what}: execute must be an `async def`, because progress is awaited")
    try:
        inspect.signature(execute).bind("task", "progress")
    except TypeError as failure:
        raise TypeError(f"{what}: execute must take (task, progress): {failure}") from failure


class Attempt:
    """One run of one task: keeps its lease, and tells the server of it."""

    def __init__(self, system, task):
        self.system, self.task = system, task
        self.work = None
        self.stop_reason = None  # why the executor was stopped before its end

    async def move(self, verb, **fields):
        answer = await self.system.as_worker(
            "POST", f"/tasks/{self.task['id']}/{verb}",
            {"leaseToken": self.task["leaseToken"], **fields})
        if answer.get("cancelRequested"):
            self.stop("cancelled")
        return answer

    def stop(self, reason):
        if self.stop_reason is None:
            self.stop_reason = reason
            self.work.cancel()

    async def progress(self, percent, step=None, description=None):
        """What the executor awaits. It does not come back from here when the task is to stop."""
        fields = {"progress": percent, "currentStep": step, "currentStepDescription": description}
        await self.tell("progress", {name: value for name, value in fields.items()
                                     if value is not None})
        await asyncio.sleep(0)  # a stop that was just heard of takes effect now
        if self.stop_reason is not None:
            # wait_for (before Python 3.12) forgets a cancel that meets its answer.
            raise asyncio.CancelledError

    async def tell(self, verb, fields):
        try:
            await self.move(verb, **fields)
        except Refused as refusal:
            if refusal.status not in (404, 409):
                raise
            self.stop("lost")  # somebody else's, or the whole session is gone
        except Unreachable as failure:
            print(f"{self.task['id']}: {failure}", file=sys.stderr)  # a heartbeat tries again

    async def keep(self):
        lease_s = (self.task["leaseExpiresAt"] - self.task["claimedAt"]) / 1000
        while not self.work.done():     # beside cancelling, as in `progress`
            await asyncio.sleep(min(lease_s / 3, 2.0))
            await self.tell("heartbeat", {})

    async def end(self, verb, **fields):
        """Repeating is safe: the same lease token gets the same answer."""
        for pause_s in (0.5, 2.0, 0.0):
            try:
                return await self.move(verb, **fields)
            except Refused as refusal:
                print(f"{self.task['id']}: {verb}: {refusal}", file=sys.stderr)
                if refusal.status in (404, 409) or verb != "complete":
                    return None
                return await self.fail("result_refused", refusal)  # too large, say
            except Unreachable as failure:
                print(f"{self.task['id']}: {verb}: {failure}", file=sys.stderr)
                await asyncio.sleep(pause_s)
        return None

    async def fail(self, code, why):
        """Without another attempt: whoever waits may retry by hand."""
        error = {"code": code, "message": str(why) or repr(why)}
        return await self.end("fail", error=error, retry=False)

    async def run(self, executor):
        self.work = asyncio.ensure_future(executor.execute(self.task, self.progress))
        beats = asyncio.ensure_future(self.keep())
        try:
            await asyncio.wait([self.work])
        except asyncio.CancelledError:
            self.stop("end")  # the program ends: the task goes back
            await asyncio.wait([self.work])
            raise
        finally:
            beats.cancel()
            await self.report()

    async def report(self):
        if self.stop_reason == "lost":
            return
        if self.stop_reason == "end":
            await self.end("release")
        elif self.work.cancelled():
            await self.fail("cancelled", "stopped because the task was cancelled")
        elif self.work.exception() is not None:
            failure = self.work.exception()
            await self.fail(type(failure).__name__, failure)
        else:
            await self.complete(self.work.result())

    async def complete(self, result):
        try:
            json.dumps(result)
        except (TypeError, ValueError) as failure:
            await self.fail("result_is_no_json", failure)
        else:
            await self.end("complete", result=result)


class TaskSystem:
    """Creates tasks for callers, in their sessions, and runs them as a worker of its own type."""

    def __init__(self, url="http://127.0.0.1:8503", key=None, concurrency=4):
        self.url, self.concurrency = url.rstrip("/"), concurrency
        self.credential = {"Authorization": f"Bearer {key}"} if key else {}
        # Of this process alone: nobody else's worker takes what only we have the executor for.
        self.type = f"session_executor.{uuid.uuid4().hex}"
        self.executors = OrderedDict()
        self.ending = False     # beside cancelling, as in Attempt.progress

    async def as_worker(self, method, path, body, timeout_s=30.0):
        return await request(method, self.url + API + path, body, self.credential, timeout_s)

    async def in_session(self, session, method, path, body=None):
        """As the caller: his session key, and no credential of ours."""
        headers = {"X-App-Session": session} if session else {}
        return await request(method, self.url + API + path, body, headers)

    async def create_task(self, session, name, description=None, metadata=None):
        """The new task; it waits until it is executed."""
        fields = {"name": name, "description": description, "metadata": metadata}
        body = {"type": self.type, **{k: v for k, v in fields.items() if v is not None}}
        return (await self.in_session(session, "POST", "/tasks", body))["task"]

    async def execute_task(self, session, task_id, executor):
        """Starts the task, to be run by this executor, and comes back at once."""
        check_executor(executor)
        self.executors[task_id] = executor
        while len(self.executors) > KEPT_EXECUTORS:
            self.executors.popitem(last=False)
        try:
            return await self.in_session(session, "POST", f"/tasks/{task_id}/start")
        except Refused:
            self.executors.pop(task_id, None)
            raise

    async def status(self, session, task_id):
        return await self.in_session(session, "GET", f"/tasks/{task_id}/status")

    async def wait(self, session, task_id, every_s=0.5, seen=lambda status: None):
        """Polls until the task has ended, however it ended, and gives its last status."""
        while True:
            status = await self.status(session, task_id)
            seen(status)
            if status["status"] in FINAL:
                return status
            await asyncio.sleep(every_s)

    async def claim(self):
        body = {"sessions": True, "types": [self.type], "workerId": self.type, "limit": 1,
                "waitMs": CLAIM_WAIT_MS}
        answer = await self.as_worker("POST", "/claims", body, timeout_s=CLAIM_WAIT_MS / 1000 + 10)
        return answer["tasks"][0] if answer["tasks"] else None

    async def run_one(self, task):
        executor = self.executors.get(task["id"])
        if self.ending:
            await Attempt(self, task).end("release")
        elif executor is None:
            await Attempt(self, task).fail("no_executor", "this program was not told how to run it")
        else:
            await Attempt(self, task).run(executor)

    async def slot(self):
        while not self.ending:
            try:
                task = await self.claim()
            except Unreachable as failure:
                print(f"claim: {failure}; trying again", file=sys.stderr)
                await asyncio.sleep(1.0)
                continue
            if task is not None:
                await self.run_one(task)

    async def serve(self):
        """Runs tasks until it is cancelled, and then gives back what it holds. Refused: the server
        hands out no tasks of sessions to us."""
        slots = [asyncio.ensure_future(self.slot()) for _ in range(self.concurrency)]
        try:
            ended, _ = await asyncio.wait(slots, return_when=asyncio.FIRST_COMPLETED)
            ended.pop().result()    # raises: a slot ends in no other way
        finally:
            self.ending = True
            for one in slots:
                one.cancel()
            await asyncio.gather(*slots, return_exceptions=True)
