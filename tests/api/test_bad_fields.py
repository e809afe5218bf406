"""Fields of a wrong type, out of range, unknown, too long: named by a pointer, nothing changed."""

import pytest

from lib.client import problem

pytestmark = pytest.mark.usefixtures("alive_after")

STRING, INTEGER, OBJECT, BOOLEAN = "string", "integer", "object", "boolean"
FIELDS = {
    "type": STRING, "name": STRING, "description": STRING, "queue": STRING, "projectId": STRING,
    "subject": STRING, "uniqueKey": STRING, "priority": INTEGER, "runAt": INTEGER,
    "delayMs": INTEGER, "maxAttempts": INTEGER, "leaseMs": INTEGER, "timeoutMs": INTEGER,
    "expiresAt": INTEGER, "version": INTEGER, "backoff": OBJECT, "tags": OBJECT,
    "metadata": OBJECT, "autoStart": BOOLEAN,
}
VALUES = {STRING: "text", INTEGER: 5000, OBJECT: {"a": "b"}, BOOLEAN: True, "array": [1],
          "fraction": 1.5, "numeric string": "5"}


def wrong_types():
    for field, kind in FIELDS.items():
        for value_kind, value in VALUES.items():
            fits = value_kind == kind or (kind == STRING and value_kind == "numeric string")
            if not fits:
                yield pytest.param(field, value, id=f"{field}_as_{value_kind.replace(' ', '_')}")


@pytest.mark.parametrize("field, value", wrong_types())
def test_a_field_of_the_wrong_type_is_pointed_at(api, field, value):
    body = {"type": api.type, field: value}
    problem(api.post("/tasks", body), 422, "invalid_field", f"/{field}")
    assert api.list() == []


@pytest.mark.parametrize("number", [
    2**53, -(2**53), 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**30])
@pytest.mark.parametrize("field", ["priority", "version", "runAt", "maxAttempts", "leaseMs"])
def test_an_integer_past_two_to_the_53_is_pointed_at(api, field, number):
    problem(api.post("/tasks", api.fields(**{field: number})), 422, "invalid_field", f"/{field}")


@pytest.mark.parametrize("text", [b"1e400", b"-1e400", b"1e19", b"0.1", b"1e-5", b"5.00001",
                                  b"1E+99", b"9" * 400])
@pytest.mark.parametrize("field", ["priority", "version", "delayMs"])
def test_a_number_that_is_no_small_integer_is_pointed_at(api, field, text):
    raw = b'{"type":"%s","%s":%s}' % (api.type.encode(), field.encode(), text)
    problem(api.post("/tasks", raw=raw), 422, "invalid_field", f"/{field}")


@pytest.mark.parametrize("field, value", [
    ("type", ""), ("type", "a b"), ("type", "ü"), ("type", "x" * 129), ("type", "a\tb"),
    ("type", "a,b"), ("type", "a*"), ("type", None),
    ("queue", ""), ("queue", "a b"), ("queue", "x" * 129), ("queue", "né"),
    ("name", "n" * 201), ("name", "ü" * 101), ("description", "d" * 2001),
    ("projectId", "p" * 201), ("subject", "s" * 201), ("uniqueKey", "u" * 201),
    ("priority", 1_000_001), ("priority", -1_000_001),
    ("maxAttempts", 0), ("maxAttempts", -1), ("maxAttempts", 1001),
    ("leaseMs", 999), ("leaseMs", 86_400_001), ("timeoutMs", -1), ("delayMs", -1),
    ("runAt", -1), ("expiresAt", -1),
    ("tags", {"t": "v" * 4096}), ("tags", {f"t{n}": "v" for n in range(33)}),
    ("metadata", {"m": "x" * 16384}),
])
def test_a_value_out_of_range_is_pointed_at(api, field, value):
    response = api.post("/tasks", {"type": api.type, field: value})
    problem(response, 422, "invalid_field", f"/{field}")
    assert api.list() == []


@pytest.mark.parametrize("tags, pointer", [
    ({"a": 1}, "/tags/a"), ({"a": None}, "/tags/a"), ({"a": ["b"]}, "/tags/a"),
    ({"a": {"b": "c"}}, "/tags/a"), ({"x/y": 1}, "/tags/x~1y"), ({"x~y": 1}, "/tags/x~0y")])
def test_a_tag_that_is_no_string_is_pointed_at(api, tags, pointer):
    problem(api.post("/tasks", api.fields(tags=tags)), 422, "invalid_field", (pointer, "/tags"))


@pytest.mark.parametrize("field", [
    "name", "description", "projectId", "subject", "uniqueKey", "type", "queue"])
def test_a_nul_in_a_text_is_pointed_at(api, field):
    raw = b'{"type":"%s","%s":"a\\u0000b"}' % (api.type.encode(), field.encode())
    if field == "type":
        raw = b'{"type":"a\\u0000b"}'
    problem(api.post("/tasks", raw=raw), 422, "invalid_field", f"/{field}")


@pytest.mark.parametrize("verb, fields, pointer", [
    ("fail", {"error": "a\0"}, "/error"), ("fail", {"error": {"message": "\0"}}, "/error/message"),
    ("fail", {"error": {"code": "\0"}}, "/error/code"),
    ("progress", {"currentStep": "\0"}, "/currentStep"),
    ("progress", {"currentStepDescription": "\0"}, "/currentStepDescription"),
    ("logs", {"text": "\0"}, "/text"), ("cancel", {"reason": "\0"}, "/reason")])
def test_a_nul_in_what_a_worker_says_is_pointed_at(api, verb, fields, pointer):
    task = api.running()
    token = {} if verb == "cancel" else {"leaseToken": task["leaseToken"]}
    problem(api.act(task, verb, {**token, **fields}), 422, "invalid_field", pointer)
    assert api.task(task)["revision"] == task["revision"]


def test_a_nul_in_a_tag_is_refused(api):
    for tags in (b'{"a":"x\\u0000"}', b'{"a\\u0000":"x"}'):
        raw = b'{"type":"%s","tags":%s}' % (api.type.encode(), tags)
        body = problem(api.post("/tasks", raw=raw), 422, "invalid_field")
        assert body["errors"][0]["pointer"].startswith("/tags")


def test_a_nul_in_a_key_of_the_envelope_is_refused(api):
    raw = b'{"type":"%s","name\\u0000":"x"}' % api.type.encode()
    problem(api.post("/tasks", raw=raw), 422, "invalid_field")


@pytest.mark.parametrize("name, pointer", [
    ("nonsense", "/nonsense"), ("Type", "/Type"), ("task_type", "/task_type"), ("", "/"),
    ("a/b", "/a~1b"), ("a~b", "/a~0b"), ("status", "/status"), ("id", "/id"),
    ("result", "/result"), ("progress", "/progress"), ("tenantId", "/tenantId"),
    ("attempt", "/attempt"), ("dependsOn", "/dependsOn"), ("callbackUrl", "/callbackUrl"),
    ("größe", "/größe"), ("__proto__", "/__proto__")])
def test_an_unknown_field_is_named(api, name, pointer):
    body = problem(api.post("/tasks", api.fields(**{name: 1})), 422, "invalid_field", pointer)
    assert name in body["detail"] or pointer in str(body["errors"])
    assert api.list() == []


def test_a_very_long_unknown_field_is_refused_all_the_same(api):
    problem(api.post("/tasks", api.fields(**{"n" * 5000: 1})), 422, "invalid_field")
    problem(api.post("/tasks", api.fields(**{"ü" * 1000: 1})), 422, "invalid_field")


def test_several_bad_fields_are_all_pointed_at(api):
    body = problem(api.post("/tasks", api.fields(priority="x", maxAttempts=0, name=5)), 422,
                   "invalid_field")
    pointers = {field["pointer"] for field in body["errors"]}
    assert pointers <= {"/priority", "/maxAttempts", "/name"} and pointers


def test_a_missing_type_is_pointed_at(api):
    problem(api.post("/tasks", {"payload": 1}), 422, "invalid_field", "/type")
    problem(api.post("/tasks", {}), 422, "invalid_field", "/type")


@pytest.mark.parametrize("verb, fields, pointer", [
    ("heartbeat", {"extra": 1}, "/extra"),
    ("heartbeat", {"leaseToken": 5}, "/leaseToken"),
    ("heartbeat", {"leaseToken": None}, "/leaseToken"),
    ("progress", {"progress": 5, "step": "x"}, "/step"),
    ("progress", {"progress": 5, "currentStep": 7}, "/currentStep"),
    ("progress", {"progress": 5, "currentStep": "s" * 129}, "/currentStep"),
    ("progress", {"progress": 5, "currentStepDescription": "d" * 2001},
     "/currentStepDescription"),
    ("complete", {"output": 1}, "/output"),
    ("complete", {"claim": 5}, "/claim"),
    ("fail", {"error": 5}, "/error"),
    ("fail", {"error": []}, "/error"),
    ("fail", {"error": {"code": 5}}, "/error/code"),
    ("fail", {"error": {"message": {}}}, "/error/message"),
    ("fail", {"error": {"reason": "x"}}, "/error/reason"),
    ("fail", {"error": "m" * 2001}, "/error"),
    ("fail", {"error": {"message": "m", "detail": "d" * 20_000}}, "/error/detail"),
    ("fail", {"error": "x", "retry": "yes"}, "/retry"),
    ("fail", {"error": "x", "retryDelayMs": -1}, "/retryDelayMs"),
    ("fail", {"error": "x", "retryDelayMs": "1s"}, "/retryDelayMs"),
    ("release", {"delayMs": -1}, "/delayMs"),
    ("release", {"delayMs": 400 * 24 * 3600 * 1000 + 1}, "/delayMs"),
    ("release", {"reason": "x"}, "/reason"),
    ("claim", {"limit": 1}, "/limit"),
])
def test_a_bad_move_is_pointed_at_and_changes_nothing(api, verb, fields, pointer):
    task = api.running()
    body = {"leaseToken": task["leaseToken"], **fields}
    if verb == "claim":
        body = {"workerId": "w", **fields}
    problem(api.act(task, verb, body), 422, "invalid_field", pointer)
    assert api.task(task)["revision"] == task["revision"]


def test_a_text_at_its_limit_counts_bytes_of_utf_8(api):
    assert api.create(name="ü" * 100)["name"] == "ü" * 100
    problem(api.post("/tasks", api.fields(name="ü" * 100 + "x")), 422, "invalid_field", "/name")


def test_tags_and_metadata_at_their_limits_are_kept(api):
    tags = {f"t{n}": "v" for n in range(32)}
    metadata = {"m": "x" * 16_000}
    task = api.task(api.create(tags=tags, metadata=metadata))
    assert task["tags"] == tags and task["metadata"] == metadata
