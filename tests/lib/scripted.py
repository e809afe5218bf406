"""A server that answers as a test says, for clients of ours: what came is kept."""

import json
import socket
import threading


def answer(status, body=b"", **headers):
    """The bytes of an answer; a dict is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


CUT = b""  # the connection is closed without an answer


class Scripted:
    """`with Scripted(answer(503), CUT, answer(200, {})) as server:` each request gets the next."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []  # (method, path, headers in lower case, body), in order
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(5)

    def _serve(self):
        while self.answers:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(10)
                self._talk(connection)

    def _talk(self, connection):
        stream = connection.makefile("rb")
        while self.answers:
            line = stream.readline().decode()
            if not line:
                return
            method, path, _ = line.split()
            headers = {}
            while (line := stream.readline().decode().strip()):
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
            self.requests.append((method, path, headers, body))
            reply = self.answers.pop(0)
            if reply == CUT:
                return
            connection.sendall(reply)
