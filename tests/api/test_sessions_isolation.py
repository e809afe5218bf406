"""Front door S4: who has which session, and that nobody reaches another's.

Addresses come from a proxy on loopback that the server trusts, as X-Forwarded-For.
"""

import hashlib

import pytest

from lib.client import NO_ID, Api, fresh_name, problem
from lib.server import Server
from lib.sessions import claim, says_so, with_sessions

NET = "198.51.100."     # for documents; nobody is there


def key_of(address):
    return "ip_" + hashlib.sha256(address.encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory, store):
    """A server that maps addresses and trusts a proxy on loopback, and a second one behind it."""
    running = Server(tmp_path_factory.mktemp("proxied"), store=store, **with_sessions(
        trusted_proxies="127.0.0.1, 203.0.113.0/24, 2001:db8:ffff::/48",
        env={"AUTO_MAP_SESSION_BY_IP": "true"})).start()
    yield running
    running.stop()


class Caller(Api):
    """Somebody behind the proxy, who may send headers of his own."""

    def __init__(self, server, forwarded=None, **headers):
        super().__init__(server, key="")
        if forwarded is not None:
            self.http.headers["X-Forwarded-For"] = forwarded
        self.http.headers.update({name.replace("_", "-"): value
                                  for name, value in headers.items()})

    def who(self):
        """The key of the session that this caller's tasks are in."""
        answer = self.post("/tasks", {"name": "who"})
        says_so(answer)
        return self.expect(answer, 201)["task"]["sessionKey"]


@pytest.fixture
def caller(proxied):
    made = []

    def make(forwarded=None, server=proxied, **headers):
        made.append(Caller(server, forwarded, **headers))
        return made[-1]

    yield make
    for one in made:
        one.close()


# --- two sessions ---------------------------------------------------------------------------------

@pytest.fixture(params=["keys", "addresses"])
def two(request, make_session, caller):
    """Two sessions, told apart in either way."""
    if request.param == "keys":
        return make_session(), make_session()
    number = iter(range(1, 3))
    return [caller(NET + str(next(number))) for _ in range(2)]


def make_task(one):
    return one.expect(one.post("/tasks", {"name": "n"}), 201)["task"]


FOREIGN = [("GET", "/tasks/{id}"), ("GET", "/tasks/{id}/status"), ("GET", "/tasks/{id}/events"),
           ("GET", "/tasks/{id}/logs"), ("GET", "/tasks/{id}/explain"),
           ("POST", "/tasks/{id}/start"), ("POST", "/tasks/{id}/cancel"),
           ("POST", "/tasks/{id}/retry")]


@pytest.mark.parametrize("method, path", FOREIGN)
def test_anothers_task_is_absent(two, method, path):
    mine, other = two
    task = make_task(other)
    before = other.task(task)
    problem(mine.send(method, path.format(id=task["id"])), 404, "not_found")
    assert other.task(task) == before


def test_anothers_task_looks_just_like_none(two):
    mine, other = two
    there, nowhere = make_task(other)["id"], NO_ID
    same = {"X-Request-Id": "the-same"}
    for method, path in FOREIGN:
        one, none = (mine.send(method, path.format(id=task), headers=same)
                     for task in (there, nowhere))
        assert (one.status_code, one.content) == (none.status_code, none.content), path


def test_a_list_has_only_the_sessions_own(two):
    mine, other = two
    ids = {one: make_task(one)["id"] for one in (mine, other)}
    for one, foreign in ((mine, other), (other, mine)):
        listed = {task["id"] for task in one.expect(one.get("/tasks"))["tasks"]}
        assert ids[one] in listed and ids[foreign] not in listed


def test_statistics_count_only_the_sessions_own(two):
    mine, other = two
    before = mine.expect(mine.get("/tasks/stats"))["stats"]
    make_task(other)
    assert mine.expect(mine.get("/tasks/stats"))["stats"] == before
    make_task(mine)
    after = mine.expect(mine.get("/tasks/stats"))["stats"]
    assert after == {**before, "total": before["total"] + 1, "pending": before["pending"] + 1}


def test_an_idempotency_key_is_the_sessions_own(two):
    mine, other = two
    headers = {"Idempotency-Key": fresh_name("once")}
    one, two_ = (caller.expect(caller.post("/tasks", {"name": "n"}, headers=headers), 201)
                 for caller in (mine, other))
    assert one["task"]["id"] != two_["task"]["id"]


def test_a_cursor_of_another_session_shows_nothing_of_it(two):
    mine, other = two
    for _ in range(3):
        make_task(other)
    cursor = other.expect(other.get("/tasks", params={"limit": 1}))["nextCursor"]
    theirs = {task["id"] for task in other.expect(other.get("/tasks"))["tasks"]}
    answer = mine.get("/tasks", params={"limit": 1, "cursor": cursor})
    assert answer.status_code in (200, 400)
    assert not theirs & {task["id"] for task in answer.json().get("tasks", [])}


def test_a_session_sees_nothing_durable_and_the_durable_side_nothing_of_it(session, crew):
    created = make_task(session)
    for path in (f"/tasks/{created['id']}", f"/tasks/{created['id']}/attempts"):
        problem(crew.get(path), 404, "not_found")
    events = crew.get("/events", params={"limit": 1000}).text
    assert created["id"] not in events and session.session not in events


# --- whose session --------------------------------------------------------------------------------

def test_each_address_has_a_session_named_by_its_hash(caller):
    assert caller(NET + "7").who() == key_of(NET + "7")
    assert caller(NET + "8").who() == key_of(NET + "8")
    assert caller().who() == key_of("127.0.0.1")


def test_an_address_of_ipv6_has_one_too_however_it_is_written(caller):
    one, other = caller("2001:db8::1").who(), caller("2001:0DB8:0:0:0:0:0:1").who()
    assert one == other == key_of("2001:db8::1")


def test_without_the_mapping_an_address_is_no_session_and_the_answer_says_what_to_do(
        session_server, caller):
    answer = caller(server=session_server).get("/tasks")
    body = problem(answer, 401, "unauthenticated")
    for word in ("X-App-Session", "session_by_ip"):
        assert word in body["detail"], body["detail"]


def test_the_header_comes_first_then_the_parameter_then_the_cookie_then_the_address(caller):
    header, query, cookie = (fresh_name(kind) for kind in ("header", "query", "cookie"))
    body, params = {"name": "n"}, {"session": query}
    everything = caller(NET + "9", Cookie=f"a=b; app_session={cookie}; c=d", X_App_Session=header)

    def who(one, **options):
        return one.expect(one.post("/tasks", body, **options), 201)["task"]["sessionKey"]

    assert who(everything, params=params) == header
    assert who(everything) == header
    without = caller(NET + "9", Cookie=f"a=b; app_session={cookie}; c=d")
    assert who(without, params=params) == query
    assert who(without) == cookie
    assert who(caller(NET + "9")) == key_of(NET + "9")


def test_the_three_ways_to_send_a_key_lead_to_one_session(session_server, caller):
    key = fresh_name("k")
    task = make_task(caller(server=session_server, X_App_Session=key))
    by_query = caller(server=session_server).get(f"/tasks/{task['id']}", params={"session": key})
    by_cookie = caller(server=session_server, Cookie=f"app_session={key}").get(
        f"/tasks/{task['id']}")
    for answer in (by_query, by_cookie):
        assert answer.json()["task"]["id"] == task["id"]


# --- addresses that are not one's own -------------------------------------------------------------

VICTIM = NET + "66"
MINE = NET + "99"
PROXY = "203.0.113.5"   # trusted as well

# What the proxy on loopback passes on, and whose session it is.
CHAINS = {
    "one address": (MINE, MINE),
    "the victim's in front": (f"{VICTIM}, {MINE}", MINE),
    "many in front": (f"{VICTIM}, " * 20 + MINE, MINE),
    "a trusted proxy between": (f"{MINE}, {PROXY}", MINE),
    "the victim's in front of a trusted proxy": (f"{VICTIM}, {MINE}, {PROXY}", MINE),
    "two trusted proxies between": (f"{VICTIM}, {MINE}, 203.0.113.9, {PROXY}", MINE),
    "a trusted address in front, as if the caller were a proxy": (
        f"{VICTIM}, {PROXY}, {MINE}", MINE),
    "loopback in front": (f"127.0.0.1, {MINE}", MINE),
    "no blanks": (f"{VICTIM},{MINE}", MINE),
    "tabs and blanks": (f"{VICTIM} ,\t {MINE}", MINE),
    "an address of IPv6": ("2001:db8::99", "2001:db8::99"),
    "an address of IPv4 in one of IPv6": (f"::ffff:{MINE}", MINE),
    "a trusted proxy of IPv6 between": (f"{MINE}, 2001:db8:ffff::1", MINE),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_the_rightmost_hop_that_is_no_trusted_proxy_is_the_caller(caller, chain):
    forwarded, address = CHAINS[chain]
    assert caller(forwarded).who() == key_of(address)


MALFORMED = [
    "", ",", "unknown", "_hidden", f"{VICTIM}:", f"{VICTIM}.", f"{VICTIM}/32", "198.51.100",
    "198.51.100.066", "198.51.100.256", "0xc6336442", "3325256770", "localhost",
    f"{VICTIM} {MINE}",
    f"{VICTIM};{MINE}", f'"{VICTIM}"', f"for={VICTIM}", "[2001:db8::1", "2001:db8::1::2", "::1%lo",
    f"{MINE}, unknown", f"{MINE},", f"{MINE}, , {PROXY}", "-1.2.3.4", "1.2.3.4.5", "𝟭.2.3.4",
]


@pytest.mark.parametrize("forwarded", MALFORMED)
def test_a_hop_that_is_no_address_is_refused(proxied, caller, forwarded):
    one = caller()
    answer = one.get("/tasks", headers={"X-Forwarded-For": forwarded.encode()})
    assert problem(answer, 400, "bad_request")["detail"].find("X-Forwarded-For") >= 0


@pytest.mark.parametrize("header", [
    "Forwarded", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "X-Forwarded",
    "Forwarded-For", "X-Cluster-Client-IP", "Client-IP", "X_Forwarded_For"])
def test_no_other_header_moves_a_caller(caller, header):
    value = f"for={VICTIM}" if header == "Forwarded" else VICTIM
    one = caller(MINE)
    answer = one.post("/tasks", {"name": "n"}, headers={header: value})
    assert one.expect(answer, 201)["task"]["sessionKey"] == key_of(MINE)


def test_a_peer_that_is_no_trusted_proxy_is_who_he_is(make_server, caller):
    mapped = {"AUTO_MAP_SESSION_BY_IP": "true"}
    direct = make_server(**with_sessions(env=mapped))
    elsewhere = make_server(**with_sessions(
        env=mapped, trusted_proxies="10.0.0.0/8 ::1 127.0.0.2"))
    for server in (direct, elsewhere):
        for forwarded in (VICTIM, f"{VICTIM}, {MINE}", "unknown", ""):
            assert caller(forwarded, server=server).who() == key_of("127.0.0.1")


def test_two_forwarded_headers_are_one_list_in_their_order(caller):
    one = caller()
    answer = one.http.post("/api/v1/tasks", json={"name": "n"},
                           headers=[("X-Forwarded-For", VICTIM), ("X-Forwarded-For", MINE)])
    assert one.expect(answer, 201)["task"]["sessionKey"] == key_of(MINE)


# --- the session of an address, by its name -------------------------------------------------------

WAYS = {"header": lambda key: {"headers": {"X-App-Session": key}},
        "query": lambda key: {"params": {"session": key}},
        "cookie": lambda key: {"headers": {"Cookie": f"app_session={key}"}}}


@pytest.mark.parametrize("way", WAYS)
def test_nobody_enters_the_session_of_another_address_by_its_hash(caller, way):
    task = make_task(caller(VICTIM))
    intruder = caller(MINE)
    for path in ("/tasks", f"/tasks/{task['id']}"):
        answer = intruder.get(path, **WAYS[way](key_of(VICTIM)))
        assert answer.status_code == 400, answer.text
        assert task["id"] not in answer.text


@pytest.mark.parametrize("way", WAYS)
def test_ones_own_address_may_be_named(caller, way):
    answer = caller(MINE).post("/tasks", {"name": "n"}, **WAYS[way](key_of(MINE)))
    assert answer.json()["task"]["sessionKey"] == key_of(MINE)


@pytest.mark.parametrize("key", ["ip_", "ip_x", key_of(VICTIM).upper(), key_of(VICTIM) + "0",
                                 key_of(VICTIM)[:-1], "ip_" + "g" * 16])
def test_a_key_that_only_looks_like_one_of_an_address_is_not_another_session(caller, key):
    task = make_task(caller(VICTIM))
    answer = caller(MINE).get(f"/tasks/{task['id']}", headers={"X-App-Session": key})
    assert answer.status_code in (400, 404), answer.text


def test_where_addresses_are_not_mapped_their_keys_are_refused_too(session_server, caller):
    one = caller(server=session_server)
    assert one.get("/tasks", headers={"X-App-Session": key_of(VICTIM)}).status_code == 400


def test_a_worker_serves_every_session_and_each_sees_its_own_end(make_session, crew):
    type_name = fresh_name("shared")
    both = [make_session(type_name=type_name) for _ in range(2)]
    made = [one.started() for one in both]
    for _ in both:
        task = claim(crew, both[0])
        crew.complete(task, task["sessionKey"])
    for one, task in zip(both, made):
        assert one.task(task)["result"] == one.session
