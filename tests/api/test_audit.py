"""Who did what: each event names the credential by which it came about, whichever route it was."""

from contextlib import contextmanager

import pytest

from lib.client import Api, fresh_name, new_key
from lib.described import routes
from lib.tokens import Secret, claims

def by_key(admin, role):
    made = new_key(admin, [role])
    return made["secret"], f"key:{made['key']['id']}"


def by_token(_, role):
    subject = f"{fresh_name(role)}@example.com"
    return Secret().token(claims(sub=subject, roles=[role])), f"jwt:{subject}"


def as_credential(way, keyed, admin, make_api):
    def make(role):
        secret, actor = way(admin, role)
        api = make_api(keyed, key=secret, type_name=admin.type)
        api.actor = actor
        return api
    return make


@pytest.fixture(params=[by_key, by_token])
def api_as(request, keyed, admin, make_api):
    """A client with a key or a token of its own, that says which actor it is."""
    return as_credential(request.param, keyed, admin, make_api)


@pytest.fixture
def token_api(keyed, admin, make_api):
    """The same, always with a token."""
    return as_credential(by_token, keyed, admin, make_api)


@contextmanager
def visit(admin):
    """A client in an anonymous session of its own."""
    api = Api(admin.server, key="")
    api.http.headers.pop("Authorization", None)
    api.http.headers["X-App-Session"] = api.session = fresh_name("s")
    yield api
    api.close()


def prepared(admin):
    """What a route needs: made by somebody else than who is then to be named."""
    class Things:
        ready = property(lambda self: admin.create())
        unstarted = property(lambda self: admin.create(autoStart=False))
        running = property(lambda self: admin.running())
        failed = property(lambda self: admin.ended("failed"))
        name = property(lambda self: fresh_name("n"))

        @property
        def session(self):
            with visit(admin) as api:
                api.expect(api.post("/tasks", {"name": "theirs"}), 201)
                return api.session

        @property
        def paused(self):
            name = fresh_name("q")
            admin.expect(admin.post(f"/queues/{name}/pause"))
            return name

        @property
        def key(self):
            return new_key(admin, ["reader"])["key"]["id"]
    return Things()


def item(task):
    return {"id": task["id"], "leaseToken": task["leaseToken"]}


# Route → what is done by it, and the events that follow. A route that is not here fails the test.
DEEDS = {
    "POST /tasks": (lambda api, at: api.create(), ["task.created"]),
    "PUT /tasks/{id}": (lambda api, at: api.put(f"/tasks/{at.ready['id']}", {"priority": 1}),
                        ["task.changed"]),
    "PATCH /tasks/{id}": (lambda api, at: api.patch(f"/tasks/{at.ready['id']}", {"priority": 1}),
                          ["task.changed"]),
    "DELETE /tasks/{id}": (lambda api, at: api.delete(f"/tasks/{at.ready['id']}"),
                           ["task.deleted"]),
    "POST /tasks/{id}/start": (lambda api, at: api.start(at.unstarted), ["task.started"]),
    "POST /tasks/{id}/cancel": (lambda api, at: api.cancel(at.running), ["task.cancel_requested"]),
    "POST /tasks/{id}/retry": (lambda api, at: api.retry(at.failed), ["task.retried"]),
    "POST /claims": (lambda api, at: (at.ready, api.claim(limit=1)), ["task.claimed"]),
    "POST /tasks/{id}/claim": (lambda api, at: api.act(at.ready, "claim", {}), ["task.claimed"]),
    "POST /tasks/{id}/heartbeat": (lambda api, at: api.heartbeat(at.running), []),
    "POST /tasks/{id}/progress": (lambda api, at: api.progress(at.running, 5), ["task.progress"]),
    "POST /tasks/{id}/logs": (lambda api, at: api.log(at.running, "line"), []),
    "POST /tasks/{id}/complete": (lambda api, at: api.complete(at.running), ["task.completed"]),
    "POST /tasks/{id}/fail": (lambda api, at: api.fail(at.running), ["task.attempt_failed"]),
    "POST /tasks/{id}/release": (lambda api, at: api.release(at.running), ["task.released"]),
    "PATCH /tasks/{id}/status": (
        lambda api, at: api.patch(f"/tasks/{at.ready['id']}/status", {"status": "processing"}),
        ["task.claimed"]),
    "POST /completions": (
        lambda api, at: api.post("/completions", {"items": [item(at.running)]}),
        ["task.completed"]),
    "POST /api/tasks": (
        lambda api, at: api.post("//api/tasks", {"type": api.type, "payload": 1}),
        ["task.created"]),
    "POST /jobs": (lambda api, at: api.post("/jobs", {"type": api.type}), ["task.created"]),
    "POST /jobs/start-dummy-job": (lambda api, at: api.post("/jobs/start-dummy-job"),
                                   ["task.created"]),
    "POST /tasks/cleanup/run": (lambda api, at: api.post("/tasks/cleanup/run"), []),
    # Those of sessions only; what happens in a session is told in its own events.
    **{f"POST /demo/tasks/{kind}": (lambda api, at, kind=kind: api.post(f"/demo/tasks/{kind}"), [])
       for kind in ("sample", "file-processing", "api-call", "batch")},
    "DELETE /sessions/{name}": (
        lambda api, at: api.expect(api.delete(f"/sessions/{at.session}")), []),
    "POST /queues/{name}/pause": (lambda api, at: api.post(f"/queues/{at.name}/pause"),
                                  ["queue.paused"]),
    "POST /queues/{name}/resume": (lambda api, at: api.post(f"/queues/{at.paused}/resume"),
                                   ["queue.resumed"]),
    "PUT /types/{name}": (lambda api, at: api.put(f"/types/{at.name}", {"priority": 1}),
                          ["type.changed"]),
    "POST /keys": (lambda api, at: api.post("/keys", {"name": "k", "roles": ["reader"]}),
                   ["key.created"]),
    "POST /keys/{name}/rotate": (lambda api, at: api.post(f"/keys/{at.key}/rotate"),
                                 ["key.created", "key.rotated"]),
    "DELETE /keys/{name}": (lambda api, at: api.delete(f"/keys/{at.key}"), ["key.revoked"]),
}


def newest(admin):
    after, more = 0, True
    while more:
        page = admin.expect(admin.get("/events", params={"after": after, "limit": 1000}))
        after, more = page["nextAfter"], page["more"]
    return after


def test_each_event_of_each_route_that_changes_something_names_its_actor(
        admin, api_as, token_api):
    by_role = {role: api_as(role) for role in ("producer", "worker", "admin")}
    user = token_api("user")
    at, missing = prepared(admin), []
    for route in routes(admin):
        name = str(route).replace("/api/v1", "")
        if route.method == "GET":
            continue
        if name not in DEEDS:
            missing.append(name)
            continue
        deed, kinds = DEEDS[name]
        api, before = user if route.by_token else by_role[route.roles[0]], newest(admin)
        assert deed(api, at) is not None
        events = admin.expect(admin.get("/events", params={"after": before}))["events"]
        done = [event["event"] for event in events if event["actor"] == api.actor]
        assert done == kinds, f"{name}: {events}"
        # Meanwhile the time of a task may have come that an earlier deed sent back to wait.
        assert {event["actor"] for event in events} <= {api.actor, "key:API_KEY", "system"}, name
    assert missing == [], "these routes must say what events they leave"


def test_no_event_is_without_an_actor(admin):
    admin.ended("completed")
    after, more = 0, True
    while more:
        page = admin.expect(admin.get("/events", params={"after": after, "limit": 1000}))
        assert all(event["actor"] for event in page["events"])
        after, more = page["nextAfter"], page["more"]


def test_each_event_of_a_session_names_it_or_a_worker_and_never_a_key(admin, api_as):
    """Its events are in its own store, and nowhere else."""
    worker = api_as("worker")
    before = newest(admin)
    with visit(admin) as api:
        task = api.expect(api.post("/tasks", {"name": "n", "type": api.type}), 201)["task"]
        api.expect(api.act(task, "start"))
        claim = {"sessions": True, "types": [api.type], "workerId": "w"}
        for _ in range(2):
            [claimed] = worker.expect(worker.post("/claims", claim))["tasks"]
            token = {"leaseToken": claimed["leaseToken"]}
            worker.expect(worker.act(claimed, "progress", {"progress": 5, **token}))
            worker.expect(worker.act(claimed, "fail", {"error": "e", **token}))
            api.expect(api.act(task, "retry"))
        api.expect(api.act(task, "cancel", {}))
        own, work = f"session:{api.session}", "worker"
        round_trip = [("task.claimed", work), ("task.progress", work), ("task.failed", work),
                      ("task.retried", own)]
        assert [(event["event"], event["actor"]) for event in api.events(task)] == [
            ("task.created", own), ("task.started", own), *round_trip, *round_trip,
            ("task.cancelled", own)]
    late = admin.get("/events", params={"after": before}).json()["events"]
    assert task["id"] not in {event["taskId"] for event in late}


def test_what_time_does_is_the_system_s_deed(admin):
    task = admin.create(delayMs=1)
    assert admin.claim_one(waitMs=5000)["id"] == task["id"]
    actors = {event["event"]: event["actor"] for event in admin.events(task)}
    assert actors["task.due"] == "system"
    assert actors["task.created"] == actors["task.claimed"] == "key:API_KEY"


def test_a_claim_that_waited_is_named_with_its_own_key_not_the_producer_s(admin, api_as, parallel):
    producer, worker = api_as("producer"), api_as("worker")
    claimed = parallel(worker.claim, waitMs=5000, workerId="patient")
    admin.until_worker("patient", waiting=True)
    task = producer.create()
    assert claimed()[0]["id"] == task["id"]
    actors = [(event["event"], event["actor"]) for event in admin.events(task)]
    assert actors == [("task.created", producer.actor), ("task.claimed", worker.actor)]


def test_the_history_of_a_key_tells_its_name_and_its_successor(admin):
    before = newest(admin)
    made = admin.expect(admin.post("/keys", {"name": "billing", "roles": ["reader"]}), 201)["key"]
    fresh = admin.expect(admin.post(f"/keys/{made['id']}/rotate"), 201)["key"]
    admin.expect(admin.delete(f"/keys/{made['id']}"))
    events = admin.expect(admin.get("/events", params={"after": before}))["events"]
    told = [(event["event"], event["note"], event["text"]) for event in events]
    assert told == [
        ("key.created", made["id"], "billing"),
        ("key.created", fresh["id"], "billing"),
        ("key.rotated", made["id"], fresh["id"]),
        ("key.revoked", made["id"], "billing")]
