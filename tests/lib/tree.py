"""A tree with some of our files, in which what clears or changes the real one may run."""

import os
import shutil
import subprocess

from lib.server import ROOT

WAIT_S = 180


class Tree:
    """A tree with some of our files, and stubs in the place of others."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def copy(self, *paths):
        for path in paths:
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def stub(self, path, body):
        self.write(path, f"#!/bin/sh\n{body}\n").chmod(0o755)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if name not in ("ONLY", "FILES", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        git = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")}
        return {**kept, **git, "HOME": str(self.folder), "TASKYARD_TEST_POSTGRES": "none", **more}

    def run(self, *command, **more):
        return subprocess.run(command, cwd=self.folder, env=self.environment(**more), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S)

    def git(self, *arguments):
        done = self.run("git", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout
