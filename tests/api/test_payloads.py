"""Payloads and results are kept byte for byte; JSONTestSuite's y_ cases go in and come out."""

import json

import pytest

from lib.client import raw_payload, raw_result

# Valid JSON, after the y_ files of JSONTestSuite, and what a re-serialising server would spoil.
VALUES = {
    "a large integer": b"123456789012345678901234567890",
    "an integer past 2^53": b"9007199254740993",
    "a real with a long fraction": b"0.1000000000000000055511151231257827021181583404541015625",
    "trailing zeros": b"1.50000",
    "minus zero": b"-0",
    "minus zero point zero": b"-0.0",
    "a capital exponent": b"1E22",
    "an exponent with plus": b"1e+2",
    "an exponent with zeros": b"1E-02",
    "a real exponent": b"123.456e78",
    "a huge exponent": b"1e9999",
    "a tiny exponent": b"123e-10000000",
    "zero to a power": b"0e1",
    "whitespace inside an object": b'{ "a" :\t1 ,\r\n "b" : [ 1 , 2 ] }',
    "whitespace in an empty array": b"[ ]",
    "whitespace in an empty object": b"{\n}",
    "an empty key": b'{"":0}',
    "duplicated keys inside": b'{"a":"b","a":"c"}',
    "duplicated keys and values": b'{"a":"b","a":"b"}',
    "keys in their order": b'{"z":1,"y":2,"a":3}',
    "an escaped NUL in a key": b'{"foo\\u0000bar": 42}',
    "an escaped NUL": b'"\\u0000"',
    "an escaped solidus": b'"\\/"',
    "a bare solidus": b'"/"',
    "all escapes": b'"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    "escapes in both cases": b'"\\u00e9\\u00E9"',
    "a double escape": b'"\\\\u0000"',
    "a surrogate pair": b'"\\uD801\\udc37"',
    "two surrogate pairs": b'"\\ud83d\\ude39\\ud83d\\udc8d"',
    "an escaped noncharacter": b'"\\uFFFF"',
    "a noncharacter pair": b'"\\uD83F\\uDFFE"',
    "a noncharacter raw": "\U0010ffff\uffff".encode().join((b'"', b'"')),
    "raw UTF-8": '"€𝄞ñ中"'.encode(),
    "a byte order mark inside": '"\ufeff"'.encode(),
    "line separators raw": '"\u2028\u2029"'.encode(),
    "DEL raw": b'"\x7f"',
    "a comment in a string": b'"a/*b*/c/*d//e"',
    "a lonely true": b"true",
    "a lonely false": b"false",
    "a lonely null": b"null",
    "an empty string": b'""',
    "a string with a brace": b'"},{\\"payload\\":1"',
    "null in an array": b"[null, 1, \"1\", {}]",
    "several nulls": b"[1,null,null,null,2]",
    "a long string": b'"' + b"x" * 100_000 + b'"',
    "a wide array": b"[" + b",".join([b"1"] * 20_000) + b"]",
    "sixty-two arrays deep": b"[" * 62 + b"]" * 62,
}


@pytest.fixture(params=VALUES, ids=lambda name: name.replace(" ", "_"))
def value(request):
    return VALUES[request.param]


def test_a_payload_is_kept_byte_for_byte(api, value):
    response = api.post("/tasks", raw=b'{"type":"%s","payload":%s}' % (api.type.encode(), value))
    task = api.expect(response, 201)["task"]
    assert raw_payload(response.content) == value
    assert raw_payload(api.get(f"/tasks/{task['id']}").content) == value
    claims = api.post("/claims", {"types": [api.type], "workerId": "w"})
    assert raw_payload(claims.content) == value


def test_a_result_is_kept_byte_for_byte(api, value):
    task = api.running()
    body = b'{"leaseToken":"%s","result":%s}' % (task["leaseToken"].encode(), value)
    api.expect(api.act(task, "complete", raw=body))
    assert raw_result(api.get(f"/tasks/{task['id']}").content) == value


def test_whitespace_around_a_payload_is_not_part_of_it(api):
    raw = b'{"type" : "%s" ,\n "payload" : \t{ "a":1 } \r\n}' % api.type.encode()
    response = api.post("/tasks", raw=raw)
    assert raw_payload(response.content) == b'{ "a":1 }'


def test_whitespace_around_the_body_is_allowed(api):
    raw = b' \t\r\n{"type":"%s"}\n\n ' % api.type.encode()
    assert api.post("/tasks", raw=raw).status_code == 201


def test_a_list_with_payloads_keeps_their_bytes(api):
    raw = b'{ "n":\t1.0e0 }'
    api.expect(api.post("/tasks", raw=b'{"type":"%s","payload":%s}' % (api.type.encode(), raw)),
               201)
    listed = api.get("/tasks", params={"type": api.type, "include": "payload,result"})
    assert raw_payload(listed.content) == raw


def test_payloads_of_an_array_are_kept_each_with_its_own_bytes(api):
    values = [b"1.0", b'{ "a" : "b" }', b"[ 1,2]", b"null"]
    items = b",".join(b'{"type":"%s","payload":%s}' % (api.type.encode(), v) for v in values)
    tasks = api.expect(api.post("/tasks", raw=b"[" + items + b"]"), 201)["tasks"]
    for task, sent in zip(tasks, values):
        assert raw_payload(api.get(f"/tasks/{task['id']}").content) == sent


def test_results_of_a_batch_are_kept_each_with_its_own_bytes(api):
    api.create_many([{}, {}])
    tasks = api.claim(limit=2)
    values = [b"1.50", b'{ "k" : [ ] }']
    items = b",".join(b'{"id":"%s","leaseToken":"%s","result":%s}'
                      % (t["id"].encode(), t["leaseToken"].encode(), v)
                      for t, v in zip(tasks, values))
    api.expect(api.post("/completions", raw=b'{"items":[' + items + b"]}"))
    for task, sent in zip(tasks, values):
        assert raw_result(api.get(f"/tasks/{task['id']}").content) == sent


def test_a_completion_without_a_result_has_the_result_null(api):
    task = api.running()
    api.expect(api.move(task, "complete"))
    assert api.task(task)["result"] is None


def test_tags_and_metadata_are_kept_byte_for_byte(api):
    tags, metadata = b'{ "b":"2" , "a":"1" }', b'{"n": 1.0, "m":[ ]}'
    raw = b'{"type":"%s","tags":%s,"metadata":%s}' % (api.type.encode(), tags, metadata)
    response = api.post("/tasks", raw=raw)
    task = api.expect(response, 201)["task"]
    for content in (response.content, api.get(f"/tasks/{task['id']}").content):
        assert b'"tags":' + tags + b',"metadata":' + metadata + b"," in content


def test_the_error_detail_of_a_failure_comes_back_whole(api):
    task = api.running(maxAttempts=1)
    detail = {"stack": ["a", "b"], "n": 1.5, "ü": None}
    failed = api.fail(task, {"code": "disk", "message": "It broke.", "detail": detail})
    assert failed["error"] == {"code": "disk", "message": "It broke.", "detail": detail}
    assert json.loads(api.get(f"/tasks/{task['id']}").content)["task"]["error"]["detail"] == detail
