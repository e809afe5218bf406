"""Which parts of a test run need a network: installing, and nothing behind it."""

import base64
import hashlib
import os
import sys
import tempfile

import pytest

from lib.alone import run_alone
from lib.server import ROOT
from lib.tree import WAIT_S, Tree


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "tree")


# --- without one ----------------------------------------------------------------------------------

def test_tests_run_where_there_is_no_network(tmp_path):
    done = run_alone(
        [sys.executable, "-m", "pytest", "-q", f"--basetemp={tmp_path / 'inner'}",
         "tests/api/test_run.py::test_without_sessions_the_line_that_is_printed_works",
         "tests/api/test_worker.py::test_the_task_is_described_in_the_environment",
         "tests/api/test_create.py::test_a_new_task_has_the_documented_defaults"],
        cwd=ROOT, timeout=WAIT_S)
    assert done.returncode == 0 and " passed in " in done.stdout, done.stdout + done.stderr


ON_POSTGRES = """
TASKYARD_TEST_POSTGRES=$(tools/postgres start "$1") || exit
export TASKYARD_TEST_POSTGRES TASKYARD_TEST_STORE=postgresql
"$2" -m pytest -q --basetemp="$1/inner" tests/api/test_create.py -k defaults
code=$?
tools/postgres stop "$1"
exit $code
"""


def test_a_server_of_postgresql_runs_there_too():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)  # the user postgres must reach it
        done = run_alone(["sh", "-c", ON_POSTGRES, "sh", f"{folder}/there", sys.executable],
                         cwd=ROOT, timeout=WAIT_S)
        assert done.returncode == 0 and " passed" in done.stdout, done.stdout + done.stderr


# --- what is installed before --------------------------------------------------------------------

@pytest.fixture
def registry(tree):
    """A tree of tools/postgres, whose registry has servers that say their version."""
    tree.copy("tools/postgres", "src/store/postgres/guard.c")
    tree.write("package/LICENSE.md", "")
    tree.write("package/native/pg-symlinks.json", "[]")
    for name in ("postgres", "initdb"):
        tree.stub(f"package/native/bin/{name}", "echo $0 $*")
    packed = tree.run("tar", "-czf", "packed.tgz", "package")
    assert packed.returncode == 0, packed.stderr
    digest = hashlib.sha512((tree.folder / "packed.tgz").read_bytes()).digest()
    sum_of_it = "sha512-" + base64.b64encode(digest).decode()
    # None of these is in /usr/lib/postgresql.
    tree.write("tools/postgres.lock", "".join(
        f"{major} {processor} {major}.1 {sum_of_it}\n"
        for major in (7, 8, 90, 91, 92) for processor in ("x64", "arm64")))
    tree.stub("programs/npm", 'echo "$4" >>"$HOME/asked" && cp "$HOME/packed.tgz" .')
    return tree


def test_the_servers_that_tests_start_are_fetched_before_the_first_of_them(registry):
    path = f"{registry.folder}/programs:{os.environ['PATH']}"
    assert registry.run("tools/postgres", "versions", "--tested").stdout.split() == \
        ["7", "8", "90", "92"]
    for _ in range(2):  # the second time they are there
        done = registry.run("tools/postgres", "fetch", PATH=path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    asked = (registry.folder / "asked").read_text().split()
    assert [name.partition("@")[2].partition("@")[2] for name in asked] == \
        ["7.1", "8.1", "90.1", "92.1"]
    where = registry.run("tools/postgres", "programs", "--version", "90").stdout.strip()
    assert where == str(registry.folder / "build/postgres/90.1/native/bin")


def test_a_server_that_cannot_be_fetched_ends_the_run_before_it_begins(registry):
    registry.copy("Makefile")
    registry.stub("programs/npm", "echo there is no network >&2; exit 1")
    registry.stub("tools/packages", "")
    registry.stub("tools/run-tests", "touch began")
    done = registry.run("make", "--no-print-directory", "test",
                        PATH=f"{registry.folder}/programs:{os.environ['PATH']}")
    assert done.returncode != 0 and not (registry.folder / "began").exists()
    assert "there is no network\npostgres: npm could not fetch" in done.stderr
