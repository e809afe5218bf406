"""Bodies that are not JSON, or nearly: after JSONTestSuite's n_ and i_ cases, over the API."""

import json
import random

import pytest

from lib.client import problem

pytestmark = pytest.mark.usefixtures("alive_after")

# What must never be taken as a JSON value. Each is tried as the whole body and as a payload.
NOT_JSON = {
    "nothing but blanks": b"  \t\n",
    "a lone bracket": b"[",
    "a lone closing bracket": b"]",
    "a lone brace": b"{",
    "a lone quote": b'"',
    "a comma": b",",
    "an array with an extra comma": b"[1,]",
    "an array with two commas": b"[1,,2]",
    "an array with a leading comma": b"[,1]",
    "an array without a comma": b'["a" 1]',
    "an array with a colon": b'["": 1]',
    "an array closed twice": b"[1]]",
    "an array never closed": b"[1, 2",
    "an array closed by a brace": b"[1}",
    "an array with a lone minus": b"[-]",
    "an array with an inner star": b"[*]",
    "an array with a newline in a string": b'["a\nb"]',
    "an object with a trailing comma": b'{"a":1,}',
    "an object with two commas": b'{"a":1,,"b":2}',
    "an object with a bare key": b"{a:1}",
    "an object with a single-quoted key": b"{'a':1}",
    "an object with a number key": b"{1:1}",
    "an object with a null key": b"{null:1}",
    "an object without a colon": b'{"a" 1}',
    "an object with two colons": b'{"a"::1}',
    "an object without a value": b'{"a":',
    "an object with a key only": b'{"a"}',
    "an object with a lone string": b'{"a":"a" 123}',
    "an object closed twice": b'{"a":1}}',
    "an object with an open value": b'{"a":"a',
    "an object with a comment": b'{"a":1}/**/',
    "an object with a line comment": b'{"a":1}//',
    "an object with a hash comment": b'{"a":1}#',
    "something after the value": b'{"a":1} x',
    "two values": b"{} {}",
    "an emoji in an object": "{\U0001f1e8\U0001f1ed}".encode(),
    "a leading byte order mark": b'\xef\xbb\xbf{"a":1}',
    "a lone byte order mark": b"\xef\xbb\xbf",
    "UTF-16 little endian": '{"a":1}'.encode("utf-16"),
    "UTF-16 big endian": '{"a":1}'.encode("utf-16-be"),
    "a leading zero": b"[012]",
    "a negative leading zero": b"[-012]",
    "a double minus": b"[--1]",
    "a plus": b"[+1]",
    "a plus and minus": b"[+-1]",
    "a dot at the end": b"[1.]",
    "a dot at the start": b"[.5]",
    "a minus dot": b"[-.5]",
    "a dot before e": b"[0.e1]",
    "an exponent without digits": b"[1e]",
    "an exponent with a sign only": b"[1e+]",
    "an exponent with a fraction": b"[1e1.5]",
    "two exponents": b"[1e2e3]",
    "two dots": b"[1.2.3]",
    "a hexadecimal number": b"[0x1F]",
    "an octal number": b"[0o17]",
    "an infinity": b"[Infinity]",
    "a negative infinity": b"[-Infinity]",
    "a NaN": b"[NaN]",
    "a lower nan": b"[nan]",
    "a number with a letter": b"[1a]",
    "a number with a blank": b"[1 000]",
    "a number with an underscore": b"[1_000]",
    "a full-width digit": "[\uff11]".encode(),
    "a capitalised True": b"[True]",
    "an upper NULL": b"[NULL]",
    "a cut true": b"[tru]",
    "a cut false": b"[fals]",
    "a cut null": b"[nul]",
    "an undefined": b"[undefined]",
    "a literal with a tail": b"[truely]",
    "a single-quoted string": b"['a']",
    "a string with a raw tab": b'["a\tb"]',
    "a string with a raw NUL": b'["a\x00b"]',
    "a string with a raw control": b'["a\x1fb"]',
    "a string never closed": b'["abc',
    "a string ending in a backslash": b'["abc\\',
    "a bad escape": b'["\\a"]',
    "a hexadecimal escape": b'["\\x41"]',
    "an escaped single quote": b"[\"\\'\"]",
    "a cut unicode escape": b'["\\u00A"]',
    "a cut unicode escape at the end": b'["\\u00',
    "a unicode escape with a bad digit": b'["\\u00G0"]',
    "an upper unicode escape": b'["\\U0041"]',
    "an emoji escaped by a backslash": '["\\\U0001f300"]'.encode(),
    "a lone high surrogate": b'["\\uD800"]',
    "a lone low surrogate": b'["\\uDC00"]',
    "two high surrogates": b'["\\uD800\\uD800"]',
    "surrogates in the wrong order": b'["\\uDD1E\\uD834"]',
    "a high surrogate and a letter": b'["\\uD800a"]',
    "a high surrogate and a cut escape": b'["\\uD800\\u1x"]',
    "a high surrogate and an escape": b'["\\uD800\\n"]',
    "a lone continuation byte": b'["\x81"]',
    "a cut two-byte sequence": b'["\xc3"]',
    "a cut three-byte sequence": b'["\xe2\x82"]',
    "a cut four-byte sequence": b'["\xf0\x9f\x92"]',
    "an overlong slash of two": b'["\xc0\xaf"]',
    "an overlong slash of three": b'["\xe0\x80\xaf"]',
    "an overlong NUL": b'["\xc0\x80"]',
    "an overlong of four": b'["\xf0\x80\x80\xaf"]',
    "a raw surrogate": b'["\xed\xa0\x80"]',
    "a code point past the last": b'["\xf4\x90\x80\x80"]',
    "a byte that UTF-8 never has": b'["\xff"]',
    "a byte FE": b'["\xfe\xff"]',
    "a Latin-1 byte": b'["\xe9"]',
    "bad UTF-8 outside a string": b"[\xe5]",
    "bad UTF-8 after a value": b"[1]\xe5",
    "a no-break space": b"[\xc2\xa01]",
    "a form feed": b"[\x0c1]",
    "a vertical tab": b"[\x0b1]",
    "a line separator as a blank": b"[\xe2\x80\xa81]",
    "a word joiner": b"[\xe2\x81\xa0]",
    "a NUL after a number": b"[1\x00]",
    "sixty-five arrays deep": b"[" * 65 + b"]" * 65,
    "a hundred thousand arrays deep": b"[" * 100_000,
    "a hundred thousand arrays in objects": b'[{"":' * 50_000,
    "a tag": b"<null>",
    "a form": b"a=1&b=2",
    "a URL": b"http://example.com/",
}


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=[n.replace(" ", "_") for n in NOT_JSON])
def test_a_body_that_is_not_json_is_refused_whole(api, text):
    for path in ("/tasks", "/claims", "/completions"):
        body = problem(api.post(path, raw=text), 400, "malformed_json")
        assert "line" in body["detail"] and "column" in body["detail"]


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=[n.replace(" ", "_") for n in NOT_JSON])
def test_a_payload_that_is_not_json_is_refused_and_nothing_changes(api, text):
    raw = b'{"type":"%s","payload":%s}' % (api.type.encode(), text)
    problem(api.post("/tasks", raw=raw), 400, "malformed_json")
    assert api.list() == []


@pytest.mark.parametrize("text", [b"[1,]", b'"\xff"', b'"\\uD800"', b"[" * 65 + b"]" * 65])
def test_a_result_that_is_not_json_completes_nothing(api, text):
    task = api.running()
    raw = b'{"leaseToken":"%s","result":%s}' % (task["leaseToken"].encode(), text)
    problem(api.act(task, "complete", raw=raw), 400, "malformed_json")
    assert api.task(task)["status"] == "running"


@pytest.mark.parametrize("raw, line, column", [
    (b"[1,]", 1, 4), (b'{"a":1,\n "b" 2}', 2, 6), (b"\n\n  x", 3, 3)])
def test_the_detail_says_where_it_stops_being_json(api, raw, line, column):
    detail = problem(api.post("/tasks", raw=raw), 400, "malformed_json")["detail"]
    assert f"line {line}" in detail and f"column {column}" in detail, detail


@pytest.mark.parametrize("path", ["/tasks", "/completions"])
def test_an_empty_body_where_one_is_needed_is_refused(api, path):
    problem(api.post(path), 400, "malformed_json")


@pytest.mark.parametrize("raw", [b"null", b"true", b"5", b'"text"'])
@pytest.mark.parametrize("path", ["/tasks", "/claims", "/completions"])
def test_json_of_the_wrong_shape_is_an_invalid_field(api, path, raw):
    problem(api.post(path, raw=raw), 422, "invalid_field")


def test_sixty_four_levels_are_allowed_and_sixty_five_are_not(api):
    def send(levels):  # the envelope is the first level
        deep = b"[" * (levels - 1) + b"]" * (levels - 1)
        return api.post("/tasks", raw=b'{"type":"%s","payload":%s}' % (api.type.encode(), deep))

    api.expect(send(64), 201)
    problem(send(65), 400, "malformed_json")


@pytest.mark.parametrize("raw", [
    b'{"type":"%s","type":"%s"}', b'{"type":"%s","payload":1,"\\u0074ype":"%s"}'])
def test_a_duplicate_key_in_the_envelope_is_refused(api, raw):
    name = api.type.encode()
    response = api.post("/tasks", raw=raw % (name, name))
    problem(response, 422, "invalid_field")
    assert api.list() == []


@pytest.mark.parametrize("raw, pointer", [
    (b'{"types":["%s"],"workerId":"a","workerId":"b"}', "/workerId"),
    (b'{"types":["%s"],"types":[],"workerId":"a"}', "/types")])
def test_a_duplicate_key_in_a_claim_is_refused(api, raw, pointer):
    problem(api.post("/claims", raw=raw % api.type.encode()), 422, "invalid_field", pointer)


def test_a_duplicate_key_in_a_nested_envelope_is_refused(api):
    raw = b'{"type":"%s","backoff":{"delayMs":1,"delayMs":2}}' % api.type.encode()
    problem(api.post("/tasks", raw=raw), 422, "invalid_field", "/backoff/delayMs")


def test_a_duplicate_tag_is_refused(api):
    raw = b'{"type":"%s","tags":{"a":"1","a":"2"}}' % api.type.encode()
    body = problem(api.post("/tasks", raw=raw), 422, "invalid_field")
    assert body["errors"][0]["pointer"].startswith("/tags")


def test_random_bytes_never_disturb_the_server(api, random_seed):
    dice = random.Random(random_seed)
    for _ in range(300):
        noise = dice.randbytes(dice.randrange(1, 200))
        response = api.post(dice.choice(["/tasks", "/claims", "/completions"]), raw=noise)
        assert response.status_code in (400, 422), noise


def test_cut_and_flipped_bodies_are_answered_and_never_disturb_the_server(api, random_seed):
    dice = random.Random(random_seed)
    good = json.dumps(api.fields(payload={"a": [1, "ü", None]}, tags={"t": "v"}, priority=3,
                                 backoff={"type": "fixed", "delayMs": 5})).encode()
    for cut in range(len(good)):
        problem(api.post("/tasks", raw=good[:cut]), 400, "malformed_json")
    for _ in range(300):
        body = bytearray(good)
        body[dice.randrange(len(body))] = dice.randrange(256)
        response = api.post("/tasks", raw=bytes(body))
        assert response.status_code in (201, 400, 422), bytes(body)
