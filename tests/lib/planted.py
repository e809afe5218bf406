"""Bugs that are planted on purpose, in programs that must be caught by who looks for such bugs.

A bug is a file NAME.sed: the first line says which source it spoils and what is wrong then, a
second source begins with `# and SOURCE:`, and a saboteur names the test that must catch it. What it
spoils is compiled again and linked before the library of the release build, which has the true one.
So a bug costs a compilation and a link, and needs no seam.
"""

import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lib.server import ROOT

BUILD = ROOT / "build"


class Wrong(Exception):
    """A sentence for whoever reads the failure."""


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL, **options)


def must(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        raise Wrong(f"{command[0]} failed: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


# --- bugs -----------------------------------------------------------------------------------------

@dataclass
class Bug:
    name: str
    what: str           # is wrong
    scripts: dict       # source → sed
    program: str = ""   # of who must catch it: "engine-claim_test", or a file of tests/api
    test: str = ""
    postgres: bool = False

    @property
    def is_api(self):
        return self.program.endswith(".py")

    @property
    def target(self):
        return "taskyard" if self.is_api else f"tests/{self.program}"


def bug_in(path):
    scripts, source, text = {}, None, path.read_text()
    for line in text.splitlines(keepends=True):
        begins = re.match(r"# (?:and )?(src/[^: ]+):", line)
        if begins:
            source = begins[1]
        if source is None:
            raise Wrong(f"{path.name}: the first line must be `# SOURCE: what is wrong`")
        scripts[source] = scripts.get(source, "") + line
    what = re.match(r"# [^:]*: (.*)", text)
    caught = re.search(r"^# caught by: (\S+) (\w+)( on postgresql)?$", text, re.M)
    if not what:
        raise Wrong(f"{path.name}: the first line must be `# SOURCE: what is wrong`")
    bug = Bug(path.stem, what[1], scripts)
    if caught:
        bug.program, bug.test, bug.postgres = caught[1], caught[2], caught[3] is not None
    return bug


def spoil(bug, folder):
    """Writes each of its sources, with the bug in it, below the folder; one that does not change is
    wrong."""
    for source, script in bug.scripts.items():
        spoilt = folder / source
        spoilt.parent.mkdir(parents=True, exist_ok=True)
        sed = folder / f"{bug.name}.sed"
        sed.write_text(script)
        must(["tests/plant", sed, source, spoilt], cwd=ROOT)


# --- building -------------------------------------------------------------------------------------

class Workshop:
    """The commands of a build, the release one mostly, to be done again with something planted."""

    def __init__(self, *targets, flavour="release"):
        self.build = BUILD if flavour == "release" else BUILD / flavour
        subprocess.run([ROOT / "tools/build", flavour, "--check", *targets], check=True)
        entries = json.loads((self.build / "compile_commands.json").read_text())
        self.compile = {(self.build / entry["file"]).resolve(): shlex.split(entry["command"])
                        for entry in entries}

    def command(self, target):
        """The last command that makes a target."""
        return shlex.split(must(["ninja", "-C", self.build, "-t", "commands", target])
                           .strip().splitlines()[-1])

    def compiled(self, source, planted, folder):
        command = self.compile[(ROOT / source).resolve()][:]
        out = folder / (source.replace("/", "_") + ".o")
        for option in ("-MF", "-MQ"):
            at = command.index(option)
            del command[at:at + 2]
        command[command.index("-o") + 1] = str(out)
        command[command.index("-c") + 1] = str(planted)
        at = next(at for at, word in enumerate(command) if word.startswith("-I"))
        command[at:at] = [f"-I{folder}/src"]
        must([*command, "-w", "-g0", "-O1"], cwd=self.build)
        return out

    def embedded(self, source, folder):
        """Of a planted .sql: the table that is made of it. Returns the table's name."""
        kind = "checks" if "checks" in source else "schema" if "schema" in source else "queries"
        table = f"{Path(source).parts[1]}/{Path(source).parts[2]}/{kind}.def"
        command = self.command(f"src/{table}")
        command = command[command.index("--") + 1:]
        own = (ROOT / source).resolve()
        command = [str(folder / source) if (self.build / word).resolve() == own else word
                   for word in command]
        (folder / "src" / table).write_text(must(command, cwd=self.build))
        return table

    def includers(self, header):
        line = re.compile(rf'^#include "{re.escape(header)}"', re.M)
        return [str(path.relative_to(ROOT)) for path in self.compile
                if path.suffix == ".c" and path.is_relative_to(ROOT / "src")
                and not path.name.endswith("_test.c") and line.search(path.read_text())]

    def plant(self, bug, folder):
        """The objects that are to come before the library."""
        spoil(bug, folder)
        objects = []
        for source in bug.scripts:
            if source.endswith(".c"):
                objects.append(self.compiled(source, folder / source, folder))
                continue
            header = (self.embedded(source, folder) if source.endswith(".sql")
                      else source.removeprefix("src/"))
            users = self.includers(header)
            if not users:
                raise Wrong(f"{bug.name}: no source includes {header}")
            objects += [self.compiled(user, ROOT / user, folder) for user in users]
        return objects

    def link(self, target, objects, folder):
        command, out = self.command(target), folder / Path(target).name
        at = command.index("-o")
        command[at:at + 2] = ["-o", str(out), *map(str, objects)]
        must(command, cwd=self.build)
        return out

    def taskyard(self, bug, folder):
        """The server with the bug in it."""
        folder = folder / bug.name
        return self.link("taskyard", self.plant(bug, folder), folder)
