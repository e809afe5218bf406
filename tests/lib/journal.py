"""What the clients of a crash test sent and what they were told: the facts that must survive.

Every request is written down before it is sent; it is in doubt until its answer comes. An answer of
2xx is a fact for ever, one of 4xx means that nothing changed. What a check sees after a restart was
committed, so it becomes a fact too.
"""

import threading
from dataclasses import dataclass, field

FINAL = ("completed", "failed", "cancelled", "abandoned")


@dataclass
class Record:
    """All that is known about one task. It is found by its subject, even when no answer came."""
    subject: str
    payload: object
    id: str | None = None
    sure: bool = False             # somebody was told that it exists
    latest: dict | None = None     # the answer with the highest revision
    final: dict | None = None      # how it ended, as told: status, and result and revision if told
    deletes: set = field(default_factory=set)     # "sent", "told"
    cancels: int = 0               # sent, whatever came of them
    claims: dict = field(default_factory=dict)    # attempt -> token, as told
    results: dict = field(default_factory=dict)   # token -> result, as sent
    fails: set = field(default_factory=set)       # tokens with which a failure was sent
    short_lease: bool = False      # a claim asked for a lease that may have run out

    @property
    def meddled(self):
        return bool(self.cancels or self.deletes or self.short_lease)

    @property
    def may_be_gone(self):
        return bool(self.deletes)


class Journal:
    """Shared by all clients; each call is short and holds the lock."""

    def __init__(self, tokens=None):
        self.lock = threading.RLock()
        self.by_subject = {}
        self.by_id = {}
        # every lease token ever seen -> id of its task; with those of earlier journals, if given
        self.tokens = {} if tokens is None else tokens
        self.violations = []
        self.told = 0              # answers of 2xx to requests that change something
        self.groups = []           # subjects created together, in doubt
        self.batches = []          # (id, token) completed together, in doubt
        self.claims_in_doubt = 0   # tasks that claims without an answer may have taken

    def complain(self, sentence):
        with self.lock:
            self.violations.append(sentence)

    # --- what was sent ----------------------------------------------------------------------------

    def will_create(self, subject, payload):
        with self.lock:
            self.by_subject[subject] = Record(subject, payload)

    def will(self, task_id, what, token=None, result=None):
        with self.lock:
            record = self.by_id[task_id]
            if what == "complete":
                record.results[token] = result
            elif what == "fail":
                record.fails.add(token)
            elif what == "cancel":
                record.cancels += 1
            elif what == "delete":
                record.deletes.add("sent")
            elif what == "short":
                record.short_lease = True

    # --- what was answered ------------------------------------------------------------------------

    def saw(self, task):
        """Takes in a task as an answer showed it. Answers may come in any order."""
        with self.lock:
            record = self.by_subject.get(task["subject"])
            if record is None:
                return self.complain(f"nobody created {task['id']} ({task['subject']})")
            if record.id not in (None, task["id"]):
                return self.complain(f"{record.subject} is two tasks: {record.id}, {task['id']}")
            record.id, record.sure = task["id"], True
            self.by_id[task["id"]] = record
            self._compare(record, task)
            if record.latest is None or task["revision"] > record.latest["revision"]:
                record.latest = task
            if task["status"] in FINAL:
                record.final = task

    def completed(self, task_id, result):
        """An answer to a batch, which tells no more than that."""
        with self.lock:
            record = self.by_id[task_id]
            record.final = record.final or {"status": "completed", "result": result}

    def _compare(self, record, task):
        before = record.latest
        if before and before["revision"] == task["revision"]:
            for name in ("status", "attempt", "progress", "workerId", "completedAt"):
                if before[name] != task[name]:
                    self.complain(f"{record.id} at revision {task['revision']} showed {name} as "
                                  f"{before[name]!r} and as {task[name]!r}")
        final = record.final
        if final and task["revision"] >= final.get("revision", task["revision"] + 1):
            if task["status"] != final["status"]:
                self.complain(f"{record.id} was {final['status']} and became {task['status']}")
        if task["attempt"] > task["maxAttempts"]:
            self.complain(f"{record.id} has more attempts than it may")

    def claimed(self, task, short):
        """A task that came with a lease token."""
        self.saw(task)
        token = task["leaseToken"]
        with self.lock:
            if token in self.tokens:
                self.complain(f"the token of {task['id']} was given to {self.tokens[token]} before")
            self.tokens[token] = task["id"]
            record = self.by_id.get(task["id"])
            if record is None:
                return
            if task["attempt"] in record.claims:
                self.complain(f"attempt {task['attempt']} of {task['id']} was given out twice")
            record.claims[task["attempt"]] = token
            record.short_lease = record.short_lease or short

    def deleted(self, task_id):
        with self.lock:
            self.by_id[task_id].deletes.add("told")

    def acknowledged(self):
        with self.lock:
            self.told += 1

    # --- for clients that look for something to do ------------------------------------------------

    def some_id(self, dice):
        with self.lock:
            if not self.by_id:
                return None
            ids = self.by_id
            recent = list(ids)[-200:] if dice.random() < 0.8 else list(ids)
            record = ids[dice.choice(recent)]
            return None if record.deletes else record.id
