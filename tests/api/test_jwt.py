"""Tokens: four algorithms, a JWKS in a file and at a URL, roles and tenants of a token; and how
the operator is told what is wrong."""

import itertools
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from lib.client import fresh_name, problem
from lib.live import Stream
from lib.nodes import server_or_nodes
from lib.rawhttp import Raw, request_bytes
from lib.server import BINARY, Server, clean_environment, free_port
from lib.tokens import SECRET, Ed, KeyServer, Rsa, Secret, claims, jwks, signer

RS, ES, ED = signer("rsa", "r1"), signer("ec", "e1"), signer("ed", "o1")
SIGNERS = {"HS256": Secret(), "RS256": RS, "ES256": ES, "EdDSA": ED}


def write(path, document):
    """As a program that replaces the file would: it is never half there."""
    fresh = path.with_suffix(".new")
    fresh.write_text(document if isinstance(document, str) else json.dumps(document))
    os.replace(fresh, path)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory, store):
    folder = tmp_path_factory.mktemp("jwt")
    path = write(folder / "jwks.json", jwks(RS, ES, ED))
    running = server_or_nodes(folder / "server", store, jwks=path, log_level="debug",
                              auth_failures_max=0, args=["--access-log"],
                              env={"TASKYARD_JWT_SECRET": SECRET}).start()
    yield running
    running.stop()


@pytest.fixture
def api_of(make_api, server):
    """api_of(sub=…, roles=…): a client with a token of that kind, on the shared server."""
    def make(on=None, by=SIGNERS["HS256"], **fields):
        return make_api(on or server, key=by.token(claims(**fields)))
    return make


@pytest.fixture
def make_server(make_server):
    """Without a limit for bad tokens, if a test does not set one."""
    return lambda **options: make_server(**{"auth_failures_max": 0, **options})


@pytest.fixture
def key_server():
    made = []

    def make(document, port=0):
        made.append(KeyServer(document, port))
        return made[-1]

    yield make
    for one in made:
        one.close()


def until(condition, timeout_s=10):
    """Asks again and again; for what only shows from outside the server."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen in time")


def status(server, token, path="/api/v1/tasks"):
    with Raw(server) as raw:
        line = b"Authorization: Bearer " + (token if isinstance(token, bytes) else token.encode())
        return raw.send(request_bytes("GET", path, headers=[line])).reply().status


def refused(api, sentence):
    response = api.get("/tasks")
    detail = problem(response, 401, "unauthenticated")["detail"]
    assert sentence in detail
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


# --- good tokens ----------------------------------------------------------------------------------

@pytest.mark.parametrize("alg", SIGNERS)
def test_a_token_of_each_algorithm_is_taken(api_of, alg):
    api = api_of(by=SIGNERS[alg])
    assert api.create()["tenantId"] == "default"
    assert api.get("/tasks").status_code == 200


@pytest.mark.parametrize("alg", SIGNERS)
@pytest.mark.parametrize("more", [{"typ": "at+jwt"}, {"typ": "application/at+JWT"}, {"typ": "jwt"},
                                  {"x5t": "ignored", "jku": "http://127.0.0.1:1/"}])
def test_harmless_headers_are_taken(server, alg, more):
    assert status(server, SIGNERS[alg].token(claims(), **more)) == 200


@pytest.mark.parametrize("alg", SIGNERS)
def test_without_kid_the_only_key_of_the_algorithm_is_used(server, alg):
    header = {"alg": alg}
    assert status(server, SIGNERS[alg].compose(header, claims())) == 200


def test_a_secret_has_no_name_so_a_token_may_give_it_any(server):
    assert status(server, Secret(kid="whatever").token(claims())) == 200


def test_a_token_may_come_with_claims_that_say_nothing_here(server):
    extra = {f"c{i}": {"deep": [i]} for i in range(100)}
    assert status(server, ES.token(claims(jti="x", scope="a b", **extra))) == 200


def test_a_token_counts_only_as_bearer(server):
    for line in (b"x-api-key: ", b"Authorization: Basic ", b"Authorization: "):
        with Raw(server) as raw:
            header = line + ED.token(claims()).encode()
            reply = raw.send(request_bytes("GET", "/api/v1/tasks", headers=[header])).reply()
        assert reply.status == 401, line


def test_with_tokens_on_nobody_is_served_without_a_credential(server, make_api):
    api = make_api(server, key="")
    response = api.get("/tasks")
    assert "token" in problem(response, 401, "unauthenticated")["detail"]
    assert response.headers["www-authenticate"] == "Bearer"
    for path in ("//livez", "//readyz", "//health", "//openapi.json"):
        assert api.get(path).status_code == 200


def test_an_open_route_asks_nothing_of_a_token(server):
    assert status(server, "a.b.c", "/livez") == 200


def test_keys_and_tokens_work_side_by_side(make_server, make_api, api_of):
    server = make_server(key="an-api.key.with-dots", env={"TASKYARD_JWT_SECRET": SECRET})
    admin = make_api(server)
    assert admin.get("/keys").status_code == 200
    made = admin.expect(admin.post("/keys", {"name": "n", "roles": ["reader"]}), 201)
    assert make_api(server, key=made["secret"]).get("/tasks").status_code == 200
    assert api_of(on=server).get("/tasks").status_code == 200
    revoked = admin.delete(f"/keys/{made['key']['id']}")
    assert revoked.status_code == 200
    problem(make_api(server, key=made["secret"]).get("/tasks"), 401, "unauthenticated")


def test_a_claim_waits_no_longer_than_its_token_lasts(make_server, api_of):
    server = make_server(jwt_leeway="0s", env={"TASKYARD_JWT_SECRET": SECRET})
    api = api_of(on=server, roles="worker", exp=time.time() + 1.5)
    assert api.claim(waitMs=60000) == []      # the client gives up after 20 s
    until(lambda: api.get("/tasks").status_code == 401)
    refused(api, "the token has expired")


def test_bad_tokens_count_as_failed_authentications(make_server, api_of):
    server = make_server(auth_failures_max=5, log_format="json",
                         env={"TASKYARD_JWT_SECRET": SECRET})
    right, wrong = api_of(on=server), api_of(on=server, by=Secret("x" * 32))
    for _ in range(5):
        refused(wrong, "signature is not that of its key")
        assert right.get("/tasks").status_code == 200
    response = wrong.get("/tasks")
    problem(response, 429, "too_many")
    assert 1 <= int(response.headers["retry-after"]) <= 12
    assert right.get("/tasks").status_code == 200
    told = [line for line in server.log().splitlines() if "authentication failed" in line]
    assert ['"reason":"token"' in line for line in told] == [True] * 5


# --- what is wrong is told ------------------------------------------------------------------------

@pytest.mark.parametrize("more, sentence", [
    ({"exp": 1000000000}, "the token has expired"),
    ({"nbf": 9999999999}, "the token is not valid yet"),
    ({"iat": 9999999999}, "the token was issued in the future"),
    ({"exp": ...}, "malformed: it must have exp"), ({"exp": "soon"}, "its exp must be seconds"),
    ({"exp": 1e13}, "its exp must be seconds"), ({"sub": ...}, "it must have sub"),
    ({"aud": "someone"}, "jwt_audience"), ({"tenant": "a b"}, "its tenant must be"),
    ({"roles": 1}, "its roles must be")])
def test_a_claim_that_is_wrong_is_told_of(api_of, more, sentence):
    refused(api_of(**more), sentence)


def test_a_signature_and_a_key_that_are_wrong_are_told_of(api_of):
    refused(api_of(by=Secret("x" * 32)), "signature is not that of its key")
    refused(api_of(by=Ed("nobody")), "key is not known")
    refused(api_of(by=Secret(alg="HS512")), "algorithm is none that this server takes")


def test_the_issuer_and_the_audience_must_be_ours(make_server, api_of):
    server = make_server(jwt_issuer="https://login.example", jwt_audience="yard",
                         env={"TASKYARD_JWT_SECRET": SECRET})
    ours = {"on": server, "iss": "https://login.example", "aud": "yard"}
    assert api_of(**ours).get("/tasks").status_code == 200
    assert api_of(**{**ours, "aud": ["other", "yard"]}).get("/tasks").status_code == 200
    refused(api_of(**{**ours, "iss": "https://login.example/"}), "from another issuer")
    refused(api_of(**{**ours, "iss": ...}), "from another issuer")
    refused(api_of(**{**ours, "aud": ["other"]}), "for another audience")
    refused(api_of(**{**ours, "aud": ...}), "for another audience")


def test_clocks_may_differ_by_the_leeway(make_server, server):
    now = int(time.time())
    sign = SIGNERS["HS256"].token
    assert status(server, sign(claims(exp=now - 20))) == 200
    assert status(server, sign(claims(nbf=now + 20, iat=now + 20))) == 200
    assert status(server, sign(claims(exp=now - 31))) == 401
    assert status(server, sign(claims(nbf=now + 60))) == 401
    strict = make_server(jwt_leeway="0s", env={"TASKYARD_JWT_SECRET": SECRET})
    assert status(strict, sign(claims(exp=now - 1))) == 401
    assert status(strict, sign(claims(exp=now + 60.5, nbf=now - 0.5))) == 200


def test_only_configured_algorithms_are_taken(make_server, tmp_path):
    path = write(tmp_path / "keys", jwks(RS, ES, ED, Secret(kid="s").jwk()))
    some = make_server(jwks=path, jwt_algorithms="ES256 EdDSA")
    assert [status(some, SIGNERS[alg].token(claims())) for alg in SIGNERS] == [401, 401, 200, 200]
    usual = make_server(jwks=path)
    assert [status(usual, SIGNERS[alg].token(claims())) for alg in SIGNERS] == [401, 200, 200, 200]
    shared = make_server(jwks=path, jwt_algorithms="HS256")
    assert [status(shared, SIGNERS[alg].token(claims())) for alg in SIGNERS] == [200, 401, 401, 401]


# --- roles, tenants, actors -----------------------------------------------------------------------

@pytest.mark.parametrize("roles, may", [
    (..., "create read"), ([], "create read"), (["king"], "create read"), ("", "create read"),
    (["reader"], "read"), ("reader", "read"), (["king", "reader"], "read"),
    ("king  reader ", "read"), (["worker"], "read claim"), (["producer"], "create read"),
    (["producer", "worker"], "create read claim"), ("worker producer", "create read claim"),
    ("admin", "create read claim rule"), (["Admin"], "create read")])
def test_the_roles_of_a_token_say_what_it_may(api_of, roles, may):
    api = api_of(roles=roles)
    tried = {"create": api.post("/tasks", {"type": api.type}), "read": api.get("/tasks"),
             "claim": api.post("/claims", {"types": [api.type], "workerId": "w"}),
             "rule": api.get("/keys")}
    assert [name for name, one in tried.items() if one.status_code < 300] == may.split()
    for name, one in tried.items():
        if name not in may:
            assert "needs a token with the role" in problem(one, 403, "forbidden")["detail"]


def test_a_token_without_roles_may_do_what_the_setting_says(make_server, api_of):
    nothing = make_server(jwt_roles="none", env={"TASKYARD_JWT_SECRET": SECRET})
    problem(api_of(on=nothing).get("/tasks"), 403, "forbidden")
    assert api_of(on=nothing, roles="reader").get("/tasks").status_code == 200
    worker = make_server(jwt_roles="worker", env={"TASKYARD_JWT_SECRET": SECRET})
    assert api_of(on=worker).claim() == []
    problem(api_of(on=worker).post("/tasks", {"type": "t"}), 403, "forbidden")


def test_a_tenant_is_made_by_the_first_token_that_names_it(api_of):
    name = fresh_name("tenant")
    api = api_of(tenant=name)
    task = api.create()
    assert task["tenantId"] == name
    assert api.events(task)[0]["seq"] == 1
    other = api_of(tenant=fresh_name("tenant"))
    assert other.expect(other.get("/tasks"))["tasks"] == []
    problem(other.get(f"/tasks/{task['id']}"), 404, "not_found")
    assert [one["id"] for one in api_of(tenant=name, sub="bob").list(type=api.type)] == [task["id"]]


def test_the_first_request_of_a_tenant_may_be_wrong_or_wait(api_of, parallel):
    api = api_of(tenant=fresh_name("tenant"))
    problem(api.post("/tasks", {"type": "t", "nonsense": 1}), 422, "invalid_field", "/nonsense")
    api = api_of(tenant=fresh_name("tenant"), roles="worker producer")
    claimed = parallel(api.claim, waitMs=10000)
    twin = api.twin()
    until(lambda: [one for one in twin.expect(twin.get("/workers"))["workers"] if one["waiting"]])
    task = twin.create()
    assert [one["id"] for one in claimed()] == [task["id"]]


def test_many_first_requests_make_one_tenant(api_of, parallel):
    name = fresh_name("tenant")
    apis = [api_of(tenant=name, sub=f"s{i}") for i in range(12)]
    made = [start() for start in [parallel(api.create) for api in apis]]
    assert {task["tenantId"] for task in made} == {name}
    ids = {task["id"] for task in made}
    assert ids <= {task["id"] for task in apis[0].expect(apis[0].get("/tasks"))["tasks"]}


def test_a_tenant_that_a_token_made_is_that_of_keys_too(api_of, make_api, server):
    name = fresh_name("tenant")
    task = api_of(tenant=name).create()
    admin = api_of(roles="admin")
    body = {"name": "k", "roles": ["reader"], "tenant": name}
    key = admin.expect(admin.post("/keys", body), 201)["secret"]
    assert make_api(server, key=key).task(task)["id"] == task["id"]
    problem(api_of(tenant=name, roles="admin").post("/keys", {**body, "tenant": "default"}), 422,
            "invalid_field", "/tenant")


def test_the_claim_that_names_the_tenant_is_a_setting(make_server, api_of):
    secret = {"TASKYARD_JWT_SECRET": SECRET}
    other = make_server(jwt_tenant_claim="https://example.com/org", env=secret)
    fields = {"https://example.com/org": "acme", "tenant": "no"}
    assert api_of(on=other, **fields).create()["tenantId"] == "acme"
    assert api_of(on=other, tenant="no").create()["tenantId"] == "default"


def test_a_tenant_outlives_the_server(make_server, api_of, store):
    if store == "memory:":
        return
    server = make_server(env={"TASKYARD_JWT_SECRET": SECRET})
    task = api_of(on=server, tenant="acme").create()
    server.stop()
    server.start()
    assert api_of(on=server, tenant="acme").task(task)["tenantId"] == "acme"


def test_the_actor_of_an_event_is_the_subject(api_of):
    for subject in ("ann", "auth0|1234", "CN=ann, O=Yard", "Ännchen", "s" * 200):
        api = api_of(sub=subject)
        assert [one["actor"] for one in api.events(api.create())] == [f"jwt:{subject}"]


def test_an_idempotency_key_is_that_of_its_subject(api_of):
    """Also where the two together would read the same."""
    kind = fresh_name("t")
    pairs = [("u", "k"), ("v", "k"), ("u /api/v1/tasks", "k"), ("u", "/api/v1/tasks k")]
    ids = []
    for subject, key in pairs * 2:
        api = api_of(sub=subject)
        answer = api.post("/tasks", {"type": kind}, headers={"Idempotency-Key": key})
        ids.append(api.expect(answer, 201)["task"]["id"])
    assert len(set(ids)) == 4 and ids[:4] == ids[4:]


# --- a JWKS in a file -----------------------------------------------------------------------------

def test_a_changed_file_is_read_at_hangup(make_server, tmp_path):
    path = write(tmp_path / "keys", jwks(RS))
    server = make_server(jwks=path, jwks_cooldown="1h")
    assert status(server, ES.token(claims())) == 401
    write(path, jwks(ES))
    server.signal(signal.SIGHUP)
    until(lambda: status(server, ES.token(claims())) == 200)
    assert status(server, RS.token(claims())) == 401


def test_the_stream_of_a_token_ends_when_its_key_is_taken_away(make_server, make_api, tmp_path):
    """However far off its end is: whoever has stolen a key writes that himself."""
    path = write(tmp_path / "keys", jwks(RS, ES))
    server = make_server(jwks=path)
    far = claims(exp=int(time.time()) + 10 ** 9, roles=["producer"])
    with Stream(server, key=ES.token(far)) as kept, Stream(server, key=RS.token(far)) as lost:
        kept.opened(), lost.opened()
        write(path, jwks(ES))
        server.signal(signal.SIGHUP)
        lost.until_end(5)
        assert status(server, RS.token(far)) == 401
        task = make_api(server, key=ES.token(far)).create()
        assert kept.frames(1)[0].data["taskId"] == task["id"]


def test_an_unknown_kid_has_the_file_read_again(make_server, tmp_path):
    path = write(tmp_path / "keys", jwks(RS))
    server = make_server(jwks=path, jwks_cooldown="100ms")
    write(path, jwks(RS, ED))
    until(lambda: status(server, ED.token(claims())) == 200)
    assert status(server, RS.token(claims())) == 200


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"keys":{}}', '{"keys":[]}', '{"keys":[1]}',
                                    '{"keys":[],"keys":[]}', "[" * 70, " " * 300000],
                         ids=itertools.count())
def test_a_broken_file_is_told_of_and_the_old_keys_stay(make_server, tmp_path, broken):
    path = write(tmp_path / "keys", jwks(ES))
    server = make_server(jwks=path, jwks_cooldown="1h")
    write(path, broken)
    server.signal(signal.SIGHUP)
    until(lambda: "could not be read; those that are there stay" in server.log())
    assert status(server, ES.token(claims())) == 200


def test_keys_that_are_weak_broken_or_for_others_are_passed_over(make_server, tmp_path):
    weak = Rsa("weak", bits=1024)
    good = signer("ec", "good")
    document = jwks(
        weak, ES.jwk(kid="enc", use="enc"), ES.jwk(kid="ops", key_ops=["sign"]),
        ES.jwk(kid="alg", alg="ES384"), ES.jwk(kid="curve", crv="P-384"), {"kty": "RSA"},
        ES.jwk(kid="point", y=ES.jwk()["x"]), ES.jwk(kid="padded", x=ES.jwk()["x"] + "="),
        RS.jwk(kid="short", n=RS.jwk()["n"][:100]), {**ED.jwk(kid="x448"), "crv": "X448"},
        ES.jwk(kid=7), ES.jwk(kid="k" * 300), good, ES.jwk(kid="good"), {"kty": "unheard of"})
    server = make_server(jwks=write(tmp_path / "keys", document))
    assert status(server, good.token(claims())) == 200
    for other in (weak, *(ES,) * 8, RS, ED):
        assert status(server, other.token(claims())) == 401
    for kid in ("enc", "ops", "alg", "curve", "point", "padded", "good"):
        assert status(server, ES.token(claims(), kid=kid)) == 401, kid
    assert status(server, weak.token(claims())) == 401
    told = [line for line in server.log().splitlines() if "is not used" in line]
    assert any('"kid":"weak"' in line and "2048 bits" in line for line in told)
    assert any("same kid" in line for line in told)


def test_with_two_keys_of_an_algorithm_a_token_must_name_one(make_server, tmp_path):
    second = signer("ec", "e2")
    server = make_server(jwks=write(tmp_path / "keys", jwks(ES, second, RS)))
    assert status(server, ES.token(claims())) == status(server, second.token(claims())) == 200
    assert status(server, ES.compose({"alg": "ES256"}, claims())) == 401
    assert status(server, RS.compose({"alg": "RS256"}, claims())) == 200
    assert status(server, ES.token(claims(), kid="e2")) == 401


# --- a JWKS at a URL ------------------------------------------------------------------------------

def test_keys_come_from_a_url_with_its_path_and_query(make_server, key_server):
    keys = key_server(jwks(RS, ES, ED))
    server = make_server(jwks=keys.url("/a/b?policy=c"))
    assert [status(server, one.token(claims())) for one in (RS, ES, ED)] == [200, 200, 200]
    assert keys.paths == ["/a/b?policy=c"]


def test_a_rotated_key_is_fetched_when_a_token_names_it(make_server, key_server):
    keys = key_server(jwks(RS))
    server = make_server(jwks=keys.url(), jwks_cooldown="100ms", jwks_refresh="1h")
    keys.document = jwks(ES)
    assert status(server, RS.token(claims())) == 200
    until(lambda: status(server, ES.token(claims())) == 200)
    assert status(server, RS.token(claims())) == 401


def test_unknown_kids_cause_one_fetch_in_a_cooldown(make_server, key_server):
    keys = key_server(jwks(RS))
    server = make_server(jwks=keys.url(), jwks_cooldown="1h")
    for i in range(50):
        assert status(server, Ed(f"unknown{i}").token(claims())) == 401
    server.signal(signal.SIGHUP)  # this one is not held back, and comes after all others
    keys.wait_asked(2)
    assert len(keys.paths) == 2


def test_what_no_key_could_help_causes_no_fetch(make_server, key_server):
    keys = key_server(jwks(RS))
    server = make_server(jwks=keys.url(), jwks_cooldown="100ms", jwks_refresh="1h")
    for token in (Secret(kid="x").token(claims()), RS.token(claims(exp=1)),
                  RS.token(claims()) + "A", "a.b.c"):
        assert status(server, token) == 401
    server.signal(signal.SIGHUP)
    keys.wait_asked(2)
    assert len(keys.paths) == 2


def test_keys_are_fetched_in_the_background(make_server, key_server):
    keys = key_server(jwks(RS))
    server = make_server(jwks=keys.url(), jwks_cooldown="1h", jwks_refresh="1s")
    keys.document = jwks(ES)
    keys.wait_asked(2)
    until(lambda: status(server, ES.token(claims())) == 200)
    assert status(server, RS.token(claims())) == 401


@pytest.mark.parametrize("document", [500, 404, 301, b"", b"<html>", b"[" * 1000, {"keys": []},
                                      {"keys": [{"kty": "RSA"}]}, b" " * 300000],
                         ids=itertools.count())
def test_the_old_keys_stay_when_a_fetch_fails(make_server, key_server, document):
    keys = key_server(jwks(RS))
    server = make_server(jwks=keys.url(), jwks_cooldown="100ms")
    keys.document = document
    assert status(server, ES.token(claims())) == 401
    until(lambda: "could not be read; those that are there stay" in server.log())
    assert status(server, RS.token(claims())) == 200
    keys.document = jwks(ES)  # a failed one is tried again by itself
    until(lambda: status(server, ES.token(claims())) == 200)


def test_the_old_keys_stay_when_their_server_is_gone(make_server, key_server):
    keys = key_server(jwks(RS))
    server = make_server(jwks=keys.url(), jwks_cooldown="100ms")
    keys.http.shutdown()
    keys.http.server_close()
    server.signal(signal.SIGHUP)
    until(lambda: "no server answers at" in server.log())
    assert status(server, RS.token(claims())) == 200


def test_a_server_starts_without_its_keys_and_gets_them_later(make_server, key_server):
    port = free_port()
    server = make_server(jwks=f"http://127.0.0.1:{port}/", jwks_cooldown="100ms")
    assert status(server, RS.token(claims())) == 401
    assert "no server answers at" in server.log()
    key_server(jwks(RS), port)
    until(lambda: status(server, RS.token(claims())) == 200)


def test_a_slow_fetch_holds_up_neither_requests_nor_the_stop(make_server, key_server):
    keys = key_server(jwks(RS))
    server = make_server(jwks=keys.url(), jwks_cooldown="100ms")
    keys.hold = threading.Event()
    assert status(server, ES.token(claims())) == 401
    keys.wait_asked(2)
    began = time.monotonic()
    for _ in range(20):
        assert status(server, RS.token(claims())) == 200
        assert status(server, ES.token(claims())) == 401
    server.stop()
    assert time.monotonic() - began < 4, "less than a fetch may take"
    assert not keys.hold.is_set()


# --- settings -------------------------------------------------------------------------------------

def serve(tmp_path, env=None, *args):
    return subprocess.run([str(BINARY), "serve", "--listen", f"127.0.0.1:{free_port()}",
                           "--store", "memory:", *args], capture_output=True, text=True, timeout=10,
                          cwd=tmp_path, env=clean_environment(tmp_path, env))


@pytest.mark.parametrize("env, sentence", [
    ({"TASKYARD_JWT_SECRET": "s" * 31}, "at least 32 bytes"),
    ({"TASKYARD_JWT_SECRET": "s" * 600}, "jwt_secret must have at most 512 bytes, not 600"),
    ({"TASKYARD_JWT_SECRET": SECRET, "TASKYARD_JWT_SECRET_FILE": "f"}, "keep one"),
    ({"TASKYARD_JWT_SECRET_FILE": "absent"}, "absent cannot be read"),
    ({"TASKYARD_JWT_SECRET": SECRET, "TASKYARD_JWT_ALGORITHMS": "none"}, "some of HS256"),
    ({"TASKYARD_JWT_SECRET": SECRET, "TASKYARD_JWT_ALGORITHMS": "HS256,RS256"}, "some of HS256"),
    ({"TASKYARD_JWT_SECRET": SECRET, "TASKYARD_JWT_ALGORITHMS": "RS256"}, "has no HS256"),
    ({"TASKYARD_JWT_SECRET": SECRET, "TASKYARD_JWT_ALGORITHMS": "HS256 RS256"}, "no jwks"),
    ({"TASKYARD_JWT_SECRET": SECRET, "TASKYARD_JWT_ROLES": "king"}, "some of producer"),
    ({"TASKYARD_JWKS": "absent.json"}, "absent.json cannot be read"),
    ({"TASKYARD_JWKS": "."}, "cannot be read"),
    ({"TASKYARD_JWKS": "http://user:pw@127.0.0.1:1/"}, "jwks must be"),
    ({"TASKYARD_JWKS": "http://"}, "jwks must be")])
def test_settings_that_cannot_be_meant_are_refused_at_the_start(tmp_path, env, sentence):
    done = serve(tmp_path, env)
    assert done.returncode == 78
    assert sentence in done.stderr
    assert SECRET not in done.stderr and "s" * 31 not in done.stderr and "pw@" not in done.stderr


@pytest.mark.parametrize("document", ["", "{}", '{"keys":[]}', jwks(Rsa("weak", bits=1024)),
                                      jwks(Secret(kid="s"))], ids=itertools.count())
def test_a_file_without_a_key_that_serves_is_refused_at_the_start(tmp_path, document):
    path = write(tmp_path / "keys", document)
    done = serve(tmp_path, None, "--jwks", str(path))
    assert done.returncode == 78 and "JWKS" in done.stderr


def test_the_secret_may_stand_in_a_file(make_server, tmp_path):
    server = make_server(jwt_secret_file=write(tmp_path / "secret", SECRET + "\n"))
    assert status(server, SIGNERS["HS256"].token(claims())) == 200


def test_with_tokens_a_server_may_listen_beyond_loopback(tmp_path):
    class Public(Server):
        def command(self):
            return [word.replace("127.0.0.1", "0.0.0.0") for word in super().command()]

    server = Public(tmp_path, store="memory:", env={"TASKYARD_JWT_SECRET": SECRET}).start()
    assert status(server, SIGNERS["HS256"].token(claims())) == 200
    assert "everyone who can connect" not in server.log()
    assert '"algorithms":"HS256"' in server.log()
    server.stop()


def test_the_configuration_shows_no_secret(tmp_path):
    env = clean_environment(tmp_path, {"TASKYARD_JWT_SECRET": SECRET,
                                       "TASKYARD_JWT_ROLES": "reader  producer"})
    done = subprocess.run([str(BINARY), "config"], capture_output=True, text=True, timeout=10,
                          cwd=tmp_path, env=env)
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
    assert "producer reader" in done.stdout


def test_secrets_and_tokens_stand_neither_in_the_log_nor_in_the_store(make_server, api_of):
    server = make_server(env={"TASKYARD_JWT_SECRET": SECRET}, log_level="debug",
                         args=["--access-log"])
    good, bad = api_of(on=server, tenant="acme"), api_of(on=server, exp=1)
    good.create()
    assert bad.get("/tasks").status_code == 401
    tokens = itertools.chain(*(api.key.split(".") for api in (good, bad)))
    assert server.where_it_says(*tokens, SECRET) == []
