"""The plans of PostgreSQL for all that the task repository service asks: no walk over a whole
table. tests/contract/sqlite_plans_test.c holds the embedded store to the same."""

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from lib.client import new_key
from lib.server import ADMIN, POSTGRES

TASKS = 2000
SMALL = {"channel", "tally", "tally_move", "node", "queue", "type", "tenant", "api_key", "meta"}


def psql(sql):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", POSTGRES, "-c", sql],
                          capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def explained(make_server):
    """A server all of whose statements PostgreSQL explains in its log."""
    wishes = ("-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 "
              "-c auto_explain.log_format=json -c auto_explain.log_nested_statements=on")
    join = "&" if "?" in POSTGRES else "?"
    return make_server(key=ADMIN, store=f"{POSTGRES}{join}options={quote(wishes)}",
                       store_schema="door_plans")


@pytest.fixture
def log():
    """What PostgreSQL logs from now on."""
    path = Path(psql("SHOW data_directory")).parent / "log"
    before = path.stat().st_size

    def read():
        with open(path, encoding="utf-8", errors="replace") as file:
            file.seek(before)
            return file.read()
    return read


def plans(text):
    """Each plan of the log."""
    for found in re.finditer(r"plan:\n((?:\t.*\n?)+)", text):
        yield json.loads(found[1].replace("\t", " "))


def nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def walks(plan):
    """The big tables that it walks."""
    return [node["Relation Name"] for node in nodes(plan["Plan"])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] not in SMALL]


def live(api, kind):
    """All that services ask for."""
    made = [{"task_type": kind, "request": {"content": n}, "tags": {"service": "content"},
             "priority": 1 + n % 10, "tenant_id": "acme", "task_id": f"{kind}-{n}"}
            for n in range(TASKS)]
    for at in range(0, TASKS, 1000):
        api.expect(api.post("/tasks", made[at:at + 1000]), 201)
    for query in ({}, {"task_type": kind}, {"service_tag": "content"}, {"tenant_id": "acme"},
                  {"task_type": f"{kind},other"}, {"status": "all"}, {"status": "processing"},
                  {"status": "completed", "task_type": kind}, {"status": "failed"}):
        api.expect(api.get("/tasks", params=query))
    first, second, third = (task["task_id"] for task in
                            api.expect(api.get("/tasks", params={"limit": 3}))["tasks"])
    for one in (first, second, third):
        api.expect(api.post(f"/tasks/{one}/claim", params={"tenant_id": "acme"}))
    api.expect(api.post(f"/tasks/{first}/complete", {"a": 1}))
    api.expect(api.post(f"/tasks/{second}/fail", {"message": "no"}))
    api.expect(api.patch(f"/tasks/{third}/status", {"status": "pending"}))
    api.expect(api.put(f"/tasks/{third}", {"priority": 3}))
    api.expect(api.get(f"/tasks/{kind}-7"))
    api.expect(api.get("/stats"))
    api.expect(api.delete(f"/tasks/{third}"))


def test_no_statement_of_the_door_walks_a_whole_table(explained, make_api, log):
    admin = make_api(explained)
    secret = new_key(admin, ["producer", "worker"], service="content")["secret"]
    api = make_api(explained, key=secret)
    live(api, api.type)
    explained.stop()  # whatever was under way is in the log then
    seen = list(plans(log()))
    assert len(seen) > 30
    assert [table for plan in seen for table in walks(plan)] == []


def test_a_walk_is_seen(log):
    subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", POSTGRES], check=True,
                   text=True, capture_output=True, input="LOAD 'auto_explain';"
                   "SET auto_explain.log_min_duration = 0; SET auto_explain.log_format = json;"
                   "CREATE TEMP TABLE task (a integer); SELECT count(*) FROM task;")
    assert ["task"] in [walks(plan) for plan in plans(log())]
