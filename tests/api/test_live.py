"""Live events: streams as server-sent events."""

import random
import socket
import struct
import threading
import time

import pytest

from lib.client import NO_ID, Api, fresh_name, new_key, problem
from lib.live import Numbers, Stream, read_all
from lib.server import ADMIN
from lib.sessions import claim, with_sessions

LIFE = ["task.created", "task.claimed", "task.progress", "task.completed"]


@pytest.fixture
def live():
    """live(server, path, params, …): a stream that has begun; all are closed with the test."""
    made = []

    def make(server, path="/events", params="", **options):
        made.append(Stream(server, path, params, **options))
        return made[-1].opened()

    yield make
    for one in made:
        one.close()


def history(api, **params):
    """All events of this client's type, as the list has them."""
    seen, after = [], 0
    while True:
        page = api.expect(api.get("/events", params={"type": api.type, "after": after,
                                                     "limit": 1000, **params}))
        seen += page["events"]
        if not page["more"]:
            return seen
        after = page["nextAfter"]


def refused(server, path="/events", params="", **options):
    """The whole answer to a stream that is not given."""
    with Stream(server, path, params, **options) as stream:
        return stream.answer(), stream


def a_life(api, **fields):
    task = api.running(**fields)
    api.progress(task, 40, currentStep="half", currentStepDescription="Nearly half.")
    api.complete(task, {"n": 1})
    return task


# --- frames -----------------------------------------------------------------------------------

def test_a_stream_tells_the_life_of_a_task_as_it_happens(server, api, live):
    stream = live(server, params=f"type={api.type}")
    assert stream.head["content-type"] == "text/event-stream"
    assert stream.head["cache-control"] == "no-store"
    assert stream.head["x-accel-buffering"] == "no"
    assert 1000 <= stream.retry <= 10000
    task = a_life(api)
    frames = stream.frames(4)
    assert [frame.name for frame in frames] == LIFE
    for frame, event in zip(frames, api.events(task)):
        assert frame.mark.rpartition("-")[2] == str(event["seq"])
        assert frame.name == frame.data["event"]
        assert {**frame.data, "progress": event["progress"]} == {
            **event, "status": frame.data["status"]}
    assert [(frame.data["status"], frame.data["progress"]) for frame in frames] == [
        ("pending", 0), ("running", 0), ("running", 40), ("completed", 100)]


def statuses_and_progress(api, act):
    """What act() makes of a running task that has come to 30: told live, and read afterwards."""
    task = api.running(maxAttempts=2, backoff={"type": "fixed", "delayMs": 60000, "jitter": 0})
    api.progress(task, 30)
    with Stream(api.server, f"/tasks/{task['id']}/events").opened() as stream:
        act(task)
        frame = stream.frames(1)[0]
        read = api.task(task)
        return (frame.data["status"], frame.data["progress"]), (read["status"], read["progress"])


@pytest.mark.parametrize("verb", ["fail", "fail for good", "release", "complete", "cancel"])
def test_a_frame_has_the_status_and_progress_that_the_task_has_then(api, verb):
    told, read = statuses_and_progress(api, {
        "fail": api.fail, "fail for good": lambda task: api.fail(task, retry=False),
        "release": api.release, "complete": api.complete, "cancel": api.cancel}[verb])
    assert told == read


def test_filters_hold_together(server, api, live):
    queue = fresh_name("q")
    both = live(server, params=f"type={api.type}&queue={queue}")
    project = live(server, params=f"type={api.type}&projectId=p.1")
    api.create()
    wanted = api.create(queue=queue, projectId="p.1")
    other = api.create(queue=queue, projectId="p.2")
    last = api.create(queue=queue, projectId="p.1")
    assert [frame.data["taskId"] for frame in both.frames(3)] == [
        wanted["id"], other["id"], last["id"]]
    assert [frame.data["taskId"] for frame in project.frames(2)] == [wanted["id"], last["id"]]
    api.expect(api.delete(f"/tasks/{wanted['id']}"))
    assert project.frames(3)[-1].name == "task.deleted"


def test_the_history_of_a_project_is_told_too(server, api, live):
    start = history(api)
    mark = api.create(projectId="none.of.it")
    after = api.events(mark)[0]["seq"]
    wanted = [api.create(projectId="p")["id"] for _ in range(3) if api.create(projectId="q")]
    stream = live(server, params="projectId=p&type=" + api.type, last=after)
    assert [frame.data["taskId"] for frame in stream.frames(3)] == wanted and start == []


@pytest.mark.parametrize("by", ["route", "parameter"])
def test_one_task_has_a_stream_of_its_own(server, api, live, by):
    task, other = api.running(), api.running()
    if by == "route":
        stream = live(server, f"/tasks/{task['id']}/events")
    else:
        stream = live(server, params=f"taskId={task['id']}")
    api.complete(other)
    api.complete(task)
    assert stream.frames(1)[0].data["taskId"] == task["id"]


def test_a_task_that_is_not_there_has_no_stream(server):
    for path, params in ((f"/tasks/{NO_ID}/events", ""), ("/events", f"taskId={NO_ID}")):
        answer, stream = refused(server, path, params)
        assert (stream.status, answer["code"]) == (404, "not_found")


@pytest.mark.parametrize("params, pointer", [
    ("nonsense=1", "?nonsense"), ("taskId=x", "?taskId"), ("progressMs=-1", "?progressMs"),
    ("progressMs=60001", "?progressMs"), ("after=1", "?after"), ("limit=5", "?limit"),
    ("type=", "?type"), ("type=a%20b", "?type"), ("queue=a,b", "?queue"),
    ("queue=%C3%A9", "?queue"),
    ("projectId=" + "p" * 201, "?projectId")])
def test_a_bad_parameter_is_pointed_at(server, params, pointer):
    answer, stream = refused(server, params=params)
    assert stream.status == 422 and answer["errors"][0]["pointer"] == pointer


def test_all_bad_parameters_of_a_stream_are_pointed_at(server):
    answer, stream = refused(server, params="taskId=x&queue=a%20b&after=1&progressMs=-1")
    assert stream.status == 422
    assert {error["pointer"] for error in answer["errors"]} == {
        "?taskId", "?queue", "?after", "?progressMs"}


@pytest.mark.parametrize("mark", ["x", "-1", "1x", "1-2-3", "zz-1", "1-", "0x10", "1 2",
                                  "99999999999999999999", "123456789-1"])
def test_a_malformed_mark_is_refused(server, mark):
    answer, stream = refused(server, last=mark)
    assert (stream.status, answer["code"]) == (400, "bad_request")
    assert "Last-Event-ID" in answer["detail"]


def test_two_marks_are_refused(server):
    answer, stream = refused(server, last=3, headers=["Last-Event-ID: 26"])
    assert (stream.status, answer["code"]) == (400, "bad_request")
    assert "only once" in answer["detail"]


def test_what_is_of_streams_is_refused_in_lists(api):
    for name in ("lastEventId", "progressMs"):
        problem(api.get("/events", params={name: "1"}), 422, "invalid_field", f"?{name}")


def test_the_description_of_the_api_knows_that_events_can_be_streamed(api):
    paths = api.send("GET", "//openapi.json").json()["paths"]
    for path in ("/api/v1/events", "/api/v1/tasks/{id}/events"):
        content = paths[path]["get"]["responses"]["2XX"]["content"]
        assert set(content) == {"application/json", "text/event-stream"}


# --- going on -----------------------------------------------------------------------------------

def test_a_stream_goes_on_behind_the_mark_that_it_is_given(server, api, live):
    task = a_life(api)
    events = api.events(task)
    for params, last in (("", events[0]["seq"]), (f"&lastEventId={events[0]['seq']}", None),
                         ("&lastEventId=1", events[0]["seq"])):  # the header is the newer one
        stream = live(server, params=f"type={api.type}{params}", last=last)
        assert [frame.seq for frame in stream.frames(3)] == [one["seq"] for one in events[1:]]


def test_a_list_and_a_stream_join_without_a_gap(server, api, live):
    api.create_many([{}] * 5)
    page = api.expect(api.get("/events", params={"type": api.type, "limit": 1000}))
    api.create_many([{}] * 5)
    stream = live(server, params=f"type={api.type}&lastEventId={page['nextAfter']}")
    stream.frames(5)
    api.create_many([{}] * 5)
    told = [frame.seq for frame in stream.frames(10)]
    assert [one["seq"] for one in page["events"]] + told == [one["seq"] for one in history(api)]


def test_the_mark_of_a_silent_stream_moves_on_with_what_it_does_not_want(make_server, make_api,
                                                                         live):
    server = make_server(stream_heartbeat="200ms")
    api = make_api(server)
    stream = live(server, params="type=nobody.makes.this")
    api.create_many([{}] * 3)
    newest = history(api)[-1]["seq"]
    stream.until(lambda: stream.mark.rpartition("-")[2] == str(newest), "the mark")
    assert stream.comments > 0 and stream.received == []


def test_a_mark_of_another_store_gets_a_reset(server, api, live):
    api.create()
    newest = history(api)[-1]["seq"]
    for mark in (newest + 1_000_000, f"abcdef-{newest}"):
        stream = live(server, params=f"type={api.type}", last=mark)
        reset, = stream.frames(1)
        assert (reset.name, reset.data["reason"]) == ("reset", "unknown")
        assert reset.mark.rpartition("-")[2] == str(reset.seq) and reset.seq >= newest
        task = api.create()
        assert stream.frames(2)[1].data["taskId"] == task["id"]


@pytest.mark.parametrize("behind, name", [(20, "task.created"), (21, "reset")])
def test_a_stream_that_is_too_far_behind_gets_a_reset(make_server, make_api, live, behind, name):
    server = make_server(stream_behind_max=20)
    api = make_api(server)
    api.create_many([{}] * 30)
    newest = history(api)[-1]["seq"]
    stream = live(server, last=newest - behind)
    first = stream.frames(1)[0]
    assert first.name == name
    if name == "reset":
        assert (first.data["reason"], first.seq) == ("behind", newest)
    else:
        assert len(stream.frames(20)) == 20


def test_reconnecting_at_random_joins_to_the_history(server, api, random_seed):
    dice = random.Random(random_seed)
    over = threading.Event()
    failures = []

    def work():
        twin = api.twin()
        try:
            for _ in range(12):
                twin.create_many([{}] * dice.randint(1, 40))
                for task in twin.claim(limit=10):
                    twin.progress(task, 50)
                    twin.complete(task)
        except BaseException as failure:
            failures.append(failure)
        finally:
            over.set()
            twin.close()

    thread = threading.Thread(target=work)
    joined, mark = [], "0"
    thread.start()
    while True:
        ended = over.is_set()
        wanted = len(history(api)) if ended else len(joined) + dice.randint(1, 60)
        with Stream(server, params=f"type={api.type}&progressMs=0", last=mark) as stream:
            try:
                stream.until(lambda: len(joined) + len(stream.received) >= wanted, patience_s=0.5)
            except AssertionError:
                assert stream.status == 200
            joined += [frame.data for frame in stream.received]
            mark = stream.mark or mark
        if ended and len(joined) >= wanted:
            break
    thread.join()
    assert failures == []
    assert [one["seq"] for one in joined] == [one["seq"] for one in history(api)]


def test_500_streams_miss_none_of_2000_events_and_get_none_twice(server, api):
    streams = [Numbers(server, params=f"type={api.type}&progressMs=0") for _ in range(500)]
    try:
        for stream in streams:
            stream.opened()

        for turn in range(1, 6):  # nobody reads meanwhile: what the kernel does not hold, waits
            api.create_many([{}] * 200)
            for task in api.claim(limit=100):
                api.complete(task)
            read_all(streams, lambda: all(len(one.numbers) >= turn * 400 for one in streams))
        wanted = [one["seq"] for one in history(api)]
        assert len(wanted) == 2000
        for stream in streams:
            assert stream.numbers == wanted
    finally:
        for stream in streams:
            stream.close()


# --- progress -----------------------------------------------------------------------------------

def test_progress_is_coalesced_and_its_last_word_comes_before_the_end(server, api, live):
    task = api.running()
    stream = live(server, f"/tasks/{task['id']}/events", "progressMs=60000")
    for percent in range(1, 31):
        api.progress(task, percent)
    api.complete(task)
    frames = stream.until_name("task.completed")
    told = [frame.data["progress"] for frame in frames if frame.name == "task.progress"]
    assert told[-1] == 30 and told == sorted(told) and len(told) <= 3
    assert frames[-1].name == "task.completed"
    assert [frame.seq for frame in frames] == sorted(frame.seq for frame in frames)


def test_held_progress_comes_when_its_time_is_over(server, api, live):
    task = api.running()
    stream = live(server, f"/tasks/{task['id']}/events", "progressMs=300")
    for percent in range(1, 11):
        api.progress(task, percent)
    stream.until(lambda: stream.received and stream.received[-1].data["progress"] == 10)
    assert len(stream.received) < 10


def test_without_coalescing_each_report_comes(server, api, live):
    task = api.running()
    stream = live(server, f"/tasks/{task['id']}/events", "progressMs=0")
    for percent in range(1, 21):
        api.progress(task, percent)
    assert [frame.data["progress"] for frame in stream.frames(20)] == list(range(1, 21))


@pytest.mark.parametrize("tasks", [64, 65])
def test_progress_of_more_tasks_than_may_wait_goes_at_once(server, api, live, tasks):
    api.create_many([{}] * tasks)
    claimed = api.claim(limit=tasks)
    stream = live(server, params=f"type={api.type}&progressMs=60000")
    api.progress(claimed[0], 1)
    assert stream.frames(1)  # the first one goes at once; from now on they wait
    for task in claimed:
        api.progress(task, 2)
    if tasks > 64:
        assert len(stream.frames(65)) == 65
    else:
        other = api.create()
        frames = stream.until_name("task.created")
        assert len(frames) == 66 and frames[-1].data["taskId"] == other["id"]


# --- limits and ends ----------------------------------------------------------------------------

def test_streams_are_bounded_in_all_and_for_each_credential(make_server, make_api, live):
    server = make_server(key=ADMIN, streams_max=3, streams_each_max=2)
    admin = make_api(server)
    other = new_key(admin, ["reader"])["secret"]
    kept = [live(server), live(server)]
    answer, stream = refused(server)
    assert (stream.status, answer["code"]) == (429, "too_many")
    assert int(stream.head["retry-after"]) > 0
    live(server, key=other)
    answer, stream = refused(server, key=other)
    assert (stream.status, answer["code"]) == (503, "overloaded")
    assert int(stream.head["retry-after"]) > 0 and "streams_max" in answer["detail"]
    kept[0].close()
    deadline = time.monotonic() + 10
    while True:  # its place is free when the server has seen that it left
        with Stream(server, key=other) as again:
            again.until(lambda: again.status is not None)
            if again.status == 200:
                return
        assert time.monotonic() < deadline


def test_a_session_has_20_streams_and_sees_its_own_events_only(session_server, make_session, crew):
    mine, other = make_session(), make_session()
    header = [f"X-App-Session: {mine.session}"]
    streams = [Stream(session_server, key="", headers=header).opened() for _ in range(20)]
    answer, stream = refused(session_server, key="", headers=header)
    assert (stream.status, answer["code"]) == (429, "too_many")
    other.started()
    task = mine.started()
    worker = claim(crew, mine)
    crew.expect(crew.move(worker, "complete", result=1))
    for stream in streams:
        frames = stream.until_name("task.completed")
        assert {frame.data["taskId"] for frame in frames} == {task["id"]}
        assert all(frame.data["durable"] is False for frame in frames)
        stream.close()


def test_the_streams_of_a_deleted_session_end_and_its_marks_are_foreign_to_the_next(
        session_server, make_session):
    session = make_session()
    header = [f"X-App-Session: {session.session}"]
    task = session.create()
    stream = Stream(session_server, f"/tasks/{task['id']}/events", key="", headers=header).opened()
    session.expect(session.delete(f"/sessions/{session.session}"))
    stream.until_end()
    for _ in range(5):
        session.create()
    with Stream(session_server, key="", headers=header, last=stream.mark) as again:
        reset = again.frames(1)[0]
        assert reset.name == "reset" and list(reset.data)[-1] == "durable"


def test_a_session_lasts_as_long_as_a_stream_of_it(make_server, make_session, make_api):
    server = make_server(**with_sessions(session_timeout="300ms", stream_heartbeat="200ms"))
    admin, session = make_api(server), make_session(server=server)
    task = session.create()
    with Stream(server, params=f"session={session.session}", key="").opened() as stream:
        stream.until(lambda: stream.comments >= 6)
        assert session.task(task)["id"] == task["id"]
    deadline = time.monotonic() + 10
    while admin.expect(admin.get("/sessions/stats"))["count"]:
        assert time.monotonic() < deadline


def test_a_session_by_parameter_streams_to_an_event_source(session_server, make_session):
    session = make_session()
    with Stream(session_server, params=f"session={session.session}", key="").opened() as stream:
        task = session.create()
        assert stream.frames(1)[0].data["taskId"] == task["id"]


def test_the_stream_of_a_revoked_key_ends_within_a_second(keyed, admin, live):
    key = new_key(admin, ["reader"])
    kept = live(keyed)
    stream = live(keyed, key=key["secret"])
    revoked = time.monotonic()
    admin.expect(admin.delete(f"/keys/{key['key']['id']}"))
    stream.until_end(5)
    assert time.monotonic() - revoked < 1.0
    admin.create()
    assert kept.until_name("task.created")


def test_the_stream_of_a_key_ends_with_it(keyed, admin, live):
    key = new_key(admin, ["reader"], expiresInMs=1500)
    began = time.monotonic()
    live(keyed, key=key["secret"]).until_end(5)
    assert 1.0 < time.monotonic() - began < 3.0


def test_streams_need_a_role_that_reads(keyed, admin):
    for roles, status in ((["worker"], 200), (["producer"], 200), (["reader"], 200)):
        with Stream(keyed, key=new_key(admin, roles)["secret"]) as stream:
            assert stream.opened().status == status
    with Stream(keyed, key="") as stream:
        assert stream.answer()["code"] == "unauthenticated" and stream.status == 401


def test_a_stream_shows_its_own_tenant_only(keyed, admin, make_api, live):
    key = new_key(admin, ["producer", "reader"], tenant=fresh_name("tenant"))
    theirs = make_api(keyed, key=key["secret"])
    stream = live(keyed, key=key["secret"])
    foreign = admin.create()
    own = theirs.create()
    assert stream.frames(1)[0].data["taskId"] == own["id"]
    answer, refusal = refused(keyed, f"/tasks/{foreign['id']}/events", key=key["secret"])
    assert refusal.status == 404, answer


def test_streams_end_cleanly_when_the_server_drains(make_server, live):
    server = make_server()
    streams = [live(server) for _ in range(3)]
    began = time.monotonic()
    server.stop()
    for stream in streams:
        stream.until_end()
        assert stream.raw == b"" and stream.text == b""
    assert time.monotonic() - began < 3.0


# --- connections --------------------------------------------------------------------------------

def test_http_1_0_gets_the_stream_without_chunks_until_the_end(server, api, live):
    stream = live(server, params=f"type={api.type}", version="1.0")
    assert "transfer-encoding" not in stream.head and stream.head["connection"] == "close"
    task = api.create()
    assert stream.frames(1)[0].data["taskId"] == task["id"]


def test_head_tells_of_a_stream_and_ends(server):
    with Stream(server, method="HEAD") as stream:
        stream.until(lambda: stream.status is not None)
        assert stream.status == 200 and stream.head["content-type"] == "text/event-stream"
        assert "content-length" not in stream.head
        assert stream.raw == b"" and not stream.closed
        stream.status = None  # the next answer on the same connection
        stream.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream.until(lambda: stream.status is not None)
        assert stream.status == 200


def test_a_client_that_does_not_read_holds_up_nobody_and_is_told_all_in_the_end(
        server, api, live):
    slow = live(server, params=f"type={api.type}&progressMs=0", receive_bytes=4096)
    quick = live(server, params=f"type={api.type}&progressMs=0")
    for _ in range(6):
        api.create_many([{}] * 1000)
    quick.frames(6000)
    wanted = [one["seq"] for one in history(api)]
    assert [frame.seq for frame in quick.received] == wanted
    assert [frame.seq for frame in slow.frames(6000)] == wanted


def test_a_client_that_does_not_read_and_falls_too_far_behind_gets_a_reset(
        make_server, make_api, live):
    server = make_server(stream_behind_max=1000)
    api = make_api(server)
    slow = live(server, receive_bytes=4096)
    quick = live(server)
    for _ in range(6):
        api.create_many([{}] * 1000)
        quick.frames(len(quick.received) + 1000)
    frames = slow.until_name("reset")
    reset = frames[-1]
    assert reset.data["reason"] == "behind"
    before = [frame.seq for frame in frames[:-1]]
    assert before == [frame.seq for frame in quick.received[:len(before)]]
    seen = len(frames)
    last = api.create()
    slow.until(lambda: slow.received[-1].data.get("taskId") == last["id"])
    assert [frame.seq for frame in slow.received[seen:]] == [
        one["seq"] for one in history(api) if one["seq"] > reset.seq]


def test_clients_that_vanish_leave_nothing_behind(server, api, make_api):
    def connections():
        return sum(health["connections"] for health in api.from_each("//health"))

    before = connections()
    streams = [Stream(server, params=f"type={api.type}").opened() for _ in range(50)]
    assert connections() >= before + 50
    for number, stream in enumerate(streams):
        if number % 2:  # a reset instead of an orderly end
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
        stream.close()
    deadline = time.monotonic() + 10
    while connections() > before:
        assert time.monotonic() < deadline
    task = make_api(server).create()
    assert task["status"] == "pending"
