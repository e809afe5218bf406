"""How a credential comes: the headers that carry it, what follows when it is refused, the log."""

import json
import socket
import time

import pytest

from lib.client import fresh_name, problem
from lib.nodes import server_or_nodes
from lib.rawhttp import Raw, request_bytes
from lib.server import ADMIN

MOST = 5


@pytest.fixture(scope="module")
def keyed(tmp_path_factory, store):
    running = server_or_nodes(tmp_path_factory.mktemp("credentials"), store, key=ADMIN,
                              auth_failures_max=0, log_format="json").start()
    yield running
    running.stop()


def answer(server, *headers, path="/api/v1/tasks"):
    with Raw(server) as raw:
        return raw.send(request_bytes("GET", path, headers=headers)).reply()


# --- headers --------------------------------------------------------------------------------------

BEARER, KEY = b"Authorization: Bearer " + ADMIN.encode(), b"x-api-key: " + ADMIN.encode()


@pytest.mark.parametrize("headers, status", [
    ([BEARER], 200), ([KEY], 200), ([BEARER, KEY], 200),
    ([b"Authorization: Basic dTpw", KEY], 200),  # of a proxy before us, which is none of ours
    ([BEARER, b"x-api-key: other"], 400), ([b"Authorization: Bearer other", KEY], 400),
    ([BEARER, b"x-api-key:"], 400), ([BEARER, BEARER], 400), ([KEY, KEY], 400),
    ([BEARER, b"AUTHORIZATION: Basic dTpw"], 400), ([KEY, b"X-Api-Key: other"], 400),
    ([b"Authorization: Basic dTpw", BEARER], 400),
    ([b"x-api-key: a\tb"], 400), ([b"Authorization: Bearer a\tb"], 400),
    ([b"x-api-key: a\x01b"], 400), ([b"x-api-key: a\x7fb"], 400), ([b"x-api-key: a\x00b"], 400),
    ([b"x-api-key: " + b"k" * 16385], 400), ([b"Authorization: Bearer " + b"k" * 16385], 400),
    ([b"x-api-key: " + b"k" * 16384], 401), ([b"Authorization: Bearer " + b"k" * 16384], 401),
    ([b"x-api-key: " + b"k" * 40000], 431), ([b"Authorization: Bearer"], 401),
    ([b"x-api-key: \xff\xfe"], 401), ([b"Authorization: Bearer  " + ADMIN.encode()], 200)])
def test_there_is_one_credential_or_none(keyed, headers, status):
    reply = answer(keyed, *headers)
    assert reply.status == status, reply.body
    if status == 400:
        assert json.loads(reply.body)["code"] == "bad_request"


def test_an_open_route_does_not_look_at_credentials(keyed):
    assert answer(keyed, BEARER, b"x-api-key: other", path="/health").status == 200
    assert answer(keyed, b"x-api-key: other", path="/openapi.json").status == 200


# --- too many -------------------------------------------------------------------------------------

@pytest.fixture
def strict(make_server):
    return make_server(key=ADMIN, auth_failures_max=MOST, log_format="json")


def test_failures_of_an_address_are_limited_and_its_valid_keys_still_work(strict, make_api):
    wrong, right = make_api(strict, key="wrong"), make_api(strict)
    for _ in range(MOST):
        problem(wrong.get("/tasks"), 401, "unauthenticated")
        assert right.get("/tasks").status_code == 200
    for headers in ({}, {"x-api-key": "another"}):
        response = wrong.get("/tasks", headers=headers)
        problem(response, 429, "too_many")
        assert 1 <= int(response.headers["retry-after"]) <= 60 // MOST
    for _ in range(3 * MOST):
        assert right.get("/tasks").status_code == 200
    problem(wrong.post("/tasks", {"type": "t"}), 429, "too_many")
    assert wrong.get("//health").status_code == 200


def test_a_credential_that_does_not_suffice_is_no_failure(strict, make_api):
    admin = make_api(strict)
    made = admin.expect(admin.post("/keys", {"name": "r", "roles": ["reader"]}), 201)
    reader = make_api(strict, key=made["secret"])
    for _ in range(2 * MOST):
        problem(reader.post("/tasks", {"type": "t"}), 403, "forbidden")


def ask_from(address, server, header):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5,
                                  source_address=(address, 0)) as s:
        s.sendall(request_bytes("GET", "/api/v1/tasks", headers=[header, b"Connection: close"]))
        return int(s.recv(65536).split(b" ")[1])


def test_one_address_does_not_use_up_the_failures_of_another(strict):
    wrong = b"x-api-key: wrong"
    statuses = [ask_from("127.0.0.2", strict, wrong) for _ in range(MOST + 1)]
    assert statuses == [401] * MOST + [429]
    assert ask_from("127.0.0.3", strict, wrong) == 401
    assert ask_from("127.0.0.2", strict, KEY) == 200


def test_the_limit_can_be_switched_off(keyed, make_api):
    wrong = make_api(keyed, key="wrong")
    assert {wrong.get("/tasks").status_code for _ in range(150)} == {401}


# --- the log --------------------------------------------------------------------------------------

def refusals(server):
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    return [line for line in lines if "authentication failed" in line.values()]


def test_a_refusal_is_a_line_with_address_and_reason_and_without_the_credential(
        make_server, make_api):
    server = make_server(key=ADMIN, log_format="json")
    admin = make_api(server)
    made = [admin.expect(admin.post("/keys", {"name": "k", "roles": ["reader"]}), 201)
            for _ in range(2)]
    revoked, expired = made
    admin.expect(admin.delete(f"/keys/{revoked['key']['id']}"))
    admin.expect(admin.post(f"/keys/{expired['key']['id']}/rotate", {"overlapMs": 0}), 201)
    canary = "canary-credential"
    sent = [({}, "missing", ""), ({"x-api-key": canary}, "unknown", ""),
            ({"x-api-key": canary + "\t."}, "malformed", ""),
            ({"x-api-key": revoked["secret"]}, "revoked", revoked["key"]["id"]),
            ({"x-api-key": expired["secret"]}, "expired", expired["key"]["id"]),
            ({"x-api-key": expired["secret"][:-1] + "!"}, "unknown", "")]
    nobody = make_api(server, key="")
    ids = [nobody.get("/tasks", headers=headers).headers["x-request-id"] for headers, *_ in sent]
    lines = refusals(server)
    assert [(line["reason"], line["key"]) for line in lines] == [row[1:] for row in sent]
    assert [line["requestId"] for line in lines] == ids
    assert {line["peer"] for line in lines} == {"127.0.0.1"}
    text = server.log()
    for secret in (canary, ADMIN, revoked["secret"], expired["secret"], expired["secret"][12:-1]):
        assert secret not in text


def test_refusals_do_not_fill_the_log(make_server, make_api):
    server = make_server(key=ADMIN, auth_failures_max=0, log_format="json")
    wrong = make_api(server, key="wrong")
    began = time.monotonic()
    for _ in range(200):
        wrong.get("/tasks")
    lines = refusals(server)
    assert 60 <= len(lines) <= 61 + time.monotonic() - began   # one more each second
    assert sum(line["unlogged"] for line in lines) <= 200 - len(lines)


# --- keys that end --------------------------------------------------------------------------------

def new_key(admin, **fields):
    body = {"name": fresh_name("key"), "roles": ["worker"], **fields}
    return admin.expect(admin.post("/keys", body), 201)


def of_name(admin, name):
    """The ids of the keys that have it."""
    keys = admin.expect(admin.get("/keys"))["keys"]
    return [key["id"] for key in keys if key["name"] == name]


def test_a_key_opens_until_its_end_and_then_says_so(keyed, admin, make_api):
    """A claim does not wait for longer than its key lasts, which is how the end is waited for."""
    made = new_key(admin, expiresInMs=1500)
    key = made["key"]
    assert key["expiresAt"] - key["createdAt"] == 1500
    api = make_api(keyed, key=made["secret"])
    assert api.get("/tasks").status_code == 200
    assert api.claim(waitMs=60000) == []      # the client gives up after 20 s
    assert "expired" in problem(api.get("/tasks"), 401, "unauthenticated")["detail"]
    listed = {one["id"]: one for one in admin.expect(admin.get("/keys"))["keys"]}
    assert listed[key["id"]]["expiresAt"] == key["expiresAt"]


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_a_claim_that_waits_by_a_key_that_gets_an_end_is_sent_back(
        keyed, admin, make_api, parallel, end):
    made = new_key(admin)
    api = make_api(keyed, key=made["secret"])
    claimed = parallel(api.claim, waitMs=20000, workerId=api.type)
    admin.until_worker(api.type, waiting=True)
    if end == "revoke":
        admin.expect(admin.delete(f"/keys/{made['key']['id']}"))
    else:
        admin.expect(admin.post(f"/keys/{made['key']['id']}/rotate", {"overlapMs": 0}), 201)
    assert claimed(5.0) == []
    problem(api.get("/tasks"), 401, "unauthenticated")


def test_the_service_of_a_key_is_kept(admin):
    made = new_key(admin, service="mail-service")["key"]
    assert made["service"] == "mail-service"
    assert new_key(admin)["key"]["service"] is None
    assert made in admin.expect(admin.get("/keys"))["keys"]


@pytest.mark.parametrize("fields, pointer", [
    ({"expiresAt": 1}, "/expiresAt"), ({"expiresAt": -1}, "/expiresAt"),
    ({"expiresAt": "soon"}, "/expiresAt"), ({"expiresInMs": 0}, "/expiresInMs"),
    ({"expiresInMs": 1, "expiresAt": 1 << 45}, "/expiresInMs"), ({"service": "a b"}, "/service"),
    ({"service": ""}, "/service"), ({"service": "x" * 129}, "/service")])
def test_a_bad_end_or_service_is_pointed_at(admin, fields, pointer):
    body = {"name": fresh_name("key"), "roles": ["reader"], **fields}
    problem(admin.post("/keys", body), 422, "invalid_field", pointer)
    assert of_name(admin, body["name"]) == []


# --- rotation -------------------------------------------------------------------------------------

def rotate(admin, key, **fields):
    return admin.expect(admin.post(f"/keys/{key['id']}/rotate", fields), 201)


def test_a_rotated_key_and_its_successor_both_open_during_the_overlap(keyed, admin, make_api):
    made = new_key(admin, service="mail-service", tenant=fresh_name("tenant"))
    tenant_admin = make_api(keyed, key=new_key(
        admin, roles=["admin"], tenant=made["key"]["tenant"])["secret"])
    given = rotate(tenant_admin, made["key"])
    fresh, old = given["key"], given["replaced"]
    for field in ("name", "roles", "tenant", "service"):
        assert fresh[field] == old[field] == made["key"][field]
    assert old["id"] == made["key"]["id"] != fresh["id"]
    assert old["expiresAt"] - fresh["createdAt"] == 24 * 3600 * 1000
    assert old["replacedBy"] == fresh["id"] and fresh["replacedBy"] is None
    assert fresh["expiresAt"] is None
    for secret in (made["secret"], given["secret"]):
        assert make_api(keyed, key=secret).get("/tasks").status_code == 200
    assert given["secret"] not in tenant_admin.get("/keys").text


def test_a_rotated_key_opens_until_its_overlap_is_over(keyed, admin, make_api):
    """A claim does not wait for longer than its key lasts, which is how the end is waited for."""
    made = new_key(admin)
    given = rotate(admin, made["key"], overlapMs=1500)
    old, fresh = (make_api(keyed, key=one["secret"]) for one in (made, given))
    assert old.get("/tasks").status_code == 200
    assert old.claim(waitMs=60000) == []      # the client gives up after 20 s
    assert "expired" in problem(old.get("/tasks"), 401, "unauthenticated")["detail"]
    assert fresh.get("/tasks").status_code == 200


def test_a_rotation_without_overlap_ends_the_old_key_at_once(keyed, admin, make_api):
    made = new_key(admin)
    given = rotate(admin, made["key"], overlapMs=0)
    old = make_api(keyed, key=made["secret"])
    assert "expired" in problem(old.get("/tasks"), 401, "unauthenticated")["detail"]
    assert make_api(keyed, key=given["secret"]).get("/tasks").status_code == 200


def test_an_overlap_does_not_prolong_the_old_key_nor_rotation_the_new_one(admin):
    made = new_key(admin, expiresInMs=60000)["key"]
    given = rotate(admin, made)
    assert given["replaced"]["expiresAt"] == made["expiresAt"]
    assert given["key"]["expiresAt"] - given["key"]["createdAt"] == 60000
    longer = rotate(admin, given["key"], expiresInMs=90000)["key"]
    assert longer["expiresAt"] - longer["createdAt"] == 90000


def test_a_rotation_that_is_repeated_makes_no_third_key(admin):
    made = new_key(admin)["key"]
    fresh = rotate(admin, made)["key"]
    again = admin.post(f"/keys/{made['id']}/rotate", {})
    assert fresh["id"] in problem(again, 409, "conflict")["detail"]
    assert set(of_name(admin, made["name"])) == {made["id"], fresh["id"]}


def test_a_revoked_an_expired_and_an_absent_key_are_not_rotated(admin):
    revoked, expired = new_key(admin)["key"], new_key(admin)["key"]
    admin.expect(admin.delete(f"/keys/{revoked['id']}"))
    rotate(admin, expired, overlapMs=0)
    for key in (revoked, expired):
        problem(admin.post(f"/keys/{key['id']}/rotate", {}), 409, "conflict")
    problem(admin.post("/keys/nosuchke/rotate", {}), 404, "not_found")


@pytest.mark.parametrize("path", ["/keys", "/keys/{id}/rotate"])
def test_no_secret_is_kept_for_an_idempotency_key(admin, path):
    made = new_key(admin)["key"]
    name = fresh_name("key")
    body = {"name": name, "roles": ["reader"]} if path == "/keys" else {}
    response = admin.post(path.replace("{id}", made["id"]), body,
                          headers={"Idempotency-Key": "once"})
    problem(response, 400, "bad_request")
    assert of_name(admin, name) == [] and of_name(admin, made["name"]) == [made["id"]]


@pytest.mark.parametrize("fields, pointer", [
    ({"overlapMs": -1}, "/overlapMs"), ({"overlapMs": 31 * 86400000}, "/overlapMs"),
    ({"overlapMs": "1h"}, "/overlapMs"), ({"expiresAt": 1}, "/expiresAt"),
    ({"name": "other"}, "/name"), ({"roles": ["admin"]}, "/roles"),
    ({"tenant": "other"}, "/tenant"), ({"service": "other"}, "/service")])
def test_a_rotation_changes_nothing_else(admin, fields, pointer):
    made = new_key(admin)["key"]
    problem(admin.post(f"/keys/{made['id']}/rotate", fields), 422, "invalid_field", pointer)
    assert made in admin.expect(admin.get("/keys"))["keys"]


# --- from elsewhere -------------------------------------------------------------------------------

def test_with_a_key_the_server_is_reached_at_every_address_it_listens_on(make_server):
    running = make_server(key=ADMIN, host="0.0.0.0")
    for address in ("127.0.0.1", "127.0.0.9"):
        with socket.create_connection((address, running.port), timeout=5) as stream:
            stream.sendall(request_bytes("GET", "/api/v1/tasks",
                                         headers=[BEARER, b"Connection: close"]))
            assert stream.recv(4096).startswith(b"HTTP/1.1 200"), address
