"""Pages of other origins (CORS): who may ask, what every answer says of it, and who never may."""

import pytest

from lib.client import NO_ID, fresh_name, problem
from lib.described import METHODS, routes
from lib.live import Stream
from lib.nodes import server_or_nodes
from lib.rawhttp import exchange, request_bytes
from lib.server import ADMIN, Server
from lib.sessions import with_sessions

APP, LOCAL, EVIL = "https://app.example", "http://localhost:5173", "https://evil.example"
ALLOW, EXPOSE = "access-control-allow-origin", "access-control-expose-headers"
SENT = ("x-app-session", "authorization", "x-api-key", "content-type", "idempotency-key",
        "if-match", "last-event-id", "lease-token")
READ = ("location", "etag", "retry-after", "x-request-id", "idempotent-replayed")


def start(tmp_path_factory, store, **options):
    options["env"] = {"AUTO_MAP_SESSION_BY_IP": "true"}
    return server_or_nodes(tmp_path_factory.mktemp("cors"), store,
                           **with_sessions(**options)).start()


@pytest.fixture(scope="module")
def listed(tmp_path_factory, store):
    running = start(tmp_path_factory, store, cors_origins=f"{APP} {LOCAL}")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def star(tmp_path_factory, store):
    running = start(tmp_path_factory, store, cors_origins="*")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def keyless(tmp_path_factory, store):
    running = start(tmp_path_factory, store, key=None, cors_origins=f"* {APP}")
    yield running
    running.stop()


@pytest.fixture
def nobody(listed, make_api):
    return make_api(listed, key="")


def of(origin, **more):
    return {"Origin": origin, **more}


def preflight(api, path, method, origin=APP, headers="x-app-session"):
    return api.send("OPTIONS", path, headers=of(
        origin, **{"Access-Control-Request-Method": method,
                   "Access-Control-Request-Headers": headers}))


def words(answer, name):
    return {word.strip().lower() for word in answer.headers[name].split(",")}


# --- every route ----------------------------------------------------------------------------------

def test_every_route_tells_a_listed_origin_that_it_may_read(listed, make_api):
    """Also where the answer is an error, as most are here."""
    admin, nobody = make_api(listed), make_api(listed, key="")
    for route in routes(admin):
        path = route.at(NO_ID if route.parameter == "id" else fresh_name("n"))
        for api in (admin, nobody):
            for origin in (APP, LOCAL):
                answer = api.send(route.method, path, headers=of(origin))
                assert answer.headers[ALLOW] == origin, str(route)
                assert answer.headers["vary"] == "Origin", str(route)
                assert words(answer, EXPOSE) >= set(READ), str(route)


def test_every_route_answers_a_preflight_by_its_methods(listed, make_api, nobody):
    methods = {}
    for route in routes(make_api(listed)):
        methods.setdefault(route.path, (route, set()))[1].add(route.method)
    for route, taken in methods.values():
        path = route.at(NO_ID if route.parameter == "id" else fresh_name("n"))
        answer = preflight(nobody, path, route.method)
        assert answer.status_code == 204 and not answer.content, str(route)
        assert answer.headers[ALLOW] == APP and answer.headers["vary"] == "Origin"
        allowed = {method.upper() for method in words(answer, "access-control-allow-methods")}
        assert allowed - {"HEAD"} == taken, str(route)
        assert words(answer, "access-control-allow-headers") >= set(SENT)
        assert int(answer.headers["access-control-max-age"]) > 0


@pytest.mark.parametrize("origin", [
    EVIL, "null", "https://app.example.evil.example", "https://app.example:8443", "app.example",
    "http://app.example", "https://app.example/", "*", "", "https://xapp.example",
    f"{APP} {EVIL}", f"{APP}, {EVIL}"])
def test_an_origin_that_is_not_listed_is_never_told_anything(listed, make_api, nobody, origin):
    admin = make_api(listed)
    for route in routes(admin):
        path = route.at(NO_ID if route.parameter == "id" else fresh_name("n"))
        answer = admin.send(route.method, path, headers=of(origin))
        assert answer.headers["vary"] == "Origin"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        asked = preflight(nobody, path, route.method, origin)
        assert not [name for name in asked.headers if name.startswith("access-control")]
        assert asked.status_code in (403, 405)


def test_without_an_origin_there_is_nothing_but_vary(nobody):
    answer = nobody.get("/tasks", headers={"X-App-Session": "mine"})
    assert answer.headers["vary"] == "Origin" and ALLOW not in answer.headers


def test_two_origins_at_once_are_not_mixed(listed):
    got = exchange(listed, request_bytes("GET", "/livez", headers=[
        f"Origin: {EVIL}".encode(), f"Origin: {APP}".encode()]))
    assert len(got.replies) == 1
    assert not any(EVIL in str(value) for value in got.replies[0].headers.values())


def test_nobody_is_ever_allowed_what_browsers_send_by_themselves(listed, star, make_api):
    for server in (listed, star):
        api = make_api(server, key="")
        for answer in (api.get("/tasks", headers=of(APP)), preflight(api, "/tasks", "POST")):
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [APP, EVIL])
def test_a_page_of_a_listed_origin_may_read_live_events(listed, origin):
    with Stream(listed, headers=[f"Origin: {origin}"]) as stream:
        stream.opened()
        assert stream.head.get(ALLOW) == (APP if origin == APP else None)
        assert stream.head["vary"] == "Origin"


# --- what a preflight is --------------------------------------------------------------------------

def test_a_preflight_of_what_is_no_route_is_404_and_can_be_read(nobody):
    answer = preflight(nobody, "/nothing/here", "GET")
    problem(answer, 404, "not_found")
    assert answer.headers[ALLOW] == APP


def test_options_that_is_no_preflight_is_refused_as_any_method(nobody):
    answer = nobody.send("OPTIONS", "/tasks", headers=of(APP))
    problem(answer, 405, "method_not_allowed")
    assert answer.headers[ALLOW] == APP


def test_an_unlisted_origin_learns_which_setting_it_is(nobody):
    answer = problem(preflight(nobody, "/tasks", "POST", EVIL), 403, "forbidden")
    assert "cors_origins" in answer["detail"]


@pytest.mark.parametrize("method", METHODS)
def test_with_the_setting_empty_there_is_no_cors_at_all(server, make_api, method):
    api = make_api(server)
    answer = api.send(method.upper(), "/tasks/stats", headers=of(APP))
    asked = preflight(api, "/tasks", "POST")
    problem(asked, 405, "method_not_allowed")
    for one in (answer, asked):
        assert "vary" not in one.headers
        assert not [name for name in one.headers if name.startswith("access-control")]


# --- what a page can do ---------------------------------------------------------------------------

def test_a_page_of_a_listed_origin_lives_in_a_session(nobody):
    page = of(APP, **{"X-App-Session": fresh_name("page")})
    answer = nobody.post("/tasks", {"name": "n"}, headers=page)
    assert answer.status_code == 201 and answer.headers[ALLOW] == APP
    assert nobody.get("/tasks", headers=page).json()["count"] == 1


def test_a_page_of_a_listed_origin_may_have_the_session_of_its_address(nobody):
    mine = nobody.get("/tasks", headers=of(APP))
    assert mine.status_code == 200 and mine.headers[ALLOW] == APP
    theirs = nobody.get("/tasks", headers=of(EVIL))
    assert ALLOW not in theirs.headers
    problem(theirs, 403, "forbidden")


def test_a_star_gives_away_no_session_of_an_address_or_cookie(star, make_api):
    """What a browser sends by itself says nothing of what the page may do."""
    api = make_api(star, key="")
    for headers in (of(EVIL), of(EVIL, Cookie="app_session=mine")):
        answer = api.post("/tasks", {"name": "n"}, headers=headers)
        problem(answer, 403, "forbidden")
        assert answer.headers[ALLOW] == "*"


def test_with_a_star_any_page_may_use_a_key_that_it_has(star, make_api):
    api = make_api(star, key="")
    answer = api.post("/tasks", {"name": "n"}, headers=of(EVIL, **{"X-App-Session": "a-page"}))
    assert answer.status_code == 201 and answer.headers[ALLOW] == "*"
    assert answer.headers["vary"] == "Origin"
    answer = api.get("/tasks", headers=of(EVIL, **{"x-api-key": ADMIN}))
    assert answer.status_code == 200 and answer.headers[ALLOW] == "*"


def test_a_server_without_keys_gives_no_page_the_local_user(keyless, make_api):
    api = make_api(keyless, key="")
    for origin in (APP, EVIL):
        for method, path in (("GET", "/queues"), ("POST", "/claims"), ("GET", "/workers")):
            answer = api.send(method, path, raw=b"{}" if method == "POST" else None,
                              headers=of(origin))
            problem(answer, 403, "forbidden")
            assert answer.headers[ALLOW] == (origin if origin == APP else "*")


def test_a_server_without_keys_serves_sessions_to_pages_under_its_own_name_only(keyless, make_api):
    api = make_api(keyless, key="")
    page = of(APP, **{"X-App-Session": fresh_name("page")})
    assert api.post("/tasks", {"name": "n"}, headers=page).status_code == 201
    answer = api.get("/tasks", headers={**page, "Host": "rebound.example"})
    problem(answer, 403, "forbidden")


# --- the setting ----------------------------------------------------------------------------------

@pytest.mark.parametrize("value", ["app.example", "https://app.example/", "null",
                                   "https://*.example", "https://app.example:443"])
def test_what_is_no_origin_keeps_the_server_from_starting(tmp_path, store, value):
    with pytest.raises(AssertionError, match="--cors-origins"):
        Server(tmp_path, store=store, cors_origins=value).start()
