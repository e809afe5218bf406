"""Servers on one database, and the load driver against them."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

from cluster import ROOT, Trouble, cpu_s, written_bytes

IDLE_SETTLE_S = 12
PROGRAM = os.environ.get("TASKYARD_BIN", str(ROOT / "build" / "taskyard"))


def clean_environment():
    """Settings of the caller's own server are none of ours."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith("TASKYARD_") and name not in ("API_KEY", "HOST", "PORT")}


class Nodes:
    """with Nodes(cluster, "bench", 3) as nodes: nodes.bench("life3", seconds=10)"""

    def __init__(self, cluster, database, count=1):
        self.cluster, self.database, self.count = cluster, database, count
        self.processes, self.urls = [], []

    def __enter__(self):
        try:
            for number in range(self.count):
                self._start(number)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def _start(self, number):
        log = self.cluster.directory / f"{self.database}-{number}.log"
        port = free_port()
        process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", f"127.0.0.1:{port}", "--store",
             self.cluster.url(self.database)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(log, "wb"),
            env=clean_environment())
        self.processes.append(process)
        began = time.monotonic()
        while not is_ready(port):
            if process.poll() is not None or time.monotonic() - began > 60:
                raise Trouble(f"the server did not become ready: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        self.urls.append(f"http://127.0.0.1:{port}")

    def _stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def bench(self, profile, *words):
        """One profile: its figures, and what the store and the servers spent on it."""
        before, stats = self._counters(), self.stats()
        found = self._finish(self._start_bench(profile, *words))
        spent = difference(before, self._counters())
        return Figures(found, spent, moved(stats, self.stats()))

    def _counters(self):
        """The store's, and those of the servers' processes."""
        pids = [process.pid for process in self.processes]
        return {**self.cluster.counters(self.database), "server_cpu_s": sum(map(cpu_s, pids)),
                "server_bytes": sum(map(written_bytes, pids))}

    def idle(self, seconds):
        """The same of servers that nobody asks for anything, while a claim is parked.

        An idle session tells PostgreSQL's counters of its last transactions after 10 s."""
        driver = self._start_bench("idle", "--seconds", seconds + IDLE_SETTLE_S)
        time.sleep(IDLE_SETTLE_S)
        before = self._counters()
        time.sleep(seconds)
        spent = difference(before, self._counters())
        return Figures(self._finish(driver), spent, 0)

    def _start_bench(self, profile, *words):
        command = [PROGRAM, "bench", "--profile", profile, "--json", *map(str, words)]
        for url, process in zip(self.urls, self.processes, strict=True):
            command += ["--url", url, "--pid", str(process.pid)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=clean_environment())

    def _finish(self, driver):
        """Figures by name, each the list of its values."""
        out, complaint = driver.communicate()
        if driver.returncode:
            logs = [path.read_text(errors="replace")[-1500:]
                    for path in sorted(self.cluster.directory.glob(f"{self.database}-*.log"))]
            raise Trouble("\n".join([complaint.strip(), *logs]))
        return {name.partition(".")[2]: metric["runs"] for name, metric in json.loads(out).items()}

    def stats(self):
        """How many tasks there are, by status."""
        with urllib.request.urlopen(f"{self.urls[0]}/api/v1/tasks/stats", timeout=30) as answer:
            return json.load(answer)["stats"]


def difference(before, after):
    return {name: after[name] - before[name] for name in before}


def moved(before, after):
    """How many tasks lived their lives meanwhile; where none did, how many came."""
    return after["completed"] - before["completed"] or after["total"] - before["total"]


class Figures:
    """What one run of a profile found, and what PostgreSQL spent on it."""

    def __init__(self, found, spent, tasks):
        self.found, self.spent, self.tasks = found, spent, tasks

    def all(self, name):
        return self.found.get(name, [])

    def __getitem__(self, name):
        return self.found[name][0]

    def get(self, name, otherwise=float("nan")):
        return self.found[name][0] if name in self.found else otherwise

    def spent_a_task(self, name):
        """Of the whole run: the warm-up counts on both sides."""
        return self.spent[name] / self.tasks if self.tasks else float("nan")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False
