"""`taskyard import` of what mongoexport writes of MongoDB 5.0 and later: Extended JSON version 2,
relaxed by default and canonical when asked for; and of version 1. The lines are written by
MongoDB's own library.

There is no MongoDB in Debian, so the library stands for the server and its tools."""

import json
import math
import os
import subprocess
from datetime import datetime, timezone

import pytest
from bson import (Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp,
                  json_util)

from lib.client import fresh_name
from lib.server import BINARY, clean_environment

MODES = {"relaxed": json_util.JSONMode.RELAXED, "canonical": json_util.JSONMode.CANONICAL,
         "version 1": json_util.JSONMode.LEGACY}
AT = datetime(2025, 4, 22, 10, 0, 0, 123000, tzinfo=timezone.utc)


@pytest.fixture(params=MODES)
def written(request):
    """written(document): its line, as mongoexport writes it in this mode."""
    options = json_util.JSONOptions(json_mode=MODES[request.param])
    return lambda document: json_util.dumps(document, json_options=options) + "\n"


@pytest.fixture
def take(api, tmp_path):
    """take(lines, *options): imports them; the finished process."""
    def run(lines, *options):
        return subprocess.run(
            [str(BINARY), "import", "--from", "-", *options], input="".join(lines), timeout=60,
            capture_output=True, text=True, cwd=tmp_path,
            env=clean_environment(tmp_path, {"TASKYARD_URL": api.server.url}))
    return run


def document(kind, **fields):
    """As the original's server stores it."""
    return {"_id": ObjectId(), "task_id": fresh_name("task"), "task_type": kind,
            "status": "pending", "priority": 2, "created_at": AT, "updated_at": AT,
            "tenant_id": "acme", "batch_id": None,
            "request": {"content": {"prompt": "Écris \"ça\""}, "metadata": {"user_id": "u1"}},
            "template": {"service_type": kind, "template_data": {},
                         "parameters": {"max_tokens": 500, "temperature": 0.5}},
            "tags": {"service": "content", "source": "api", "custom_tags": {"a": "b"}},
            "metadata": {"retries": Int64(7)}, **fields}


def test_a_pending_task_of_the_original_is_taken_over_whole(api, take, written):
    one = document(api.type)
    done = take([written(one)])
    assert done.returncode == 0, done.stderr
    task = api.task(api.list()[0])
    assert (task["uniqueKey"], task["priority"]) == (str(one["_id"]), 3)
    assert (task["projectId"], task["subject"], task["metadata"]) == ("acme", None, {"retries": 7})
    assert task["tags"] == {"service": "content", "source": "api"}
    times = {"created_at": "2025-04-22T10:00:00.123Z", "updated_at": "2025-04-22T10:00:00.123Z"}
    assert task["payload"] == {**one, **times, "_id": str(one["_id"])}


def test_what_has_ended_is_taken_over_with_its_results(api, take, written):
    ended = {"processor_id": "p1", "processing_started_at": AT, "completed_at": AT}
    lines = [document(api.type, status="completed", results={
                 "text": "x", "metadata": {"tokens_used": 9, "cost": 0.25, "at": AT}}, **ended),
             document(api.type, status="failed", error="the model was down", **ended)]
    done = take(map(written, lines), "--history")
    assert done.returncode == 0, done.stderr
    found = {task["uniqueKey"]: api.task(task) for task in api.list(type=f"history/{api.type}")}
    completed, failed = (found[str(line["_id"])] for line in lines)
    assert completed["result"] == {"text": "x", "metadata": {
        "tokens_used": 9, "cost": 0.25, "at": "2025-04-22T10:00:00.123Z"}}
    assert failed["error"]["message"] == "the model was down"
    assert failed["payload"]["processor_id"] == "p1"


# What each type becomes: of numbers, dates and ids what JSON has for them.
PLAIN = [
    (5, 5), (Int64(2 ** 60), 2 ** 60), (-7, -7), (1.5, 1.5), (3.0, 3.0), (1e300, 1e300),
    (Decimal128("1.10"), 1.10), (ObjectId("65f0c0ffee0123456789abcd"), "65f0c0ffee0123456789abcd"),
    (AT, "2025-04-22T10:00:00.123Z"),
    (datetime(1960, 1, 1, tzinfo=timezone.utc), "1960-01-01T00:00:00.000Z"),
    (None, None), (True, True), ("ü\n\"$\u2028", "ü\n\"$\u2028"), ([], []), ({}, {}),
    ({"a": [Int64(1), {"b": AT}]}, {"a": [1, {"b": "2025-04-22T10:00:00.123Z"}]}),
]


@pytest.mark.parametrize("value,plain", PLAIN, ids=lambda value: None)
def test_a_value_of_each_type_that_json_has_becomes_plain(api, take, written, value, plain):
    done = take([written(document(api.type, value=value))])
    assert done.returncode == 0, done.stderr
    assert api.task(api.list()[0])["payload"]["value"] == plain


# The rest keeps the form that says its type, so that nothing of it is lost.
OTHER = [Binary(b"\0\1"), Regex("a.*", "i"), Code("x"), Code("x", {"a": "b"}), Timestamp(1, 2),
         MinKey(), MaxKey()]


@pytest.mark.parametrize("value", OTHER, ids=lambda value: type(value).__name__)
def test_a_value_of_another_type_keeps_its_form(api, take, written, value):
    line = written(document(api.type, value=value))
    assert take([line]).returncode == 0
    assert api.task(api.list()[0])["payload"]["value"] == json.loads(line)["value"]


@pytest.mark.parametrize("value,text", [(math.nan, "NaN"), (math.inf, "Infinity"),
                                        (-math.inf, "-Infinity")])
@pytest.mark.parametrize("mode", ["relaxed", "canonical"])
def test_a_number_that_json_cannot_say_becomes_a_text(api, take, mode, value, text):
    options = json_util.JSONOptions(json_mode=MODES[mode])
    line = json_util.dumps(document(api.type, value=value), json_options=options)
    assert take([line]).returncode == 0
    assert api.task(api.list()[0])["payload"]["value"] == text


@pytest.mark.parametrize("priority", [2, Int64(2), 2.0])
def test_a_priority_may_be_a_number_of_any_type(api, take, written, priority):
    """A shell of MongoDB makes each number a double."""
    done = take([written(document(api.type, priority=priority))])
    assert done.returncode == 0, done.stderr
    assert api.task(api.list()[0])["priority"] == 3


@pytest.mark.parametrize("priority", [0, 11, 2.5, "2"])
def test_a_priority_that_the_original_cannot_have_is_told(api, take, written, priority):
    done = take([written(document(api.type, priority=priority))])
    assert done.returncode == 1 and "line 1: " in done.stderr and "priority" in done.stderr
    assert api.list() == []


def test_an_id_may_be_a_number_or_a_text(api, take, written):
    number = int.from_bytes(os.urandom(3), "big")  # all tests have one tenant
    ids = [number, Int64(number + 2 ** 40), fresh_name("a b")]
    assert take([written(document(api.type, _id=one)) for one in ids]).returncode == 0
    assert {task["uniqueKey"] for task in api.list()} == {str(one) for one in ids}
    again = take([written(document(api.type, _id=one)) for one in ids])
    assert again.stdout.splitlines()[0] == "pending\t0\t3\t0\t0"
