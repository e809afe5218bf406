"""Each route that the server describes does what it is there for. Those that change something are
in test_audit.py, with the events that they leave."""

import pytest

from lib.client import fresh_name
from lib.described import routes
from lib.sessions import DEMOS, Session
from lib.tokens import Secret, claims


@pytest.fixture
def user(keyed, admin, make_api):
    """A client with the token of a user, for the jobs of front door S4."""
    token = Secret().token(claims(sub=f"{fresh_name('u')}@example.com", roles=["user"]))
    return make_api(keyed, key=token, type_name=admin.type)


def test_each_route_that_reads_answers_what_is_there(admin, user):
    task = admin.ended("completed")
    job = user.expect(user.post("/jobs", {"type": user.type}), 201)
    admin.expect(admin.put(f"/types/{admin.type}", {"priority": 1}))
    named = {"id": task["id"], "jobs": job["id"], "queues": "default", "types": admin.type}
    read = 0
    for route in (route for route in routes(admin) if route.method == "GET"):
        value = named.get(route.noun, named["id"])
        answer = (user if route.by_token else admin).get(route.at(value))
        assert answer.status_code == 200, f"{route}: {answer.status_code} {answer.text[:200]}"
        assert answer.content, route
        read += 1
    assert read > 20


@pytest.mark.parametrize("kind", sorted(DEMOS))
def test_each_demo_route_makes_and_starts_a_task_in_a_session(keyed, kind):
    session = Session(keyed)
    made = session.demo(kind)["task"]
    seen = session.expect(session.get(f"/tasks/{made['id']}/explain"))["explain"]
    assert seen["waitingFor"] == "worker" and f"type {kind} " in seen["reason"]
    session.close()
