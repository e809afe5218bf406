"""The suites that run separately, what a run leaves, the hooks, and the environment of a developer.

tools/run-tests and its like clear build/test, so they run here in a tree of their own, where what
takes long is replaced by a few lines of shell."""

import html.parser
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from lib.client import Api, fresh_name
from lib.server import BINARY, ROOT, Server, clean_environment
from lib.tree import WAIT_S, Tree
from lib.worker import Worker

LOCAL = ROOT / "deploy" / "container" / "docker-compose.local.yml"
# `unit` of a tree: one C test program of four tests, which fails where a file `broken` is.
BUILDS_A_TEST = """\
mkdir -p build/tests
cat >build/tests/a_test <<END
#!/bin/sh
if [ -e broken ]; then
  echo 'expected <b>1</b> & got 2'
  echo '[  FAILED  ] 1 test(s), listed'
  exit 1
fi
echo '[  PASSED  ] 4 test(s).'
END
chmod 755 build/tests/a_test"""


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "tree")


@pytest.fixture
def suite(tree):
    """A tree in which tools/run-tests runs."""
    tree.copy("tools/run-tests", "tools/report", "tests/pytest.ini")
    tree.stub("tools/build", BUILDS_A_TEST)
    tree.stub("tools/list-tests", "echo src/a_test.c")
    tree.write("src/a_test.c", "static void a_sum_is_right(void **state) {}\n")
    return tree


# --- the suites -----------------------------------------------------------------------------------

@pytest.mark.parametrize("target,command", [
    ("test-unit", "tools/run-tests unit"),
    ("test-integration", "tools/run-tests api api-postgres"),
    ("test-e2e", "tools/run-tests e2e"),
    ("test-coverage", "tools/coverage"),
    ("coverage-unit", "tools/coverage --unit"),
    ("test-watch", "tools/watch"),
    ("test", "tools/run-tests"),
])
def test_each_suite_has_a_command_of_its_own(tree, target, command):
    tree.copy("Makefile")
    told = tree.run("make", "--no-print-directory", "-n", target)
    installs = ["tools/packages test"] + ["tools/postgres fetch"] * (target == "test")
    assert told.stdout.splitlines() == [*installs, command], told.stderr
    assert f"make {target} " in tree.run("make", "help").stdout


def test_the_pattern_of_make_reaches_the_suite(tree):
    tree.copy("Makefile")
    for name in ("packages", "run-tests"):
        tree.stub(f"tools/{name}", f'echo "{name} $* of $ONLY"')
    for target, stages in (("test-unit", "unit"), ("test-integration", "api api-postgres"),
                           ("test-e2e", "e2e")):
        told = tree.run("make", "--no-print-directory", target, "ONLY=claim").stdout
        assert told.splitlines()[-1] == f"run-tests {stages} of claim"


def listed():
    lines = (ROOT / "tests/e2e.list").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_end_to_end_tests_are_there_and_are_listed_once():
    paths = listed()
    assert paths == sorted(set(paths))
    assert all(re.fullmatch(r"tests/(api|e2e)/test_\w+\.py", path) for path in paths)
    assert all((ROOT / path).is_file() for path in paths)
    for name in ("run", "worker", "transcripts", "examples", "container"):
        assert f"tests/api/test_{name}.py" in paths
    assert {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/e2e/test_*.py")} <= set(paths)


def test_the_end_to_end_suite_runs_what_is_listed_and_nothing_else(suite):
    suite.write("tests/e2e.list", "# those\n\ntests/api/test_whole.py\n")
    suite.write("tests/api/test_whole.py", "def test_a_life(): pass\ndef test_an_end(): pass\n")
    suite.write("tests/api/test_part.py", "def test_a_piece(): assert False\n")
    done = suite.run("tools/run-tests", "e2e")
    assert done.stdout.splitlines()[-1] == "2 passed, 0 failed", done.stdout
    done = suite.run("tools/run-tests", "e2e", ONLY="an_end")
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed", done.stdout
    done = suite.run("tools/run-tests", "e2e", ONLY="a_piece")
    assert done.returncode == 1 and "no test has 'a_piece' in its name" in done.stdout


def test_all_tests_together_run_none_of_them_twice(suite):
    suite.copy("tests/e2e.list")
    for name in ("lint", "postgres", "run-proof"):
        suite.stub(f"tools/{name}", "true")
    suite.write("Makefile", "analyze:\n")
    suite.run("tools/run-tests", FILES="tests/api/none.py")  # each stage begins, and has no test
    begun = {path.name for path in (suite.folder / "build/test").glob("told-*")}
    assert {"told-unit", "told-api", "told-api-postgres", "told-crash"} <= begun
    assert "told-e2e" not in begun


def test_named_files_run_alone(suite):
    suite.write("tests/api/test_one.py", "def test_a(): pass\n")
    suite.write("tests/api/test_two.py", "def test_b(): assert False\n")
    done = suite.run("tools/run-tests", "unit", "api", FILES="src/a_test.c tests/api/test_one.py")
    assert done.stdout.splitlines()[-1] == "5 passed, 0 failed", done.stdout
    done = suite.run("tools/run-tests", "unit", "api", FILES="tests/api/test_one.py")
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed", done.stdout


# --- what a save runs -----------------------------------------------------------------------------

@pytest.mark.parametrize("path,some,others", [
    ("src/base/buf.c", {"src/base/buf_test.c"}, False),
    ("src/base/buf_test.c", {"src/base/buf_test.c"}, False),
    ("tests/contract/sqlite_test.c", {"tests/contract/sqlite_test.c"}, False),
    ("tests/crash/test_sigkill.py", {"tests/crash/test_sigkill.py"}, False),
    ("tools/run", {"tests/api/test_run.py"}, True),
    ("deploy/container/Dockerfile", {"tests/api/test_container.py"}, False),
    ("examples/session_executor/program.py", {"tests/api/test_session_executor.py"}, False),
    ("clients/python/taskyard.py", {"tests/api/test_client_python.py"}, False),
    # No C test is named after it: those of its folder.
    ("src/api/keys.c", {"src/api/router_test.c", "tests/api/test_keys.py"}, True),
    ("src/http/testing.h", {"src/http/scan_test.c"}, True),
    ("tests/contract/scripted.h", {"tests/contract/scripted_conn_test.c"}, True),
    ("src/base/gone_test.c", {"src/base/buf_test.c"}, True),
    ("src/LAYERS", set(), False),
])
def test_a_saved_file_has_tests_that_match_it(path, some, others):
    told = subprocess.run([ROOT / "tools/watch", "--plan", path], capture_output=True, text=True,
                          timeout=WAIT_S, check=True).stdout.split()
    assert some <= set(told) and len(told) == len(set(told))
    assert others or set(told) == some
    assert all((ROOT / one).is_file() for one in told)


def read_until(stream, end):
    lines = []
    for line in stream:
        lines.append(line.rstrip("\n"))
        if end in line:
            return lines
    raise AssertionError(f"it ended after {lines}")


def test_a_save_runs_its_tests_and_so_does_what_was_changed_before(tree):
    tree.copy("tools/watch", "tools/list-tests")
    tree.stub("tools/postgres", "echo postgresql://127.0.0.1/none")
    tree.stub("tools/run-tests", 'echo "ran $*:" $FILES "on $TASKYARD_TEST_POSTGRES"')
    for name in ("one", "two", "three"):
        tree.write(f"tests/api/test_{name}.py", "")
    tree.write("src/a.c", "")
    tree.write("src/a_test.c", "")
    tree.git("init", "-q")
    tree.git("add", ".")
    tree.git("commit", "-q", "-m", "all")
    tree.write("tests/api/test_one.py", "# changed\n")
    env = tree.environment(TASKYARD_TEST_POSTGRES="")
    with subprocess.Popen([tree.folder / "tools/watch"], stdout=subprocess.PIPE, text=True, env=env,
                          stdin=subprocess.DEVNULL, start_new_session=True) as watch:
        ends = "on postgresql://127.0.0.1/none"
        try:
            told = read_until(watch.stdout, "waiting for the next save")
            assert f"ran api: tests/api/test_one.py {ends}" in told
            tree.write("tests/api/test_two.py", "# changed\n")
            told = read_until(watch.stdout, "waiting for the next save")
            assert f"ran api: tests/api/test_two.py {ends}" in told
            tree.write("src/a.c", "// changed\n")
            told = read_until(watch.stdout, "waiting for the next save")
            assert f"ran unit: src/a_test.c {ends}" in told
        finally:
            watch.send_signal(signal.SIGTERM)
            code = watch.wait(timeout=WAIT_S)
    assert code == 130


# --- the report -----------------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """What a report shows: rows of its table, failures with their logs, and links."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.failures, self.links = set(), [], [], []
        self.inside, self.heading, self.text = None, "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.inside = tag
        self.text += "\n"
        if tag == "tr":
            self.rows.append([])
        elif tag == "summary":
            self.failures.append(["", ""])
        elif tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        self.text += data
        if self.inside in ("th", "td"):
            self.rows[-1].append(data)
        elif self.inside in ("summary", "pre"):
            self.failures[-1][self.inside == "pre"] += data
        elif self.inside == "h1":
            self.heading += data


def made_up(folder):
    folder.mkdir()
    files = {
        "told-unit": "unit         ok       61 s   40 passed, 0 failed\n",
        "told-api": "--- tests/api (release): 20 passed, 2 failed\n"
                    "assert '<b>' == '</pre><script>alert(1)</script>' "
                    "& \x1b[31mred\x1b[0m \x07 &lt;\n"
                    "--- a line of a log\n"
                    "2 failed, 20 passed in 1.5s\n"
                    "api          FAILED  120 s   20 passed, 2 failed\n",
        "told-crash": "sh: 1: killed <here>\n",
        "closing": "60 passed, 3 failed\n", "began": "1000000000\n",
        "a&b<c>.log": "", "unit.log": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    for at, name in enumerate(("told-unit", "told-api", "told-crash")):
        os.utime(folder / name, (at, at))
    os.utime(folder / "closing", (1000000125, 1000000125))
    return folder


def report(folder):
    done = subprocess.run([ROOT / "tools/report", folder], capture_output=True, text=True,
                          timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    return Page((folder / "report.html").read_text())


def test_a_report_counts_the_stages_and_shows_what_failed(tmp_path):
    page = report(made_up(tmp_path / "test"))
    assert page.heading == "60 passed, 3 failed"
    assert page.rows[1:] == [["unit", "ok", "40", "0", "1 min 1 s"],
                             ["api", "failed", "20", "2", "2 min 0 s"],
                             ["crash", "did not end", "0", "1", "?"]]
    assert [title for title, _ in page.failures] == [
        "tests/api (release): 20 passed, 2 failed", "crash: what it said"]
    assert "Began 2001-09-09 01:46:40 UTC, took 2 min 5 s." in page.text


def test_a_report_shows_logs_as_they_are_and_none_of_it_is_markup(tmp_path):
    page = report(made_up(tmp_path / "test"))
    assert page.failures[0][1].strip().splitlines() == [
        "assert '<b>' == '</pre><script>alert(1)</script>' & red \ufffd &lt;",
        "--- a line of a log", "2 failed, 20 passed in 1.5s"]
    assert page.failures[1][1].strip() == "sh: 1: killed <here>"
    assert not page.tags & {"script", "b", "here", "c"}
    assert page.links == ["a%26b%3Cc%3E.log", "unit.log"]
    assert "a&b<c>.log" in page.text


def test_a_report_of_a_run_that_was_cut_off_says_so(tmp_path):
    folder = made_up(tmp_path / "test")
    (folder / "closing").unlink()
    assert report(folder).heading == "60 passed, 3 failed; the run did not come to its end"


def test_every_run_leaves_a_report(suite):
    page_path = suite.folder / "build/test/report.html"
    done = suite.run("tools/run-tests", "unit")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "4 passed, 0 failed")
    page = Page(page_path.read_text())
    assert page.heading == "4 passed, 0 failed" and not page.failures
    suite.write("broken", "")
    done = suite.run("tools/run-tests", "unit")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "0 passed, 1 failed")
    page = Page(page_path.read_text())
    assert page.heading == "0 passed, 1 failed" and page.rows[1][:2] == ["unit", "failed"]
    assert "expected <b>1</b> & got 2" in page.failures[0][1]


@pytest.mark.parametrize("stub", ["exit 0", "echo 0 passed, 9 failed; exit 1", "kill -KILL $$",
                                  "echo 7 passed, 0 failed; echo '9 0' >$1/counts"])
def test_a_report_changes_no_result(suite, stub):
    suite.stub("tools/report", stub)
    done = suite.run("tools/run-tests", "unit")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "4 passed, 0 failed")
    suite.write("broken", "")
    done = suite.run("tools/run-tests", "unit")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "0 passed, 1 failed")


def test_without_a_report_it_says_where_the_reason_is(suite):
    suite.stub("tools/report", "echo the disk is full >&2; exit 1")
    done = suite.run("tools/run-tests", "unit")
    assert "no report; build/test/report.out says why" in done.stderr
    assert (suite.folder / "build/test/report.out").read_text() == "the disk is full\n"


# --- coverage -------------------------------------------------------------------------------------

@pytest.fixture
def measured(tree):
    """tools/coverage with a gcovr that fails where a file `low` is; (command line, its result)."""
    tree.copy("tools/coverage")
    tree.stub("tools/run-tests", 'echo "run-tests $*"; [ ! -e broken ]')
    tree.stub("bin/gcovr", 'echo "gcovr $*"; [ ! -e low ] || exit 2')
    path = f"{tree.folder}/bin:{os.environ['PATH']}"
    return lambda *arguments: tree.run("tools/coverage", *arguments, PATH=path)


def test_the_coverage_of_the_c_tests_alone_has_its_own_bound_and_page(tree, measured):
    old = tree.write("build/coverage/a.gcda", "of other tests")
    done = measured("--unit")
    assert done.returncode == 0 and not old.exists()
    assert "run-tests unit-coverage\n" in done.stdout
    assert "--fail-under-line 80 " in done.stdout
    assert "--html-details build/coverage/unit/report.html " in done.stdout
    assert "branches.json" in done.stdout and "build/coverage/branches.json" not in done.stdout
    every = measured().stdout
    assert "--fail-under-line 85 " in every and "api-coverage" in every
    assert "--html-details build/coverage/report.html " in every


@pytest.mark.parametrize("wrong", ["low", "broken"])
def test_too_little_coverage_or_a_failed_test_fails_it(tree, measured, wrong):
    tree.write(wrong, "")
    done = measured("--unit")
    assert done.returncode == 1 and "gcovr " in done.stdout


# --- the hooks ------------------------------------------------------------------------------------

@pytest.fixture
def hooked(tree):
    """A repository with our hooks whose stages note that they were called, and fail if a file of
    their name says so; and one to push to."""
    tree.copy("Makefile", "tools/hooks/pre-commit", "tools/hooks/pre-push")
    for name in ("packages", "lint", "run-tests"):
        tree.stub(f"tools/{name}", f'echo "{name}${{1:+ $*}}${{GIT_DIR:-}}${{GIT_INDEX_FILE:-}}" '
                                   f'>>called; [ ! -e fail-{name} ]')
    tree.write(".gitignore", "called\nfail-*\nthere\n")
    tree.git("init", "-q")
    tree.git("init", "-q", "--bare", "there")
    tree.git("remote", "add", "there", "there")
    tree.git("add", ".")
    done = tree.run("make", "--no-print-directory", "hooks")
    assert done.returncode == 0 and "git config --unset core.hooksPath" in done.stdout, done.stderr
    return tree


def called(tree):
    """The stages that were called since the last look."""
    path = tree.folder / "called"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [line for line in lines if line != "packages test"]


def test_a_commit_waits_for_the_lint_and_the_c_tests(hooked):
    hooked.git("commit", "-q", "-m", "one")
    assert called(hooked) == ["lint", "run-tests unit"]


@pytest.mark.parametrize("wrong,seen", [("lint", ["lint"]),
                                        ("run-tests", ["lint", "run-tests unit"])])
def test_a_commit_is_refused_when_one_of_them_fails(hooked, wrong, seen):
    hooked.write(f"fail-{wrong}", "")
    refused = hooked.run("git", "commit", "-q", "-m", "one")
    assert refused.returncode != 0 and called(hooked) == seen
    assert hooked.run("git", "rev-parse", "-q", "--verify", "HEAD").returncode != 0


def test_a_push_waits_for_the_black_box_tests_on_both_stores(hooked):
    hooked.git("commit", "-q", "-m", "one")
    called(hooked)
    hooked.write("fail-run-tests", "")
    refused = hooked.run("git", "push", "-q", "there", "HEAD:refs/heads/main")
    assert refused.returncode != 0 and called(hooked) == ["run-tests api api-postgres"]
    assert hooked.git("ls-remote", "there") == ""
    (hooked.folder / "fail-run-tests").unlink()
    hooked.git("push", "-q", "there", "HEAD:refs/heads/main")
    assert called(hooked) == ["run-tests api api-postgres"]
    assert hooked.git("rev-parse", "HEAD").strip() in hooked.git("ls-remote", "there")


# --- the local environment ------------------------------------------------------------------------

@pytest.fixture(scope="module")
def local():
    return yaml.safe_load(LOCAL.read_text())


def given(value):
    """As Compose puts in what the environment does not say."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def test_the_local_database_is_postgresql_13_with_the_user_and_password_postgres(local):
    database = local["services"]["postgres"]
    assert database["image"] == "postgres:13"
    made = database["environment"]
    assert (made["POSTGRES_USER"], made["POSTGRES_PASSWORD"]) == ("postgres", "postgres")
    kind, command = database["healthcheck"]["test"]
    assert kind == "CMD-SHELL" and command.startswith("pg_isready ")
    assert f"-U postgres -d {made['POSTGRES_DB']}" in command
    server = local["services"]["taskyard"]
    assert server["environment"]["DATABASE_URL"] == (
        f"postgresql://postgres:postgres@postgres:5432/{made['POSTGRES_DB']}")
    guard = (ROOT / "src/store/postgres/guard.c").read_text()
    assert "VERSION_MIN = 130000" in guard  # the oldest that is taken


def test_the_local_server_is_built_from_this_source_and_waits_for_its_database(local):
    server, worker = (local["services"][name] for name in ("taskyard", "worker"))
    context = (LOCAL.parent / server["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / server["build"]["dockerfile"]) == ROOT / "deploy/container/Dockerfile"
    assert server["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert worker["depends_on"] == {"taskyard": {"condition": "service_healthy"}}
    assert server["healthcheck"]["test"] == ["CMD", "taskyard", "health"]
    assert worker["image"] == server["image"]


def test_the_local_data_is_in_named_volumes_and_ports_are_on_loopback(local):
    mounts = [mount.partition(":") for service in local["services"].values()
              for mount in service["volumes"]]
    assert {name for name, _, _ in mounts} == set(local["volumes"])
    assert ("postgres", ":", "/var/lib/postgresql/data") in mounts
    ports = [given(port) for service in local["services"].values()
             for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8503:8503", "127.0.0.1:5432:5432"]


class ByEnvironment(Server):
    """A server that its environment alone tells what it is told in the container."""

    def command(self):
        self.env.update(PORT=str(self.port), DATABASE_URL=self.store)
        return [str(BINARY), "serve"]


def test_the_local_variables_start_a_server_whose_worker_runs_a_task(local, tmp_path):
    server_env, worker_env = ({name: given(value) for name, value
                               in local["services"][service]["environment"].items()}
                              for service in ("taskyard", "worker"))
    assert worker_env["TASKYARD_URL"] == f"http://taskyard:{server_env['PORT']}"
    checked = subprocess.run([str(BINARY), "config", "--check"], text=True, timeout=WAIT_S,
                             env=clean_environment(tmp_path, server_env), capture_output=True,
                             cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    server = ByEnvironment(tmp_path / "server", env=server_env, key=server_env["API_KEY"]).start()
    program, *arguments = local["services"]["worker"]["command"]
    assert program == "worker" and worker_env["TASKYARD_KEY"] == server.key
    worker = Worker(server, tmp_path, *arguments)
    api = Api(server, type_name=fresh_name("t"))
    try:
        made = api.expect(api.post("/tasks?waitMs=8000", {"type": "sample",
                                                          "payload": {"delayMs": 0}}), 201)
        assert made["task"]["status"] == "completed"
    finally:
        api.close()
        worker.stop()
        server.stop()
