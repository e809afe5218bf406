"""Requests at a given rate, whether earlier ones were answered or not; one thread, one epoll set.

Each connection has one request under way. When all are busy one more is opened, up to a limit; what
is due then is counted as not sent.
"""

import selectors
import socket
import time
from dataclasses import dataclass, field


def request_bytes(method, path, body=b"", headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def quantile(values, share):
    """0 when there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass
class Told:
    """Answers of one run, in seconds from sending to the last byte."""
    good: list = field(default_factory=list)       # (when it came, how long it took)
    refused: list = field(default_factory=list)    # how long it took
    without_retry: int = 0  # refusals that do not say when to come again
    odd: list = field(default_factory=list)        # other statuses and broken connections
    unsent: int = 0
    seconds: float = 0.0

    def rate(self, within_s):
        """Good ones a second among those that came within the window."""
        return sum(came <= within_s for came, _ in self.good) / within_s

    def wait_s(self, share):
        return quantile([took for _, took in self.good], share)


class Socket:
    """One connection of a load."""

    def __init__(self, load):
        self.load = load
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(load.address)
        self.socket.setblocking(False)
        self.left, self.got, self.began = b"", b"", 0.0
        load.selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, data):
        self.left, self.got, self.began = memoryview(data), b"", time.monotonic()
        self.push()

    def push(self):
        try:
            while self.left:
                self.left = self.left[self.socket.send(self.left):]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.left else 0)
        self.load.selector.modify(self.socket, events, self)

    def pull(self):
        """The status, once the answer is whole."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("closed")
        self.got += data
        head, mark, rest = self.got.partition(b"\r\n\r\n")
        if not mark:
            return None
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        if len(rest) < length:
            return None
        self.retry_after = any(line.startswith(b"retry-after:") for line in lines)
        self.last = b"connection: close" in lines
        return int(head.split()[1])

    def close(self):
        self.load.selector.unregister(self.socket)
        self.socket.close()


class OpenLoop:
    """A load of one request again and again. `make()` gives its bytes."""

    def __init__(self, server, make, connections):
        self.address = ("127.0.0.1", server.port)
        self.make, self.most = make, connections
        self.selector = selectors.DefaultSelector()
        self.free, self.count = [], 0

    def run(self, rate, seconds, tail_s=20.0):
        """At `rate` a second, or with rate None as fast as answers come on all connections."""
        told, began = Told(), time.monotonic()
        sent, closed_loop = 0, rate is None
        if closed_loop:
            for _ in range(self.most):
                self._begin(told)
        while (now := time.monotonic() - began) < seconds:
            while not closed_loop and sent < now * rate:
                sent += 1
                self._begin(told)
            pause_s = 0.5 if closed_loop else max(0.0, sent / rate - now)
            self._turn(told, began, min(pause_s, seconds - now), again=closed_loop)
        told.seconds = time.monotonic() - began
        until = time.monotonic() + tail_s
        while len(self.free) < self.count and time.monotonic() < until:
            self._turn(told, began, 0.1, again=False)
        if len(self.free) < self.count:
            told.odd.append(f"{self.count - len(self.free)} requests were never answered")
        return told

    def _begin(self, told):
        if not self.free and self.count < self.most:
            self.free.append(Socket(self))
            self.count += 1
        if self.free:
            self.free.pop().send(self.make())
        else:
            told.unsent += 1

    def _turn(self, told, began, pause_s, again):
        for key, events in self.selector.select(pause_s):
            one = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    one.push()
                status = one.pull() if events & selectors.EVENT_READ else None
            except BlockingIOError:
                continue
            except OSError as failure:
                self._lost(one, told, failure)
                continue
            if status is None:
                continue
            self._note(one, status, told, began)
            if one.last:
                self._lost(one, told, None)
                if again:
                    self._begin(told)
            elif again:
                one.send(self.make())
            else:
                self.free.append(one)

    def _lost(self, one, told, failure):
        if failure is not None:
            told.odd.append(str(failure) or type(failure).__name__)
        one.close()
        self.count -= 1
        if one in self.free:
            self.free.remove(one)

    @staticmethod
    def _note(one, status, told, began):
        now = time.monotonic()
        if 200 <= status < 300:
            told.good.append((now - began, now - one.began))
        elif status in (429, 503):
            told.refused.append(now - one.began)
            told.without_retry += not one.retry_after
        else:
            told.odd.append(f"status {status}: {one.got[-300:]!r}")

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.data.close()
        self.selector.close()
