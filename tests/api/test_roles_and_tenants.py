"""Who may do what: every route against every role, and tenants that see nothing of each other."""

import json
import re

import pytest

from lib.client import NO_ID, fresh_name, new_key, problem
from lib.tokens import Secret, claims

READERS = {"producer", "worker", "reader", "admin"}
ROLES = READERS | {"user"}
PRODUCERS = {"producer", "admin"}
WORKERS = {"worker", "admin"}
ADMINS = {"admin"}

# Method, path, who may. A bad body or an absent id shows that the door was passed: no 401, no 403.
MATRIX = [
    ("GET", "/tasks", READERS),
    ("GET", "/tasks/pending", READERS),
    ("GET", "/tasks/stats", READERS),
    ("GET", "/stats", READERS),
    ("GET", "/tasks/cleanup/status", READERS),
    ("GET", "/tasks/{id}", READERS),
    ("GET", "/tasks/{id}/status", READERS),
    ("GET", "/tasks/{id}/events", READERS),
    ("GET", "/tasks/{id}/attempts", READERS),
    ("GET", "/tasks/{id}/logs", READERS),
    ("GET", "/tasks/{id}/explain", READERS),
    ("GET", "/queues", READERS),
    ("GET", "/queues/{name}", READERS),
    ("GET", "/types", READERS),
    ("GET", "/types/{name}", READERS),
    ("GET", "/workers", READERS),
    ("GET", "/events", READERS),
    ("POST", "/tasks", PRODUCERS),
    ("PUT", "/tasks/{id}", PRODUCERS),
    ("PATCH", "/tasks/{id}", PRODUCERS),
    ("DELETE", "/tasks/{id}", PRODUCERS),
    ("POST", "/tasks/{id}/start", PRODUCERS),
    ("POST", "/tasks/{id}/cancel", PRODUCERS),
    ("POST", "/tasks/{id}/retry", PRODUCERS),
    ("POST", "/claims", WORKERS),
    ("POST", "/completions", WORKERS),
    ("POST", "/tasks/{id}/claim", WORKERS),
    ("POST", "/tasks/{id}/heartbeat", WORKERS),
    ("POST", "/tasks/{id}/progress", WORKERS),
    ("POST", "/tasks/{id}/logs", WORKERS),
    ("POST", "/tasks/{id}/complete", WORKERS),
    ("POST", "/tasks/{id}/fail", WORKERS),
    ("POST", "/tasks/{id}/release", WORKERS),
    ("PATCH", "/tasks/{id}/status", WORKERS),
    ("POST", "/demo/tasks/sample", PRODUCERS),
    ("POST", "/demo/tasks/file-processing", PRODUCERS),
    ("POST", "/demo/tasks/api-call", PRODUCERS),
    ("POST", "/demo/tasks/batch", PRODUCERS),
    ("GET", "/sessions/stats", ADMINS),
    ("DELETE", "/sessions/{name}", ADMINS),
    ("POST", "/queues/{name}/pause", ADMINS),
    ("POST", "/queues/{name}/resume", ADMINS),
    ("PUT", "/types/{name}", ADMINS),
    ("POST", "/tasks/cleanup/run", ADMINS),
    ("GET", "/keys", ADMINS),
    ("POST", "/keys", ADMINS),
    ("POST", "/keys/{id}/rotate", ADMINS),
    ("DELETE", "/keys/{id}", ADMINS),
    ("GET", "/jobs", ROLES),
    ("GET", "/jobs/{id}", ROLES),
    ("POST", "/jobs", PRODUCERS | {"user"}),
    ("POST", "/jobs/start-dummy-job", PRODUCERS | {"user"}),
]
ROUTE_IDS = [f"{method}_{path}" for method, path, _ in MATRIX]


@pytest.fixture
def api_as(keyed, admin, make_api):
    """api_as("reader", tenant=…): a client with a key of just those roles."""
    def make(*roles, tenant=None):
        named = {"tenant": tenant} if tenant else {}
        return make_api(keyed, key=new_key(admin, roles, **named)["secret"])
    return make


@pytest.fixture
def api_at(keyed, api_as, make_api):
    """api_at("/jobs", "reader"): a client with that role, by a credential that the path takes."""
    def make(path, role):
        if not path.startswith("/jobs"):
            return api_as(role)
        return make_api(keyed, key=Secret().token(claims(roles=[role])))
    return make


def call(api, method, path):
    path = path.replace("{id}", NO_ID).replace("{name}", fresh_name("n"))
    raw = None if method in ("GET", "DELETE") else b'{"nonsense":true}'
    return api.send(method, path, raw=raw)


@pytest.mark.parametrize("method, path, allowed", MATRIX, ids=ROUTE_IDS)
def test_a_route_is_open_to_its_roles_and_closed_to_the_others(api_at, method, path, allowed):
    for role in sorted(ROLES):
        response = call(api_at(path, role), method, path)
        if role in allowed:
            assert response.status_code not in (401, 403), (role, response.text)
        else:
            problem(response, 403, "forbidden")


@pytest.mark.parametrize("method, path, allowed", MATRIX, ids=ROUTE_IDS)
def test_a_route_is_closed_without_a_key(keyed, make_api, method, path, allowed):
    api = make_api(keyed, key="")
    api.http.headers.pop("Authorization", None)
    problem(call(api, method, path), 401, "unauthenticated")


def test_the_matrix_covers_every_route_that_the_server_describes(keyed, make_api):
    described = make_api(keyed).get("//openapi.json").json()["paths"]
    routes = {(method.upper(), re.sub(r"{\w+}", "{}", path.removeprefix("/api/v1")))
              for path, item in described.items() if path.startswith("/api/v1/")
              for method in item if method in ("get", "post", "put", "patch", "delete")}
    assert routes == {(method, re.sub(r"{\w+}", "{}", path)) for method, path, _ in MATRIX}


def test_roles_add_up(api_as):
    api = api_as("producer", "worker")
    assert api.complete(api.running())["status"] == "completed"
    assert api.get("/keys").status_code == 403


# --- tenants --------------------------------------------------------------------------------------

TASK_ROUTES = [(method, path) for method, path, _ in MATRIX if path.startswith("/tasks/{id}")]
BODIES = {
    "claim": {"workerId": "w"}, "heartbeat": {"leaseToken": "x"},
    "progress": {"leaseToken": "x", "progress": 1}, "complete": {"leaseToken": "x"},
    "fail": {"leaseToken": "x", "error": "e"}, "release": {"leaseToken": "x"},
    "start": {}, "cancel": {}, "retry": {},
}


def body_for(method, path, token):
    verb = path.rsplit("/", 1)[-1]
    if verb == "status" and method == "PATCH":
        return {"status": "completed", "leaseToken": token}
    if method in ("PUT", "PATCH"):
        return {"priority": 1}
    if method == "POST" and verb == "logs":
        return {"leaseToken": token, "text": "x"}
    if method == "POST":
        body = dict(BODIES[verb])
        return {**body, "leaseToken": token} if "leaseToken" in body else body
    return None


def ask(api, method, path, task_id, token):
    body = body_for(method, path, token)
    raw = None if body is None else json.dumps(body).encode()
    return api.send(method, path.replace("{id}", task_id), raw=raw,
                    headers={"X-Request-Id": "same-for-all"})


def test_a_task_of_another_tenant_is_absent_byte_for_byte(api_as):
    """The same id is asked for while the other tenant has it, and when it is truly gone."""
    owner, stranger = api_as("admin", tenant="one"), api_as("admin", tenant="two")
    task = owner.running()
    during = [ask(stranger, *route, task["id"], task["leaseToken"]) for route in TASK_ROUTES]
    assert owner.task(task)["revision"] == task["revision"], "nothing reached the task"
    owner.expect(owner.delete(f"/tasks/{task['id']}", params={"force": "true"}))
    after = [ask(stranger, *route, task["id"], task["leaseToken"]) for route in TASK_ROUTES]
    for route, one, other in zip(TASK_ROUTES, during, after):
        problem(one, 404, "not_found")
        assert one.content == other.content, route
        plain = {name for name in one.headers if name != "date"}
        assert {name: one.headers[name] for name in plain} == \
            {name: other.headers[name] for name in plain}, route


def test_lists_counts_and_feeds_show_only_the_own_tenant(api_as):
    owner, stranger = api_as("admin", tenant="three"), api_as("admin", tenant="four")
    stranger.type = owner.type
    queue = fresh_name("q")
    owner.create(queue=queue, payload="secret-of-three", name="secret-of-three")
    owner.running(queue=queue, claim={"workerId": "secret-of-three"})
    owner.expect(owner.put(f"/types/{owner.type}", {"description": "secret-of-three"}))
    for path in ("/tasks", "/tasks?include=payload,result", "/tasks?q=secret", "/tasks/pending",
                 "/tasks/stats", "/queues", "/types", "/workers", "/events", "/keys"):
        for text in ("secret-of-three", queue, owner.type):
            assert text not in stranger.get(path).text, path
    for path in (f"/queues/{queue}", f"/types/{owner.type}"):
        problem(stranger.get(path), 404, "not_found")
    assert stranger.claim() == [] and stranger.claim(types=[]) == []
    total = stranger.expect(stranger.get("/tasks/stats"))["stats"]
    assert total["total"] == 0


def test_names_and_keys_of_two_tenants_do_not_meet(api_as):
    one, two = api_as("admin", tenant="five"), api_as("admin", tenant="six")
    two.type = one.type
    key = {"Idempotency-Key": fresh_name("idem")}
    tasks = [api.expect(api.post("/tasks", api.fields(uniqueKey="same"), headers=key), 201)["task"]
             for api in (one, two)]
    assert tasks[0]["id"] != tasks[1]["id"]
    assert [task["tenantId"] for task in tasks] == ["five", "six"]
    one.expect(one.post("/queues/default/pause"))
    assert two.claim_one()["id"] == tasks[1]["id"]
    assert one.claim() == []


def test_a_create_does_not_feed_a_waiting_claim_of_another_tenant(api_as, parallel):
    owner, stranger = api_as("admin", tenant="seven"), api_as("admin", tenant="eight")
    claimed = parallel(stranger.claim, types=[], waitMs=400)
    owner.create()
    assert claimed() == []
    assert len(owner.claim()) == 1


def test_a_cursor_of_another_tenant_is_refused_or_shows_nothing(api_as):
    owner, stranger = api_as("admin", tenant="nine"), api_as("admin", tenant="ten")
    owner.create_many([{}] * 5)
    params = {"type": owner.type, "limit": 2}
    cursor = owner.expect(owner.get("/tasks", params=params))["nextCursor"]
    response = stranger.get("/tasks", params={**params, "cursor": cursor})
    assert response.status_code == 400 or stranger.expect(response)["tasks"] == []


def test_a_batch_of_completions_does_not_reach_another_tenant(api_as):
    owner, stranger = api_as("admin", tenant="eleven"), api_as("admin", tenant="twelve")
    task = owner.running()
    items = [{"id": task["id"], "leaseToken": task["leaseToken"], "result": 1}]
    answer = stranger.expect(stranger.post("/completions", {"items": items}))
    assert answer["items"][0]["code"] == "not_found"
    assert owner.task(task)["status"] == "running"


def test_keys_are_seen_and_revoked_only_in_their_tenant(admin, api_as):
    stranger = api_as("admin", tenant="thirteen")
    body = {"name": fresh_name("key"), "roles": ["reader"]}
    key = admin.expect(admin.post("/keys", body), 201)["key"]
    assert key["id"] not in stranger.get("/keys").text
    problem(stranger.delete(f"/keys/{key['id']}"), 404, "not_found")
    listed = {one["id"]: one for one in admin.expect(admin.get("/keys"))["keys"]}
    assert listed[key["id"]]["revokedAt"] is None


def test_an_admin_of_one_tenant_makes_no_keys_for_another(api_as):
    stranger = api_as("admin", tenant="fourteen")
    for tenant in ("default", "fifteen"):
        body = {"name": fresh_name("key"), "roles": ["admin"], "tenant": tenant}
        response = stranger.post("/keys", body)
        assert response.status_code in (403, 404, 422), response.text
