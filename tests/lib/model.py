"""A small reference model of tasks: how a task must look after each move, and what is refused.

Time stands still in it: retries and releases come back at once or never, leases do not run out.
"""

from dataclasses import dataclass, field

FINAL = ("completed", "failed", "cancelled")
NEVER_MS = 10_000_000


@dataclass
class Task:
    id: str
    number: int                 # in the order of creation
    attempts_grant: int
    attempts_max: int
    priority: int = 0
    status: str = "pending"
    waiting: str | None = "worker"
    attempt: int = 0
    progress: int = 0
    cancel_requested: bool = False
    token: str | None = None    # of the present claim
    old_tokens: list = field(default_factory=list)
    completed_with: str | None = None  # the token that may repeat its completion
    failed_with: str | None = None
    result: object = None
    deleted: bool = False
    outcomes: list = field(default_factory=list)

    # --- what the server must show ----------------------------------------------------------------

    def shown(self):
        return {
            "id": self.id, "status": self.status, "waitingFor": self.waiting,
            "attempt": self.attempt, "maxAttempts": self.attempts_max, "priority": self.priority,
            "progress": self.progress, "cancelRequested": self.cancel_requested,
            "result": self.result,
        }

    @property
    def ready(self):
        return not self.deleted and self.status == "pending" and self.waiting == "worker"

    # --- moves: each returns the status that the request must get ---------------------------------

    def _end(self, status, outcome):
        if self.token:
            self.old_tokens.append(self.token)
            self.outcomes[-1] = outcome
        self.status, self.waiting, self.token = status, None, None
        self.cancel_requested = False

    def _back(self, waiting, outcome):
        self._end("pending", outcome)
        self.waiting = waiting

    def start(self):
        if self.waiting != "start":
            return 409
        self.waiting = "worker"
        return 200

    def claim(self, token):
        self.status, self.waiting, self.token = "running", None, token
        self.attempt += 1
        self.progress = 0
        self.outcomes.append("running")

    def report(self, token, progress=None):
        if token != self.token:
            return 409
        if progress is not None:
            self.progress = max(self.progress, progress)
        return 200

    def complete(self, token, result):
        if token == self.completed_with and self.status == "completed":
            return 200
        if token != self.token:
            return 409
        self._end("completed", "completed")
        self.result, self.progress, self.completed_with = result, 100, token
        return 200

    def fail(self, token, retry, later):
        if token == self.failed_with and self.status == "failed":
            return 200
        if token != self.token:
            return 409
        if self.cancel_requested:
            self._end("cancelled", "cancelled")
        elif retry and self.attempt < self.attempts_max:
            self._back("retry" if later else "worker", "failed")
        else:
            self.failed_with = token
            self._end("failed", "failed")
        return 200

    def release(self, token):
        if token != self.token:
            return 409
        if self.cancel_requested:
            self._end("cancelled", "cancelled")
        else:
            self._back("worker", "released")
            self.attempt -= 1
        return 200

    def cancel(self):
        if self.status == "pending":
            self._end("cancelled", None)
        elif self.status == "running":
            self.cancel_requested = True
        else:
            return 409
        return 200

    def retry(self):
        if self.status not in ("failed", "cancelled"):
            return 409
        self.status, self.waiting = "pending", "worker"
        self.cancel_requested, self.progress = False, 0
        self.attempts_max = self.attempt + self.attempts_grant
        self.failed_with = None
        return 200

    def reprioritise(self, priority):
        if self.status != "pending":
            return 409
        self.priority = priority
        return 200

    def delete(self, force):
        if self.status == "running" and not force:
            return 409
        self.deleted = True
        return 200
