"""One HTTP request, for asyncio, with nothing but the standard library.

A request that waits (a claim) can be cancelled at any moment; that is why this is not urllib in
a thread.
"""

import asyncio
import json
import ssl
from urllib.parse import urlsplit


class Refused(Exception):
    """The server said no: `status`, and its problem document as `problem`."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail", f"the server answered {status}"))
        self.status, self.problem = status, problem
        self.code = problem.get("code")


class Unreachable(Exception):
    """No answer, so nobody knows whether the request was carried out."""


async def _exchange(address, request):
    secure = ssl.create_default_context() if address.scheme == "https" else None
    port = address.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(address.hostname, port, ssl=secure)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()  # until the server closes, as it was asked to
    finally:
        writer.close()


def _header(name, value):
    """Text that would end the line would smuggle in another header."""
    value.encode("ascii")
    if not value.isprintable():
        raise ValueError(f"{name} has a control character in it")
    return f"{name}: {value}\r\n"


async def request(method, url, body=None, headers=None, timeout_s=30.0):
    """The answer's JSON as a dict. Refused for anything but 2xx, Unreachable for no answer."""
    address = urlsplit(url)
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {address.path}{'?' + address.query if address.query else ''} HTTP/1.1\r\n"
    for name, value in {"Host": address.netloc, "Connection": "close", **(headers or {})}.items():
        head += _header(name, value)
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    try:
        answer = await asyncio.wait_for(
            _exchange(address, head.encode("ascii") + b"\r\n" + content), timeout_s)
        top, _, text = answer.partition(b"\r\n\r\n")
        status = int(top.split(None, 2)[1])
        document = json.loads(text)
    except (OSError, asyncio.TimeoutError) as failure:
        raise Unreachable(f"no answer from {url}: {failure or 'it took too long'}") from failure
    except (IndexError, ValueError) as failure:
        raise Unreachable(f"{url} does not answer like Taskyard") from failure
    if not 200 <= status < 300:
        raise Refused(status, document)
    return document
