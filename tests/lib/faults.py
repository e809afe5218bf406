"""Faults on demand: the page that steers a server of a proof build, and who judges what is left."""

import mmap
import re
import struct
import subprocess

from lib import part
from lib.server import BINARY, ROOT, Server

FLAVOUR = ROOT / "build" / "faults"
JUDGE = FLAVOUR / "tests" / "judge"
KEY = "proof-key-of-at-least-16"
WORDS = re.findall(r"^WORD\((\w+)\)", (ROOT / "src/base/proof.def").read_text(), re.M)
KINDS = "write sync truncate open delete shm read lock stat".split()
CRASH, CRASH_AMID, EIO, ENOSPC, SHORT, DELAY = range(1, 7)
BEFORE_COMMIT, AFTER_COMMIT, BEFORE_ANSWERS, TOO_LATE = range(1, 5)
# The control: answers go out some ms before the commit.
EARLY = {"answer_early": 1, "point": TOO_LATE, "point_action": DELAY, "point_ms": 3}
EXIT_BROKEN = 74
STEP_HEAD = struct.Struct("<IIQII")  # of a record: kind, name, offset, bytes that follow, 0


def kinds(*names):
    """Bits for io_kinds."""
    return sum(1 << KINDS.index(name) for name in names)


class Page:
    """page.io_at = 7 tells the server, page.io_calls asks it."""

    def __init__(self, path):
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as file:
            self.__dict__["map"] = mmap.mmap(file.fileno(), 4096)

    def __getattr__(self, name):
        return struct.unpack_from("<Q", self.map, 8 * WORDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("<Q", self.map, 8 * WORDS.index(name), value)

    def clear(self):
        for name in WORDS:
            setattr(self, name, 0)

    def set(self, **words):
        self.clear()
        for name, value in words.items():
            setattr(self, name, value)


class Faulty(Server):
    """A server of the proof build on a store of its own; it may die at any moment.

    `apart`: where page and log are, when the store is on a disk that is full or goes away.
    """

    def __init__(self, directory, record=False, apart=None, env=None, program=BINARY):
        directory.mkdir(parents=True, exist_ok=True)
        apart = apart or directory
        self.page = Page(apart / "page")
        env = {**(env or {}), "TASKYARD_PROOF_PAGE": str(apart / "page")}
        self.record_path = directory / "record" if record else None
        if record:
            env["TASKYARD_PROOF_RECORD"] = str(self.record_path)
        super().__init__(directory, key=KEY, env=env, program=program)
        self.path = directory / "taskyard.db"
        self.log_path = apart / "server.log"

    def try_start(self):
        """False when it died before it was ready."""
        try:
            self.start()
            return True
        except AssertionError:
            return False

    def await_end(self, timeout_s=10.0):
        """Its exit code when it ends by itself; None when it lives on."""
        try:
            return self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def at(self):
        """How long the record is by now."""
        return self.record_path.stat().st_size if self.record_path else 0

    def mend_record(self):
        """After a kill, which may have come while a step was written down: half a step goes, as it
        was not made yet, and the next life begins behind the last whole one."""
        size = self.at()
        with open(self.record_path, "r+b") as record:
            whole = end = 0
            while end <= size:
                whole = end
                record.seek(end)
                head = record.read(STEP_HEAD.size)
                if len(head) < STEP_HEAD.size:
                    break
                end += STEP_HEAD.size + STEP_HEAD.unpack(head)[3]
            record.truncate(whole)


class Facts:
    """What clients were told, for the judge."""

    def __init__(self):
        self.lines = []

    def write(self, path):
        path.write_text("".join(line + "\n" for line in self.lines))

    def task(self, task, at=0):
        self.lines.append(f"T {at} {task['id']} {task['revision']} {task['status']} "
                          f"{task['attempt']} {task['subject'] or '-'}")

    def add(self, kind, what, at=0):
        self.lines.append(f"{kind} {at} {what}")

    def group(self, subjects):
        self.lines.append("G " + " ".join(subjects))


class Judge:
    """One process judges many stores."""

    def __init__(self):
        self.process = subprocess.Popen([JUDGE, "lines"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def why(self, store, facts="-"):
        """None when it is good, else the first thing that is wrong."""
        self.process.stdin.write(f"{store} {facts}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer.startswith("good "):
            return None
        return answer.removeprefix("bad ") or "the judge died of it"

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def build():
    """The proof build: the program and its judge."""
    part.build("faults", "taskyard", "tests/judge")
