"""A part of proof/: its form, its dice and its time, what it counts, and where it goes on."""

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib.server import ROOT

RESULTS = ROOT / "proof/RESULTS.md"
MARK = "<!-- long runs -->"
LONG_S = 6 * 3600
TOLD = 24  # sentences of a long run at most, the latest, that go into its row


def build(flavour, *targets):
    """The program, or these targets, of one flavour."""
    subprocess.run([ROOT / "tools/build", flavour, "--check", *(targets or ["taskyard"])],
                   check=True)


def tree_state(what):
    """Of the code, as tools/tree-state has it; nothing where there is no repository."""
    done = subprocess.run([ROOT / "tools/tree-state", what], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip()


def counted(what, numbers):
    """In words."""
    return f"{what}: " + ", ".join(f"{number:,} {name.replace('_', ' ')}"
                                   for name, number in numbers.items())


class Part:
    """Counts cases, bounds the time, and ends with the line that tools/run-proof reads."""

    def __init__(self, name, arguments, short_s):
        self.name, self.passed, self.failures, self.told = name, 0, [], []
        self.sums = {}  # of each `what` of add_up, the numbers by their names
        self.long = "--long" in arguments
        self.brief = not self.long and os.environ.get("PROOF_BRIEF") == "1"
        seed = arguments[arguments.index("--seed") + 1] if "--seed" in arguments else None
        self.seed = int(seed) if seed else int.from_bytes(os.urandom(4), "big")
        self.directory = ROOT / "build" / "proof" / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.began = time.monotonic()
        self.end = self.began + (LONG_S if self.long else short_s)
        self.state, self.done, self.before_s = self.directory / "done.json", [], 0
        if self.long:
            self.commit, self.digest = tree_state("commit") or "?", tree_state("digest")
            self.go_on()
        signal.signal(signal.SIGTERM, self.told_to_stop)
        print(f"{name}: seed {self.seed}" + f", goes on behind {self.done}" * bool(self.done),
              flush=True)

    def go_on(self):
        """Takes over what an interrupted long run has done, if it was with this code.

        Steps of other code would be told as if they had been of this one. A commit will not do to
        tell them apart: it does not say what a tree has that is not committed, and one that only
        writes documentation must not undo the hours before it."""
        if not self.state.exists():
            return
        saved = json.loads(self.state.read_text())
        if not self.digest or saved.get("digest") != self.digest:
            print(f"{self.name}: begins anew: what an earlier run has done was with other code")
            self.state.unlink()
            return
        self.seed, self.passed, self.told = saved["seed"], saved["passed"], saved["told"]
        self.done, self.before_s, self.sums = saved["done"], saved["seconds"], saved["sums"]

    def told_to_stop(self, number, _):
        """By who has waited long enough. Servers and the like end with it, so that threads which
        wait for them do, and see that it is late."""
        self.end = time.monotonic()
        for children in Path("/proc/self/task").glob("*/children"):
            with contextlib.suppress(OSError):  # the thread has ended
                for child in children.read_text().split():
                    with contextlib.suppress(ProcessLookupError):  # it has ended
                        os.kill(int(child), signal.SIGKILL)
        sys.exit(128 + number)

    def is_other_code(self):
        """Whether it has changed since this run began."""
        return tree_state("digest") != self.digest

    def size(self, brief, short, long=None):
        """How much of it: PROOF_BRIEF=1 asks for less than the short form."""
        return long if self.long and long is not None else brief if self.brief else short

    @property
    def late(self):
        return time.monotonic() > self.end

    @property
    def left_s(self):
        """Whole seconds until it is late."""
        return max(0, int(self.end - time.monotonic()))

    @property
    def seconds(self):
        """With those of a run that was interrupted."""
        return round(self.before_s + time.monotonic() - self.began)

    def scratch(self):
        """An empty folder in memory, where there is one: thousands of stores come and go there."""
        base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else self.directory
        folder = base / f"taskyard-proof-{self.name}-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def check(self, good, sentence):
        if good:
            self.passed += 1
        else:
            self.failures.append(sentence)
            print(f"{self.name}: FAILED: {sentence}", flush=True)
        return good

    def steps(self, names):
        """Those of a long run that an earlier, interrupted one has not done without a failure."""
        for name in names:
            if name in self.done:
                continue
            failed = len(self.failures)
            yield name
            good = self.long and not self.late and len(self.failures) == failed
            if good and not self.is_other_code():
                self.done.append(name)
                self.note_done()

    def note_done(self):
        fresh = self.state.with_suffix(".new")
        fresh.write_text(json.dumps({"digest": self.digest, "seed": self.seed, "done": self.done,
                                     "passed": self.passed, "seconds": self.seconds,
                                     "told": self.told[-TOLD:], "sums": self.sums}))
        fresh.replace(self.state)  # whole, whenever it is killed

    def say(self, sentence):
        self.told.append(sentence)
        print(f"{self.name}: {sentence}", flush=True)

    def add_up(self, what, step=None, **numbers):
        """Says them, of one of many steps. The row of a long run has the sums of all `what`."""
        sums = self.sums.setdefault(what, {})
        for name, number in numbers.items():
            sums[name] = sums.get(name, 0) + number
        print(f"{self.name}: {counted(step or what, numbers)}", flush=True)

    def finish_long(self):
        """A row is of what came to its end, and of one code."""
        if self.late and not self.failures:
            self.check(False, f"out of time with {len(self.done)} steps done; "
                              "the next run goes on behind them")
        if self.is_other_code():
            self.check(False, "the code changed meanwhile: this is a result of neither")
        if not self.failures:
            self.state.unlink(missing_ok=True)
            self.write_result()

    def finish(self):
        if self.long:
            self.finish_long()
        print(f"{self.name}: {self.seconds} s\n"
              f"{self.name}: {self.passed} passed, {len(self.failures)} failed", flush=True)
        return 1 if self.failures or not self.passed else 0

    def write_result(self):
        """Puts what the long form came to into the table of RESULTS.md, in the place of its last
        row. The commit is the one at the start; those since then have the same code."""
        sums = [counted(what, numbers) for what, numbers in self.sums.items()]
        told = "; ".join(sums + self.told[-TOLD:]).replace("|", "/")
        row = (f"| `{self.name}` | {self.commit} | {self.seed} | {self.passed:,} "
               f"| {self.seconds:,} s | {told} |")
        before, table, behind = RESULTS.read_text().split(MARK)
        head = table.strip().splitlines()[:2]
        rows = [line for line in table.strip().splitlines()[2:]
                if not re.match(rf"\| `{self.name}` ", line)]
        rows = "\n".join(head + sorted([*rows, row]))
        RESULTS.write_text(f"{before}{MARK}\n{rows}\n{MARK}{behind}")
