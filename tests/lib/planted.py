"""Programs with a bug planted in them: the controls of proofs that need no seam.

One source is changed, compiled as the release build compiles it, and linked before the library that
has the true one. So a bug costs a compilation and a link.
"""

import json
import shlex
import subprocess
from pathlib import Path

from lib.server import ROOT, Server

RELEASE = ROOT / "build"


def command_for(source):
    """How the release build compiles a source: the words, without what comes out and from where."""
    for entry in json.loads((RELEASE / "compile_commands.json").read_text()):
        if entry["file"] == f"../{source}" and entry["output"].startswith("libcore.a.p"):
            words = shlex.split(entry["command"])
            del words[words.index("-MD"):]
            return words
    raise AssertionError(f"the release build does not compile {source}")


def link_command():
    """How ninja links the program; its library stands between these words."""
    listing = subprocess.run(["ninja", "-C", RELEASE, "-t", "commands", "-s", "taskyard"],
                             capture_output=True, text=True, check=True).stdout
    return shlex.split([line for line in listing.splitlines() if " -o taskyard " in line][-1])


def plant(folder, name, source, true, wrong):
    """A program in whose `source` the text `true`, which stands there once, is `wrong`."""
    text = (ROOT / source).read_text()
    assert text.count(true) == 1, f"control {name}: {source} does not have '{true}' once any more"
    changed = folder / name / Path(source).name
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(text.replace(true, wrong))
    made, program = changed.with_suffix(".o"), changed.parent / "taskyard"
    subprocess.run([*command_for(source), "-o", made, "-c", changed], cwd=RELEASE, check=True)
    link = link_command()
    link[link.index("-o") + 1] = str(program)
    link.insert(link.index("libcore.a"), str(made))
    subprocess.run(link, cwd=RELEASE, check=True)
    return program


class Other(Server):
    """A server that runs another program than the one under test."""

    def __init__(self, directory, program=None, **settings):
        super().__init__(directory, **settings)
        self.program = program

    def command(self):
        words = super().command()
        return [str(self.program), *words[1:]] if self.program else words
