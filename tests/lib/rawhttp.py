"""Raw sockets: send exactly these bytes, see exactly what comes back."""

import socket
from dataclasses import dataclass, field


def request_bytes(method, path, body=b"", headers=(), host=b"localhost"):
    """A well-formed request. `headers` are whole lines without their line end."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + host, *headers]
    if body:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass
class Reply:
    """One answer as it came over the wire."""
    status: int
    headers: dict
    body: bytes


@dataclass
class Exchange:
    """All answers to what was sent, and how the connection was left."""
    replies: list = field(default_factory=list)
    closed: bool = False
    rest: bytes = b""

    @property
    def statuses(self):
        return [reply.status for reply in self.replies]


class Raw:
    """One connection to the server."""

    def __init__(self, server, timeout_s=5.0):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Sends what the server takes; it may have closed in the middle, which is no error here."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass
        return self

    def _more(self, timeout_s):
        self.socket.settimeout(timeout_s)
        try:
            data = self.socket.recv(65536)
        except (socket.timeout, TimeoutError):
            return False
        except OSError:
            data = b""
        self.closed = self.closed or not data
        self.buffer += data
        return bool(data)

    def _until(self, mark, timeout_s):
        while mark not in self.buffer:
            if not self._more(timeout_s):
                return None
        taken, self.buffer = self.buffer.split(mark, 1)
        return taken

    def reply(self, timeout_s=5.0, head_only=False):
        """The next answer, or None when the connection closed or nothing came in time."""
        head = self._until(b"\r\n\r\n", timeout_s)
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        status = int(first.split()[1])
        length = 0 if head_only or status == 100 else int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            if not self._more(timeout_s):
                break
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Reply(status, headers, body)

    def is_closed(self, timeout_s=5.0):
        """Waits for the end of the stream; False when it stays open that long."""
        while not self.closed:
            if not self._more(timeout_s):
                break
        return self.closed


def exchange(server, data, answers=1, timeout_s=5.0):
    """Sends `data`; gathers `answers` answers, then looks whether the server closed."""
    with Raw(server, timeout_s) as raw:
        raw.send(data)
        got = Exchange()
        while len(got.replies) < answers:
            reply = raw.reply(timeout_s)
            if reply is None:
                break
            got.replies.append(reply)
        wants_close = not got.replies or got.replies[-1].headers.get("connection") == "close"
        got.closed = raw.is_closed(2.0 if wants_close else 0.05)
        got.rest = raw.buffer
        return got
