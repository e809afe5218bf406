"""Front door S4: the job API at /api/v1/jobs: who may, whose a job is, its shape, its life."""

import json
import subprocess

import pytest

from lib.client import NO_ID, fresh_name, new_key, problem
from lib.server import ADMIN, BINARY, Server, clean_environment
from lib.tokens import SECRET, Secret, claims

TOKENS = {"TASKYARD_JWT_SECRET": SECRET}
FIELDS = ["success", "id", "userId", "type", "status", "meta", "result", "error", "bullJobId",
          "progress", "attempt", "maxAttempts", "createdAt", "updatedAt", "startedAt",
          "completedAt"]
WAIT_S = 20.0


@pytest.fixture
def boss(admin):
    """An admin by key, who works too; its type is that of all the test's clients."""
    return admin


@pytest.fixture
def user_of(keyed, boss, make_api):
    """user_of(name, roles=[…], tenant=…): a client with that user's token."""
    def make(name=None, roles=("user",), **more):
        name = name or fresh_name("u")
        token = Secret().token(claims(sub=name, roles=list(roles), **more))
        api = make_api(keyed, key=token, type_name=boss.type)
        api.name = name
        return api
    return make


@pytest.fixture
def ann(user_of):
    return user_of()


def made(api, **fields):
    return api.expect(api.post("/jobs", {"type": api.type, **fields}), 201)


def read(api, job):
    return api.expect(api.get(f"/jobs/{job['id']}"))


def listed(api, **params):
    return api.expect(api.get("/jobs", params=params))["jobs"]


def claimed(boss):
    return boss.claim_one(queues=["jobs"], types=[boss.type])


# --- shape and life -------------------------------------------------------------------------------

def test_a_job_is_created_and_read_with_all_its_fields(ann):
    response = ann.post("/jobs", {"type": ann.type, "arguments": {"n": 1}})
    job = ann.expect(response, 201)
    assert list(job) == FIELDS
    assert response.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert job["userId"] == ann.name and job["type"] == ann.type and job["status"] == "pending"
    assert job["meta"] == {"n": 1} and job["bullJobId"] == job["id"]
    assert job["result"] is job["error"] is job["startedAt"] is job["completedAt"] is None
    assert job["createdAt"] == job["updatedAt"] > 1_600_000_000_000
    assert read(ann, job) == job and listed(ann) == [{k: job[k] for k in FIELDS[1:]}]


def test_a_job_goes_through_the_documents_statuses_to_its_result(ann, boss):
    job = made(ann)
    task = claimed(boss)
    assert task["id"] == job["id"] and task["queue"] == "jobs" and task["subject"] == ann.name
    running = read(ann, job)
    assert running["status"] == "processing" and running["startedAt"] and running["attempt"] == 1
    boss.complete(task, {"sum": 3})
    done = read(ann, job)
    assert done["status"] == "completed" and done["result"] == {"sum": 3}
    assert done["completedAt"] >= done["startedAt"] and done["error"] is None


def test_arguments_are_kept_byte_for_byte_and_shown_as_meta(ann):
    raw = b'{"type": "%s", "arguments": { "b" : 1.50, "a":[ ] }}' % ann.type.encode()
    job = ann.expect(ann.send("POST", "/jobs", raw=raw), 201)
    assert b'"meta":{ "b" : 1.50, "a":[ ] },"result"' in ann.get(f"/jobs/{job['id']}").content
    assert made(ann)["meta"] is None


def test_a_job_has_three_attempts_a_second_apart_and_tells_its_error_at_the_end(ann, boss):
    job = made(ann)
    assert job["maxAttempts"] == 3
    failed = boss.fail(claimed(boss), "It broke.")
    assert failed["waitingFor"] == "retry" and 800 <= failed["runAt"] - failed["updatedAt"] <= 1000
    between = read(ann, job)
    assert between["status"] == "pending" and between["error"] is None
    boss.fail(boss.claim_one(queues=["jobs"], types=[boss.type], waitMs=10000), "Again.")
    boss.fail(boss.claim_one(queues=["jobs"], types=[boss.type], waitMs=10000), "For good.")
    ended = read(ann, job)
    assert ended["status"] == "failed" and ended["attempt"] == 3 and ended["completedAt"]
    assert ended["error"] == {"message": "For good.", "code": "failed", "detail": None}


def test_a_cancelled_and_an_abandoned_job_have_failed_and_say_why(ann, boss):
    stopped = made(ann)
    boss.cancel(stopped)
    boss.expect(boss.put(f"/types/{boss.type}", {"maxAttempts": 1}))
    lost = made(ann)
    assert boss.claim_one(queues=["jobs"], types=[boss.type], leaseMs=1000)["id"] == lost["id"]
    assert boss.task(lost, wait_ms=10000)["status"] == "abandoned"
    assert read(ann, stopped)["status"] == read(ann, lost)["status"] == "failed"
    assert read(ann, stopped)["error"]["code"] == "cancelled"
    assert "cancelled" in read(ann, stopped)["error"]["message"]
    assert read(ann, lost)["error"]["code"] == "lease_lost" and read(ann, lost)["error"]["message"]
    assert {job["id"] for job in listed(ann, status="failed")} == {stopped["id"], lost["id"]}


def test_an_error_without_a_message_still_has_one(ann, boss):
    job = made(ann)
    boss.fail(claimed(boss), {"code": "no_ink"}, retry=False)
    assert read(ann, job)["error"] == {"message": "no_ink", "code": "no_ink", "detail": None}


def test_the_defaults_of_its_type_hold_but_for_the_queue(ann, boss):
    boss.expect(boss.put(f"/types/{boss.type}", {"maxAttempts": 7, "queue": "elsewhere"}))
    job = made(ann)
    assert job["maxAttempts"] == 7 and boss.task(job)["queue"] == "jobs"


def test_a_repeat_with_its_key_is_the_same_job_and_each_user_has_keys_of_his_own(ann, user_of):
    headers = {"Idempotency-Key": fresh_name("k")}
    body = {"type": ann.type}
    first, again = (ann.post("/jobs", body, headers=headers) for _ in range(2))
    assert first.status_code == 201 and again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["etag"] == first.headers["etag"]
    other = user_of().post("/jobs", body, headers=headers)
    assert other.status_code == 201 and other.json()["id"] != first.json()["id"]


def test_an_unchanged_job_need_not_be_sent_again(ann):
    job = made(ann)
    tag = ann.get(f"/jobs/{job['id']}").headers["etag"]
    assert ann.get(f"/jobs/{job['id']}", headers={"If-None-Match": tag}).status_code == 304


# --- bad requests ---------------------------------------------------------------------------------

@pytest.mark.parametrize("body, pointer", [
    (b"{}", "/type"), (b'{"type": ""}', "/type"), (b'{"type": 7}', "/type"),
    (b'{"type": "t", "system": "yes"}', "/system"), (b'{"type": "t", "userId": "bob"}', "/userId"),
    (b'{"type": "t", "status": "completed"}', "/status"), (b'["t"]', ""),
])
def test_a_bad_body_is_400_and_pointed_at(ann, body, pointer):
    problem(ann.send("POST", "/jobs", raw=body), 400, "invalid_field", pointer)
    assert listed(ann) == []


def test_what_is_no_json_is_refused(ann):
    for raw in (b"{", b""):
        problem(ann.send("POST", "/jobs", raw=raw), 400, "malformed_json")


@pytest.mark.parametrize("params, name", [
    ({"status": "running"}, "status"), ({"status": ""}, "status"), ({"limit": 0}, "limit"),
    ({"limit": 1001}, "limit"), ({"offset": -1}, "offset"), ({"offset": 1001}, "offset"),
    ({"offset": "x"}, "offset"), ({"userId": "bob"}, "userId"), ({"subject": "bob"}, "subject"),
    ({"offset": 1, "cursor": "x"}, "offset"),
])
def test_a_bad_query_is_400_and_pointed_at(ann, params, name):
    problem(ann.get("/jobs", params=params), 400, "invalid_field", f"?{name}")


@pytest.mark.parametrize("segment", [NO_ID, "some-id", "pending", NO_ID.upper() + "0", "%00"])
def test_an_id_that_is_none_is_no_job(ann, segment):
    assert problem(ann.get(f"/jobs/{segment}"), 404, "not_found")["detail"] == \
        "there is no such job"


@pytest.mark.parametrize("method, path, allow", [
    ("PUT", "/jobs", "GET, HEAD, POST"), ("DELETE", f"/jobs/{NO_ID}", "GET, HEAD"),
    ("GET", "/jobs/start-dummy-job", "POST"),
])
def test_other_methods_are_not_allowed(ann, method, path, allow):
    response = ann.send(method, path)
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allow


# --- lists ----------------------------------------------------------------------------------------

def test_a_list_is_newest_first_and_goes_on_by_offset_or_cursor(ann):
    ids = [made(ann)["id"] for _ in range(7)][::-1]
    assert [job["id"] for job in listed(ann)] == ids
    pages = [listed(ann, limit=3, offset=offset) for offset in (0, 3, 6, 7, 1000)]
    assert [[job["id"] for job in page] for page in pages] == [ids[:3], ids[3:6], ids[6:], [], []]
    page = ann.expect(ann.get("/jobs", params={"limit": 3, "offset": 2}))
    assert page["count"] == 3
    rest = ann.expect(ann.get("/jobs", params={"limit": 3, "cursor": page["nextCursor"]}))
    assert [job["id"] for job in rest["jobs"]] == ids[5:] and rest["nextCursor"] is None


def test_fifty_are_listed_unless_asked_otherwise_and_the_edges_of_the_limits_hold(ann):
    for _ in range(51):
        made(ann)
    assert len(listed(ann)) == 50 and len(listed(ann, limit=1000)) == 51
    assert len(listed(ann, limit=1)) == 1 and len(listed(ann, offset=50)) == 1


def test_an_offset_reaches_as_far_as_its_limit_and_the_cursor_on(user_of, boss):
    """1001 jobs of one user, made by the canonical API in one go."""
    ann = user_of()
    items = [{"queue": "jobs", "subject": ann.name, "payload": n} for n in range(1001)]
    boss.create_many(items[:1000])
    boss.create_many(items[1000:])
    assert [job["meta"] for job in listed(ann, limit=5, offset=1000)] == [0]
    assert [job["meta"] for job in listed(ann, limit=2, offset=999)] == [1, 0]
    page = ann.expect(ann.get("/jobs", params={"limit": 1000}))
    rest = ann.expect(ann.get("/jobs", params={"cursor": page["nextCursor"]}))
    assert [job["meta"] for job in rest["jobs"]] == [0]


@pytest.mark.parametrize("status, word", [
    ("pending", "pending"), ("running", "processing"), ("completed", "completed"),
    ("failed", "failed"), ("cancelled", "failed"),
])
def test_a_list_by_status_goes_by_the_documents_words(ann, boss, status, word):
    made(ann)
    job = boss.claim_one(queues=["jobs"], types=[boss.type])
    if status == "pending":
        boss.release(job)
    elif status == "completed":
        boss.complete(job)
    elif status == "failed":
        boss.fail(job, retry=False)
    elif status == "cancelled":
        boss.cancel(job)
        boss.release(job)
    for other in ("pending", "processing", "completed", "failed"):
        assert [one["id"] for one in listed(ann, status=other)] == \
            ([job["id"]] if other == word else [])


# --- whose it is ----------------------------------------------------------------------------------

def told(response, name):
    headers = {key: value for key, value in response.headers.items()
               if key not in ("date", "x-request-id")}
    body = response.json()
    body.pop("requestId")
    return response.status_code, headers, json.dumps(body).replace(name, "ID")


def test_a_job_of_another_is_absent_byte_for_byte(ann, user_of, boss):
    job, absent = made(ann), NO_ID
    for other in (user_of(), user_of(roles=["producer", "reader", "worker", "user"]),
                  user_of(ann.name, tenant=fresh_name("tenant")),
                  user_of(roles=["admin"], tenant=fresh_name("tenant"))):
        answers = {told(other.get(f"/jobs/{name}"), name)[0::2] for name in (job["id"], absent)}
        sizes = {other.get(f"/jobs/{name}").headers["content-length"]
                 for name in (job["id"], absent)}
        assert len(answers) == len(sizes) == 1 and answers.pop()[0] == 404
        assert listed(other) == []
    assert read(ann, job)["id"] == job["id"]


def test_a_user_whose_name_begins_with_another_s_sees_nothing_of_his(ann, user_of):
    job = made(ann)
    for name in (ann.name + "x", ann.name[:-1], ann.name.upper(), ann.name + " "):
        other = user_of(name)
        assert listed(other) == [] and other.get(f"/jobs/{job['id']}").status_code == 404


def test_an_admin_sees_the_jobs_of_all_and_of_the_system(user_of):
    tenant = fresh_name("tenant")
    one, two = user_of(tenant=tenant), user_of(tenant=tenant)
    chief = user_of(roles=["admin"], tenant=tenant)
    jobs = [made(one), made(two), made(chief, system=True)]
    assert [job["id"] for job in listed(chief)] == [job["id"] for job in jobs[::-1]]
    assert [read(chief, job)["userId"] for job in jobs] == [one.name, two.name, None]
    assert len(listed(one)) == len(listed(two)) == 1
    assert one.get(f"/jobs/{jobs[2]['id']}").status_code == 404


def test_only_an_admin_makes_a_job_of_the_system(ann, user_of):
    detail = problem(ann.post("/jobs", {"type": ann.type, "system": True}), 403, "forbidden")
    assert "admin" in detail["detail"] and listed(ann) == []
    assert made(ann, system=False)["userId"] == ann.name


def test_a_task_of_another_queue_is_no_job_even_to_an_admin(user_of, boss):
    chief = user_of(roles=["admin"])
    task = boss.create(subject=chief.name)
    assert chief.get(f"/jobs/{task['id']}").status_code == 404
    assert task["id"] not in {job["id"] for job in listed(chief, limit=1000)}


def test_a_job_is_a_task_of_the_canonical_api_to_those_who_may_read_it(ann, user_of, boss):
    job = made(ann, arguments={"n": 1})
    task = user_of(roles=["reader"]).task(job)
    assert (task["queue"], task["subject"], task["payload"]) == ("jobs", ann.name, {"n": 1})
    problem(ann.get(f"/tasks/{job['id']}"), 403, "forbidden")
    problem(ann.get("/tasks"), 403, "forbidden")
    problem(ann.post("/tasks", {"type": "t"}), 403, "forbidden")
    assert boss.events(job)[0]["actor"] == f"jwt:{ann.name}"


# --- who may --------------------------------------------------------------------------------------

ASKS = [("GET", "/jobs", None), ("POST", "/jobs", {"type": "t"}),
        ("POST", "/jobs/start-dummy-job", {}), ("GET", f"/jobs/{NO_ID}", None)]


def answers(api):
    for method, path, body in ASKS:
        yield api.send(method, path, **({} if body is None else {"body": body}))


def test_without_a_token_nothing_is_served(keyed, make_api):
    nobody = make_api(keyed, key="")
    for response in answers(nobody):
        problem(response, 401, "unauthenticated")
    for response in answers(make_api(keyed, key=Secret("x" * 40).token(claims()))):
        problem(response, 401, "unauthenticated")


def test_a_key_is_no_user_and_is_told_to_send_a_token(keyed, boss, make_api):
    key = new_key(boss, ["admin", "user"])["secret"]
    for api in (boss, make_api(keyed, key=key)):
        for response in answers(api):
            assert "token" in problem(response, 403, "forbidden")["detail"]


@pytest.mark.parametrize("role, reads, creates", [
    ("user", True, True), ("producer", True, True), ("admin", True, True), ("reader", True, False),
    ("worker", True, False)])
def test_roles_of_tokens_hold_here_too(user_of, role, reads, creates):
    statuses = [response.status_code for response in answers(user_of(roles=[role]))]
    assert statuses == [200 if reads else 403, 201 if creates else 403, 201 if creates else 403,
                        404 if reads else 403]


def test_a_token_without_roles_has_those_of_the_setting(make_server, make_api):
    server = make_server(args=["--jobs", "--jwt-roles", "user"], env=TOKENS)
    api = make_api(server, key=Secret().token(claims(sub="ann")))
    assert made(api)["userId"] == "ann" and len(listed(api)) == 1
    problem(api.get("/tasks"), 403, "forbidden")


# --- on and off -----------------------------------------------------------------------------------

def off(api):
    details = set()
    for response in answers(api):
        assert "retry-after" not in response.headers
        details.add(problem(response, 503, "switched_off")["detail"])
    assert len(details) == 1
    return details.pop()


def test_it_is_off_until_the_settings_turn_it_on_and_says_which(make_server, make_api):
    detail = off(make_api(make_server()))
    assert "jobs = yes" in detail and "ENABLE_QUEUE" in detail and "jwt_secret" in detail
    assert "memory:" not in detail


def test_it_needs_tokens(make_server, make_api):
    server = make_server(args=["--jobs"])
    detail = off(make_api(server))
    assert "jwt_secret or jwks" in detail and "jobs = yes" not in detail
    assert detail in server.log()


def test_it_needs_a_store_that_lasts(make_server, make_api):
    server = make_server(store="memory:", args=["--jobs"], env=TOKENS)
    detail = off(make_api(server, key=Secret().token(claims())))
    assert "sqlite:PATH" in detail and "jobs = yes" not in detail and "jwt" not in detail
    assert detail in server.log()


@pytest.mark.parametrize("env, on", [
    ({"ENABLE_QUEUE": "true", "STORAGE": "prisma"}, True),
    ({"ENABLE_QUEUE": "true"}, True),
    ({"STORAGE": "prisma"}, False),
    ({"ENABLE_QUEUE": "false", "STORAGE": "prisma"}, False),
    ({"ENABLE_QUEUE": "true", "STORAGE": "memory"}, False),
    ({"ENABLE_QUEUE": "true", "STORAGE": "inmemory"}, False),
    ({"STORAGE": "memory", "TASKYARD_JOBS": "yes"}, True),
])
def test_the_documents_variables_turn_it_on_and_off(make_server, make_api, env, on):
    api = make_api(make_server(env={**TOKENS, **env}), key=Secret().token(claims(roles=["user"])))
    if on:
        assert made(api)["status"] == "pending"
    else:
        assert "STORAGE" in off(api)


def test_moving_on_to_jobs_takes_settings_only(tmp_path, store, make_api):
    """The same store and program, started again with the document's variables: old tasks stay."""
    directory, env = tmp_path / "server", {}
    server = Server(directory, store=store, env=env).start()
    try:
        api = make_api(server)
        task = api.create()
        off(api)
        server.stop()
        server.env.update(TOKENS, ENABLE_QUEUE="true", STORAGE="prisma")
        server.start()
        user = make_api(server, key=Secret().token(claims(roles=["user"])))
        job = made(user)
        server.stop()
        server.start()
        assert read(make_api(server, key=user.key), job)["id"] == job["id"]
        chief = make_api(server, key=Secret().token(claims(roles=["admin"])))
        assert chief.task(task)["id"] == task["id"]
    finally:
        server.stop()


# --- the demo -------------------------------------------------------------------------------------

def work(server, tmp_path):
    args = [str(BINARY), "worker", "--demo", "--queue", "jobs", "--until-empty"]
    done = subprocess.run(args, capture_output=True, text=True, timeout=WAIT_S,
                          env=clean_environment(tmp_path, {"TASKYARD_URL": server.url,
                                                           "TASKYARD_KEY": ADMIN}))
    assert done.returncode == 0, done.stderr


def test_a_dummy_job_is_served_by_the_demo_worker_and_waits_as_it_was_asked(
        make_server, make_api, tmp_path):
    server = make_server(key=ADMIN, args=["--jobs"], env=TOKENS)
    ann = make_api(server, key=Secret().token(claims(roles=["user"])))
    asked = ann.expect(ann.post("/jobs/start-dummy-job", {"delayMinSec": 0, "delayMaxSec": 1}), 201)
    assert asked["type"] == "dummy" and asked["userId"] == "ann" and asked["status"] == "pending"
    assert asked["meta"] == {"delayMinSec": 0, "delayMaxSec": 1}
    by_hand = made(ann, type="dummy", arguments={"delayMinSec": 0, "delayMaxSec": 0})
    unknown = made(ann, type="flyToTheMoon")
    work(server, tmp_path)
    done = read(ann, asked)
    assert done["status"] == "completed" and 0 <= done["result"]["waitedSeconds"] <= 1
    assert read(ann, by_hand)["result"]["waitedSeconds"] == 0
    assert "flyToTheMoon" in read(ann, unknown)["error"]["message"]
    log = server.log()
    assert f"Job completed: {asked['id']}" in log and f"Job failed: {unknown['id']}" in log


@pytest.mark.parametrize("body, meta", [
    (None, {"delayMinSec": 1, "delayMaxSec": 5}),
    ({"delayMinSec": 9}, {"delayMinSec": 9, "delayMaxSec": 9}),
    ({"delayMaxSec": 600}, {"delayMinSec": 1, "delayMaxSec": 600}),
])
def test_a_dummy_job_has_the_documents_defaults(ann, boss, body, meta):
    sent = {} if body is None else {"body": body}
    job = ann.expect(ann.send("POST", "/jobs/start-dummy-job", **sent), 201)
    assert job["meta"] == meta
    boss.cancel(job)


@pytest.mark.parametrize("body, pointer", [
    ({"delayMinSec": 5, "delayMaxSec": 4}, "/delayMaxSec"), ({"delayMinSec": -1}, "/delayMinSec"),
    ({"delayMaxSec": 601}, "/delayMaxSec"), ({"type": "t"}, "/type"),
])
def test_a_dummy_job_of_nonsense_is_refused(ann, body, pointer):
    problem(ann.post("/jobs/start-dummy-job", body), 400, "invalid_field", pointer)
