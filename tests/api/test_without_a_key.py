"""Without any key: who uses this machine may do everything, web pages and strangers nothing."""

import pytest

from lib.client import problem


@pytest.mark.parametrize("host", ["localhost", "localhost:8503", "LOCALHOST", "127.0.0.1",
                                  "127.0.0.1:1", "127.1.2.3", "[::1]", "[::1]:8503"])
def test_every_name_of_this_machine_is_answered(api, host):
    assert api.get("/tasks", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [
    "evil.example", "localhost.evil.example", "127.evil.example", "127.0.0.1.evil.example",
    "127.0.0.1evil", "[::1].evil.example", "192.0.2.1", "[2001:db8::1]", "0.0.0.0"])
def test_a_name_that_is_not_this_machine_is_refused(api, host):
    """DNS rebinding: the browser believes that it speaks to the page's own server."""
    response = api.post("/tasks", api.fields(), headers={"Host": host})
    problem(response, 403, "forbidden")
    assert api.list() == []


@pytest.mark.parametrize("origin", [
    "http://evil.example", "https://evil.example", "null", "http://localhost.evil.example",
    "http://127.0.0.1:1", "file://", ""])
def test_a_page_of_another_origin_changes_nothing(api, origin):
    response = api.post("/tasks", api.fields(), headers={"Origin": origin})
    problem(response, 403, "forbidden")
    assert api.list() == []


def test_a_page_of_the_server_itself_is_answered(api):
    response = api.get("/tasks", headers={"Origin": str(api.http.base_url).rstrip("/")})
    assert response.status_code == 200


def test_a_form_of_a_foreign_page_is_not_taken_as_json(api):
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        response = api.post("/tasks", api.fields(), headers={"Content-Type": content_type})
        assert response.status_code == 415
    assert api.list() == []


# --- the first key, and the last ------------------------------------------------------------------

def new_key(api, roles, **fields):
    return api.expect(api.post("/keys", {"name": "k", "roles": roles, **fields}), 201)


def test_the_first_key_must_be_an_admin_so_that_nobody_is_locked_out(make_server, make_api):
    api = make_api(make_server())
    problem(api.post("/keys", {"name": "k", "roles": ["reader"]}), 422, "invalid_field", "/roles")
    assert api.get("/tasks").status_code == 200


def test_the_first_key_must_open_what_there_is(make_server, make_api):
    """One of another tenant would lock out all that was done before, and nobody could make more."""
    api = make_api(make_server())
    task = api.create()
    body = {"name": "k", "roles": ["admin"], "tenant": "acme"}
    problem(api.post("/keys", body), 422, "invalid_field", "/tenant")
    assert api.task(task)["status"] == "pending"
    new_key(api, ["admin"], tenant="default")
    problem(api.get("/tasks"), 401, "unauthenticated")


def test_the_first_key_closes_the_server_to_those_without_one(make_server, make_api):
    server = make_server()
    api = make_api(server)
    secret = new_key(api, ["admin"])["secret"]
    problem(api.get("/tasks"), 401, "unauthenticated")
    assert make_api(server, key=secret).get("/tasks").status_code == 200


def test_the_end_of_the_last_key_does_not_open_the_server(make_server, make_api):
    server = make_server()
    anyone = make_api(server)
    made = new_key(anyone, ["admin"])
    admin = make_api(server, key=made["secret"])
    revoked = admin.delete(f"/keys/{made['key']['id']}")
    assert revoked.status_code in (200, 409, 422), revoked.text
    problem(anyone.get("/tasks"), 401, "unauthenticated")


def test_the_last_admin_of_a_tenant_is_kept_though_another_tenant_has_one(make_server, make_api):
    server = make_server()
    boss = new_key(make_api(server), ["admin"])
    admin = make_api(server, key=boss["secret"])
    new_key(admin, ["admin"], tenant="acme")
    problem(admin.delete(f"/keys/{boss['key']['id']}"), 409, "conflict")
    second = new_key(admin, ["admin"])
    admin.expect(admin.delete(f"/keys/{boss['key']['id']}"))
    heir = make_api(server, key=second["secret"])
    assert len(heir.expect(heir.get("/keys"))["keys"]) == 2
