"""What stands outside the API's base: health, the OpenAPI document, the front page."""

import re

import httpx
import pytest

ROUTES = {
    "/tasks": {"get", "post"},
    "/tasks/pending": {"get"},
    "/tasks/stats": {"get"},
    "/tasks/{id}": {"get", "put", "patch", "delete"},
    "/tasks/{id}/status": {"get"},
    "/tasks/{id}/events": {"get"},
    "/tasks/{id}/attempts": {"get"},
    "/tasks/{id}/logs": {"get", "post"},
    "/tasks/{id}/explain": {"get"},
    "/tasks/{id}/start": {"post"},
    "/tasks/{id}/cancel": {"post"},
    "/tasks/{id}/retry": {"post"},
    "/tasks/{id}/claim": {"post"},
    "/tasks/{id}/heartbeat": {"post"},
    "/tasks/{id}/progress": {"post"},
    "/tasks/{id}/complete": {"post"},
    "/tasks/{id}/fail": {"post"},
    "/tasks/{id}/release": {"post"},
    "/claims": {"post"},
    "/completions": {"post"},
    "/queues": {"get"},
    "/queues/{name}": {"get"},
    "/queues/{name}/pause": {"post"},
    "/queues/{name}/resume": {"post"},
    "/types": {"get"},
    "/types/{name}": {"get", "put"},
    "/workers": {"get"},
    "/events": {"get"},
    "/keys": {"get", "post"},
    "/keys/{id}": {"delete"},
}


def test_health_tells_status_version_store_and_uptime(api, store):
    response = api.get("//health")
    assert response.status_code == 200
    health = response.json()
    assert health["status"] == "ok"
    assert re.match(r"\d+\.\d+", health["version"])
    assert store.rstrip(":") in str(health["store"])
    assert health["uptimeMs"] >= 0


@pytest.mark.parametrize("path", ["//livez", "//readyz"])
def test_probes_say_yes(api, path):
    assert api.get(path).status_code == 200


def test_the_front_page_points_to_the_documents(api):
    response = api.get("//")
    assert response.status_code == 200 and len(response.text) > 20


@pytest.mark.parametrize("path", ["//health", "//livez", "//readyz", "//openapi.json", "//"])
def test_these_need_no_credential(make_server, make_api, path):
    api = make_api(make_server(key="secret-admin-key"))
    del api.http.headers["Authorization"]
    assert api.get(path).status_code == 200
    assert api.get("/tasks").status_code == 401


@pytest.fixture(scope="module")
def openapi(server):
    return httpx.get(server.url + "/openapi.json", trust_env=False).json()


def operations(openapi):
    return {(path.removeprefix("/api/v1"), method): operation
            for path, item in openapi["paths"].items()
            for method, operation in item.items()
            if method in ("get", "put", "post", "delete", "patch", "head", "options")}


def test_the_openapi_document_says_what_it_is(openapi):
    assert openapi["openapi"].startswith("3.")
    assert openapi["info"]["title"] and openapi["info"]["version"]


def test_every_route_of_the_api_is_in_the_openapi_document(openapi):
    described = {}
    for path, method in operations(openapi):
        described.setdefault(path, set()).add(method)
    plain = {re.sub(r"{\w+}", "{}", path): methods for path, methods in described.items()}
    for path, methods in ROUTES.items():
        assert methods <= plain.get(re.sub(r"{\w+}", "{}", path), set()), path


def test_the_openapi_document_describes_no_route_that_is_not_there(api, openapi):
    for (path, method), _ in operations(openapi).items():
        full = next(p for p in openapi["paths"] if p.removeprefix("/api/v1") == path)
        url = re.sub(r"{\w+}", "01890000-0000-7000-8000-000000000000", full)
        response = api.http.request(method.upper(), url, content=b"\x01" if method != "get"
                                    else None)
        assert response.status_code != 405, (method, path)
        if response.status_code == 404:
            assert "no route" not in response.text.lower(), (method, path)


def test_every_operation_has_a_unique_name_a_summary_and_answers(openapi):
    names = []
    for where, operation in operations(openapi).items():
        assert operation["responses"], where
        assert operation.get("summary") or operation.get("description"), where
        names.append(operation.get("operationId"))
    assert None not in names and len(set(names)) == len(names)


def test_only_what_is_durable_is_called_so(openapi):
    told = {where: operation["responses"]["2XX"]["description"]
            for where, operation in operations(openapi).items()}
    assert {text for (_, method), text in told.items() if method == "get"} == {"Done."}
    assert told["/demo/tasks/batch", "post"] == "Done; of a session, so not durable."
    assert told["/sessions/{name}", "delete"] == "Done."
    for path in ("/tasks", "/tasks/{id}/cancel", "/claims", "/tasks/{id}/complete"):
        assert told[path, "post"] == "Done; durable, unless of a session."
    for path in ("/jobs", "/keys", "/queues/{name}/pause", "/api/tasks"):
        assert told[path, "post"] == "Done; durable."
    assert told["/types/{name}", "put"] == told["/tasks/{id}", "delete"] == "Done; durable."


def test_every_parameter_in_a_path_is_declared(openapi):
    for path, item in openapi["paths"].items():
        wanted = set(re.findall(r"\{(\w+)\}", path))
        for method, operation in item.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue
            declared = {parameter["name"] for parameter in
                        item.get("parameters", []) + operation.get("parameters", [])
                        if parameter.get("in") == "path"}
            assert wanted == declared, (method, path)


def test_every_reference_in_the_openapi_document_leads_somewhere(openapi):
    def walk(node):
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                assert reference.startswith("#/"), reference
                target = openapi
                for step in reference[2:].split("/"):
                    target = target[step.replace("~1", "/").replace("~0", "~")]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(openapi)
