"""A part of proof/: its form, its dice and its time, what it counts, and where it goes on."""

import atexit
import json
import os
import re
import shutil
import subprocess
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


class Part:
    """Counts cases, bounds the time, and ends with the line that tools/run-proof reads."""

    def __init__(self, name, arguments, short_s):
        self.name, self.passed, self.failures, self.told = name, 0, [], []
        self.long = "--long" in arguments
        self.brief = not self.long and os.environ.get("PROOF_BRIEF") == "1"
        seed = arguments[arguments.index("--seed") + 1] if "--seed" in arguments else None
        self.seed = int(seed) if seed else int.from_bytes(os.urandom(4), "big")
        self.directory = ROOT / "build" / "proof" / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.began = time.monotonic()
        self.end = self.began + (LONG_S if self.long else short_s)
        self.state, self.done, self.before_s = self.directory / "done.json", [], 0
        if self.long and self.state.exists():
            saved = json.loads(self.state.read_text())
            self.seed, self.passed = saved["seed"], saved["passed"]
            self.done, self.before_s = saved["done"], saved["seconds"]
        print(f"{name}: seed {self.seed}" + f", goes on behind {self.done}" * bool(self.done),
              flush=True)

    def size(self, brief, short, long=None):
        """How much of it: PROOF_BRIEF=1 asks for less than the short form."""
        return long if self.long and long is not None else brief if self.brief else short

    @property
    def late(self):
        return time.monotonic() > self.end

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
            if self.long and not self.late and len(self.failures) == failed:
                self.done.append(name)
                self.state.write_text(json.dumps({"seed": self.seed, "passed": self.passed,
                                                  "done": self.done, "seconds": self.seconds}))

    def say(self, sentence):
        self.told.append(sentence)
        print(f"{self.name}: {sentence}", flush=True)

    def finish(self):
        over = not self.late and not self.failures
        if over:
            self.state.unlink(missing_ok=True)
        if over and self.long:
            self.write_result()
        print(f"{self.name}: {self.seconds} s\n"
              f"{self.name}: {self.passed} passed, {len(self.failures)} failed", flush=True)
        return 1 if self.failures or not self.passed else 0

    def write_result(self):
        """Puts what the long form came to into the table of RESULTS.md, in the place of its last
        row."""
        commit = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], cwd=ROOT, check=False,
                                capture_output=True, text=True).stdout.strip() or "?"
        told = "; ".join(self.told[-TOLD:]).replace("|", "/")
        row = (f"| `{self.name}` | {commit} | {self.seed} | {self.passed:,} | {self.seconds:,} s "
               f"| {told} |")
        before, table, behind = RESULTS.read_text().split(MARK)
        head = table.strip().splitlines()[:2]
        rows = [line for line in table.strip().splitlines()[2:]
                if not re.match(rf"\| `{self.name}` ", line)]
        rows = "\n".join(head + sorted([*rows, row]))
        RESULTS.write_text(f"{before}{MARK}\n{rows}\n{MARK}{behind}")
