"""The server of the end-to-end run, where people have theirs: http://127.0.0.1:3000.

Outside CI one that runs there already is used, so that a developer can look at what the tests did.
In CI, where the variable CI is set, the run starts its own and takes no other.
"""

import contextlib
import os
import socket

import httpx

from lib.server import Server

PORT = 3000
START_S = 120.0  # a machine of CI may be slow


class Running:
    """One that somebody else has started, with the key for it."""

    url = f"http://127.0.0.1:{PORT}"
    key = os.environ.get("TASKYARD_KEY")


def is_taken():
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


def is_ours():
    """Whether what answers there is a Taskyard."""
    try:
        described = httpx.get(Running.url + "/openapi.json", trust_env=False, timeout=START_S)
        return described.json()["info"]["title"] == "Taskyard"
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def site(directory):
    """with site(folder) as server: … server.url, server.key"""
    if not is_taken():
        own = Server(directory, port=PORT).start(timeout_s=START_S)
        try:
            yield own
        finally:
            own.stop()
        return
    assert not os.environ.get("CI"), \
        f"something runs on port {PORT} already; in CI the run starts its own server there"
    assert is_ours(), (f"what runs on port {PORT} is no Taskyard; stop it, or start ours there: "
                       f"PORT={PORT} make run")
    yield Running()
