"""`taskyard migrate`: a whole store into another one, between files and, where there is one, a
PostgreSQL server."""

import os
import pty
import re
import signal
import sqlite3
import subprocess

import pytest

from lib.client import fresh_name
from lib.server import BINARY, POSTGRES, Server, clean_environment, drop_schemas, new_schema

DONE, FAILURE, USAGE, CONFIG = 0, 1, 64, 78
KINDS = ["sqlite", "postgresql"] if POSTGRES else ["sqlite"]
WAYS = [("sqlite", kind) for kind in KINDS] + ([("postgresql", "sqlite")] if POSTGRES else [])
PARTS = ["catalogue", "tasks", "logs", "events", "replays"]


class Place:
    """A store of one kind, as the command line names it."""

    def __init__(self, kind, directory):
        directory.mkdir(exist_ok=True)
        self.kind, self.directory = kind, directory
        self.file = directory / "taskyard.db"
        self.schema = new_schema() if kind == "postgresql" else None
        self.url = POSTGRES if self.schema else f"sqlite:{self.file}"

    def options(self, side):
        return [f"--{side}", self.url,
                *([f"--{side}-schema", self.schema] if self.schema else [])]

    def server(self, **settings):
        if self.schema:
            settings["store_schema"] = self.schema
        return Server(self.directory, store=self.url, **settings)

    def sql(self, text, *values):
        """Behind the store's back. `schema.` stands for the tables' place."""
        if self.schema:
            return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", POSTGRES],
                                  text=True, check=True, stdout=subprocess.PIPE,
                                  input=text.replace("schema.", self.schema + ".")).stdout
        with sqlite3.connect(self.file) as db:
            return db.execute(text.replace("schema.", ""), values).fetchall()


@pytest.fixture
def place(tmp_path):
    """place(kind) is a store that is not there yet."""
    made = []

    def make(kind="sqlite"):
        made.append(Place(kind, tmp_path / f"place{len(made)}"))
        return made[-1]

    yield make
    drop_schemas([one.schema for one in made if one.schema])


@pytest.fixture
def serve():
    """serve(place) starts a server on it; all stop with the test."""
    running = []

    def start(where, **settings):
        running.append(where.server(**settings).start())
        return running[-1]

    yield start
    for one in running:
        one.stop()


def command(*args):
    return [str(BINARY), "migrate", *map(str, args)]


@pytest.fixture
def migrate(tmp_path):
    """Runs the program and gives the finished process."""
    def run(*args, expect=DONE):
        ended = subprocess.run(command(*args), text=True, capture_output=True, cwd=tmp_path,
                               timeout=120, env=clean_environment(tmp_path))
        assert ended.returncode == expect, f"{args}: {ended.returncode}\n{ended.stderr}"
        return ended
    return run


def table(ended):
    """{"tasks": ("12", "12", "ok"), …} of what was printed."""
    return {part: tuple(rest) for part, *rest in
            (line.split("\t") for line in ended.stdout.splitlines())}


def fill(api):
    """Tasks in each state and all that can hang on them. Gives their ids, and one that runs."""
    running = api.running(payload={"text": "grüße \U0001f4a5"}, tags={"a": "b"}, uniqueKey="once",
                          claim={"leaseMs": 600_000})
    api.log(running, "first line", "second line")
    api.progress(running, 40, currentStep="encode")
    removed = api.ended("cancelled")
    api.expect(api.delete(f"/tasks/{removed['id']}"))
    large = api.running(payload=["x" * 50_000])
    tasks = [api.create(), api.create(delayMs=600_000), api.create(autoStart=False),
             api.create(queue=fresh_name("q"), name="", metadata={"n": 1.5}),
             api.ended("completed"), api.ended("failed"), api.ended("cancelled"),
             api.complete(large, ["y" * 50_000])]
    return [task["id"] for task in [*tasks, running]], running, removed["id"]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_comes_over_and_work_goes_on(place, serve, migrate, make_api, kind):
    old, new, back = place(), place(kind), place()
    server = serve(old, key="admin-key")
    api = make_api(server)
    ids, running, removed = fill(api)
    made = api.post("/tasks", api.fields(payload=1), headers={"Idempotency-Key": "k1"}).json()
    api.expect(api.post("/queues/images/pause"))
    key = api.expect(api.post("/keys", {"name": "w", "roles": ["reader"]}), 201)["secret"]
    before = {id: (api.task(id), api.events(id)) for id in [*ids, made["task"]["id"]]}
    history = api.events(removed)
    server.stop()
    content = old.file.read_bytes()

    shown = table(migrate(*old.options("from"), *new.options("to")))
    assert list(shown) == PARTS
    assert all(rows == moved and word == "ok" for rows, moved, word in shown.values())
    assert int(shown["tasks"][0]) == len(before)
    assert old.file.read_bytes() == content
    shown = table(migrate(*new.options("from"), *back.options("to")))
    assert {word for _, _, word in shown.values()} == {"ok"}
    assert table(migrate("--verify", *old.options("from"), *back.options("to"))) == shown

    server = serve(new, key="admin-key")
    api = make_api(server, type_name=api.type)
    for id, (task, events) in before.items():
        assert (api.task(id), api.events(id)) == (task, events)
    assert api.events(removed) == history
    assert api.complete(running, {"late": True})["status"] == "completed"
    again = api.post("/tasks", api.fields(payload=1), headers={"Idempotency-Key": "k1"})
    assert again.json()["task"]["id"] == made["task"]["id"]
    assert api.create()["id"] > max(before)
    assert next(q for q in api.expect(api.get("/queues"))["queues"] if q["name"] == "images")[
        "paused"]
    reader = make_api(server, key=key, type_name=api.type)
    assert len(reader.list(limit=1000)) == len(before) + 1
    server.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_a_server_uses_is_refused(place, serve, migrate, make_api, kind):
    used, free = place(kind), place()
    make_api(serve(used)).create()
    for sides in ((used, free), (free, used)):
        if sides[0] is free:
            serve(free).stop()  # it must be there to be read
        ended = migrate(*sides[0].options("from"), *sides[1].options("to"), expect=FAILURE)
        assert re.search("in use by another taskyard, process|uses the database", ended.stderr)
        assert ended.stdout == ""


def start_and_stop(old, new, tmp_path, number):
    """Starts a move and ends it when its first line says that the first part is there."""
    process = subprocess.Popen(command(*old.options("from"), *new.options("to")), text=True,
                               cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=clean_environment(tmp_path))
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("moving the catalogue"):
            process.send_signal(number)
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()
    return process.returncode, "".join(lines)


def check(where, tmp_path):
    schema = ["--store-schema", where.schema] if where.schema else []
    return subprocess.run([str(BINARY), "check", "--store", where.url, *schema], text=True,
                          capture_output=True, timeout=60, cwd=tmp_path,
                          env=clean_environment(tmp_path), check=False)


@pytest.mark.parametrize("way", WAYS, ids="-".join)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["int", "kill"])
def test_an_interrupted_move_goes_on(place, serve, migrate, make_api, tmp_path, way, number):
    old, new, other = place(way[0]), place(way[1]), place()
    api = make_api(serve(old))
    for _ in range(20):
        api.create_many([{"payload": {"n": n}} for n in range(1000)])
    api.server.stop()
    code, said = start_and_stop(old, new, tmp_path, number)
    if number == signal.SIGINT:
        assert code == 128 + signal.SIGINT
        assert "repeat the same command" in said
    assert "all of them\nreading" not in said

    # Half a store is not served, and not filled from elsewhere.
    half = new.server()
    half.port = 0
    refused = subprocess.run(half.command(), text=True, capture_output=True, timeout=30,
                             cwd=tmp_path, env=clean_environment(tmp_path), check=False)
    assert refused.returncode == CONFIG
    assert "taskyard migrate" in refused.stderr + refused.stdout
    serve(other).stop()
    ended = migrate(*other.options("from"), *new.options("to"), expect=FAILURE)
    assert "from another store" in ended.stderr

    # Nor is it moved on, compared or taken for a broken one.
    for ended in (migrate(*new.options("from"), *place().options("to"), expect=FAILURE),
                  migrate("--verify", *new.options("from"), *old.options("to"), expect=FAILURE),
                  migrate("--verify", *old.options("from"), *new.options("to"), expect=FAILURE),
                  check(new, tmp_path)):
        assert "a move that was not finished" in ended.stderr
        assert "All is moved" not in ended.stderr and "FAIL" not in ended.stdout

    ended = migrate(*old.options("from"), *new.options("to"))
    assert "this one goes on where it ended" in ended.stderr
    assert "moving the catalogue: 1 rows, there already" in ended.stderr
    assert table(ended)["tasks"] == ("20000", "20000", "ok")
    assert make_api(serve(new)).create()


@pytest.mark.parametrize("way", WAYS, ids="-".join)
@pytest.mark.parametrize("part, harm", [
    ("catalogue", "UPDATE schema.tenant SET name = 'other' WHERE number = 1"),
    ("tasks", "UPDATE schema.task SET name = 'Name' WHERE name = 'name'"),
    ("logs", "UPDATE schema.log SET text = 'linf' WHERE text = 'line'"),
    ("events", "UPDATE schema.event SET at = at + 1"),
    ("replays", "DELETE FROM schema.replay"),
])
def test_a_changed_byte_is_found(place, serve, migrate, make_api, way, part, harm):
    old, new = map(place, way)
    api = make_api(serve(old))
    api.post("/tasks", api.fields(name="name"), headers={"Idempotency-Key": "k"})
    api.log(api.claim_one(), "line")
    api.server.stop()
    migrate(*old.options("from"), *new.options("to"))
    new.sql(harm)
    ended = migrate("--verify", *old.options("from"), *new.options("to"), expect=FAILURE)
    assert [name for name, row in table(ended).items() if row[2] != "ok"] == [part]
    assert "differ in 1 of 5 parts" in ended.stderr


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_move_that_does_not_come_out_right_leaves_the_store_closed(place, serve, migrate,
                                                                     make_api, tmp_path, way):
    old, new = map(place, way)
    api = make_api(serve(old))
    for _ in range(20):
        api.create_many([{} for n in range(1000)])
    api.server.stop()
    start_and_stop(old, new, tmp_path, signal.SIGINT)
    old.sql("INSERT INTO schema.queue(tenant, name, paused) VALUES (1, 'late', true)")
    ended = migrate(*old.options("from"), *new.options("to"), expect=FAILURE)
    assert table(ended)["catalogue"][2] == "DIFFERENT"
    assert "stays closed" in ended.stderr
    ended = migrate(*old.options("from"), *new.options("to"), expect=FAILURE)
    assert "stays closed" in ended.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_holds_something_is_left_as_it_is(place, serve, migrate, make_api, kind):
    old, new = place(), place(kind)
    make_api(serve(old)).server.stop()
    api = make_api(serve(new))
    task = api.create()
    api.server.stop()
    ended = migrate(*old.options("from"), *new.options("to"), expect=FAILURE)
    assert "not empty" in ended.stderr and "--verify" in ended.stderr
    assert make_api(serve(new), type_name=api.type).task(task) == task


def test_what_cannot_be_moved_is_refused(place, serve, migrate, tmp_path):
    old = place()
    roundabout = f"{old.directory}/../{old.directory.name}/{old.file.name}"
    serve(old).stop()
    for args, sentence in ((["--from", old.url], "both needed"),
                           (["--from", old.url, "--to", "memory:"], "in memory"),
                           (["--from", "memory:", "--to", "sqlite:new.db"], "in memory"),
                           (["--from", old.url, "--to", old.url], "the same store"),
                           (["--from", old.url, "--to", f"sqlite:{roundabout}"], "the same store"),
                           (["--from", old.url, "--to", "sqlite:new.db", "--to-schema", "x"],
                            "--to-schema is for PostgreSQL"),
                           (["--from", old.url, "--to", "new.db"],
                            "taskyard: --to must be sqlite:PATH or postgresql://")):
        stderr = migrate(*args, expect=USAGE).stderr
        assert sentence in stderr and "memory:" not in stderr
    missing = migrate("--from", "sqlite:nothing.db", "--to", "sqlite:new.db", expect=FAILURE)
    assert "is there a store of that name" in missing.stderr
    assert not list(tmp_path.glob("n*.db*"))


def test_a_copy_is_not_filled_from_its_original(place, serve, migrate, tmp_path):
    old = place()
    serve(old).stop()
    copy = tmp_path / "copy.db"
    copy.write_bytes(old.file.read_bytes())
    ended = migrate("--from", old.url, "--to", f"sqlite:{copy}", expect=FAILURE)
    assert "copies of one" in ended.stderr
    migrate("--verify", "--from", old.url, "--to", f"sqlite:{copy}")


def test_a_terminal_shows_how_far_it_is(place, serve, make_api, tmp_path):
    old, new = place(), place()
    api = make_api(serve(old))
    api.create_many([{} for n in range(1000)])
    api.server.stop()
    main, other = pty.openpty()
    with subprocess.Popen(command(*old.options("from"), *new.options("to")), stdout=other,
                          stderr=other, cwd=tmp_path,
                          env=clean_environment(tmp_path, {"TERM": "xterm"})) as process:
        os.close(other)
        shown = b""
        while piece := read_piece(main):
            shown += piece
        assert process.wait(timeout=60) == DONE
    os.close(main)
    assert b"moving tasks: 1000 rows" in shown and b"100%" in shown
    assert b"verified" in shown  # the table has titles here


def read_piece(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""
