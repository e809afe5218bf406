"""Front door S4: session keys that are no keys, tricks with headers, credentials beside them."""

import pytest

from lib.client import fresh_name, problem
from lib.rawhttp import Raw, exchange, request_bytes
from lib.server import ADMIN
from lib.sessions import claim, says_so

GOOD = ["a", "A" * 128, "0", "a.b_c~d-e", "~", "default", "ip", "IP_x", "admin", "null", "..",
        "s1.0"]
BAD = ["a" * 129, "a" * 4000, "a b", "a/b", "a,b", "a;b", "a=b", 'a"b', "a%41", "a\tb", "a:b",
       "a@b", "<a>", "a'b", "a\\b", "a+b", "é", "stats"]


@pytest.fixture
def nobody(session_server, make_api):
    """Without a credential and without a key."""
    return make_api(session_server, key="")


@pytest.mark.parametrize("key", GOOD)
def test_a_key_may_have_each_of_its_characters_and_128_of_them(nobody, key):
    answer = nobody.post("/tasks", {"name": "n"}, headers={"X-App-Session": key})
    assert answer.status_code == 201, answer.text
    assert answer.json()["task"]["sessionKey"] == key


def test_keys_differ_by_case_and_by_every_byte(nobody):
    stem = fresh_name("k")
    keys = [stem, stem.upper(), stem + "-", stem + ".", stem[:-1]]
    for key in keys:
        answer = nobody.get("/tasks", headers={"X-App-Session": key})
        assert answer.json()["count"] == 0
        nobody.post("/tasks", {"name": key}, headers={"X-App-Session": key})
    for key in keys:
        answer = nobody.get("/tasks", headers={"X-App-Session": key})
        assert [task["name"] for task in answer.json()["tasks"]] == [key]


@pytest.mark.parametrize("key", BAD)
def test_anything_else_is_refused_wherever_it_stands(nobody, key):
    answers = [nobody.get("/tasks", params={"session": key}),
               nobody.get("/tasks", headers={"X-App-Session": key.encode()})]
    if not set(key) & set(';, "\\\t'):
        answers.append(nobody.get("/tasks", headers={"Cookie": f"app_session={key}".encode()}))
    for answer in answers:
        body = problem(answer, 400, "bad_request")
        assert "session" in body["detail"].lower()


def test_an_empty_key_is_refused_and_not_taken_for_none(session_server, nobody):
    problem(nobody.get("/tasks", headers={"X-App-Session": ""}), 400, "bad_request")
    problem(nobody.get("/tasks", params={"session": ""}), 400, "bad_request")
    problem(nobody.get("/tasks", headers={"Cookie": "app_session="}), 400, "bad_request")


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x0a, 0x0d, 0x1b, 0x7f, 0x80, 0xff])
def test_a_control_character_ends_no_header_and_opens_no_session(session_server, byte):
    got = exchange(session_server, request_bytes(
        "GET", "/api/v1/tasks", headers=[b"X-App-Session: a" + bytes([byte]) + b"b"]))
    assert got.statuses[:1] in ([400], []), got


@pytest.mark.parametrize("path, headers", [
    ("/api/v1/tasks", [b"X-App-Session: one", b"X-App-Session: two"]),
    ("/api/v1/tasks", [b"X-App-Session: one", b"X-App-Session: one"]),
    ("/api/v1/tasks", [b"X-App-Session: one", b"x-APP-session: two"]),
    ("/api/v1/tasks?session=one&session=two", []),
    ("/api/v1/tasks", [b"Cookie: app_session=one; app_session=two"]),
    ("/api/v1/tasks", [b"Cookie: app_session=one", b"Cookie: app_session=two"]),
])
def test_a_key_that_is_sent_twice_is_refused(session_server, path, headers):
    got = exchange(session_server, request_bytes("GET", path, headers=headers))
    assert got.statuses == [400]


@pytest.mark.parametrize("line", [
    b"X-App-Session : one", b" X-App-Session: one", b"X_App_Session: one", b"X-App-Session2: one",
    b"Cookie: xapp_session=one", b"Cookie: app_sessions=one", b"Cookie: APP_SESSION=one",
    b"Cookie: a=app_session=one"])
def test_what_only_looks_like_a_key_is_none(session_server, line):
    got = exchange(session_server, request_bytes("GET", "/api/v1/tasks", headers=[line]))
    assert got.statuses in ([400], [401])


def test_a_key_of_the_largest_head_is_refused_as_too_large(session_server):
    got = exchange(session_server, request_bytes(
        "GET", "/api/v1/tasks", headers=[b"X-App-Session: " + b"a" * 200_000]))
    assert got.statuses[:1] in ([400], [431])


def test_a_blank_around_the_key_is_not_part_of_it(session_server, nobody):
    key = fresh_name("blank")
    nobody.post("/tasks", {"name": "n"}, headers={"X-App-Session": key})
    got = exchange(session_server, request_bytes(
        "GET", "/api/v1/tasks", headers=[f"X-App-Session: \t {key} \t".encode()]))
    assert got.statuses == [200] and b'"count":1' in got.replies[0].body


def test_each_request_of_a_connection_is_its_own_session(session_server, nobody):
    keys = [fresh_name("pipelined") for _ in range(3)]
    for key in keys[:2]:
        nobody.post("/tasks", {"name": key}, headers={"X-App-Session": key})
    got = exchange(session_server, b"".join(
        request_bytes("GET", "/api/v1/tasks", headers=[f"X-App-Session: {key}".encode()])
        for key in keys) + request_bytes("GET", "/api/v1/tasks"), answers=4)
    assert got.statuses == [200, 200, 200, 401]
    for number, key in enumerate(keys):
        names = [other for other in keys if other.encode() in got.replies[number].body]
        assert names == ([key] if number < 2 else [])


# --- a credential beside a key --------------------------------------------------------------------

@pytest.mark.parametrize("way", [{"headers": {"X-App-Session": "mine"}},
                                 {"params": {"session": "mine"}}])
@pytest.mark.parametrize("credential", [{"Authorization": f"Bearer {ADMIN}"},
                                        {"x-api-key": ADMIN}])
def test_a_credential_and_a_key_are_refused_together(session_server, make_api, way, credential):
    api = make_api(session_server, key="")
    options = {**way, "headers": {**way.get("headers", {}), **credential}}
    body = problem(api.get("/tasks", **options), 400, "bad_request")
    assert "either" in body["detail"]
    problem(api.post("/tasks", {"name": "n"}, **options), 400, "bad_request")


def test_a_cookie_beside_a_credential_is_ignored(session_server, make_api):
    api = make_api(session_server)
    answer = api.get("/tasks", headers={"Cookie": "app_session=mine"})
    assert answer.status_code == 200 and "durable" not in answer.json()


@pytest.mark.parametrize("credential", [{"Authorization": "Bearer wrong"}, {"x-api-key": "wrong"}])
def test_a_wrong_credential_is_no_session(session_server, make_api, credential):
    answer = make_api(session_server, key="").get(
        "/tasks", headers={**credential, "Cookie": "app_session=mine"})
    problem(answer, 401, "unauthenticated")


def test_a_keyless_server_serves_sessions_at_their_routes_and_its_local_user_at_the_others(
        keyless, make_session, make_api):
    one, local = make_session(server=keyless), make_api(keyless)
    task = one.started()
    assert one.ids() == [task["id"]]
    body = problem(local.get("/tasks"), 401, "unauthenticated")
    assert "X-App-Session" in body["detail"]
    assert local.get("/queues").status_code == 200
    running = claim(local, one)
    local.log(running, "a worker needs no key here")    # where a session may only read
    local.complete(running)
    assert one.task(task)["status"] == "completed"
    logs = one.expect(one.get(f"/tasks/{task['id']}/logs"))["logs"]
    assert [line["text"] for line in logs] == ["a worker needs no key here"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8503", "127.0.0.1.evil.example"])
def test_a_keyless_server_answers_sessions_to_its_own_name_only(keyless, make_api, host):
    """A page of a stranger could else reach it by a name that leads to loopback."""
    answer = make_api(keyless).get("/tasks", headers={"Host": host, "X-App-Session": "mine"})
    problem(answer, 403, "forbidden")


def test_a_page_of_another_origin_cannot_use_the_cookie(session_server, nobody):
    mine = {"Cookie": "app_session=" + fresh_name("cookie")}
    there = {"Origin": "https://evil.example"}
    here = {"Origin": session_server.url}
    assert nobody.get("/tasks", headers={**mine, **here}).status_code == 200
    problem(nobody.post("/tasks", {"name": "n"}, headers={**mine, **there}), 403, "forbidden")
    assert nobody.get("/tasks", headers=mine).json()["count"] == 0


CLOSED = [("GET", "/keys"), ("POST", "/keys"), ("GET", "/queues"), ("GET", "/types"),
          ("GET", "/workers"), ("POST", "/claims"), ("POST", "/completions"),
          ("GET", "/tasks/pending")]


@pytest.mark.parametrize("method, path", CLOSED)
def test_a_session_key_opens_no_other_route(session_server, make_api, method, path):
    answer = make_api(session_server, key="").send(
        method, path, raw=b"{}" if method == "POST" else None,
        headers={"X-App-Session": "mine"})
    problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize("method, path", CLOSED)
def test_who_names_a_session_is_not_the_local_user_elsewhere(keyless, make_api, method, path):
    """The header is no credential there, and the parameter is one that these routes do not know."""
    local, body = make_api(keyless, key=""), b'{"sessions":true}' if method == "POST" else None
    by_header = local.send(method, path, raw=body, headers={"X-App-Session": "mine"})
    problem(by_header, 401, "unauthenticated")
    by_parameter = local.send(method, path, raw=body, params={"session": "mine"})
    assert "session" in problem(by_parameter, 422, "invalid_field")["detail"]


def test_with_sessions_off_the_answer_says_which_setting(make_server, make_api):
    off = make_api(make_server(key=ADMIN), key="")
    for answer in (off.get("/tasks", headers={"X-App-Session": "mine"}),
                   off.get("/tasks", params={"session": "mine"}),
                   off.post("/tasks", {"name": "n"}, params={"session": "mine"}),
                   off.post("/demo/tasks/sample", {}, headers={"X-App-Session": "mine"})):
        assert "ENABLE_SESSION_ISOLATION" in problem(answer, 409, "sessions_off")["detail"]
    for nothing in ({}, {"Cookie": "app_session=mine"}):
        problem(off.get("/tasks", headers=nothing), 401, "unauthenticated")


def test_with_sessions_off_a_keyless_server_is_as_before(server, make_api):
    api = make_api(server, key="")
    answer = api.post("/tasks", {"type": api.type}, headers={"Cookie": "app_session=mine"})
    assert answer.status_code == 201 and "durable" not in answer.json()
    assert answer.json()["task"]["sessionKey"] is None


def test_problems_say_that_nothing_is_durable_too(session):
    says_so(session.get("/tasks/no-such-id"))
    says_so(session.post("/tasks", {}))
    says_so(session.get("/tasks", params={"colour": "red"}))


def test_a_body_over_its_limit_is_refused_to_a_session_as_to_one(session_server):
    """Refused before it is read, but its path and key were."""
    large = b"Content-Length: 99999999"
    for header, is_session in ((b"X-App-Session: mine", True), (b"X-Api-Key: mine", False)):
        with Raw(session_server) as raw:
            request = request_bytes("POST", "/api/v1/tasks", headers=[header, large])
            reply = raw.send(request).reply()
        assert reply.status == 413
        assert reply.body.endswith(b',"durable":false}') == is_session
