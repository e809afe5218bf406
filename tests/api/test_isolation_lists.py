"""Isolation of the routes that name nothing: lists, statistics, creations, claims, events, cleanup,
demos. Beside what belongs to another tenant or session they answer as if that were absent.

The other one asks for the same before, with the same names, types, queues and unique keys, and has
tasks with a mark in every text. So what they share by mistake differs, and what they show has it.
Nothing here names a route, so a new one is covered by itself; a new parameter must be told.
"""

import re

import pytest

from lib.client import NO_ID, fresh_name, new_key
from lib.described import routes
from lib.foreign import (
    LIVE, Foreign, ForeignSession, absent, ask, assert_free, told, ways)
from lib.live import Stream
from lib.tokens import Secret, claims

STATUSES = ["pending", "running", "completed"]
# Parameters that find nothing by what somebody else has.
NO_FILTERS = {"status": "pending", "createdAfter": 1, "createdBefore": 4102444800000,
              "include": "payload", "limit": 2, "offset": 0, "cursor": "x", "waitMs": 1, "after": 0,
              "lastEventId": 0, "progressMs": 0}
# Of everybody: the type and names that the bodies have, too.
ASKED = {**NO_FILTERS, "type": "x", "task_type": "x", "queue": "default", "tag.*": "x",
         "service_tag": "x", "projectId": "x", "tenant_id": "x", "subject": "x", "worker": "w",
         "uniqueKey": "x", "q": "x", "taskId": NO_ID, "session": "x"}
# Nothing that comes to its end while the test runs, nor a place in a queue that hangs on its pace.
SENT = {"workerId": "w", "leaseMs": 3_600_000, "timeoutMs": 3_600_000, "delayMs": 0,
        "roles": ["reader"], "items": [{"id": NO_ID, "leaseToken": "0" * 16}]}

VARIES = {"id", "taskId", "task_id", "_id", "rowId", "bullJobId", "leaseToken", "secret", "seq",
          "nextCursor", "nextAfter", "actor", "tenantId", "tenant", "sessionKey"}


def alike(value, name=""):
    """What is the same for all who ask for the same: without ids, times and their own names."""
    if isinstance(value, dict):
        of_key = str(value.get("event")).startswith("key.")  # its note is the id
        return {key: alike(inner, "id" if of_key and key == "note" else key)
                for key, inner in value.items()}
    if isinstance(value, list):
        return [alike(inner) for inner in value]
    if value is not None and (name in VARIES or re.search(r"^at$|At$|Ms$", name)):
        return type(value).__name__
    return value


def seen(response):
    headers = {name: value for name, value in response.headers.items()
               if name not in ("date", "content-length", "location")}
    return (response.status_code, headers,
            alike(response.json()) if response.content else response.content)


def answers(described, client_for):
    """[(request, answer), …] of all ways to ask the routes that name nothing; then the same again
    of whoever has something."""
    found = []
    for route in described * 2:
        if route.parameter or not route.roles:
            continue
        for way in ways(route, ASKED, **SENT):
            if way.get("headers") is LIVE:
                continue  # a stream has no end: see history()
            response = ask(client_for(route), route, "/" + route.path, **way)
            found.append((f"{route} {way}", response))
    return found


def assert_alone(alone, beside, owners):
    """Both got the same, and nothing of the owners."""
    assert len(alone) == len(beside) > 80
    for (where, one), (_, other) in zip(alone, beside):
        assert seen(one) == seen(other), where
        for owner in owners:
            assert_free(f"{other.text} {dict(other.headers)}", owner, where)
    done = {where.partition(" {")[0] for where, response in beside if response.status_code < 300}
    return done


def history(api, **options):
    """The frames of a live stream from its beginning to a task that is made here."""
    with Stream(api.server, params="lastEventId=0", **options) as stream:
        stream.opened()
        task = api.expect(api.post("/tasks", {"name": "last", "type": "last"}), 201)["task"]
        stream.until(lambda: any(frame.data.get("taskId") == task["id"]
                                 for frame in stream.received))
        return [(frame.name, frame.data) for frame in stream.received]


def assert_history_alone(alone, beside, owners):
    assert [(name, alike(data)) for name, data in alone] == [
        (name, alike(data)) for name, data in beside]
    for owner in owners:
        assert_free(str(beside), owner, "/events, live")


# --- another tenant -------------------------------------------------------------------------------

@pytest.fixture
def principal(fresh, make_api):
    """principal(): client_for(route) of a tenant of its own, by key, or by token."""
    admin = make_api(fresh)

    def make():
        name = fresh_name("tenant")
        secret = new_key(admin, ["admin"], name="its admin", tenant=name)["secret"]
        by_key = make_api(fresh, key=secret)
        by_token = make_api(fresh, key=Secret().token(claims(roles=["admin"], tenant=name)))

        def client_for(route):
            return by_token if route.by_token else by_key

        client_for.by_key = by_key
        return client_for
    return make


def test_what_names_nothing_answers_a_tenant_as_if_there_were_no_other(
        fresh, principal, make_api, visit):
    first, second, third = principal(), principal(), principal()
    described = routes(first.by_key)
    alone = answers(described, first)
    live_alone = history(first.by_key, key=first.by_key.key)
    owners = [Foreign(make_api(fresh, key=third.by_key.key), status) for status in STATUSES]
    visitors = [ForeignSession(visit(server=fresh), make_api(fresh), status)
                for status in STATUSES]
    answers(described, third)
    before = [owner.snapshot() for owner in owners + visitors]
    done = assert_alone(alone, answers(described, second), owners + visitors)
    assert_history_alone(live_alone, history(second.by_key, key=second.by_key.key), owners)
    boss = make_api(fresh)
    for where, answer in answers(described, of_all_routes(boss)):
        for owner in owners:
            assert_free(answer.text, owner, where)
    assert [owner.snapshot() for owner in owners + visitors] == before
    assert {"POST /api/v1/claims", "POST /api/v1/tasks", "POST /api/tasks", "GET /api/v1/jobs",
            "POST /api/v1/keys", "GET /api/v1/workers", "GET /api/v1/stats", "GET /api/v1/events",
            "POST /api/v1/completions", "POST /api/v1/tasks/cleanup/run"} <= done


def assert_filters_find_nothing(api, described, owner, allowed):
    """Each of the owner's filters finds as much with what he has as with what nobody has.
    allowed(route): the statuses that the route may answer with."""
    asked = set()
    for route in described:
        for name in route.parameters:
            assert name in {**owner.filters, **owner.queries, **NO_FILTERS}, \
                f"{route}: {type(owner).__name__} does not say what ?{name}= may find"
            if route.parameter or name not in owner.filters:
                continue
            value, key = owner.filters[name], "tag.a" if name == "tag.*" else name
            one, none = (ask(api, route, "/" + route.path, params={key: text})
                         for text in (value, absent(value)))
            assert one.status_code in allowed(route), f"{route}?{name}: {one.text}"
            assert told(one, value) == told(none, absent(value)), f"{route}?{name}"
            asked.add(name)
    assert asked == owner.filters.keys()


def test_no_filter_finds_what_another_tenant_has(tenant, stranger, described):
    owner = Foreign(tenant(), "running")
    before = owner.snapshot()
    by_token = stranger.key.count(".")
    assert_filters_find_nothing(
        stranger, described, owner,
        lambda route: (200, 404) if by_token or not route.by_token else (403,))
    assert owner.snapshot() == before


def cursor_of(api, route):
    return ask(api, route, "/" + route.path, params={"limit": 1}).json().get("nextCursor")


def test_no_cursor_of_another_leads_to_what_he_has(tenant, stranger, described):
    owner, followed = Foreign(tenant(), "pending"), 0
    for route in described:
        if "cursor" not in route.parameters or route.by_token:
            continue
        cursor = cursor_of(owner.api, route)
        if cursor:
            answer = ask(stranger, route, "/" + route.path, params={"cursor": cursor})
            assert answer.status_code != 200 or answer.json()["count"] == 0, route
            assert_free(answer.text, owner, route)
            followed += 1
    assert followed >= 2


# --- another session ------------------------------------------------------------------------------

def of_all_routes(api):
    return lambda route: api


def test_what_names_nothing_answers_a_session_as_if_there_were_no_other(
        fresh, make_api, visit, principal):
    first, second, third = (visit(server=fresh) for _ in range(3))
    worker = make_api(fresh)
    described = [route.of_session() for route in routes(worker) if route.session]
    alone = answers(described, of_all_routes(first))
    live_alone = history(first, key="", headers=[f"X-App-Session: {first.session}"])
    owners = [ForeignSession(visit(server=fresh), worker, status) for status in STATUSES]
    owners.append(Foreign(principal().by_key, "running"))
    answers(described, of_all_routes(third))
    before = [owner.snapshot() for owner in owners]
    done = assert_alone(alone, answers(described, of_all_routes(second)), owners)
    live = history(second, key="", headers=[f"X-App-Session: {second.session}"])
    assert_history_alone(live_alone, live, owners)
    assert [owner.snapshot() for owner in owners] == before
    assert {"POST /api/v1/tasks", "GET /api/v1/tasks", "GET /api/v1/tasks/stats",
            "GET /api/v1/events", "POST /api/v1/tasks/cleanup/run", "GET /api/v1/sessions/stats",
            "POST /api/v1/demo/tasks/sample", "POST /api/v1/demo/tasks/batch"} <= done


def test_no_filter_nor_cursor_finds_what_another_session_has(visit, admin, open_to_sessions):
    owner, other = ForeignSession(visit(), admin, "running"), visit()
    other.expect(other.post("/tasks", {"name": "of its own"}), 201)
    assert_filters_find_nothing(other, open_to_sessions, owner, lambda route: (200, 404))
    followed = 0
    for route in open_to_sessions:
        if "cursor" in route.parameters:
            cursor = cursor_of(owner.api, route)
            answer = ask(other, route, "/" + route.path, params={"cursor": cursor, "limit": 5})
            assert_free(answer.text, owner, route)
            followed += 1
    assert followed == 1
