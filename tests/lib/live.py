"""Streams of live events (text/event-stream), read as their specification says: WHATWG HTML 9.2."""

import json
import re
import select
import socket
import time

BASE = "/api/v1"
PATIENCE_S = 20.0
EVENT_NUMBER = re.compile(rb"id: (?:[0-9a-f]+-)?(\d+)\nevent: ")


class Frame:
    """One event as a client gets it: its id is the last one that came, as EventSource has it."""

    def __init__(self, name, mark, data):
        self.name = name
        self.mark = mark
        self.data = json.loads(data)

    @property
    def seq(self):
        return self.data["seq"]

    def __repr__(self):
        return f"<{self.mark} {self.name} {self.data}>"


class Stream:
    """One connection that asks for live events. `received` holds all frames so far."""

    def __init__(self, server, path="/events", params="", key=None, last=None, headers=(),
                 version="1.1", method="GET", receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:  # before the connection is made, or the kernel has promised more
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", server.port))
        lines = [f"{method} {BASE}{path}{'?' + params if params else ''} HTTP/{version}",
                 "Host: localhost", "Accept: text/event-stream", *headers]
        key = server.key if key is None else key
        if key:
            lines.append(f"Authorization: Bearer {key}")
        if last is not None:
            lines.append(f"Last-Event-ID: {last}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.raw = b""      # not taken apart yet
        self.text = b""     # of the body, up to the last whole line
        self.ended = False  # the last chunk, or the end of the connection
        self.closed = False
        self.status = None
        self.head = {}
        self.retry = self.mark = None
        self.comments = 0
        self.name, self.data = "", []
        self.received = []

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- bytes ------------------------------------------------------------------------------------

    def read_some(self, timeout_s):
        """What is there, waiting for it. False: nothing came, or the end."""
        if self.closed or not select.select([self.socket], [], [], max(timeout_s, 0))[0]:
            return False
        try:
            got = self.socket.recv(1 << 18)
        except ConnectionResetError:
            got = b""
        if not got:
            self.closed = self.ended = True
            return False
        self.raw += got
        self._take_raw()
        return True

    def _take_raw(self):
        if self.status is None:
            head, found, rest = self.raw.partition(b"\r\n\r\n")
            if not found:
                return
            first, *lines = head.decode().split("\r\n")
            self.status = int(first.split()[1])
            self.head = {name.lower(): value for name, value in
                         (line.split(": ", 1) for line in lines)}
            self.raw = rest
        if self.head.get("transfer-encoding") != "chunked":
            self._take_text(self.raw)
            self.raw = b""
            return
        at, pieces = 0, []
        while not self.ended:
            line_end = self.raw.find(b"\r\n", at, at + 20)
            if line_end < 0:
                break
            end = line_end + 2 + int(self.raw[at:line_end], 16)
            if len(self.raw) < end + 2:
                break
            assert self.raw[end:end + 2] == b"\r\n"
            pieces.append(self.raw[line_end + 2:end])
            self.ended = not pieces[-1]
            at = end + 2
        self.raw = self.raw[at:]
        self._take_text(b"".join(pieces))

    def _take_text(self, more):
        *lines, self.text = (self.text + more).split(b"\n")
        for line in lines:
            self._take_line(line.decode())

    def _take_line(self, line):
        if line.startswith(":"):
            self.comments += 1
            return
        if line == "":
            if self.data:
                self.received.append(Frame(self.name, self.mark, "\n".join(self.data)))
            self.name, self.data = "", []
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "retry":
            self.retry = int(value)
        elif field == "id":
            self.mark = value
        elif field == "event":
            self.name = value
        elif field == "data":
            self.data.append(value)
        else:
            raise AssertionError(f"a line that no client knows: {line!r}")

    # --- waiting ----------------------------------------------------------------------------------

    def until(self, holds, what="it", patience_s=PATIENCE_S):
        """Reads until holds() is true."""
        deadline = time.monotonic() + patience_s
        while not holds():
            left = deadline - time.monotonic()
            if not self.read_some(left) and (self.closed or left <= 0):
                raise AssertionError(f"{what} did not come; the last were {self.received[-5:]}, "
                                     f"closed={self.closed} status={self.status} {self.raw[:300]}")
        return self

    def opened(self):
        """Waits for the first lines: from now on nothing is missed."""
        self.until(lambda: self.retry is not None and self.mark is not None, "the beginning")
        assert self.status == 200
        return self

    def frames(self, count):
        """The first `count` frames."""
        self.until(lambda: len(self.received) >= count, f"{count} frames")
        return self.received[:count]

    def until_name(self, name):
        """All frames up to the first of that name."""
        self.until(lambda: any(frame.name == name for frame in self.received), name)
        return self.received

    def until_end(self, patience_s=PATIENCE_S):
        self.until(lambda: self.ended, "the end", patience_s)
        return self

    def answer(self):
        """The JSON of an answer that is no stream."""
        self.until(lambda: "content-length" in self.head, "an answer")
        length = int(self.head["content-length"])
        self.until(lambda: len(self.text) >= length, "its body")
        return json.loads(self.text)


class Numbers(Stream):
    """A stream of which only the numbers of its events are kept, for tests with very many."""

    def __init__(self, *args, **options):
        self.numbers = []
        super().__init__(*args, **options)

    def _take_text(self, more):
        if self.mark is None:
            super()._take_text(more)
            return
        whole, found, self.text = (self.text + more).rpartition(b"\n\n")
        self.numbers += [int(number) for number in EVENT_NUMBER.findall(whole)]


def read_all(streams, holds, patience_s=60.0):
    """Reads many streams at once until holds() is true."""
    poll = select.poll()
    by_fd = {stream.fileno(): stream for stream in streams}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + patience_s
    while not holds():
        left = deadline - time.monotonic()
        assert left > 0, "what was waited for did not come to all streams"
        for fd, _ in poll.poll(left * 1000):
            if not by_fd[fd].read_some(0) and by_fd[fd].closed:
                poll.unregister(fd)
