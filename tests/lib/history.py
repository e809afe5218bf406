"""What clients asked of a cluster and what came of it: the facts that lib.audit holds it to.

An answer of 2xx is a fact for ever, one of 4xx means that nothing changed, and no answer or a 503
means that nobody knows. Times are milliseconds since the epoch, as the server tells them.
"""

import threading
import time
from dataclasses import dataclass, field

DONE, REFUSED, UNKNOWN = "done", "refused", "unknown"


def now_ms():
    return time.time() * 1000


@dataclass
class Create:
    """One task that was asked for, alone or with others."""
    subject: str
    payload: str                # the bytes that were sent, as text
    unique: str | None = None
    batch: int | None = None    # the same for those that were sent together
    outcome: str = UNKNOWN
    id: str | None = None       # as told
    deduplicated: bool = False  # told that an earlier one has the unique key


@dataclass
class Use:
    """A worker's move, from its first sending to the last answer; or a cancel."""
    verb: str
    sent: float
    result: str | None = None   # of a completion: the bytes that were sent
    told: float | None = None
    outcome: str = UNKNOWN


@dataclass
class Lease:
    """A task that a worker was given."""
    task: str
    token: str
    attempt: int
    at: int                     # claimedAt
    expires: int                # as told last
    sent: float                 # when the claim was sent …
    told: float                 # … and answered
    uses: list = field(default_factory=list)


class History:
    """Shared by all clients of a test."""

    def __init__(self):
        self.lock = threading.Lock()
        self.creates = []
        self.leases = {}        # by token
        self.claimable = 0      # how many tasks claims of unknown outcome may have taken
        self.cancels = {}       # task id -> [Use]
        self.complaints = []    # what was wrong with an answer, whatever it was an answer to
        self.answers = []       # (time.monotonic(), node name, HTTP status; None: there was none)
        self.numbers = 0

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.numbers

    def complain(self, sentence):
        self.complaints.append(sentence)

    def answered(self, node, status):
        self.answers.append((time.monotonic(), node, status))

    def longest_silence(self, names, began, ended):
        """The longest time between two good answers of these nodes, in s."""
        times = [at for at, name, status in self.answers
                 if name in names and status is not None and status < 300 and began <= at <= ended]
        edges = [began, *times, ended]
        return max(later - earlier for earlier, later in zip(edges, edges[1:]))

    def will_create(self, create):
        self.creates.append(create)

    def created(self, create, outcome, task=None, deduplicated=False):
        create.outcome = outcome
        if task is not None:
            create.id, create.deduplicated = task["id"], deduplicated

    def claimed(self, tasks, sent, told):
        """The answer to a claim; returns its leases."""
        made = []
        for task in tasks:
            lease = Lease(task["id"], task["leaseToken"], task["attempt"], task["claimedAt"],
                          task["leaseExpiresAt"], sent, told)
            with self.lock:
                if lease.token in self.leases:
                    self.complain(f"the token of {lease.task} was handed out before, for "
                                  f"{self.leases[lease.token].task}")
                self.leases[lease.token] = lease
            made.append(lease)
        return made

    def claim_unknown(self, limit):
        with self.lock:
            self.claimable += limit

    def will_use(self, lease, verb, result=None):
        use = Use(verb, now_ms(), result)
        lease.uses.append(use)
        return use

    def will_cancel(self, task_id):
        use = Use("cancel", now_ms())
        with self.lock:
            self.cancels.setdefault(task_id, []).append(use)
        return use

    @staticmethod
    def used(use, outcome):
        use.told, use.outcome = now_ms(), outcome
