"""Queues with a store of their own: ours on a file, and those on Redis and beanstalkd.

Looks to the suite like cluster.Cluster: `fresh` gives the URL of an empty store.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from cluster import Trouble, cpu_s, make_directory, written_bytes
from nodes import free_port

START_S = 10
FLUSHES = 15  # the place of that count in a disk's line

# What runs beneath a peer, with the setting that says when its log is synced.
KINDS = {
    "redis": ["redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
              "--maxmemory-policy", "noeviction", "--port", "{port}", "--dir", "{directory}",
              "--appendfsync"],
    "beanstalkd": ["beanstalkd", "-l", "127.0.0.1", "-p", "{port}", "-b", "{directory}"],
}


class OwnStores:
    """with OwnStores("build", {"bull": ("redis", ["always"])}) as stores: stores.fresh("bull")"""

    def __init__(self, parent, servers):
        for kind in {kind for kind, _ in servers.values()}:
            if not shutil.which(KINDS[kind][0]):
                raise Trouble(f"there is no {KINDS[kind][0]}; tools/packages bench installs it")
        self.directory = make_directory(parent)
        self.servers = servers
        self.process = None
        self.urls = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, name):
        return self.urls[name]

    def fresh(self, name):
        self._stop()
        name = name.removeprefix("peer_")
        place = self.directory / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        self.urls[name] = (self._start(name, place) if name in self.servers
                           else f"sqlite:{place}/taskyard.db")
        os.sync()
        return self.urls[name]

    def settle(self, name):
        """Nothing is gathered here that an ordinary minute would bring."""
        del name
        os.sync()

    def _start(self, name, place):
        kind, settings = self.servers[name]
        port = free_port()
        words = [word.format(port=port, directory=place) for word in KINDS[kind]]
        with open(place / "log", "wb") as log:
            self.process = subprocess.Popen([*words, *settings], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        began = time.monotonic()
        while not answers(port):
            if self.process.poll() is not None or time.monotonic() - began > START_S:
                raise Trouble(f"{kind} did not start: {(place / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return f"{kind}://127.0.0.1:{port}"

    def _stop(self):
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait()
        self.process = None

    def counters(self, name):
        """What the server beneath has spent, its log's rewriters included. Ours has none apart."""
        del name
        pid = self.process.pid if self.process else None
        return {"cpu_s": cpu_s(pid) if pid else 0, "store_bytes": written_bytes(pid) if pid else 0,
                "flushes": disk_flushes(self.directory), "at_s": time.monotonic()}

    @staticmethod
    def version():
        redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True,
                               check=True).stdout.split()
        beanstalkd = subprocess.run(["beanstalkd", "-v"], capture_output=True, text=True,
                                    check=True).stdout.split()
        return f"Redis {redis[2].removeprefix('v=')}, beanstalkd {beanstalkd[-1]}"


def disk_flushes(directory):
    """How often the disk below was told to put on it what it has, by anybody; nan: not counted."""
    number = os.stat(directory).st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    if (device / "partition").exists():
        device = device.parent
    try:
        fields = (device / "stat").read_text().split()
    except OSError:
        return float("nan")
    counted = int(fields[FLUSHES]) if len(fields) > FLUSHES else 0
    return counted or float("nan")


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
