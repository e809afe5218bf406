"""What all examples have in common."""

import ast
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLIENT = EXAMPLES.parent / "clients" / "python"
PROGRAMS = sorted(EXAMPLES.glob("*/*.py")) + sorted(CLIENT.glob("*.py"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_python_example_is_written_for_3_9_and_needs_no_package(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
            [node.module] if isinstance(node, ast.ImportFrom) else [])
        for name in names:
            own = any((folder / f"{name.partition('.')[0]}.py").exists()
                      for folder in (path.parent, CLIENT))
            assert own or name.partition(".")[0] in IN_3_9, f"{path.name} needs {name}"


# Of the standard library as Python 3.9 has it, what a program may need.
IN_3_9 = set("""abc argparse asyncio collections contextlib dataclasses datetime email functools
    hashlib http inspect io itertools json logging os pathlib random re signal socket
    sqlite3 ssl string subprocess sys tempfile textwrap threading time traceback types
    typing urllib uuid""".split())


@pytest.mark.parametrize("name, usage", [
    ("curl-worker/worker.sh", "usage: worker.sh TYPE PROGRAM"),
    ("hash-tree/hash-tree.sh", "usage: hash-tree.sh DIRECTORY")])
def test_a_shell_example_without_arguments_says_what_it_takes(name, usage):
    ended = subprocess.run([EXAMPLES / name], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 64 and ended.stderr.startswith(usage), ended.stderr


def test_there_are_examples_to_look_at():
    assert len(PROGRAMS) >= 7
