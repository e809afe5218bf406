"""Clean HTTP and clean JSON, and still not for us: ids, methods, routes, media types, sizes."""

import pytest

from lib.client import problem
from lib.nodes import server_or_nodes
from lib.rawhttp import exchange, request_bytes

pytestmark = pytest.mark.usefixtures("alive_after")

GOOD_ID = "01890000-0000-7000-8000-000000000000"
BAD_IDS = [
    "x", "0", "1", "null", "undefined", "-1", GOOD_ID[:-1], GOOD_ID + "0", GOOD_ID.replace("-", ""),
    "{" + GOOD_ID + "}", "g" + GOOD_ID[1:], "%00", "%ff", "%zz", "..", "%2e%2e", "%2Fetc%2Fpasswd",
    "' or 1=1 --", "a" * 2000, "ü", "*", "batch",
]


@pytest.mark.parametrize("bad", BAD_IDS)
def test_a_bad_id_is_absent(api, bad):
    for method, suffix in (("GET", ""), ("GET", "/status"), ("POST", "/cancel"), ("DELETE", "")):
        response = api.send(method, f"/tasks/{bad}{suffix}")
        assert response.status_code in (400, 404, 405, 414), (method, response.text)
        problem(response, response.status_code, response.json()["code"])


def test_an_unknown_id_is_absent_on_every_route(api):
    for suffix in ("", "/status", "/events", "/attempts", "/logs", "/explain"):
        problem(api.get(f"/tasks/{GOOD_ID}{suffix}"), 404, "not_found")
    for verb, body in (("start", {}), ("cancel", {}), ("retry", {}), ("claim", {"workerId": "w"})):
        problem(api.act(GOOD_ID, verb, body), 404, "not_found")
    token = api.running()["leaseToken"]
    for verb, body in (("heartbeat", {}), ("progress", {"progress": 1}), ("logs", {"text": "x"}),
                       ("complete", {}), ("fail", {"error": "x"}), ("release", {})):
        problem(api.act(GOOD_ID, verb, {"leaseToken": token, **body}), 404, "not_found")
    problem(api.patch(f"/tasks/{GOOD_ID}", {"priority": 1}), 404, "not_found")
    problem(api.delete(f"/tasks/{GOOD_ID}"), 404, "not_found")


def test_an_id_may_be_written_in_capitals(api):
    task = api.create()
    assert api.task(task["id"].upper())["id"] == task["id"]


@pytest.mark.parametrize("path", [
    "/nothing", "/tasks/", "/tasks//", "/task", "/Tasks", "/tasks/stats/x", "/claims/x",
    f"/tasks/{GOOD_ID}/nothing", f"/tasks/{GOOD_ID}/status/x", "/queues//pause", "/job",
    "//api/v2/tasks", "//api", "//api/v1", "//nothing", "//health/x", "//..%2f..%2fetc/passwd",
    "//api/v1/../v1/tasks"])
def test_an_unknown_route_is_absent(server, path):
    target = path[1:] if path.startswith("//") else "/api/v1" + path
    got = exchange(server, request_bytes("GET", target))
    assert got.statuses == [404], target
    assert b'"code":"not_found"' in got.replies[0].body.replace(b" ", b"")


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/tasks", {"GET", "POST"}),
    ("PUT", "/tasks", {"GET", "POST"}),
    ("POST", "/tasks/stats", {"GET"}),
    ("DELETE", "/tasks/stats", {"GET"}),
    ("PUT", "/tasks/pending", {"GET"}),
    ("POST", f"/tasks/{GOOD_ID}", {"GET", "PUT", "PATCH", "DELETE"}),
    ("GET", f"/tasks/{GOOD_ID}/cancel", {"POST"}),
    ("PUT", f"/tasks/{GOOD_ID}/status", {"GET", "PATCH"}),
    ("DELETE", f"/tasks/{GOOD_ID}/logs", {"GET", "POST"}),
    ("GET", f"/tasks/{GOOD_ID}/complete", {"POST"}),
    ("GET", "/claims", {"POST"}),
    ("PATCH", "/completions", {"POST"}),
    ("POST", "/queues", {"GET"}),
    ("GET", "/queues/default/pause", {"POST"}),
    ("POST", "/types/x", {"GET", "PUT"}),
    ("DELETE", "/workers", {"GET"}),
    ("POST", "/events", {"GET"}),
    ("GET", "/keys/x", {"DELETE"}),
    ("POST", "//health", {"GET"}),
    ("PROPFIND", "/tasks", {"GET", "POST"}),
    ("TRACE", "/tasks", {"GET", "POST"}),
])
def test_a_wrong_method_is_refused_with_the_allowed_ones(api, method, path, allowed):
    response = api.send(method, path)
    problem(response, 405, "method_not_allowed")
    listed = {one.strip() for one in response.headers["allow"].split(",")}
    assert allowed <= listed <= allowed | {"HEAD", "OPTIONS"}


@pytest.mark.parametrize("content_type", [
    "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data",
    "application/octet-stream", "application/jsonx", "text/json", "json",
    "application/json-patch+json"])
def test_another_media_type_is_refused(api, content_type):
    for path in ("/tasks", "/claims"):
        response = api.post(path, api.fields() if path == "/tasks" else {"workerId": "w"},
                            headers={"Content-Type": content_type})
        problem(response, 415, "unsupported_media_type")
    assert api.list() == []


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip", "x"])
def test_a_compressed_body_is_refused(api, coding):
    response = api.post("/tasks", api.fields(), headers={"Content-Encoding": coding})
    problem(response, 415, "unsupported_media_type")


# --- sizes ----------------------------------------------------------------------------------------

def padded(api, size):
    """A create request whose body has exactly `size` bytes."""
    empty = b'{"type":"%s","payload":""}' % api.type.encode()
    return empty[:-2] + b"x" * (size - len(empty)) + empty[-2:]


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(api):
    limit = 1 << 20
    api.expect(api.post("/tasks", raw=padded(api, limit)), 201)
    problem(api.post("/tasks", raw=padded(api, limit + 1)), 413, "body_too_large")
    assert len(api.list()) == 1


@pytest.fixture(scope="module")
def narrow(tmp_path_factory, store):
    running = server_or_nodes(tmp_path_factory.mktemp("narrow"), store, body_max=4096).start()
    yield running
    running.stop()


def test_the_limit_of_a_body_can_be_set(narrow, make_api):
    api = make_api(narrow)
    api.expect(api.post("/tasks", raw=padded(api, 4096)), 201)
    problem(api.post("/tasks", raw=padded(api, 4097)), 413, "body_too_large")


def test_the_limit_holds_for_a_chunked_body_too(narrow, make_api):
    api = make_api(narrow)

    def chunked(size):
        body = padded(api, size)
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                          for part in (body[n:n + 1000] for n in range(0, len(body), 1000)))
        head = request_bytes("POST", "/api/v1/tasks", headers=[
            b"Content-Type: application/json", b"Transfer-Encoding: chunked"])
        return head + pieces + b"0\r\n\r\n"

    assert exchange(narrow, chunked(4096)).statuses == [201]
    got = exchange(narrow, chunked(4097))
    assert got.statuses == [413] and got.closed


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_read(narrow):
    head = (b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 4097\r\n\r\n")
    got = exchange(narrow, head)  # not one byte of the body is sent
    assert got.statuses == [413] and got.closed


def test_a_result_that_is_too_large_completes_nothing(narrow, make_api):
    api = make_api(narrow)
    task = api.running()
    problem(api.move(task, "complete", result="x" * 5000), 413, "body_too_large")
    assert api.task(task)["status"] == "running"


@pytest.mark.parametrize("query", [
    "?nonsense=1", "?waitMs", "?%ff=1", "?waitMs=%zz", "?=1",
    "?waitMs=1;limit=2"])
def test_a_bad_query_on_a_create_is_refused(api, query):
    response = api.post(f"/tasks{query}", api.fields())
    assert response.status_code in (400, 422), response.text
    problem(response, response.status_code, response.json()["code"])
    assert api.list() == []


@pytest.mark.parametrize("path", ["/tasks/stats", "/queues", "/types", "/workers", "/keys"])
def test_an_unknown_query_parameter_is_named(api, path):
    problem(api.get(path, params={"colour": "red"}), 422, "invalid_field", "?colour")


def test_a_mistyped_query_parameter_is_told_with_the_right_one(api):
    answer = problem(api.get("/tasks", params={"stauts": "failed"}), 422, "invalid_field")
    assert answer["detail"].endswith("did you mean status?")


@pytest.mark.parametrize("name, value", [
    ("Prefer", "wait=-1"), ("Prefer", "wait=x"), ("Prefer", "wait=99999999999999999999"),
    ("Prefer", "=;,=,"), ("If-None-Match", "nonsense"), ("Idempotency-Key", '"open'),
    ("X-Request-Id", "x" * 3000), ("X-Request-Id", "\"<script>"), ("Accept", "text/html")])
def test_an_odd_header_does_no_harm(api, name, value):
    response = api.post("/tasks", api.fields(), headers={name: value})
    assert response.status_code in (201, 400, 422), response.text
    assert "<script>" not in response.headers["x-request-id"]
    assert len(response.headers["x-request-id"]) <= 200
