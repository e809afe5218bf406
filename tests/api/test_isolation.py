"""Isolation by construction: each route that the server describes, against each credential that
must not open it, and against what belongs to another tenant.

Nothing here names a route but the open ones, so a new one is covered by itself. A new noun with a
name or an id in its path, and a new parameter, must be told in `Foreign`. The routes without either
are in test_isolation_lists.py.
"""

import json
import time

import pytest

from lib.client import NO_ID, fresh_name, new_key, problem
from lib.described import ROLES, bodies, is_list, least, least_body, members, sample
from lib.foreign import ALWAYS, Foreign, ForeignSession, absent, ask, told, ways
from lib.tokens import Secret, b64, claims

OPEN = {"GET /", "GET /health", "GET /livez", "GET /readyz", "GET /docs/errors",
        "GET /openapi.json"}


def ask_anything(api, route):
    """Some request of the route; what it names is not there."""
    body = least_body(route) if route.schemas else None
    return ask(api, route, route.at(NO_ID if route.parameter == "id" else fresh_name("n")), body)

# --- who gets in ----------------------------------------------------------------------------------

def test_every_route_declares_who_may_use_it(admin, described):
    paths = admin.get("//openapi.json").json()["paths"]
    for route in described:
        operation = paths[route.path][route.method.lower()]
        assert set(route.roles) <= set(ROLES), route
        assert (route.roles == ()) == (operation.get("security") == []), route
        assert route.roles == () or "admin" in route.roles, route
    assert {str(route) for route in described if not route.roles} == OPEN


def wrong_credentials(admin):
    """Kind → headers. All but the last one must not be told apart."""
    revoked, expired, other = (new_key(admin, ["admin"]) for _ in range(3))
    admin.expect(admin.delete(f"/keys/{revoked['key']['id']}"))
    admin.expect(admin.post(f"/keys/{expired['key']['id']}/rotate", {"overlapMs": 0}), 201)
    wrong = other["secret"][:-1] + ("a" if other["secret"][-1] != "a" else "b")
    expired_wrong = expired["secret"][:-1] + ("a" if expired["secret"][-1] != "a" else "b")
    return {"unknown": "tk_" + "0" * 8 + "_" + "0" * 43, "no key at all": "open sesame",
            "wrong secret": wrong, "wrong secret of an expired key": expired_wrong,
            "revoked": revoked["secret"], "expired": expired["secret"]}


def test_no_route_opens_without_a_valid_credential(keyed, admin, described, make_api):
    """One and the same answer on all routes; only the holder of an expired key hears of its end."""
    nobody = make_api(keyed, key="")
    answers = {}
    for kind, secret in {"none": None, **wrong_credentials(admin)}.items():
        nobody.http.headers.pop("x-api-key", None)
        if secret:
            nobody.http.headers["x-api-key"] = secret
        for route in described:
            if route.roles:
                response = ask_anything(nobody, route)
                body = problem(response, 401, "unauthenticated")
                assert response.headers["www-authenticate"] == "Bearer"
                assert body.pop("message", body["detail"]) == body["detail"]  # of front doors
                of_session = route.session and not secret
                answers.setdefault("no session" if of_session else kind, set()).add(
                    json.dumps(body))
    assert "send a session key" in answers["no session"].copy().pop()
    assert all(len(bytes_seen) == 1 for bytes_seen in answers.values()), answers
    expired, none = answers.pop("expired").pop(), answers.pop("none").pop()
    del answers["no session"]
    assert "expired" in expired and "send an API key" in none
    unknown = {content for seen in answers.values() for content in seen}
    assert len(unknown) == 1 and "expired" not in unknown.pop()


def swapped(part, value):
    """A good token's signature under something else."""
    pieces = Secret().token(claims(roles=["reader"])).split(".")
    pieces[part] = b64(json.dumps(value).encode())
    return ".".join(pieces)


BOSS = {"roles": ["admin"]}
WRONG_TOKENS = {
    "expired": lambda: Secret().token(claims(exp=int(time.time()) - 3600, **BOSS)),
    "not yet valid": lambda: Secret().token(claims(nbf=int(time.time()) + 3600, **BOSS)),
    "without an end": lambda: Secret().token(claims(exp=..., **BOSS)),
    "for somebody else": lambda: Secret().token(claims(aud="another", **BOSS)),
    "signed with another secret": lambda: Secret("x" * 40).token(claims(**BOSS)),
    "with claims of its holder's own": lambda: swapped(1, claims(**BOSS)),
    "with a header of its holder's own": lambda: swapped(0, {"alg": "none"}),
    "not signed": lambda: Secret().token(claims(**BOSS)).rpartition(".")[0] + ".",
}


@pytest.mark.parametrize("kind", WRONG_TOKENS)
def test_no_route_opens_to_a_token_that_is_not_good(keyed, described, make_api, kind):
    """Nor does it say anything else than all the others do."""
    api, seen = make_api(keyed, key=WRONG_TOKENS[kind]()), set()
    for route in described:
        if route.roles:
            response = ask_anything(api, route)
            body = problem(response, 401, "unauthenticated")
            assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert body.pop("message", body["detail"]) == body["detail"]  # of front doors
            seen.add(json.dumps(body))
    assert len(seen) == 1 and (kind != "expired" or "expired" in seen.pop())


@pytest.mark.parametrize("role", ROLES)
def test_no_route_opens_to_a_role_that_it_does_not_name(
        keyed, credential, described, make_api, role):
    api = make_api(keyed, key=credential([role]))
    for route in described:
        response = ask_anything(api, route)
        if route.by_token and not api.key.count("."):
            assert "token" in problem(response, 403, "forbidden")["detail"]
        elif route.roles and role not in route.roles:
            body = problem(response, 403, "forbidden")
            assert all(name in body["detail"] for name in route.roles), route
        else:
            assert response.status_code not in (401, 403), f"{route}: {response.text}"


def test_a_closed_route_says_nothing_before_it_is_open(keyed, make_api, described):
    """A bad body, a bad query, a bad id: the credential is asked for first."""
    nobody = make_api(keyed, key="")
    for route in described:
        if route.roles:
            response = nobody.send(route.method, route.at("no-such-thing"), raw=b"{",
                                   params={"nonsense": "1"})
            assert response.status_code in (401, 404), f"{route}: {response.text}"


# --- what belongs to another tenant ---------------------------------------------------------------

@pytest.mark.parametrize("status", ["pending", "running", "completed"])
def test_what_another_tenant_has_is_as_if_it_were_absent(tenant, stranger, described, status):
    owner = Foreign(tenant(), status)
    before = owner.snapshot()
    for route in described:
        if route.parameter is None:
            continue
        assert route.noun in owner.names, f"{route}: Foreign does not say what is foreign here"
        foreign, seen = owner.names[route.noun], set()
        for way in ways(route, owner.queries, leaseToken=owner.token, workerId="w",
                        status="completed"):
            one = ask(stranger, route, route.at(foreign), **way)
            other = ask(stranger, route, route.at(absent(foreign)), **way)
            assert told(one, foreign) == told(other, absent(foreign)), f"{route} {way}"
            seen.add(one.status_code)
        if route.by_token and not stranger.key.count("."):
            assert seen == {403}
            continue
        # Queues and types come into being by being named, for whoever names them.
        if route.method == "GET" or route.noun not in ("queues", "types"):
            assert 404 in seen and not any(code < 300 for code in seen), f"{route}: {seen}"
    assert owner.snapshot() == before


# --- what belongs to another session --------------------------------------------------------------

SESSION_STATUSES = ["unstarted", "pending", "running", "completed"]


@pytest.mark.parametrize("status", SESSION_STATUSES)
def test_what_another_session_has_is_as_if_it_were_absent(visit, admin, open_to_sessions, status):
    owner, other = ForeignSession(visit(), admin, status), visit()
    other.expect(other.get("/tasks"))
    before, asked = owner.snapshot(), 0
    for route in open_to_sessions:
        if route.parameter is None:
            continue
        assert route.noun in owner.names, f"{route}: ForeignSession does not say what is foreign"
        foreign = owner.names[route.noun]
        for way in ways(route, owner.queries):
            one = ask(other, route, route.at(foreign), **way)
            absent_one = ask(other, route, route.at(absent(foreign)), **way)
            assert told(one, foreign) == told(absent_one, absent(foreign)), f"{route} {way}"
            # A parameter of the other way to ask is a mistake, whatever there is.
            assert one.status_code == 404 or (one.status_code == 400 and "params" in way), route
            assert one.content.endswith(b',"durable":false}') or way.get("method"), route
            asked += 1
    assert asked > 40
    assert owner.snapshot() == before


@pytest.mark.parametrize("status", SESSION_STATUSES)
def test_what_a_session_has_is_absent_to_every_credential(
        keyed, visit, admin, described, make_api, status):
    """Its lease token, which a worker of the server has, opens it; nothing else does."""
    owner = ForeignSession(visit(), admin, status)
    by_token = make_api(keyed, key=Secret().token(claims(roles=["admin"])))
    before = owner.snapshot()
    for route in described:
        if route.parameter == "id":
            for body in bodies(route, leaseToken="0" * 15 + "1", status="completed"):
                api = by_token if route.by_token else admin
                answer = ask(api, route, route.at(owner.task["id"]), body)
                assert answer.status_code in (404, 422), f"{route} {body}: {answer.text}"
                assert b"theirs" not in answer.content and b"secret" not in answer.content
    assert owner.snapshot() == before


@pytest.mark.parametrize("status", ["pending", "running", "completed"])
def test_what_is_kept_is_absent_to_a_session(visit, tenant, open_to_sessions, status):
    owner, other = Foreign(tenant(), status), visit()
    before = owner.snapshot()
    for route in open_to_sessions:
        if route.parameter == "id":
            for way in ways(route, {**owner.queries, "session": owner.session}):
                one = ask(other, route, route.at(owner.task["id"]), **way)
                absent_one = ask(other, route, route.at(NO_ID), **way)
                assert told(one, owner.task["id"]) == told(absent_one, NO_ID), f"{route} {way}"
    assert owner.snapshot() == before


def test_a_credential_and_a_session_key_are_not_taken_together(
        visit, admin, open_to_sessions):
    seen = set()
    for route in open_to_sessions:
        path = route.at(NO_ID) if route.parameter else "/" + route.path
        for sent in ({"headers": {**ALWAYS, "X-App-Session": "k"}},
                     {"headers": ALWAYS, "params": {"session": "k"}}):
            seen.add(admin.send(route.method, path, **sent).content)
    assert len(seen) == 1 and b"either" in seen.pop()


def test_no_body_of_a_session_sets_what_is_not_its_own(visit, admin, open_to_sessions):
    own = ForeignSession(visit(), admin, "running")
    before = own.snapshot()
    theirs = {**SERVER_S_OWN, "sessionKey": "other", "sessions": True, "projectId": "p",
              "subject": "s", "queue": "q", "tags": {}, "maxAttempts": 9, "autoStart": True}
    for route in open_to_sessions:
        path = route.at(own.names[route.noun]) if route.parameter else "/" + route.path
        for schema in route.schemas:
            for name in theirs.keys() - members(schema).keys():
                body = {**least(schema), name: theirs[name]}
                problem(ask(own.api, route, path, body), 400, "invalid_field", f"/{name}")
    assert own.snapshot() == before


# --- what a request may not set -------------------------------------------------------------------

SERVER_S_OWN = {
    "id": NO_ID, "tenantId": "other", "tenant": "other", "attempt": 7, "status": "failed",
    "cost": 3, "leaseToken": "0" * 16, "revision": 9, "actor": "local", "roles": ["admin"],
    "hash": "00", "createdAt": 1, "leaseExpiresAt": 1, "result": {}, "progress": 50,
    "workerId": "w", "revokedAt": None, "replacedBy": "x", "__proto__": {}}


def test_no_body_sets_what_is_not_its_own(keyed, tenant, described, make_api):
    own = Foreign(tenant(), "running")
    own_tenant = own.task["tenantId"]
    user = make_api(keyed, key=Secret().token(claims(roles=["admin"], tenant=own_tenant)))
    before = own.snapshot()
    keeping = []
    for route, schema in [(route, schema) for route in described for schema in route.schemas]:
        api = user if route.by_token else own.api
        path = route.at(own.names[route.noun]) if route.parameter else "/" + route.path
        least_of_it = least(schema, leaseToken=own.token, roles=["reader"])
        for name in SERVER_S_OWN.keys() - members(schema).keys():
            if schema.get("additionalProperties"):
                keeping.append((route, path, least_of_it))
                break
            body, pointer = {name: SERVER_S_OWN[name]}, f"/{name}"
            if is_list(schema):
                body, pointer = [{**least_of_it[0], **body}], f"/0{pointer}"
            else:
                body = {**least_of_it, **body}
            # As the clients of some documents know it.
            status = 400 if route.path == "/api/tasks" or route.noun == "jobs" else 422
            problem(ask(api, route, path, body), status, "invalid_field", pointer)
    assert own.snapshot() == before
    for route, path, body in keeping:  # what it does not know stays in the payload, no more
        extra = {name: value for name, value in SERVER_S_OWN.items() if name != "status"}
        plain, task = (own.api.expect(ask(own.api, route, path, sent), 201)["task"]
                       for sent in (body, {**body, **extra}))
        assert task["payload"] == {**body, **extra} and task["tenantId"] == own_tenant
        known = (extra.keys() & task.keys()) - {"id", "createdAt"}
        assert {name: task[name] for name in known} == {name: plain[name] for name in known}
    assert len(keeping) == 1


@pytest.mark.parametrize("name", ["tenantId", "attempt", "status", "cost", "id", "leaseToken"])
def test_no_part_of_a_batch_sets_what_is_not_its_own(tenant, name):
    own = Foreign(tenant(), "running")
    before = own.snapshot()
    value = SERVER_S_OWN[name]
    problem(own.api.post("/tasks", [{"type": "t"}, {"type": "t", name: value}]), 422,
            "invalid_field", f"/1/{name}")
    if name not in ("id", "leaseToken"):
        item = {"id": own.task["id"], "leaseToken": own.token, name: value}
        answer = own.api.post("/completions", {"items": [item]})
        assert f"/items/0/{name}" in answer.text or answer.json()["items"][0]["success"] is False
    claim = {"leaseToken": own.token, "claim": {name: value}}
    problem(own.api.act(own.task, "complete", claim), 422, "invalid_field", f"/claim/{name}")
    assert own.snapshot() == before


def test_samples_fit_their_schemas():
    """The generator itself: what it makes is within the bounds that the server describes."""
    assert sample({"type": ["integer", "null"], "minimum": 1000, "maximum": 5000}) == 1000
    assert sample({"type": ["integer"], "minimum": -5, "maximum": 5}) == 1
    assert sample({"type": ["string"], "minLength": 3}) == "xxx"
    assert sample({}) == {}
