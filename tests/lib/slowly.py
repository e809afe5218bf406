"""Clients that take their time, by the thousand: heads and bodies byte by byte, large bodies that
do not end, answers unread, and polls that wait for work."""

import re
import resource
import selectors
import socket
import time
from collections import Counter
from pathlib import Path

from lib.openloop import request_bytes

HEAD = request_bytes("GET", "/livez", headers=[f"X-Slow: {'x' * 200}"])
BODY = request_bytes("POST", "/api/v1/tasks", b'{"type":"slow","payload":"' + b"x" * 4000 + b'"}')
BEGUN = len(BODY) - 3900  # of the body: its head and some of it
READ_BYTES = 4096


def raise_descriptors():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def resident_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def connect(server, number, receive_bytes=None):
    """From one of several addresses of loopback, since ports of one are few."""
    one = socket.socket()
    if receive_bytes:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    one.bind((f"127.0.0.{2 + number % 4}", 0))
    one.connect(("127.0.0.1", server.port))
    one.setblocking(False)
    return one


class Slow:
    """Sends two bytes a second of what it has to say, and sees when it is cut off."""

    def __init__(self, server, number, kind):
        self.kind, self.began, self.cut_s = kind, time.monotonic(), None
        self.text, self.at = (HEAD, 10) if kind == "head" else (BODY, BEGUN)
        self.socket = connect(server, number)
        self.socket.send(self.text[:self.at])

    def step(self):
        """False once the server has had enough."""
        try:
            if self.socket.recv(READ_BYTES) is not None:
                return self._cut()
        except BlockingIOError:
            pass
        except OSError:
            return self._cut()
        try:
            self.socket.send(self.text[self.at:self.at + 1])
            self.at += 1
        except OSError:
            return self._cut()
        return True

    def _cut(self):
        self.cut_s = time.monotonic() - self.began
        self.socket.close()
        return False


def deaf_clients(server, count, path):
    """Each asks for a large answer and reads none of it."""
    made = [connect(server, number, READ_BYTES) for number in range(count)]
    for one in made:
        one.send(request_bytes("GET", path))
    return made


class Crowd:
    """Slow clients that come all at once."""

    def __init__(self, server, heads, bodies):
        kinds = ["head"] * heads + ["body"] * bodies
        self.live = [Slow(server, number, kind) for number, kind in enumerate(kinds)]
        self.cut = []

    def go_on(self, seconds):
        """Lets them say a byte each half second for so long."""
        ends = time.monotonic() + seconds
        while self.live and time.monotonic() < ends:
            began = time.monotonic()
            still = []
            for one in self.live:
                (still if one.step() else self.cut).append(one)
            self.live = still
            time.sleep(max(0.0, min(ends, began + 0.5) - time.monotonic()))  # slowly

    def latest_cut_s(self, kind):
        return max((one.cut_s for one in self.cut if one.kind == kind), default=0.0)

    def left(self):
        return dict(Counter(one.kind for one in self.live))

    def close(self):
        for one in self.live:
            one.socket.close()


class Fat:
    """Sends a large task but for its last byte, until it is told to finish."""

    def __init__(self, server, number, request):
        self.socket, self.status = connect(server, number), None
        self.left, self.last = memoryview(request)[:-1], request[-1:]

    def finish(self):
        self.left = memoryview(bytes(self.left) + self.last)

    def step(self):
        """Sends what the server takes; True once there is an answer, or no connection any more."""
        try:
            data = self.socket.recv(READ_BYTES)
            self.status = int(data.split()[1]) if data else 0
        except BlockingIOError:
            pass
        except OSError:
            self.status = 0
        try:
            while self.left and self.status is None:
                self.left = self.left[self.socket.send(self.left):]
        except BlockingIOError:
            pass
        except OSError:  # what was answered can still be read
            self.left = self.left[:0]
        return self.status is not None


def push(fat, until, watch, seconds=30):
    """Lets them send until `until()`, which is asked after each round, as `watch` is. False: it
    does not come to that."""
    with selectors.DefaultSelector() as selector:
        for one in fat:
            if one.status is None:
                selector.register(one.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, one)
        ends = time.monotonic() + seconds
        while not until() and time.monotonic() < ends:
            for key, _ in selector.select(0.1):
                if key.data.step():
                    selector.unregister(key.fileobj)
                elif not key.data.left:
                    selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
            watch()
        return until()


def poll_bytes(number, padding=0):
    body = b'{"types":["idle.%d"],"workerId":"w%d","waitMs":60000}' % (number % 100, number % 500)
    extra = [f"X-Padding: {'x' * padding}"] if padding else []
    return request_bytes("POST", "/api/v1/claims", body, extra)


def open_polls(server, count, padding=0):
    """Claims that wait, each on a connection of its own."""
    polls = []
    for number in range(count):
        one = connect(server, number)
        one.send(poll_bytes(number, padding))
        polls.append(one)
    return polls
