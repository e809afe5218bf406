"""API keys: the first one, made ones, revoked ones, and how a credential is shown."""

import subprocess

import pytest

from lib.client import new_key, problem
from lib.nodes import server_or_nodes
from lib.server import ADMIN, BINARY, clean_environment, free_port


@pytest.fixture(scope="module")
def keyed(tmp_path_factory, store):
    running = server_or_nodes(tmp_path_factory.mktemp("keyed"), store, key=ADMIN,
                              auth_failures_max=0).start()
    yield running
    running.stop()


def test_without_a_credential_nothing_is_answered(keyed, make_api):
    api = make_api(keyed, key="")
    api.http.headers.pop("Authorization", None)
    response = api.get("/tasks")
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("headers", [
    {"Authorization": f"Bearer {ADMIN}"}, {"x-api-key": ADMIN}, {"X-API-KEY": ADMIN},
    {"authorization": f"bearer {ADMIN}"}])
def test_a_credential_is_taken_in_either_header(keyed, make_api, headers):
    api = make_api(keyed, key="")
    api.http.headers.pop("Authorization", None)
    assert api.get("/tasks", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {ADMIN}x"},
    {"Authorization": f"Bearer {ADMIN[:-1]}"}, {"Authorization": f"Basic {ADMIN}"},
    {"Authorization": ADMIN}, {"Authorization": "Bearer"}, {"Authorization": "Bearer ,"},
    {"x-api-key": ""}, {"x-api-key": "tk_no_such_key"}, {"x-api-key": ADMIN.upper()},
    {"x-api-key": "k" * 5000}, {"Cookie": f"key={ADMIN}"}])
def test_a_wrong_credential_is_refused(keyed, make_api, headers):
    api = make_api(keyed, key="")
    api.http.headers.pop("Authorization", None)
    problem(api.get("/tasks", headers=headers), 401, "unauthenticated")


def test_a_credential_in_the_query_does_not_count(keyed, make_api):
    api = make_api(keyed, key="")
    api.http.headers.pop("Authorization", None)
    assert api.get("/tasks", params={"api_key": ADMIN}).status_code == 401


def test_the_first_key_is_an_admin_of_the_default_tenant(admin):
    assert admin.create()["tenantId"] == "default"
    assert admin.get("/keys").status_code == 200


def test_a_made_key_works_at_once_and_its_secret_is_shown_once(admin, keyed, make_api):
    made = new_key(admin, ["producer", "worker"])
    key, secret = made["key"], made["secret"]
    assert secret.startswith("tk_")
    assert sorted(key["roles"]) == ["producer", "worker"]
    assert key["tenant"] == "default" and key["createdAt"] and key["revokedAt"] is None
    api = make_api(keyed, key=secret)
    assert api.complete(api.running())["status"] == "completed"
    listed = admin.get("/keys")
    keys = {one["id"]: one for one in admin.expect(listed)["keys"]}
    assert keys[key["id"]] == {**key, "lastUsedAt": keys[key["id"]]["lastUsedAt"]}
    assert secret not in listed.text


def test_the_actor_of_an_event_is_the_key(admin, keyed, make_api):
    made = new_key(admin, ["producer"])
    api = make_api(keyed, key=made["secret"])
    event, = api.events(api.create())
    assert event["actor"] == f"key:{made['key']['id']}"


def test_a_revoked_key_is_refused_at_once(admin, keyed, make_api):
    made = new_key(admin, ["admin"])
    api = make_api(keyed, key=made["secret"])
    assert api.get("/tasks").status_code == 200
    admin.expect(admin.delete(f"/keys/{made['key']['id']}"))
    problem(api.get("/tasks"), 401, "unauthenticated")
    listed = {key["id"]: key for key in admin.expect(admin.get("/keys"))["keys"]}
    assert listed[made["key"]["id"]]["revokedAt"]


def test_an_unknown_key_is_neither_revoked_nor_rotated_and_is_named(admin):
    for response in (admin.delete("/keys/nosuchkey"), admin.post("/keys/nosuchkey/rotate")):
        detail = problem(response, 404, "not_found")["detail"]
        assert "no key nosuchkey here" in detail and "taskyard key list" in detail
    for odd in ("%01", "%C3%A9", "a%20b", "x" * 129):
        assert "no key here" in problem(admin.delete(f"/keys/{odd}"), 404, "not_found")["detail"]


def test_a_key_in_the_place_of_its_id_is_not_repeated(admin):
    secret = new_key(admin, ["reader"])["secret"]
    for key, sentence in ((secret, "between tk_ and the next _"), (ADMIN, "(API_KEY)")):
        for response in (admin.delete(f"/keys/{key}"), admin.post(f"/keys/{key}/rotate")):
            assert sentence in problem(response, 404, "not_found")["detail"]
            assert key not in response.text


def test_a_key_tells_when_it_last_opened_since_the_server_started(admin, keyed, make_api):
    made = new_key(admin, ["reader"])
    assert made["key"]["lastUsedAt"] is None
    api = make_api(keyed, key=made["secret"])
    wrong = make_api(keyed, key=made["secret"][:-1] + ("a" if made["secret"][-1] != "a" else "b"))
    problem(wrong.get("/tasks"), 401, "unauthenticated")

    def used():
        keys = admin.expect(admin.get("/keys"))["keys"]
        return {key["id"]: key for key in keys}[made["key"]["id"]]["lastUsedAt"]
    assert used() is None
    api.expect(api.get("/tasks"))
    first = used()
    assert made["key"]["createdAt"] <= first
    admin.expect(admin.delete(f"/keys/{made['key']['id']}"))
    problem(api.get("/tasks"), 401, "unauthenticated")
    assert used() == first


@pytest.mark.parametrize("body, pointer", [
    ({"roles": ["reader"]}, "/name"), ({"name": "n"}, "/roles"),
    ({"name": "n", "roles": "reader"}, "/roles"),
    ({"name": "n", "roles": ["king"]}, ("/roles/0", "/roles")),
    ({"name": "n", "roles": [1]}, ("/roles/0", "/roles")),
    ({"name": 1, "roles": ["reader"]}, "/name"),
    ({"name": "n", "roles": ["reader"], "tenant": "a b"}, "/tenant"),
    ({"name": "n", "roles": ["reader"], "secret": "x"}, "/secret")])
def test_a_bad_key_is_pointed_at(admin, body, pointer):
    problem(admin.post("/keys", body), 422, "invalid_field", pointer)


def test_a_key_without_any_role_is_refused(admin):
    problem(admin.post("/keys", {"name": "n", "roles": []}), 422, "invalid_field", "/roles")


def test_secrets_stand_neither_in_the_log_nor_in_the_store(admin, keyed, make_api):
    made = new_key(admin, ["reader"])
    make_api(keyed, key=made["secret"]).get("/tasks")
    make_api(keyed, key="tk_wrong_credential_canary").get("/tasks")
    assert keyed.where_it_says(made["secret"], ADMIN, "wrong_credential_canary") == []
    assert keyed.where_it_says(made["key"]["name"]) != []  # what is there can be found


# --- where it may listen --------------------------------------------------------------------------

def serve(tmp_path, host, **env):
    return subprocess.run(
        [str(BINARY), "serve", "--listen", f"{host}:{free_port()}", "--store", "memory:"],
        capture_output=True, text=True, timeout=10, cwd=tmp_path,
        env=clean_environment(tmp_path, env))


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_a_server_without_a_key_refuses_to_listen_beyond_loopback(tmp_path, host):
    refused = serve(tmp_path, host)
    assert refused.returncode != 0
    assert "key" in (refused.stderr + refused.stdout).lower()


def test_the_well_known_default_key_is_no_key_beyond_loopback(tmp_path):
    refused = serve(tmp_path, "0.0.0.0", API_KEY="dev_api_key")
    assert refused.returncode != 0
    assert "dev_api_key" in refused.stderr + refused.stdout


def test_a_server_without_a_key_says_so_at_its_start(make_server):
    assert "key" in make_server().log().lower()
