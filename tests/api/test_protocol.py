"""The wire: odd, broken and hostile HTTP on raw sockets, each with the answer it must get."""

import socket
import threading
import time

import pytest

from lib.client import Api, fresh_name
from lib.rawhttp import Raw, exchange, request_bytes
from lib.server import Server

pytestmark = pytest.mark.usefixtures("alive_after")

TYPE = fresh_name("wire").encode()
BODY = b'{"type":"%s"}' % TYPE
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*headers, body=b"", line=b"POST /api/v1/tasks HTTP/1.1", host=(b"Host: localhost",)):
    """A create from its parts; nothing is added but the line ends."""
    lines = [line, *host, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def sized(*headers, body=BODY, **parts):
    return post(b"Content-Length: %d" % len(body), *headers, body=body, **parts)


def chunked(*chunks, headers=(), trailer=b"", last=b"0"):
    data = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return post(b"Transfer-Encoding: chunked", *headers,
                body=data + last + b"\r\n" + trailer + b"\r\n")


def drip(server, box):
    """Sends a body byte by byte until the server has enough of it; notes how that ended."""
    with Raw(server) as raw:
        raw.send(post(b"Content-Length: 100000"))
        began = time.monotonic()
        while time.monotonic() - began < 20 and not raw.is_closed(0.1):
            raw.send(b" ")
        box["seconds"] = time.monotonic() - began
        box["closed"], box["reply"] = raw.closed, raw.reply(0.1)


@pytest.fixture(scope="module", autouse=True)
def slow_body(server):
    """Runs beside the other tests of this module: the grace of a slow body is some seconds long."""
    box = {}
    thread = threading.Thread(target=drip, args=(server, box), daemon=True)
    thread.start()
    box["join"] = thread.join
    yield box
    thread.join(20)


# --- what is fine ---------------------------------------------------------------------------------

def test_a_well_formed_request_is_answered_and_the_connection_stays_open(server):
    with Raw(server) as raw:
        for _ in range(3):
            assert raw.send(sized()).reply().status == 201
        assert not raw.is_closed(0.05)


def test_two_pipelined_requests_are_answered_in_order(server):
    get = request_bytes("GET", "/api/v1/tasks/stats")
    got = exchange(server, sized() + get, answers=2)
    assert got.statuses == [201, 200]
    assert b'"stats"' in got.replies[1].body and not got.closed


def test_many_pipelined_requests_are_answered_in_order(server):
    numbers = range(100)
    data = b"".join(sized(b"X-Request-Id: pipe-%d" % n) for n in numbers)
    got = exchange(server, data, answers=100)
    assert got.statuses == [201] * 100
    assert [reply.headers["x-request-id"] for reply in got.replies] == \
        [f"pipe-{n}" for n in numbers]


def test_a_request_pipelined_behind_a_waiting_one_is_answered_after_it(server):
    wait = b'{"types":["%s"],"workerId":"w","waitMs":200}' % fresh_name().encode()
    claim = request_bytes("POST", "/api/v1/claims", wait)
    got = exchange(server, claim + request_bytes("GET", "/livez"), answers=2)
    assert got.statuses == [200, 200] and b'"tasks":[]' in got.replies[0].body


def test_a_chunked_body_is_taken(server):
    for chunks in ([BODY], [BODY[:1], BODY[1:]], [bytes([b]) for b in BODY]):
        got = exchange(server, chunked(*chunks))
        assert got.statuses == [201] and not got.closed


def test_chunk_sizes_in_capitals_and_small_extensions_are_fine(server):
    size = b"%X" % len(BODY)
    body = size + b";name=value\r\n" + BODY + b"\r\n000\r\n\r\n"
    assert exchange(server, post(b"Transfer-Encoding: chunked", body=body)).statuses == [201]


def test_expect_100_continue_is_told_to_continue(server):
    with Raw(server) as raw:
        raw.send(post(b"Content-Length: %d" % len(BODY), b"Expect: 100-continue"))
        assert raw.reply().status == 100
        assert raw.send(BODY).reply().status == 201


def test_expect_100_continue_with_its_body_is_answered_at_once(server):
    with Raw(server) as raw:
        reply = raw.send(sized(b"Expect: 100-continue")).reply()
        if reply.status == 100:
            reply = raw.reply()
        assert reply.status == 201


def test_a_request_of_http_1_0_is_answered_and_closed(server):
    got = exchange(server, sized(line=b"POST /api/v1/tasks HTTP/1.0"))
    assert got.statuses == [201] and got.closed


def test_connection_close_is_honoured(server):
    got = exchange(server, sized(b"Connection: close"))
    assert got.statuses == [201] and got.closed
    assert got.replies[0].headers["connection"] == "close"


def test_a_head_request_has_the_head_of_a_get_only(server):
    with Raw(server) as raw:
        raw.send(request_bytes("HEAD", "/livez") + request_bytes("GET", "/livez"))
        head = raw.reply(head_only=True)
        assert head.status == raw.reply().status == 200


def test_an_absolute_target_is_understood(server):
    line = b"GET http://localhost/livez HTTP/1.1"
    assert exchange(server, post(line=line)).statuses in ([200], [400])


def test_a_blank_line_before_a_request_is_forgiven(server):
    assert exchange(server, b"\r\n" + sized()).statuses == [201]


def test_answers_have_a_date_a_length_and_a_type(server):
    reply = exchange(server, sized()).replies[0]
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert reply.headers["date"].endswith("GMT")
    assert reply.headers["content-type"].startswith("application/json")


def test_a_request_cut_at_any_byte_is_the_same_request(server):
    whole = sized(b"X-Request-Id: cut", b"X-Extra: a")
    for cut in range(1, len(whole)):
        with Raw(server) as raw:
            reply = raw.send(whole[:cut]).send(whole[cut:]).reply()
            assert reply is not None and reply.status == 201, cut


def test_a_request_sent_byte_by_byte_is_the_same_request(server):
    with Raw(server) as raw:
        for one in chunked(BODY[:5], BODY[5:]):
            raw.send(bytes([one]))
        assert raw.reply().status == 201


# --- what is not ----------------------------------------------------------------------------------

LENGTH = b"Content-Length: %d" % len(BODY)
REFUSED = {
    "a chunk size that is not hexadecimal":
        post(b"Transfer-Encoding: chunked", body=b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a negative chunk size":
        post(b"Transfer-Encoding: chunked", body=b"-1\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk size that overflows":
        post(b"Transfer-Encoding: chunked", body=b"f" * 17 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk size of 0x":
        post(b"Transfer-Encoding: chunked", body=b"0x12\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a chunk longer than its size":
        post(b"Transfer-Encoding: chunked", body=b"2\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "both lengths":
        post(LENGTH, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "both lengths the other way round":
        post(b"Transfer-Encoding: chunked", LENGTH, body=b"0\r\n\r\n" + SMUGGLED),
    "two different lengths":
        post(LENGTH, b"Content-Length: 3", body=BODY + SMUGGLED),
    "two equal lengths":
        post(LENGTH, LENGTH, body=BODY + SMUGGLED),
    "a list of lengths":
        post(b"Content-Length: %d, %d" % (len(BODY), len(BODY)), body=BODY),
    "a negative length": post(b"Content-Length: -1", body=BODY),
    "a length with a plus": post(b"Content-Length: +%d" % len(BODY), body=BODY),
    "a length in hexadecimal": post(b"Content-Length: 0x10", body=BODY),
    "a length with a blank inside": post(b"Content-Length: 1 6", body=BODY),
    "an empty length": post(b"Content-Length:", body=BODY),
    "a length that overflows": post(b"Content-Length: 18446744073709551617", body=BODY),
    "a space before the colon": post(b"Content-Length : %d" % len(BODY), body=BODY),
    "a tab before the colon": post(LENGTH, b"X-A\t: b", body=BODY),
    "a folded header": post(LENGTH, b"X-A: b\r\n c", body=BODY),
    "a folded first header":
        b"POST /api/v1/tasks HTTP/1.1\r\n X-A: b\r\nHost: x\r\n" + LENGTH + b"\r\n\r\n" + BODY,
    "a NUL in a value": post(LENGTH, b"X-A: a\x00b", body=BODY),
    "a NUL in a name": post(LENGTH, b"X\x00A: b", body=BODY),
    "a control in a value": post(LENGTH, b"X-A: a\x01b", body=BODY),
    "a bare CR in a value": post(LENGTH, b"X-A: a\rb", body=BODY),
    "a bare LF as line end": sized().replace(b"\r\n", b"\n"),
    "one bare LF among the lines": sized(b"X-A: b").replace(b"X-A: b\r\n", b"X-A: b\n"),
    "no Host": sized(host=()),
    "two Hosts": sized(host=(b"Host: a", b"Host: b")),
    "two equal Hosts": sized(host=(b"Host: a", b"Host: a")),
    "an odd Host": sized(host=(b"Host: a b",)),
    "an unknown transfer coding": post(b"Transfer-Encoding: gzip", body=BODY),
    "chunked not last": post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    "gzip and chunked": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked",
                          body=b"0\r\n\r\n" + SMUGGLED),
    "chunked misspelt": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked with a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "a transfer coding on HTTP/1.0":
        post(b"Transfer-Encoding: chunked", line=b"POST /api/v1/tasks HTTP/1.0",
             body=b"0\r\n\r\n" + SMUGGLED),
    "a header without a colon": post(LENGTH, b"nonsense", body=BODY),
    "a header without a name": post(LENGTH, b": value", body=BODY),
    "a header name with a blank": post(LENGTH, b"X A: b", body=BODY),
    "a blank inside the target": sized(line=b"POST /api/v1/ta sks HTTP/1.1"),
    "no version": post(line=b"GET /livez"),
    "an unknown version": post(line=b"GET /livez HTTP/3.7"),
    "a version in lower case": post(line=b"GET /livez http/1.1"),
    "a line that is no request": b"hello there\r\n\r\n",
    "a target that is no path": post(line=b"GET livez HTTP/1.1"),
    "a control in the target": post(line=b"GET /liv\x01ez HTTP/1.1"),
    "a NUL in the target": post(line=b"GET /liv\x00ez HTTP/1.1"),
    "a TLS hello": bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 194,
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "many NULs": b"\x00" * 1000,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=[n.replace(" ", "_") for n in REFUSED])
def test_a_doubtful_request_is_refused_and_the_connection_closed(server, data):
    got = exchange(server, data, answers=2)
    assert got.statuses in ([400], [501], [505]), got
    assert got.closed and got.rest == b""
    reply = got.replies[0]
    assert reply.headers["content-type"] == "application/problem+json"
    assert b'"success":false' in reply.body.replace(b" ", b"")
    assert reply.headers["connection"] == "close"


def test_nothing_hidden_behind_a_refused_request_was_done(server):
    api = Api(server)
    hidden = fresh_name("hidden").encode()
    inner = request_bytes("POST", "/api/v1/tasks", b'{"type":"%s"}' % hidden)
    for data in (post(LENGTH, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + inner),
                 post(b"Content-Length: 0", b"Content-Length: %d" % len(inner), body=inner),
                 post(b"Transfer-Encoding: xchunked", body=inner),
                 post(b"Content-Length : 0", body=inner)):
        assert exchange(server, data, answers=2).statuses == [400]
    assert api.list(type=hidden.decode()) == []
    api.close()


@pytest.mark.parametrize("headers, status", [
    ([b"Content-Length: 10000000000"], 413),
    ([b"Content-Length: 9223372036854775807"], 413),
    ([LENGTH, b"X-Big: " + b"a" * 100_000], 431),
    ([LENGTH, *[b"X-%d: a" % n for n in range(2000)]], 431),
    ([LENGTH, b"X" * 70_000 + b": a"], 431),
])
def test_what_is_too_large_is_refused_with_its_own_status(server, headers, status):
    got = exchange(server, post(*headers, body=BODY))
    assert got.statuses == [status] and got.closed


def test_a_target_that_is_too_long_is_refused(server):
    got = exchange(server, post(line=b"GET /" + b"a" * 65_536 + b" HTTP/1.1"))
    assert got.statuses == [414] and got.closed


def test_an_endless_head_is_refused_before_memory_grows(server):
    with Raw(server) as raw:
        raw.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        for n in range(2000):
            raw.send(b"X-%d: %s\r\n" % (n, b"a" * 500))
        assert raw.reply().status == 431
        assert raw.is_closed()


def test_an_endless_chunk_extension_is_refused(server):
    with Raw(server) as raw:
        raw.send(post(b"Transfer-Encoding: chunked", body=b"5;"))
        for _ in range(200):
            raw.send(b"a" * 1000)
        reply = raw.reply()
        assert reply is not None and reply.status in (400, 413, 431)
        assert raw.is_closed()


def test_a_client_that_half_closes_still_gets_its_answer(server):
    with Raw(server) as raw:
        raw.send(sized(b"Connection: close"))
        raw.socket.shutdown(socket.SHUT_WR)
        reply = raw.reply()
        assert reply is not None and reply.status == 201


def test_clients_that_go_away_while_their_answer_is_pending_leave_nothing_behind(server):
    body = b'{"types":["%s"],"workerId":"gone","waitMs":30000}' % fresh_name("gone").encode()
    claim = request_bytes("POST", "/api/v1/claims", body)
    for _ in range(6):
        gone = [Raw(server) for _ in range(50)]
        for one in gone:
            one.send(claim)
        for one in gone:
            one.socket.close()
    api = Api(server)
    api.until_worker("gone", waiting=False)
    assert api.complete(api.running())["status"] == "completed"
    api.close()


def test_clients_that_cut_their_requests_anywhere_leave_nothing_behind(server):
    whole = sized()
    for cut in range(1, len(whole)):
        with Raw(server) as raw:
            raw.send(whole[:cut])
    assert exchange(server, sized()).statuses == [201]


def test_a_connection_too_many_is_told_so_and_closed(tmp_path, store):
    server = Server(tmp_path, store=store, connections_max=8).start()
    many = [Raw(server) for _ in range(20)]
    replies = [one.send(request_bytes("GET", "/livez")).reply() for one in many]
    statuses = [reply.status for reply in replies]
    assert 7 <= statuses.count(200) <= 8 and statuses.count(503) == 20 - statuses.count(200)
    refused = replies[statuses.index(503)]
    assert refused.headers["retry-after"] and b'"success":false' in refused.body
    assert many[statuses.index(503)].is_closed()
    for one in many:
        one.socket.close()
    server.stop()


def test_preferences_on_two_lines_count_both(server):
    prefer = [b"Prefer: return=minimal", b"Prefer: wait=60"]
    hurry = request_bytes("POST", "/api/v1/tasks", BODY, prefer)
    with Raw(server) as raw:
        assert raw.send(hurry).reply(0.3) is None, "it waits for the end of the task"


# --- slow clients ---------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def hasty(tmp_path_factory, store):
    running = Server(tmp_path_factory.mktemp("hasty"), store=store, head_timeout="300ms",
                     idle_timeout="1s").start()
    yield running
    running.stop()


@pytest.mark.parametrize("start", [b"P", b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nX-A"])
def test_a_head_that_does_not_arrive_in_time_is_given_up(hasty, start):
    with Raw(hasty) as raw:
        reply = raw.send(start).reply(timeout_s=3)
        assert reply is None or reply.status == 408
        assert raw.is_closed(3)


def test_drips_do_not_stretch_the_time_of_a_head(hasty):
    with Raw(hasty, timeout_s=3) as raw:
        raw.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        began = time.monotonic()
        while time.monotonic() - began < 3 and not raw.is_closed(0.05):
            raw.send(b"a")
        assert raw.closed and time.monotonic() - began < 2


def test_each_request_of_a_connection_has_its_own_time(hasty):
    with Raw(hasty) as raw:
        for _ in range(3):
            assert raw.send(sized()).reply().status == 201
            assert not raw.is_closed(0.2)  # together longer than one head may take


def test_an_idle_connection_is_closed_at_its_limit(hasty):
    with Raw(hasty) as raw, Raw(hasty) as used:
        assert used.send(sized()).reply().status == 201
        assert raw.is_closed(4) and used.is_closed(4)


def test_a_waiting_request_is_not_an_idle_connection(hasty):
    wait = b'{"types":["%s"],"workerId":"w","waitMs":1500}' % fresh_name().encode()
    with Raw(hasty) as raw:
        reply = raw.send(request_bytes("POST", "/api/v1/claims", wait)).reply(timeout_s=5)
        assert reply is not None and reply.status == 200


def test_slow_clients_do_not_hold_up_the_others(hasty):
    slow = [Raw(hasty) for _ in range(100)]
    for one in slow:
        one.send(b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\n")
    assert exchange(hasty, sized()).statuses == [201]
    for one in slow:
        one.socket.close()


def test_a_body_slower_than_the_minimum_rate_is_given_up(slow_body):
    slow_body["join"](20)
    assert slow_body["closed"] and slow_body["seconds"] < 15
    assert slow_body["reply"] is None or slow_body["reply"].status == 408
