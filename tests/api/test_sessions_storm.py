"""Front door S4: callers, workers and ends of sessions at once; each answer must make sense."""

import random

import httpx

from lib.client import NO_ID, fresh_name
from lib.sessions import says_so, with_sessions

ROUNDS = 150
SESSIONS = 6


def caller(make_api, server, type_name, seed):
    """Random requests to random sessions; gives what each answered."""
    dice, api, seen, tasks = random.Random(seed), make_api(server, key=""), [], []
    for _ in range(ROUNDS):
        headers = {"X-App-Session": f"storm-{dice.randrange(SESSIONS)}"}
        task = dice.choice(tasks) if tasks else NO_ID
        kind = dice.choice(["create", "create", "start", "start", "cancel", "retry", "status",
                            "list", "stats", "wait", "end"])
        if kind == "create":
            answer = api.post("/tasks", {"name": "n", "type": type_name}, headers=headers)
            if answer.status_code == 201:
                tasks.append(answer.json()["task"]["id"])
                api.post(f"/tasks/{tasks[-1]}/start", headers=headers)
        elif kind in ("start", "cancel", "retry"):
            answer = api.post(f"/tasks/{task}/{kind}", headers=headers)
        elif kind == "end":
            answer = api.delete(f"/sessions/{headers['X-App-Session']}", headers=headers)
        else:
            path = {"status": f"/tasks/{task}/status", "list": "/tasks", "stats": "/tasks/stats",
                    "wait": f"/tasks/{task}"}[kind]
            params = {"waitMs": 50} if kind == "wait" else None
            answer = api.get(path, headers=headers, params=params)
        says_so(answer)
        seen.append((kind, answer.status_code))
    return seen


def worker(make_api, server, type_name, seed):
    """Claims and moves; a lease may be lost at any moment. Gives what each move answered."""
    dice, api, seen, completed = random.Random(seed), make_api(server), [], []
    for _ in range(ROUNDS):
        answer = api.post("/claims", {"sessions": True, "types": [type_name], "workerId": "w",
                                      "limit": 3, "waitMs": dice.choice([0, 20, 100])})
        seen.append(("claim", answer.status_code))
        for task in answer.json().get("tasks", []):
            verb, fields = dice.choice([
                ("complete", {"result": 1}), ("fail", {"error": "no"}), ("release", {}),
                ("progress", {"progress": 5}), ("heartbeat", {})])
            moved = api.act(task, verb, {"leaseToken": task["leaseToken"], **fields})
            seen.append((verb, moved.status_code))
            if verb == "complete" and moved.status_code == 200:
                completed.append(task["id"])
    assert len(completed) == len(set(completed)), "a task was completed twice"
    return seen


def leaver(server, type_name, seed):
    """Asks for tasks and goes away before the answer."""
    dice = random.Random(seed)
    for _ in range(ROUNDS // 5):
        try:
            httpx.post(f"{server.url}/api/v1/claims", trust_env=False,
                       timeout=dice.choice([0.001, 0.02, 0.05]),
                       headers={"Authorization": f"Bearer {server.key}"},
                       json={"sessions": True, "types": [type_name], "workerId": "gone",
                             "waitMs": 5000})
        except httpx.TimeoutException:
            pass
    return []


def test_sessions_begin_and_end_under_callers_and_workers(make_server, make_api, parallel,
                                                          random_seed):
    server = make_server(**with_sessions(session_timeout="100ms", lease="1s"))
    type_name = fresh_name("storm")
    joins = [parallel(run, make_api, server, type_name, random_seed + number)
             for number, run in enumerate([caller] * 4 + [worker] * 3)]
    joins += [parallel(leaver, server, type_name, random_seed + 100)]
    seen = [one for join in joins for one in join(60)]
    assert {status for _, status in seen} <= {200, 201, 400, 404, 409}, sorted(set(seen))
    assert server.is_alive()
    assert {("create", 201), ("claim", 200), ("end", 200)} <= set(seen)
    # It still serves, and no session of the storm holds on to a place.
    last = make_api(server, key="")
    answer = last.post("/tasks", {"name": "n"}, headers={"X-App-Session": "after"})
    assert answer.status_code == 201
