"""Random lives of tasks against the reference model of lib/model.py, with shrinking."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test)

from lib.client import Api
from lib.model import FINAL, NEVER_MS, Task

EXAMPLES = int(os.environ.get("TASKYARD_MODEL_EXAMPLES", "60"))
PICK = st.integers(min_value=0, max_value=99)   # which task, modulo how many there are
WHICH = st.integers(min_value=0, max_value=3)   # which token: mostly the present one
STATUSES = ("pending", "running", *FINAL, "abandoned")


def lives(server):
    """A state machine class that is bound to one server."""

    class Lives(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.api = Api(server)
            self.tasks = []
            self.made = 0

        def teardown(self):
            for task in self.alive():
                assert self.api.outcomes(task.id) == task.outcomes
            self.api.close()

        def alive(self):
            return [task for task in self.tasks if not task.deleted]

        def pick(self, number):
            return self.tasks[number % len(self.tasks)]

        def token(self, task, which):
            """The present token, or an old one, or one that never was."""
            if which == 0 and task.old_tokens:
                return task.old_tokens[-1]
            return task.token or (task.old_tokens[-1] if task.old_tokens else "f" * 16)

        def move(self, task, verb, expected, body):
            response = self.api.act(task.id, verb, body)
            expected = 404 if task.deleted else expected
            assert response.status_code == expected, f"{verb}: {response.text}"

        # --- a person's moves ---------------------------------------------------------------------

        @rule(attempts=st.integers(1, 3), start=st.booleans(), priority=st.integers(-1, 1))
        def create(self, attempts, start, priority):
            made = self.api.create(maxAttempts=attempts, autoStart=start, priority=priority)
            self.made += 1
            self.tasks.append(Task(made["id"], self.made, attempts, attempts, priority=priority,
                                   waiting="worker" if start else "start"))

        @precondition(lambda self: self.tasks)
        @rule(number=PICK)
        def start(self, number):
            task = self.pick(number)
            self.move(task, "start", None if task.deleted else task.start(), {})

        @precondition(lambda self: self.tasks)
        @rule(number=PICK)
        def cancel(self, number):
            task = self.pick(number)
            self.move(task, "cancel", None if task.deleted else task.cancel(),
                      {"graceMs": 600_000})

        @precondition(lambda self: self.tasks)
        @rule(number=PICK)
        def retry(self, number):
            task = self.pick(number)
            self.move(task, "retry", None if task.deleted else task.retry(), {})

        @precondition(lambda self: self.tasks)
        @rule(number=PICK, priority=st.integers(-2, 2))
        def reprioritise(self, number, priority):
            task = self.pick(number)
            expected = 404 if task.deleted else task.reprioritise(priority)
            response = self.api.patch(f"/tasks/{task.id}", {"priority": priority})
            assert response.status_code == expected, response.text

        @precondition(lambda self: len(self.tasks) > 2)
        @rule(number=PICK, force=st.booleans())
        def delete(self, number, force):
            task = self.pick(number)
            expected = 404 if task.deleted else task.delete(force)
            params = {"force": "true"} if force else None
            response = self.api.delete(f"/tasks/{task.id}", params=params)
            assert response.status_code == expected, response.text

        # --- a worker's moves ---------------------------------------------------------------------

        @rule(limit=st.integers(1, 3))
        def claim(self, limit):
            wanted = sorted((task for task in self.tasks if task.ready),
                            key=lambda task: (-task.priority, task.number))[:limit]
            got = self.api.claim(limit=limit, leaseMs=3_600_000)
            assert [task["id"] for task in got] == [task.id for task in wanted]
            for task, claimed in zip(wanted, got):
                assert claimed["leaseToken"] not in task.old_tokens
                task.claim(claimed["leaseToken"])

        @precondition(lambda self: self.tasks)
        @rule(number=PICK)
        def claim_this_one(self, number):
            task = self.pick(number)
            response = self.api.act(task.id, "claim", {"workerId": "w", "leaseMs": 3_600_000})
            expected = 404 if task.deleted else 200 if task.ready else 409
            assert response.status_code == expected, response.text
            if expected == 200:
                task.claim(response.json()["task"]["leaseToken"])

        @precondition(lambda self: self.tasks)
        @rule(number=PICK, which=WHICH)
        def heartbeat(self, number, which):
            task = self.pick(number)
            token = self.token(task, which)
            self.move(task, "heartbeat", None if task.deleted else task.report(token),
                      {"leaseToken": token})

        @precondition(lambda self: self.tasks)
        @rule(number=PICK, which=WHICH, progress=st.integers(0, 100))
        def report_progress(self, number, which, progress):
            task = self.pick(number)
            token = self.token(task, which)
            self.move(task, "progress", None if task.deleted else task.report(token, progress),
                      {"leaseToken": token, "progress": progress})

        @precondition(lambda self: self.tasks)
        @rule(number=PICK, which=WHICH, result=st.integers(0, 9))
        def complete(self, number, which, result):
            task = self.pick(number)
            token = self.token(task, which)
            self.move(task, "complete", None if task.deleted else task.complete(token, result),
                      {"leaseToken": token, "result": result})

        @precondition(lambda self: self.tasks)
        @rule(number=PICK, which=WHICH, retry=st.booleans(), later=st.booleans())
        def fail(self, number, which, retry, later):
            task = self.pick(number)
            token = self.token(task, which)
            self.move(task, "fail", None if task.deleted else task.fail(token, retry, later),
                      {"leaseToken": token, "error": "x", "retry": retry,
                       "retryDelayMs": NEVER_MS if later else 0})

        @precondition(lambda self: self.tasks)
        @rule(number=PICK, which=WHICH)
        def release(self, number, which):
            task = self.pick(number)
            token = self.token(task, which)
            self.move(task, "release", None if task.deleted else task.release(token),
                      {"leaseToken": token})

        # --- what must hold after every move ------------------------------------------------------

        @invariant()
        def every_task_is_as_the_model_says(self):
            listed = self.api.list(limit=1000, include="result")
            assert [task["id"] for task in listed] == [task.id for task in self.alive()][::-1]
            for seen, task in zip(reversed(listed), self.alive()):
                wanted = task.shown()
                seen["progress"] = seen["progress"] or 0
                assert {name: seen[name] for name in wanted} == wanted

        @invariant()
        def the_counts_are_as_the_model_says(self):
            rows = self.api.expect(self.api.get("/tasks/stats"))["byType"]
            row = next((row for row in rows if row["type"] == self.api.type), {})
            for status in STATUSES:
                count = sum(task.status == status for task in self.alive())
                assert row.get(status, 0) == count, status
            assert row.get("ready", 0) == sum(task.ready for task in self.tasks)

    return Lives


def test_random_lives_of_tasks_go_as_the_model_says(server):
    run_state_machine_as_test(lives(server), settings=settings(
        max_examples=EXAMPLES, stateful_step_count=30, deadline=None, database=None,
        print_blob=True, suppress_health_check=list(HealthCheck)))
