"""Answers as texts that are the same in each run, to be kept and compared.

What differs from run to run stands as <kind> or, where it matters whether two are the same one, as
<kind NUMBER>, counted within the answer. It is recognised by its member and its type: a time that
became a string would show as that string.
"""

import difflib
import json
import os
import re

WRITE = os.environ.get("SNAPSHOTS") == "write"
HOW = ("If that is how it shall be, write it anew and commit it with the change: "
       "SNAPSHOTS=write /usr/bin/python3 -m pytest -q tests/api/test_snapshots.py, "
       "and with TASKYARD_TEST_STORE as it is here")
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEY = re.compile(r"(?<=key:)[A-Za-z0-9_-]{8}(?=/|$)")  # what a caller with an API key is called by
SECONDS = re.compile(r"\d+\.\d(?= s\b)")
EPOCH_MS = range(1_600_000_000_000, 4_000_000_000_000)
# Strings of which it matters whether two are the same one, and those of which it does not.
TEXTS = {"leaseToken": "token", "requestId": "request", "nextCursor": "cursor"}
FLEETING_TEXTS = {"version": "version", "store": "store"}
FLEETING_NUMBERS = {
    "durationMs": "duration", "uptimeMs": "duration", "commitMaxUs": "duration",
    "commits": "count", "items": "count", "orders": "count", "connections": "count",
    "requests": "count",
}
# Of the transport, not of the answer.
HEADERS_LEFT_OUT = {"date", "content-length", "connection", "server", "keep-alive"}


class Names:
    """Gives what differs from run to run a name within one answer."""

    def __init__(self):
        self.seen = {}

    def of(self, kind, value):
        known = self.seen.setdefault(kind, {})
        return f"<{kind} {known.setdefault(value, len(known) + 1)}>"

    def ids_in(self, text):
        text = ID.sub(lambda found: self.of("id", found[0]), text)
        return KEY.sub(lambda found: self.of("key", found[0]), text)

    def text(self, member, value):
        if member in TEXTS:
            return self.of(TEXTS[member], value)
        if member in FLEETING_TEXTS:
            return f"<{FLEETING_TEXTS[member]}>"
        if member == "reason":
            value = SECONDS.sub("<duration>", value)
        return self.ids_in(value)

    def number(self, member, value):
        if member == "rowId":
            return self.of("row", value)
        if member in FLEETING_NUMBERS:
            return f"<{FLEETING_NUMBERS[member]}>"
        if value in EPOCH_MS and (member in ("at", "now") or member.endswith("At")):
            return "<time>"
        return value

    def shown(self, value, member=""):
        """The same with names in it; members keep their order."""
        if isinstance(value, dict):
            return {name: self.shown(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self.shown(one, member) for one in value]
        if isinstance(value, str):
            return self.text(member, value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.number(member, value)
        return value


def snapshot(response):
    """Request line, status, headers by name, and the body, member by member, as a text."""
    names = Names()
    asked = response.request
    path = names.ids_in(asked.url.raw_path.decode())
    lines = [f"{asked.method} {path}", f"{response.status_code}"]
    for name, value in sorted(response.headers.items()):
        if name in HEADERS_LEFT_OUT:
            continue
        value = names.of("request", value) if name == "x-request-id" else names.ids_in(value)
        lines.append(f"{name}: {value}")
    if response.content:
        body = names.shown(response.json())
        lines += ["", json.dumps(body, indent=2, ensure_ascii=False)]
    return "\n".join(lines) + "\n"


def difference(name, kept, now):
    """What a reader is told when they are not the same; else nothing."""
    if kept == now:
        return ""
    lines = difflib.unified_diff(kept.splitlines(), now.splitlines(), f"{name}, as it is kept",
                                 f"{name}, as it is now", lineterm="", n=4)
    return "\n".join([f"The answer {name} is another one than it was.", *lines, HOW])


def compare(folder, name, now):
    """Holds an answer against the one that is kept; with SNAPSHOTS=write it is kept itself.
    Returns what differs."""
    path = folder / f"{name}.txt"
    if WRITE:
        folder.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    if not path.exists():
        return f"There is no tests/api/snapshots/{path.name} to hold the answer against. {HOW}"
    return difference(name, path.read_text(encoding="utf-8"), now)
