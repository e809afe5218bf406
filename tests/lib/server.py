"""A Taskyard server under test: started on a free port, watched, stopped by its pid."""

import contextlib
import itertools
import os
import re
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("TASKYARD_BIN", ROOT / "build" / "taskyard")).resolve()

# Settings of whoever runs the tests must not reach the server under test.
FOREIGN_NAMES = {
    "API_KEY", "HOST", "PORT", "SERVICE_NAME", "DATABASE_URL", "ENABLE_SESSION_ISOLATION",
    "AUTO_MAP_SESSION_BY_IP", "MAX_COMPLETED_TASKS", "MAX_FAILED_TASKS", "TASK_CLEANUP_INTERVAL",
    "MAX_PARALLEL_TASKS", "MAX_SESSIONS", "SESSION_TIMEOUT", "ENABLE_QUEUE", "STORAGE", "NO_COLOR",
    "XDG_CONFIG_HOME",
}
PORTS = range(19_000, 32_000)  # none that tools/postgres takes, nor the system gives by itself
# Of servers that ask who comes.
ADMIN = "admin-key-of-the-tests"
LISTENS = re.compile(rb'"message":"listening"|\blistening host=')
SANITIZER_MARKS = (
    "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
    "runtime error:", "Assertion ", "assertion failed",
)


def clean_environment(home, extra=None):
    """The caller's environment without any setting of ours, plus `extra`."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("TASKYARD_") and name not in FOREIGN_NAMES}
    kept.update(HOME=str(home), **(extra or {}))
    return kept


def free_port():
    """One that the system gives to nobody by itself, so that it is likely to stay free until it is
    taken, and while whoever has taken it is away for a while."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def flag(name, value):
    """body_max=10 -> ["--body-max", "10"]"""
    return ["--" + name.replace("_", "-"), str(value)]


# A PostgreSQL server whose schemas the tests may make and drop.
POSTGRES = os.environ.get("TASKYARD_TEST_POSTGRES")
_numbers = itertools.count(1)
_schemas = []
_sessions = []  # one that lasts: to start psql takes longer than what it has to do


def new_schema():
    """The name of one that drop_all_schemas() removes."""
    _schemas.append(f"test_{secrets.token_hex(4)}_{next(_numbers)}")
    return _schemas[-1]


def drop_schemas(schemas):
    _schemas[:] = [schema for schema in _schemas if schema not in schemas]
    for schema in schemas:
        if not _sessions:
            from lib.postgres import Sql  # it needs this module
            _sessions.append(Sql(POSTGRES))
            _sessions[0]("SET client_min_messages = error")
        _sessions[0](f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def drop_all_schemas():
    """All that are left, at the end."""
    drop_schemas(list(_schemas))
    while _sessions:
        _sessions.pop().close()


class Server:
    """One `taskyard serve`. Keyword settings become flags: Server(dir, body_max=4096).

    The stores `sqlite` and `postgresql` are a file and a schema of its own. `before_exec` is called
    in the new process before it becomes the server.
    """

    before_exec = None

    def __init__(self, directory, store="sqlite", key=None, env=None, args=(), port=None,
                 host="127.0.0.1", program=BINARY, **settings):
        self.program, self.directory = program, Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.store = f"sqlite:{self.directory}/taskyard.db" if store == "sqlite" else store
        if store == "postgresql":
            self.store = POSTGRES
            settings.setdefault("store_schema", new_schema())
        self.schema = settings.get("store_schema")
        self.key = key
        self.env = dict(env or {})
        if key is not None:
            self.env["API_KEY"] = key
        self.args = list(args)
        for name, value in settings.items():
            self.args += flag(name, value)
        self.host = host  # that it listens on; it is asked on loopback
        self.port = port
        self.port_given = port is not None
        self.process = None
        self.log_path = self.directory / settings.get("log_file", "server.log")
        self.ready_s = None  # how long the last start took until /readyz said yes
        self.asked_to_stop = False
        self.log_before = 0  # bytes that earlier starts have logged

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def command(self):
        return [str(self.program), "serve", "--listen", f"{self.host}:{self.port}",
                "--store", self.store, *self.args]

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def where_it_says(self, *texts):
        """The files of its folder that hold one of these; on PostgreSQL its schema if that does."""
        kept = {path.name: path.read_bytes()
                for path in self.directory.iterdir() if path.is_file()}
        if self.schema:
            kept[self.schema] = subprocess.run(
                ["pg_dump", "--data-only", "--schema", self.schema, POSTGRES], check=True,
                stdout=subprocess.PIPE).stdout
        words = [text.encode() for text in texts]
        words += [word.hex().encode() for word in words]  # as pg_dump writes bytes
        return [name for name, content in kept.items() if any(word in content for word in words)]

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def start(self, timeout_s=20.0):
        assert self.program.exists(), f"{self.program} is not built; run make, or set TASKYARD_BIN"
        for _ in range(3):
            if not self.port_given:
                self.port = free_port()
            self._spawn()
            if self._wait_ready(timeout_s):
                return self
            if self.port_given or "in use" not in self.log_tail():
                break  # someone else may have taken the free port in between; anything else is real
        raise AssertionError(f"the server did not become ready: {self.command()}\n"
                             f"{self.log_tail()}")

    def _spawn(self):
        self.asked_to_stop = False
        self.log_before = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.directory, env=clean_environment(self.directory, self.env),
                preexec_fn=self.before_exec)

    def _wait_ready(self, timeout_s):
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            if self.has_port() and self.is_ready():
                self.ready_s = time.monotonic() - began
                return True
            try:
                self.process.wait(timeout=0.01)  # an early death ends the wait at once
                return False
            except subprocess.TimeoutExpired:
                pass
        self.process.kill()
        self.process.wait()
        return False

    def has_port(self):
        """Whether this process listens: before that another one may answer at its port."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_before)
            return LISTENS.search(log.read()) is not None

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as s:
                s.settimeout(2.0)
                s.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return s.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.asked_to_stop = self.asked_to_stop or number == signal.SIGTERM
        self.process.send_signal(number)

    def stop(self, timeout_s=15.0):
        """SIGTERM, a clean exit, and no complaint of a sanitizer."""
        if self.process is None:
            return
        if self.is_alive() and not self.asked_to_stop:  # a second one would end it at once
            self.signal(signal.SIGTERM)
        code = self._reap(timeout_s)
        self.process = None
        assert code == 0, f"the server exited with {code}\n{self.log_tail()}"
        self.assert_log_clean()

    def _reap(self, timeout_s):
        try:
            return self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "SIGTERM ignored for %d s, then SIGKILL" % timeout_s

    def assert_log_clean(self):
        text = self.log()
        for mark in SANITIZER_MARKS:
            assert mark not in text, f"{mark!r} in the server's log:\n{self.log_tail(80)}"

    def kill(self):
        """SIGKILL, as the power cut that a process can have."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def servers(directory, store):
    """make(key="k", body_max=4096, …) starts another. At the end all stop, and their schemas go."""
    made = []

    def make(**options):
        options.setdefault("store", store)
        made.append(Server(directory / f"server{len(made)}", **options))
        return made[-1].start()

    try:
        yield make
    finally:
        for one in reversed(made):
            one.stop()
        drop_schemas({one.schema for one in made if one.schema})
