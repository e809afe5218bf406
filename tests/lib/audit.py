"""Holds a cluster against the history of its clients: nothing lost, nothing doubled, all in order.

Every rule is a function that yields one sentence for each violation. The events are the store's own
account of what happened, so they are held against what the clients were told, and the tasks and the
counts against the events.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from lib.history import DONE, REFUSED, UNKNOWN

STATUSES = ("pending", "running", "completed", "failed", "cancelled", "abandoned")
FINAL = STATUSES[2:]
# The clients' clock and the store's are of one machine, but read at different times.
TOLERANCE_MS = 100

# event -> (statuses in which it may happen, the status after it)
LIFE = {
    "task.created": ((None,), "pending"),
    "task.started": (("pending",), "pending"),
    "task.due": (("pending",), "pending"),
    "task.claimed": (("pending",), "running"),
    "task.progress": (("running",), "running"),
    "task.cancel_requested": (("running",), "running"),
    "task.completed": (("running",), "completed"),
    "task.attempt_failed": (("running",), "pending"),
    "task.failed": (("running",), "failed"),
    "task.released": (("running",), "pending"),
    "task.lease_lost": (("running",), "pending"),
    "task.abandoned": (("running",), "abandoned"),
    "task.cancelled": (("pending", "running"), "cancelled"),
    "task.expired": (("pending",), "cancelled"),
}
# What a worker may say, and how its attempt may end by that.
ENDS = {
    "complete": ("task.completed",),
    "fail": ("task.attempt_failed", "task.failed", "task.cancelled"),
    "release": ("task.released", "task.cancelled"),
}


@dataclass
class Picture:
    """What the cluster shows once it has come to rest."""
    tasks: list                 # all of them; payload and result as the bytes that came, as text
    events: list                # all of them, oldest first
    stats: dict                 # the answer of /tasks/stats


@dataclass
class Attempt:
    """A lease as the events tell of it."""
    task: str
    number: int
    at: int
    end: str | None = None
    end_at: int | None = None


@dataclass
class Story:
    """What the events tell of one task."""
    status: str | None = None
    attempt: int = 0
    attempts: list = field(default_factory=list)
    last: str | None = None
    wrong: list = field(default_factory=list)


def audit(history, picture):
    """All violations."""
    stories = tell(picture.events)
    attempts = {(a.task, a.number, a.at): a for s in stories.values() for a in s.attempts}
    return [
        *history.complaints,
        *numbered_without_gap(picture.events),
        *created_once(history, picture.tasks),
        *whole_batches(history, picture.tasks),
        *unique_keys(history, picture.tasks),
        *lived_rightly(stories, picture.tasks),
        *leases_known(history, attempts),
        *leases_ended_rightly(history, attempts),
        *one_lease_at_a_time(history),
        *tokens_honoured(history),
        *results_kept(history, picture.tasks),
        *counted(picture),
    ]


# --- creation -------------------------------------------------------------------------------------

def created_once(history, tasks):
    known = {create.subject: create for create in history.creates}
    there = {}
    for task in tasks:
        subject, create = task["subject"], known.get(task["subject"])
        if subject in there:
            yield f"{subject} was made twice: {there[subject]['id']} and {task['id']}"
        there[subject] = task
        if create is None:
            yield f"nobody asked for {task['id']} ({subject})"
        elif create.outcome == REFUSED:
            yield f"{task['id']} ({subject}) is there although its create was refused"
        elif task["payload"] != create.payload:
            yield f"{task['id']} has another payload: {task['payload']}, not {create.payload}"
    for create in history.creates:
        task = there.get(create.subject)
        if create.outcome != DONE or create.deduplicated:
            continue
        if task is None:
            yield f"{create.id} ({create.subject}) was acknowledged and is lost"
        elif task["id"] != create.id:
            yield f"{create.subject} was acknowledged as {create.id} and is {task['id']}"


def whole_batches(history, tasks):
    there = {task["subject"] for task in tasks}
    batches = defaultdict(list)
    for create in history.creates:
        if create.batch is not None:
            batches[create.batch].append(create.subject in there)
    for number, present in batches.items():
        if any(present) and not all(present):
            yield f"batch {number} is there in part: {sum(present)} of {len(present)} tasks"


def unique_keys(history, tasks):
    ids = defaultdict(set)
    for task in tasks:
        if task["uniqueKey"] is not None:
            ids[task["uniqueKey"]].add(task["id"])
    for key, several in ids.items():
        if len(several) > 1:
            yield f"the unique key {key} has {len(several)} tasks: {sorted(several)}"
    for create in history.creates:
        if create.unique and create.outcome == DONE and create.id not in ids[create.unique]:
            yield (f"{create.subject} was told that {create.id} has the key {create.unique}; it "
                   f"belongs to {sorted(ids[create.unique]) or 'nobody'}")


# --- events ---------------------------------------------------------------------------------------

def numbered_without_gap(events):
    for place, event in enumerate(events, start=1):
        if event["seq"] != place:
            yield f"event {place} is missing; {event['seq']} is in its place"
            return


def tell(events):
    """The story of each task; what cannot happen is noted in it."""
    stories = defaultdict(Story)
    for event in events:
        if event["taskId"] is not None:
            _next(stories[event["taskId"]], event)
    return stories


def _next(story, event):
    kind, where = event["event"], f"event {event['seq']} of {event['taskId']}"
    before, after = LIFE.get(kind, ((), story.status))
    if story.status not in before:
        story.wrong.append(f"{where}: {kind} when it was {story.status} after {story.last}")
    if kind == "task.due" and story.last not in ("task.created", "task.attempt_failed"):
        story.wrong.append(f"{where}: due a second time, after {story.last}")
    if kind == "task.claimed":
        _claimed(story, event, where)
    elif kind != "task.created" and event["attempt"] != story.attempt:
        story.wrong.append(f"{where}: {kind} of attempt {event['attempt']}, not {story.attempt}")
    if story.status == "running" and after != "running" and story.attempts:
        story.attempts[-1].end, story.attempts[-1].end_at = kind, event["at"]
    if kind == "task.released":
        story.attempt -= 1
    story.status, story.last = after, kind


def _claimed(story, event, where):
    story.attempt += 1
    if event["attempt"] != story.attempt:
        story.wrong.append(f"{where}: attempt {event['attempt']} instead of {story.attempt}")
    if story.last == "task.attempt_failed":
        story.wrong.append(f"{where}: claimed before its backoff was over")
    story.attempts.append(Attempt(event["taskId"], event["attempt"], event["at"]))


def lived_rightly(stories, tasks):
    there = {task["id"] for task in tasks}
    for task_id in stories:
        if task_id not in there:
            yield f"there are events of {task_id}, which is not there"
    for task in tasks:
        story = stories.get(task["id"])
        if story is None:
            yield f"{task['id']} has no events"
            continue
        yield from story.wrong
        if task["status"] != story.status:
            yield f"{task['id']} is {task['status']}; its events make it {story.status}"
        if task["attempt"] != story.attempt:
            yield f"{task['id']} has attempt {task['attempt']}; its events make it {story.attempt}"
        if task["attempt"] > task["maxAttempts"]:
            yield f"{task['id']} had {task['attempt']} attempts of {task['maxAttempts']}"
        if task["status"] not in FINAL:
            yield f"{task['id']} never ended: it is {task['status']}"


# --- leases ---------------------------------------------------------------------------------------

def leases_known(history, attempts):
    """Each lease is an attempt; attempts of nobody come from claims without an answer."""
    known = set()
    for lease in history.leases.values():
        key = (lease.task, lease.attempt, lease.at)
        if key in known:
            yield f"attempt {lease.attempt} of {lease.task} was handed out twice"
        if key not in attempts:
            yield f"attempt {lease.attempt} of {lease.task} was handed out and no event tells of it"
        known.add(key)
    strangers = [attempt for key, attempt in attempts.items() if key not in known]
    if len(strangers) > history.claimable:
        yield (f"{len(strangers)} attempts that nobody was told of, from claims for "
               f"{history.claimable} that were not answered: {strangers[0]}")
    for attempt in strangers:
        if attempt.end not in ("task.lease_lost", "task.abandoned", "task.cancelled"):
            yield f"{attempt} ended although nobody has its token"


def leases_ended_rightly(history, attempts):
    for lease in history.leases.values():
        attempt = attempts.get((lease.task, lease.attempt, lease.at))
        if attempt is not None:
            yield from _end_has_a_cause(lease, attempt, history.cancels)
            yield from _uses_had_effect(lease, attempt)


def _end_has_a_cause(lease, attempt, cancels):
    where = f"attempt {lease.attempt} of {lease.task}"
    if attempt.end in ("task.lease_lost", "task.abandoned"):
        if attempt.end_at < lease.expires:
            early = lease.expires - attempt.end_at
            yield f"{where} was taken away {early} ms before its lease's end"
        return
    causes = [verb for verb, ends in ENDS.items() if attempt.end in ends]
    sent = any(use.verb in causes and use.outcome != REFUSED for use in lease.uses)
    cancelled = attempt.end == "task.cancelled" and lease.task in cancels
    if not sent and not cancelled:
        yield f"{where} ended as {attempt.end} although nobody said so"


def _uses_had_effect(lease, attempt):
    where = f"of attempt {lease.attempt} of {lease.task}"
    for use in lease.uses:
        if use.outcome != DONE:
            continue
        if use.verb in ENDS:
            if attempt.end not in ENDS[use.verb]:
                yield f"{use.verb} {where} was acknowledged, and it ended as {attempt.end}"
        elif attempt.end_at is not None and use.sent > attempt.end_at + TOLERANCE_MS:
            late = use.sent - attempt.end_at
            yield f"{use.verb} {where} was accepted {late:.0f} ms after its end"


def sure_until(lease, history, but=None):
    """Up to when a lease holds in any case, whatever comes of what was sent."""
    ends = [use.sent for use in lease.uses if use.verb in ENDS and use is not but]
    ends += [use.sent for use in history.cancels.get(lease.task, ())]
    return min([lease.expires, *ends])


def one_lease_at_a_time(history):
    by_task = defaultdict(list)
    for lease in history.leases.values():
        by_task[lease.task].append(lease)
    for task_id, leases in by_task.items():
        for one in leases:
            end = sure_until(one, history) - TOLERANCE_MS
            for other in leases:
                if other is not one and other.sent >= one.told and other.told <= end:
                    yield f"{task_id} had two leases: {one.token} and {other.token}"
                if other is not one and _accepted_after(one, other):
                    yield f"{task_id}: {one.token} was accepted after {other.token} was handed out"


def _accepted_after(old, new):
    """Whether a stale token changed something; a request repeated with its key does not."""
    return new.sent >= old.told and any(
        use.outcome == DONE and use.sent >= new.told for use in old.uses)


def tokens_honoured(history):
    """A worker is refused only when its lease is over."""
    for lease in history.leases.values():
        for use in lease.uses:
            if use.outcome != REFUSED:
                continue
            if use.told <= sure_until(lease, history, but=use) - TOLERANCE_MS:
                yield (f"{use.verb} of attempt {lease.attempt} of {lease.task} was refused "
                       f"although its lease held")


# --- results and counts ---------------------------------------------------------------------------

def results_kept(history, tasks):
    sent, told = defaultdict(set), defaultdict(list)
    for lease in history.leases.values():
        for use in lease.uses:
            if use.verb == "complete" and use.outcome in (DONE, UNKNOWN):
                sent[lease.task].add(use.result)
            if use.verb == "complete" and use.outcome == DONE:
                told[lease.task].append((lease.token, use.result))
    there = {task["id"]: task for task in tasks}
    for task_id, completions in told.items():
        task = there.get(task_id)
        if len({token for token, _ in completions}) > 1:
            yield f"{task_id} was completed by {len(completions)} workers"
        for _, result in completions:
            if task is None or task["status"] != "completed" or task["result"] != result:
                shown = task and (task["status"], task["result"])
                yield f"the result {result} of {task_id} was acknowledged; it is {shown}"
    for task in tasks:
        if task["status"] == "completed" and task["result"] not in sent[task["id"]]:
            yield f"{task['id']} has a result that nobody sent: {task['result']}"
        if task["status"] != "completed" and task["result"] != "null":
            yield f"{task['id']} is {task['status']} and has a result"


def counted(picture):
    real = defaultdict(Counter)
    for task in picture.tasks:
        real[task["queue"], task["type"]][task["status"]] += 1
        if task["waitingFor"] == "worker":
            real[task["queue"], task["type"]]["ready"] += 1
    rows = {(row["queue"], row["type"]): row for row in picture.stats["byType"]}
    for where in real.keys() | rows.keys():
        for word in (*STATUSES, "ready"):
            shown = rows.get(where, {}).get(word, 0)
            if shown != real[where][word]:
                yield f"the counts of {where} say {shown} {word}; there are {real[where][word]}"
