"""The audit itself: it accepts a right history, and notices each single thing that is wrong."""

import random
import re

import pytest

from lib.audit import Picture, audit
from lib.history import DONE, REFUSED, UNKNOWN, Create, History, Lease, Use
from lib.traffic import Caller, Gone, Raw, encode

T0 = 1_700_000_000_000


def event(seq, task, kind, attempt, at):
    return {"seq": seq, "event": f"task.{kind}", "at": T0 + at, "taskId": task, "attempt": attempt}


def task(task_id, number, **fields):
    return {"id": task_id, "subject": f"s{number}", "payload": f'{{"n": {number}}}',
            "status": "completed", "result": '"r"', "uniqueKey": None, "attempt": 1,
            "maxAttempts": 3, "queue": "q", "type": "t", "waitingFor": None, **fields}


def use(verb, sent, told, outcome=DONE, result=None):
    return Use(verb, T0 + sent, result, T0 + told, outcome)


def lease(task_id, token, attempt, at, uses, lease_ms=3000):
    at += T0
    return Lease(task_id, token, attempt, at, at + lease_ms, at - 5, at + 5, uses)


class World:
    """Three tasks: one completed at once, one after a lost lease, one failed; and a unique key."""

    def __init__(self):
        self.history = History()
        for number, key in ((1, None), (2, None), (3, "u")):
            self.history.creates.append(
                Create(f"s{number}", f'{{"n": {number}}}', key, None, DONE, f"id{number}"))
        self.history.creates.append(Create("s4", '{"n": 4}', "u", None, DONE, "id3", True))
        for one in (
                lease("id1", "a", 1, 100, [use("heartbeat", 150, 160),
                                           use("complete", 300, 310, result='"r"')]),
                lease("id2", "b", 1, 100, [use("heartbeat", 4000, 4010, REFUSED)]),
                lease("id2", "c", 2, 3500, [use("complete", 3600, 3610, result='"r"')]),
                lease("id3", "d", 1, 100, [use("fail", 200, 210)])):
            self.history.leases[one.token] = one
        self.tasks = [task("id1", 1), task("id2", 2, attempt=2),
                      task("id3", 3, status="failed", result="null", uniqueKey="u")]
        self.events = [
            event(1, "id1", "created", 0, 0), event(2, "id2", "created", 0, 0),
            event(3, "id3", "created", 0, 0), event(4, "id1", "claimed", 1, 100),
            event(5, "id2", "claimed", 1, 100), event(6, "id3", "claimed", 1, 100),
            event(7, "id3", "failed", 1, 205), event(8, "id1", "completed", 1, 305),
            event(9, "id2", "lease_lost", 1, 3105), event(10, "id2", "claimed", 2, 3500),
            event(11, "id2", "completed", 2, 3605)]
        self.row = {"queue": "q", "type": "t", "pending": 0, "running": 0, "completed": 2,
                    "failed": 1, "cancelled": 0, "abandoned": 0, "ready": 0}

    def found(self):
        return audit(self.history, Picture(self.tasks, self.events, {"byType": [self.row]}))

    def insert(self, place, made):
        """One more event, behind that place; those behind it are numbered anew."""
        self.events.insert(place, made)
        for seq, one in enumerate(self.events, start=1):
            one["seq"] = seq


@pytest.fixture
def world():
    return World()


def test_a_right_history_is_accepted(world):
    assert world.found() == []


def lost_task(w):
    w.tasks.pop(0)
    w.events = [one for one in w.events if one["taskId"] != "id1"]
    w.insert(0, w.events.pop(0))
    w.row["completed"] = 1


def second_claim(w):
    """While the first lease holds, and with events that look right."""
    w.history.leases["c"] = lease("id2", "c", 2, 1000,
                                  [use("complete", 3600, 3610, result='"r"')])
    w.events[8]["at"], w.events[9]["at"] = T0 + 999, T0 + 1000


def accepted_stale_token(w):
    w.history.leases["b"].uses[0].outcome = DONE


WRONG = {
    "lost": (lost_task, "was acknowledged and is lost"),
    "other payload": (lambda w: w.tasks[0].update(payload='{"n":1}'), "another payload"),
    "made twice": (lambda w: w.tasks.append(task("id9", 1)), "was made twice"),
    "out of nowhere": (lambda w: w.tasks.append(task("id9", 9)), "nobody asked for"),
    "refused but there": (lambda w: w.history.creates.append(
        Create("s9", '{"n": 9}', outcome=REFUSED)) or w.tasks.append(task("id9", 9)),
        "although its create was refused"),
    "half a batch": (lambda w: (setattr(w.history.creates[0], "batch", 7), w.history.creates.append(
        Create("s9", "{}", None, 7))), "in part"),
    "two with a unique key": (lambda w: w.tasks.append(task("id9", 9, uniqueKey="u")),
                              "unique key u has 2"),
    "unique key of another": (lambda w: setattr(w.history.creates[3], "id", "id1"), "belongs to"),
    "gap in the numbers": (lambda w: w.events.pop(4), "event 5 is missing"),
    "order of the numbers": (lambda w: w.events.reverse(), "event 1 is missing"),
    "other result": (lambda w: w.tasks[0].update(result='"s"'), "was acknowledged; it is"),
    "result undone": (lambda w: w.tasks[0].update(status="pending", result="null"),
                      "its events make it completed"),
    "result of nobody": (lambda w: setattr(w.history.leases["a"].uses[1], "outcome", REFUSED),
                         "has a result that nobody sent"),
    "failed with a result": (lambda w: w.tasks[2].update(result='"r"'), "and has a result"),
    "completed twice": (lambda w: w.insert(8, event(0, "id1", "completed", 1, 400)),
                        "completed when it was completed"),
    "claimed twice": (lambda w: w.insert(5, event(0, "id2", "claimed", 1, 101)),
                      "claimed when it was running"),
    "due twice": (lambda w: (w.insert(3, event(0, "id1", "due", 0, 50)),
                             w.insert(4, event(0, "id1", "due", 0, 51))), "due a second time"),
    "due of a claimed one": (lambda w: w.insert(4, event(0, "id1", "due", 1, 101)),
                             "due when it was running"),
    "attempt skipped": (lambda w: w.events[3].update(attempt=2), "attempt 2 instead of 1"),
    "attempts not counted": (lambda w: w.tasks[1].update(attempt=1), "its events make it 2"),
    "too many attempts": (lambda w: w.tasks[1].update(maxAttempts=1), "2 attempts of 1"),
    "events of nobody": (lambda w: w.insert(11, event(0, "id9", "created", 0, 1)),
                         "which is not there"),
    "never ended": (lambda w: (w.tasks[1].update(status="running", result="null"), w.events.pop()),
                    "never ended"),
    "double lease": (second_claim, "had two leases"),
    "lease without event": (lambda w: w.history.leases.update(
        e=lease("id3", "e", 2, 500, [])), "no event tells of it"),
    "attempt handed out twice": (lambda w: w.history.leases.update(
        e=lease("id1", "e", 1, 100, [])), "was handed out twice"),
    "attempt of nobody": (lambda w: w.history.leases.pop("b"), "attempts that nobody was told of"),
    "token of nobody": (lambda w: (w.history.leases.pop("a"), w.history.claim_unknown(1)),
                        "nobody has its token"),
    "lease cut short": (lambda w: w.events[8].update(at=T0 + 2500), "before its lease's end"),
    "end without cause": (lambda w: setattr(w.history.leases["d"], "uses", []),
                          "although nobody said so"),
    "acknowledged without effect": (
        lambda w: w.history.leases["b"].uses.append(use("complete", 200, 210, result='"q"')),
        "was acknowledged, and it ended as task.lease_lost"),
    "heartbeat of the dead": (lambda w: w.history.leases["a"].uses.append(
        use("heartbeat", 900, 910)), "after its end"),
    "stale token accepted": (accepted_stale_token, "was accepted after c was handed out"),
    "valid token refused": (lambda w: setattr(w.history.leases["a"].uses[0], "outcome", REFUSED),
                            "was refused although its lease held"),
    "completed by two": (lambda w: w.history.leases["b"].uses.append(
        use("complete", 200, 210, result='"r"')), "was completed by 2 workers"),
    "wrong count": (lambda w: w.row.update(completed=3), "say 3 completed; there are 2"),
    "count of nothing": (lambda w: w.row.update(running=1), "say 1 running; there are 0"),
    "said by an answer": (lambda w: w.history.complain("a 503 without Retry-After"), "Retry-After"),
}


@pytest.mark.parametrize("spoil, sentence", WRONG.values(), ids=WRONG.keys())
def test_the_audit_notices(world, spoil, sentence):
    spoil(world)
    assert any(re.search(sentence, one) for one in world.found()), world.found()


def test_a_create_in_doubt_may_be_there_or_not(world):
    world.history.creates.append(Create("s9", "{}", outcome=UNKNOWN))
    assert world.found() == []
    world.history.creates[0].outcome = UNKNOWN
    assert world.found() == []


def test_claims_in_doubt_explain_attempts_that_nobody_was_told_of(world):
    del world.history.leases["b"]
    world.history.claim_unknown(1)
    assert world.found() == []


def test_a_completion_in_doubt_may_have_been_done(world):
    for one in world.history.leases["a"].uses:
        one.outcome = UNKNOWN
    assert world.found() == []


def test_a_lease_ends_early_when_its_worker_may_have_settled_it(world):
    second_claim(world)
    world.history.leases["b"].uses.insert(0, use("release", 500, 600, UNKNOWN))
    world.events[8].update(event="task.released")
    world.events[9].update(attempt=1)
    world.events[10].update(attempt=1)
    world.history.leases["c"].attempt = 1
    world.tasks[1]["attempt"] = 1
    assert world.found() == []


@pytest.mark.parametrize("asked", [True, False])
def test_an_attempt_is_cancelled_only_on_request(world, asked):
    world.events[6].update(event="task.cancelled")
    world.tasks[2]["status"] = "cancelled"
    world.row.update(failed=0, cancelled=1)
    world.history.leases["d"].uses = []
    if asked:
        world.history.will_cancel("id3")
    assert ["nobody said so" in one for one in world.found()] == [True] * (not asked)


# --- the clients that write the history -----------------------------------------------------------

class Script(Caller):
    """Tries that end as written; no network."""

    def __init__(self, *tries):
        nodes = [type("Node", (), {"name": name})() for name in "abc"]
        super().__init__(nodes, History(), random.Random(1))
        self.tries, self.asked = list(tries), []

    def once(self, node, method, path, body=None, key=None):
        self.asked.append(node.name)
        made = self.tries.pop(0)
        if isinstance(made, Gone):
            raise made
        status, headers = made
        return status, headers, b'{"code":"lease_lost"}'


REFUSED_409, RETRY_LATER = (409, {}), (503, {"Retry-After": "1"})


@pytest.mark.parametrize("tries, again, outcome", [
    ([(201, {})], False, DONE),
    ([Gone(sent=False), (201, {})], False, DONE),
    ([Gone(sent=True)], False, UNKNOWN),
    ([RETRY_LATER], False, UNKNOWN),
    ([RETRY_LATER, Gone(sent=True), (200, {})], True, DONE),
    ([REFUSED_409], True, REFUSED),
    ([Gone(sent=False), REFUSED_409], True, REFUSED),
    ([Gone(sent=True), REFUSED_409], True, UNKNOWN),
])
def test_the_outcome_of_a_request_is_known_or_not(tries, again, outcome):
    caller = Script(*tries)
    answer = caller.ask("POST", "/x", {}, again=again, allowed=(409,))
    assert answer.outcome == outcome
    assert caller.tries == [] and caller.history.complaints == []


def test_a_request_that_fails_is_tried_at_the_next_node():
    caller = Script(Gone(sent=True), RETRY_LATER, Gone(sent=False), (200, {}))
    caller.ask("POST", "/x", {})
    assert len(set(caller.asked[:3])) == 3 and caller.asked[0] == caller.asked[3]


@pytest.mark.parametrize("made", [(503, {}), (500, {}), (422, {}), (409, {})])
def test_an_answer_that_must_not_be_is_complained_of(made):
    caller = Script(made, (200, {}))
    caller.ask("POST", "/x", {})
    assert len(caller.history.complaints) == 1


def test_raw_json_is_sent_as_it_is():
    body = [{"a": Raw('{"x" : 1.0}'), "b": "@raw"}, {"a": Raw("[]")}]
    assert encode(body) == b'[{"a": {"x" : 1.0}, "b": "@raw"}, {"a": []}]'
