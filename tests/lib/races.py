"""Races run on purpose against one server, or against two on one store, and what must hold.

Each race returns how many pairs it ran and the sentences that contradict it. What clients were told
is held against the tasks and the events that are there in the end.
"""

import json
import random
import socket
import threading
import time
from collections import Counter, defaultdict

from lib.load import Connection, ServerGone

LONG_MS, SHORT_MS = 600_000, 1000
ENDS = ("task.completed", "task.failed", "task.abandoned", "task.cancelled")
VERBS = {"complete": {"result": "stale"}, "fail": {"error": "stale", "retry": False},
         "heartbeat": {}, "progress": {"progress": 99, "currentStep": "stale"},
         "logs": {"lines": ["stale"]}, "release": {}}


def side_by_side(*works):
    """Runs them in threads of their own; their results, or the first failure."""
    results, failures = [None] * len(works), []

    def run(number):
        try:
            results[number] = works[number]()
        except BaseException as failure:  # shown by who waits
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


class Line(Connection):
    """A connection that connects when it is used, and again after it was lost."""

    def ask(self, method, path, body=None, key=None):
        try:
            if self.http.sock is None:
                self.connect()
            return super().ask(method, path, body, key)
        except ServerGone:
            self.close()
            raise

    def sure(self, method, path, body=None, key=None):
        """The body of an answer that must be a success."""
        status, answer = self.ask(method, path, body, key)
        assert 200 <= status < 300, f"{method} {path} was answered {status}: {answer}"
        return answer

    def claim(self, type_name, limit=1, lease_ms=LONG_MS, wait_ms=0, worker="w"):
        body = {"types": [type_name], "workerId": worker, "limit": limit, "leaseMs": lease_ms,
                "waitMs": wait_ms}
        return self.sure("POST", "/claims", body)["tasks"]

    def move(self, task, verb, **fields):
        return self.ask("POST", f"/tasks/{task['id']}/{verb}",
                        {"leaseToken": task["leaseToken"], **fields})


class Yard:
    """The servers of one store, and what is asked of them."""

    def __init__(self, name, servers, seed):
        self.name, self.servers = name, servers
        self.dice = random.Random(f"{seed}/{name}")
        self.numbers = 0
        self.seen_events = 0

    def line(self, number=0):
        return Line(self.servers[number % len(self.servers)])

    def new_type(self, stem):
        self.numbers += 1
        return f"{stem}.{self.numbers}"

    def create(self, type_name, count, **fields):
        """New tasks, whose payload is their number."""
        line, made = self.line(), []
        for first in range(0, count, 1000):
            items = [{"type": type_name, "payload": n, **fields}
                     for n in range(first, min(count, first + 1000))]
            made += line.sure("POST", "/tasks", items)["tasks"]
        line.close()
        return made

    def claim_all(self, type_name, count, lease_ms=LONG_MS, number=0, wait_ms=5000, worker="w"):
        """So many, by as many claims as it takes."""
        line, tasks, ends = self.line(number), [], time.monotonic() + 15
        while len(tasks) < count and time.monotonic() < ends:
            tasks += line.claim(type_name, min(1000, count - len(tasks)), lease_ms, wait_ms, worker)
        line.close()
        assert len(tasks) == count, f"{len(tasks)} of {count} tasks could be claimed"
        return tasks

    def tasks(self, type_name):
        """All of a type as they are now, by id."""
        line, tasks, cursor = self.line(), {}, ""
        while cursor is not None:
            page = line.sure("GET", f"/tasks?type={type_name}&limit=1000&include=payload,result"
                                    f"{cursor}")
            tasks.update((task["id"], task) for task in page["tasks"])
            cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
        line.close()
        return tasks

    def events(self):
        """What has happened since the last call, by task."""
        line, found = self.line(), defaultdict(list)
        while True:
            page = line.sure("GET", f"/events?after={self.seen_events}&limit=1000")
            for event in page["events"]:
                found[event["taskId"]].append(event)
            self.seen_events = page["nextAfter"]
            if not page["more"]:
                break
        line.close()
        return found

    def names(self):
        return {task: [event["event"] for event in events]
                for task, events in self.events().items()}


# --- zombies --------------------------------------------------------------------------------------

def stale_calls(yard, tasks, verbs, number):
    """Those of `tasks`, by their old tokens, that were not answered 409 lease_lost."""
    line, found = yard.line(number), []
    for at, task in enumerate(tasks):
        verb = verbs[at % len(verbs)]
        if verb == "batch":
            item = {"id": task["id"], "leaseToken": task["leaseToken"], "result": "stale"}
            answer = line.sure("POST", "/completions", {"items": [item]})["items"][0]
            good = answer["success"] is False and answer["code"] == "lease_lost"
        else:
            status, answer = line.move(task, verb, **VERBS[verb])
            good = status == 409 and answer["code"] == "lease_lost"
        if not good:
            found.append(f"a stale {verb} was answered {answer}")
    line.close()
    return found


def zombies(yard, count):
    """Workers whose leases ended go on, while others have their tasks, and after these are done."""
    name, verbs = yard.new_type("zombie"), [*VERBS, "batch"]
    yard.create(name, count)
    stale = yard.claim_all(name, count, SHORT_MS, number=0, worker="zombie")
    fresh = yard.claim_all(name, count, LONG_MS, number=1, worker="heir")
    yard.dice.shuffle(stale)
    before = yard.tasks(name)
    half = count // 2
    found = stale_calls(yard, stale[:half], verbs, 0)
    if yard.tasks(name) != before:
        found.append("stale calls changed tasks that others hold")
    line = yard.line(1)
    for first in range(0, count, 500):
        items = [{"id": task["id"], "leaseToken": task["leaseToken"], "result": "heir"}
                 for task in fresh[first:first + 500]]
        answers = line.sure("POST", "/completions", {"items": items})["items"]
        refused = sum(not one["success"] for one in answers)
        if refused:
            found.append(f"{refused} of the heirs were refused")
    line.close()
    before = yard.tasks(name)
    found += stale_calls(yard, stale[half:], verbs, 0)
    after = yard.tasks(name)
    if after != before or any(task["result"] != "heir" for task in after.values()):
        found.append("stale calls changed tasks that others have completed")
    return count, found


# --- sweep against completion ---------------------------------------------------------------------

def at_the_end_of(lease, dice, early_s):
    """Waits until about the time at which it ends. That time is what the race is about."""
    left_s = lease["leaseExpiresAt"] / 1000 - time.time()
    time.sleep(max(0.0, left_s + dice.uniform(-early_s, 0.012)))


def complete_late(yard, name, size, seed, number, early_s):
    """Completes a batch when its lease ends: (task, whether it was taken)."""
    line, dice = yard.line(number), random.Random(seed)
    tasks = line.claim(name, size, SHORT_MS, worker=f"late{seed}")
    if not tasks:
        return []
    at_the_end_of(tasks[0], dice, early_s)
    items = [{"id": task["id"], "leaseToken": task["leaseToken"], "result": task["leaseToken"]}
             for task in tasks]
    answers = line.sure("POST", "/completions", {"items": items})["items"]
    line.close()
    return [("complete", task, one["success"], None) for task, one in zip(tasks, answers)]


def beat_late(yard, name, size, seed, number, early_s):
    """Renews leases, one by one, when they end: (task, whether, until when)."""
    line, dice, told = yard.line(number), random.Random(seed), []
    tasks = line.claim(name, size, SHORT_MS, worker=f"late{seed}")
    if tasks:
        at_the_end_of(tasks[0], dice, early_s)
    for task in tasks:
        status, answer = line.move(task, "heartbeat")
        told.append(("beat", task, status == 200, answer.get("leaseExpiresAt")))
    line.close()
    return told


def wrong_of_late(kind, task, taken, until, events):
    """What contradicts the answer to a late call. The lease of attempt 1 is lost once or never."""
    lost = [event["at"] for event in events if event["event"] in ("task.lease_lost",
                                                                  "task.abandoned")]
    ends = [event["event"] for event in events if event["event"] in ENDS]
    if len(ends) > 1:
        return f"{task['id']} ended {len(ends)} times: {ends}"
    if lost and lost[0] < task["leaseExpiresAt"]:
        return f"{task['id']} lost its lease {task['leaseExpiresAt'] - lost[0]} ms early"
    if kind == "complete" and taken == bool(lost):
        return f"{task['id']} was {'' if taken else 'not '}completed, and {events}"
    if kind == "beat" and taken and lost and lost[0] < until:
        return f"{task['id']} lost a lease {until - lost[0]} ms before its renewed end"
    if kind == "beat" and not taken and not lost:
        return f"{task['id']} was refused a renewal, and its lease was not lost"
    return None


def outcomes(told):
    """How often each kind of call was taken, and how often it was not."""
    return Counter((kind, good) for kind, _, good, _ in told)


def sweep_against_workers(yard, rounds, size=40):
    """Completions and heartbeats that come when the lease ends, from both sides of it: on a slow
    machine, where all come too late, in further rounds that begin sooner."""
    name, told, early_s, number = yard.new_type("late"), [], 0.012, 0
    while number < rounds or (number < rounds + 5 and len(outcomes(told)) < 4):
        yard.create(name, 8 * size, maxAttempts=1)
        works = [lambda n=n, call=call: call(yard, name, size, yard.dice.random(), n, early_s)
                 for n, call in enumerate([complete_late, beat_late] * 4)]
        for part in side_by_side(*works):
            told += part
        number += 1
        if number >= rounds:
            early_s *= 3
    until = max(task["leaseExpiresAt"] for _, task, _, _ in told) / 1000 + 3
    while any(task["status"] == "running" for task in yard.tasks(name).values()):
        assert time.time() < until, "leases do not end"
        time.sleep(0.05)  # the end of leases tells nobody
    events = yard.events()
    found = [wrong_of_late(*one, events[one[1]["id"]]) for one in told]
    found = [sentence for sentence in found if sentence]
    if len(outcomes(told)) < 4 and not found:
        found.append(f"no race: {dict(outcomes(told))}")
    return len(told), found


# --- cancel against completion --------------------------------------------------------------------

def wrong_of_pair(task, events, complete, cancel):
    """`complete` and `cancel` are (status, body) of the two answers."""
    ends = [name for name in events if name in ENDS]
    if len(ends) != 1:
        return f"{task['id']} ended {len(ends)} times: {events}"
    completed = task["status"] == "completed"
    if (complete[0] == 200) != completed:
        return f"{task['id']} is {task['status']}, and its completion was answered {complete}"
    if completed and task["result"] != "done":
        return f"{task['id']} has the result {task['result']}"
    if not completed and (task["status"] != "cancelled" or cancel[0] != 200):
        return f"{task['id']} is {task['status']}, and its cancel was answered {cancel}"
    if cancel[0] == 200 and cancel[1]["task"]["status"] == "cancelled" and completed:
        return f"{task['id']} was told to be cancelled and is completed"
    if cancel[0] not in (200, 409):
        return f"a cancel was answered {cancel}"
    return None


def cancel_against_complete(yard, count, pairs=4):
    """A worker completes what a person cancels: one of them wins, and the other is told."""
    name = yard.new_type("cancel")
    yard.create(name, count)
    tasks = yard.claim_all(name, count)
    answers = {}

    def race(number):
        mine, meet = tasks[number::pairs], threading.Barrier(2)
        worker, person = yard.line(number), yard.line(number + 1)

        def complete():
            for task in mine:
                meet.wait()
                answers[task["id"], "complete"] = worker.move(task, "complete", result="done")

        def cancel():
            for task in mine:
                meet.wait()
                answers[task["id"], "cancel"] = person.ask(
                    "POST", f"/tasks/{task['id']}/cancel", {"graceMs": 0})

        side_by_side(complete, cancel)
        worker.close()
        person.close()

    side_by_side(*[lambda n=n: race(n) for n in range(pairs)])
    line = yard.line()
    for task in tasks:  # a cancel with no grace is a sweep away from its end
        line.sure("GET", f"/tasks/{task['id']}?waitMs=5000")
    line.close()
    now, events = yard.tasks(name), yard.names()
    found = [wrong_of_pair(now[task["id"]], events[task["id"]], answers[task["id"], "complete"],
                           answers[task["id"], "cancel"]) for task in tasks]
    found = [sentence for sentence in found if sentence]
    won = Counter(task["status"] for task in now.values())
    if len(won) < 2 and not found:
        found.append(f"no race: {dict(won)}")
    return count, found


# --- enqueue storms -------------------------------------------------------------------------------

def until_answered(line, body, key):
    """409 idempotency_in_progress says that the same key is under way: then again."""
    while True:
        status, answer = line.ask("POST", "/tasks", body, key)
        if status != 409:
            return status, answer
        assert answer["code"] == "idempotency_in_progress", answer
        time.sleep(0.005)  # the answer that the first one gets is told to nobody else


def storms(yard, keys, clients=12):
    """Many clients send the same request with the same key at the same time."""
    name, answers = yard.new_type("storm"), defaultdict(list)
    meet, lock = threading.Barrier(clients), threading.Lock()

    def storm(number):
        line = yard.line(number)
        for key in range(keys):
            by_header = key % 2 == 0
            body = {"type": name, "payload": key}
            if not by_header:
                body["uniqueKey"] = f"{name}/{key}"
            meet.wait()
            status, answer = until_answered(line, body, f"{name}/{key}" if by_header else None)
            with lock:
                answers[key].append((status, answer.get("task", {}).get("id")))
        line.close()

    side_by_side(*[lambda n=n: storm(n) for n in range(clients)])
    found = []
    for key, told in answers.items():
        if len({task for _, task in told}) != 1 or {status for status, _ in told} - {200, 201}:
            found.append(f"key {key} was answered {sorted(set(told), key=str)}")
    tasks = yard.tasks(name)
    if len(tasks) != keys:
        found.append(f"{keys} keys made {len(tasks)} tasks")
    line = yard.line()
    status, answer = line.ask("POST", "/tasks", {"type": name, "payload": "other"}, f"{name}/0")
    line.close()
    if status != 422:
        found.append(f"a key with another body was answered {status}: {answer}")
    return keys * clients, found


# --- a server that is stopped for a while ---------------------------------------------------------

def post_bytes(path, body):
    content = json.dumps(body).encode()
    return (f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n").encode() + content


def send_only(server, task, result):
    """Sends a completion to a server that does not move, and leaves the answer to be read."""
    one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    one.sendall(post_bytes(f"/tasks/{task['id']}/complete",
                           {"leaseToken": task["leaseToken"], "result": result}))
    return one


def status_of(one):
    """That of the answer on a socket; None when there is none."""
    answer = b""
    try:
        while b"\r\n" not in answer:
            more = one.recv(4096)
            if not more:
                return None
            answer += more
        return int(answer.split()[1])
    except OSError:
        return None
    finally:
        one.close()


def finish_all(yard, name, count, number, result):
    """Claims and completes until all have ended; ids of those whose completion was taken here."""
    line, done, ends = yard.line(number), set(), time.monotonic() + 15
    while sum(task["status"] == "completed" for task in yard.tasks(name).values()) < count:
        assert time.monotonic() < ends, f"tasks of {name} do not end"
        for task in line.claim(name, 1000, wait_ms=500):
            if line.move(task, "complete", result=result)[0] == 200:
                done.add(task["id"])
    line.close()
    return done


def stopped_server(yard, count, stop, go_on):
    """A server stands still for longer than its leases last. Its workers send completions into
    their sockets, half of them leave, and with a second server others take over."""
    name, cluster = yard.new_type("stopped"), len(yard.servers) > 1
    yard.create(name, count)
    tasks = yard.claim_all(name, count, SHORT_MS)
    stop(yard.servers[0])
    sent = [(task, send_only(yard.servers[0], task, "first")) for task in tasks]
    for _, one in sent[::2]:
        one.close()
    heirs = set()
    if cluster:
        heirs = finish_all(Yard("heirs", yard.servers[1:], 0), name, count, 0, "heir")
    else:
        left_s = tasks[-1]["leaseExpiresAt"] / 1000 - time.time() + 1.0
        time.sleep(max(0.0, left_s))  # the leases end meanwhile; that is the case
    go_on(yard.servers[0])
    told = {task["id"]: status_of(one) for task, one in sent[1::2]}
    heirs |= finish_all(yard, name, count, 0, "heir")
    return count, wrong_of_stop(yard, name, told, heirs, count)


def wrong_of_stop(yard, name, told, heirs, count):
    now, events, found = yard.tasks(name), yard.names(), []
    if len(now) != count:
        found.append(f"of {count} tasks {len(now)} are left")
    for task_id, task in now.items():
        if events[task_id].count("task.completed") != 1:
            found.append(f"{task_id} was completed {events[task_id].count('task.completed')} times")
        if told.get(task_id) == 200 and task["result"] != "first":
            found.append(f"{task_id} was completed for a worker whose result is gone")
        if told.get(task_id) == 409 and task["result"] == "first":
            found.append(f"{task_id} has the result of a worker that was refused")
        if task_id in heirs and task["result"] != "heir":
            found.append(f"{task_id} was completed by its heir, and has another result")
    odd = set(told.values()) - {200, 409}
    if odd:
        found.append(f"completions that waited were answered {odd}")
    return found
