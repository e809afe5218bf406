"""The lease tokens of many stores: none comes twice, wherever it was given.

A journal holds those of its own store. Each store leaves its own in a file; those of a long run are
millions, so they are sorted outside of this process, and equal ones then follow each other.
"""

import os
import subprocess


def write(path, tokens):
    """`tokens`: of one store, token → id of its task."""
    path.write_text("".join(f"{token} {task} of store {path.name}\n"
                            for token, task in tokens.items()))


def given_twice(paths):
    """How many there are, and a sentence for each that was given before."""
    command = ["sort", "--buffer-size=64M", f"--temporary-directory={paths[0].parent}", *paths]
    count, twice, before, to_whom = 0, [], None, None
    with subprocess.Popen(command, env={**os.environ, "LC_ALL": "C"}, text=True,
                          stdout=subprocess.PIPE) as sort:
        for line in sort.stdout:
            token, _, whom = line.rstrip("\n").partition(" ")
            if token == before:
                twice.append(f"the token of {whom} was given to {to_whom} too")
            count, before, to_whom = count + 1, token, whom
    assert sort.returncode == 0, f"{command} ended with {sort.returncode}"
    return count, twice
