"""A bundled worker under test: `taskyard worker`, started, watched, stopped by its pid."""

import signal
import subprocess
import threading
import time

from lib.client import fresh_name
from lib.server import BINARY, clean_environment

WAIT_S = 10.0


class Worker:
    """One `taskyard worker` process, and what it logged."""

    def __init__(self, server, home, *args, env=None):
        self.id = fresh_name("w")
        env = {"TASKYARD_URL": server.url, **(env or {})}
        if server.key:
            env["TASKYARD_KEY"] = server.key
        self.log_path = home / f"{self.id}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [str(BINARY), "worker", "--worker-id", self.id, *args],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=home,
                env=clean_environment(home, env))

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout_s=WAIT_S):
        return self.process.wait(timeout=timeout_s)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """Ends it, if it still runs, and finds no complaint of a sanitizer."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(2.0)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGTERM)
                self.wait()
        for mark in ("Sanitizer", "runtime error:", "ssertion"):
            assert mark not in self.log(), self.log()


def until(condition, timeout_s=WAIT_S):
    """Asks again and again; for what only shows from outside the server."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen in time")
