"""What counts as a proof: tools/run-proof, the state of a long run, the lease tokens of all stores,
the record of a disk, and the goals of the fuzzer.

Parts are a few lines of shell here, in a tree of their own."""

import importlib.machinery
import importlib.util
import json
import os
import re

import pytest

from lib import part as parts
from lib.faults import STEP_HEAD, Faulty
from lib.server import ROOT
from lib.tree import Tree

GOOD = "echo $name: 3 passed, 0 failed"
RESULTS = "<!-- long runs -->\n| part |\n|---|\n<!-- long runs -->\n"


@pytest.fixture
def tree(tmp_path):
    """A repository with the harness and no part."""
    tree = Tree(tmp_path / "tree")
    tree.copy("tools/run-proof", "tools/tree-state", ".gitignore")
    tree.write("src/a.c", "")
    tree.write("proof/RESULTS.md", RESULTS)
    tree.write("proof/uncovered.md", "")
    tree.git("init", "-q")
    commit(tree)
    return tree


def commit(tree):
    tree.git("add", ".")
    tree.git("commit", "-q", "-m", "all")


def a_part(tree, name, body):
    """It notes that it ran."""
    tree.stub(f"proof/{name}", f"name={name}\necho {name} >>build/ran\n{body}")


def run_proof(tree, *arguments, **environment):
    """(its lines, the parts that ran)"""
    ran = tree.folder / "build/ran"
    ran.unlink(missing_ok=True)
    done = tree.run("tools/run-proof", *arguments, **{"PROOF_BRIEF": "", **environment})
    lines = done.stdout.splitlines()
    assert (done.returncode == 0) == lines[-1].endswith(" 0 failed"), done.stdout + done.stderr
    return lines, ran.read_text().split() if ran.exists() else []


# --- the parts ------------------------------------------------------------------------------------

@pytest.mark.parametrize("body,told", [
    (f"{GOOD}; exit 1", "counted no failure, and ended with status 1"),
    ("exit 0", "status 0 and no closing line"),
    ("echo $name: 0 passed, 0 failed", "it has tried nothing"),
    (f"echo $name: NOT RUN: no loop device; {GOOD}", "not all of it could be run"),
    ("echo $name: NOT RUN: no loop device; echo $name: 0 passed, 0 failed; exit 77", "not all"),
    (f"echo >>src/a.c; {GOOD}", "the code has changed meanwhile"),
])
def test_a_part_that_ends_otherwise_has_not_passed_its_long_form(tree, body, told):
    a_part(tree, "a", GOOD)
    a_part(tree, "b", body)
    lines, ran = run_proof(tree, "--long")
    assert ran == ["a", "b"] and lines[-1].endswith(", 1 failed")
    assert [line for line in lines if line.startswith("b: FAILED: ") and told in line], lines


def test_a_long_run_goes_on_behind_what_has_passed_with_the_same_code(tree):
    a_part(tree, "a", GOOD)
    a_part(tree, "b", "echo $name: 1 passed, 1 failed; exit 1")
    assert run_proof(tree, "--long")[1] == ["a", "b"]
    commit(tree)
    tree.write("proof/RESULTS.md", RESULTS + "More is known.\n")  # which is no code
    assert run_proof(tree, "--long")[1] == ["b"]
    tree.write("src/a.c", "int a;\n")
    assert run_proof(tree, "--long")[1] == ["a", "b"]


def test_the_short_form_has_one_bound_for_all_parts(tree):
    a_part(tree, "a", f"trap 'kill $!; {GOOD}; exit 0' TERM; sleep 60 & wait")
    a_part(tree, "b", GOOD)
    lines, ran = run_proof(tree, PROOF_BOUND_S="3")
    assert ran == ["a"] and lines[-1] == "3 passed, 2 failed"
    cut = r"a: FAILED: it did not end within [1-3] s, what was left of 3 s for all parts"
    assert any(re.fullmatch(cut, line) for line in lines), lines
    assert "b: FAILED: it was not begun: the 3 s of all parts were over" in lines
    assert [line.split()[0] for line in lines[-4:-1]] == ["a", "b", "all"]


def test_a_part_that_is_unknown_names_those_there_are(tree):
    a_part(tree, "b", GOOD)
    a_part(tree, "a", GOOD)
    done = tree.run("tools/run-proof", "a", "c")  # before any of them is begun
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == "run-proof: no part is called 'c'; there are: a b\n"


def test_what_a_machine_does_not_let_run_is_named_by_the_short_form(tree):
    a_part(tree, "a", GOOD)
    a_part(tree, "b", "echo $name: NOT RUN: why; echo $name: 0 passed, 0 failed; exit 77")
    lines, _ = run_proof(tree)
    assert lines[-2].startswith("not run, ") and lines[-2].endswith(": b")
    assert lines[-1] == "3 passed, 0 failed"


# --- the state of a long run ----------------------------------------------------------------------

@pytest.fixture
def long_part(tree, monkeypatch):
    """Makes a long run of a part in the tree."""
    monkeypatch.setattr(parts, "ROOT", tree.folder)
    monkeypatch.setattr(parts, "RESULTS", tree.folder / "proof/RESULTS.md")
    monkeypatch.setattr(parts.signal, "signal", lambda *_: None)
    return lambda form="--long": parts.Part("a", [form, "--seed", "7"], 60)


def rows(tree):
    return [line for line in (tree.folder / "proof/RESULTS.md").read_text().splitlines()
            if line.startswith("| `a` ")]


def do(part, *names):
    """These of its three steps, then it is killed; the steps that were left."""
    left = []
    for name in part.steps(["one", "two", "three"]):
        left.append(name)
        part.check(name in names, "the machine stops")
        if name not in names:
            break
    return left


def test_steps_are_not_done_again_unless_the_code_is_another(tree, long_part):
    do(long_part(), "one", "two")
    tree.write("docs/a.md", "# More is known\n")
    commit(tree)  # of nothing but documentation
    assert do(long_part()) == ["three"]
    tree.write("src/a.c", "int a;\n")
    assert do(long_part(), "one") == ["one", "two"]
    commit(tree)
    again = long_part()
    assert do(again, "two", "three") == ["two", "three"]
    assert again.finish() == 0 and again.passed == 3
    row, = rows(tree)
    commit_now = tree.git("rev-parse", "--short=7", "HEAD").strip()
    assert row.startswith(f"| `a` | {commit_now} | 7 | 3 |")
    assert do(long_part(), "one") == ["one", "two"]  # what is over begins anew


def test_a_row_has_the_sums_over_all_steps_and_what_was_told_last(tree, long_part, capsys):
    part = long_part()
    part.add_up("all stores", "store 1", kills=50, lost_tasks=0)
    do(part, "one", "two")
    part = long_part()
    part.add_up("all stores", "store 2", kills=1950, lost_tasks=1)
    part.say("control: caught")
    do(part, "one", "two", "three")
    assert part.finish() == 0
    assert rows(tree)[0].endswith("| all stores: 2,000 kills, 1 lost tasks; control: caught |")
    assert "a: store 2: 1,950 kills, 1 lost tasks\n" in capsys.readouterr().out


def test_a_row_says_that_the_tree_had_changes(tree, long_part):
    tree.write("src/a.c", "int a;\n")
    part = long_part()
    do(part, "one", "two", "three")
    assert part.finish() == 0 and " and changes | 7 | 3 |" in rows(tree)[0]


def test_a_long_run_that_is_late_or_of_two_codes_has_not_passed(tree, long_part):
    late = long_part()
    do(late, "one", "two", "three")
    late.end = late.began
    assert late.finish() == 1 and not rows(tree)
    part = long_part()
    assert not do(part)  # they are done
    tree.write("src/a.c", "int a;\n")
    assert part.finish() == 1 and not rows(tree)


def test_a_short_run_leaves_the_state_of_the_long_one(long_part):
    do(long_part(), "one")
    short = long_part("--short")
    assert do(short, "one", "two", "three") == ["one", "two", "three"]
    assert short.finish() == 0
    assert do(long_part()) == ["two"]


# --- the lease tokens of all stores ---------------------------------------------------------------

def program(name, monkeypatch):
    """A part as a module."""
    loader = importlib.machinery.SourceFileLoader(f"proof_{name}", str(ROOT / "proof" / name))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    part = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(part)
    return part


@pytest.fixture
def sigkill(tree, long_part, monkeypatch):
    """proof/sigkill in the tree, with three stores which do no more than give a token each."""
    sigkill = program("sigkill", monkeypatch)
    monkeypatch.setattr(sigkill, "build", lambda flavour: None)
    monkeypatch.setattr(sigkill, "LONG_CYCLES", 3 * sigkill.CYCLES)

    def run(tokens, ends_at=None, other_code=False):
        """`tokens`: by store. Its failures."""
        if other_code:
            tree.write("src/a.c", "int a;\n")

        def cycles(part, number, count, file):
            if number == ends_at:
                return part.check(False, "the machine stops")
            sigkill.write(file, {tokens[number]: f"task{number}"})
            return True

        part = long_part()
        monkeypatch.setattr(sigkill, "Part", lambda *_, **__: part)
        monkeypatch.setattr(sigkill, "cycles", cycles)
        assert sigkill.main([]) == (1 if part.failures else 0)
        return part.failures

    return run


def test_lease_tokens_of_different_stores_are_held_against_each_other(sigkill):
    failure, = sigkill(["a", "b", "a"])
    assert failure == ("1 of 3 lease tokens came again: "
                       "['the token of task2 of store 2 was given to task0 of store 0 too']")
    assert not sigkill(["a", "b", "c"], other_code=True)


def test_lease_tokens_of_before_an_interruption_count(sigkill):
    assert sigkill(["a", "b", "a"], ends_at=2) == ["the machine stops"]
    for _ in range(2):  # the stores that are done are not tried again, and what they gave is kept
        failure, = sigkill([None, None, "a"])
        assert "was given to task0 of store 0 too" in failure


# --- the record of what was done to a disk --------------------------------------------------------

STEP = STEP_HEAD.pack(ord("W"), 1, 0, 3, 0) + b"abc"


@pytest.mark.parametrize("torn", [0, 1, STEP_HEAD.size - 1, STEP_HEAD.size, len(STEP) - 1])
def test_of_a_record_that_a_kill_has_torn_the_whole_steps_are_left(tmp_path, torn):
    server = Faulty(tmp_path, record=True)
    server.record_path.write_bytes(STEP * 2 + STEP[:torn])
    server.mend_record()
    assert server.record_path.read_bytes() == STEP * 2


# --- the goals of the fuzzer ----------------------------------------------------------------------

@pytest.fixture
def fuzz(tmp_path, monkeypatch):
    """proof/fuzz with a target `json`, no fuzzer, that says what is in `says`, and takes an input
    unless `bad` is there."""
    fuzz = program("fuzz", monkeypatch)
    monkeypatch.setattr(fuzz, "BUILT", tmp_path)
    monkeypatch.setattr(fuzz, "STATE", tmp_path / "state")
    monkeypatch.setattr(fuzz, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(fuzz, "targets", lambda: ["http", "json"])
    noted(fuzz)
    monkeypatch.setattr(fuzz.signal, "signal", lambda *_: None)
    target = tmp_path / "json"
    target.write_text(f"#!/bin/sh\ncat {tmp_path}/says 2>&-\n[ ! -e {tmp_path}/bad ]\n")
    target.chmod(0o755)
    (tmp_path / "state/json").mkdir(parents=True)
    return fuzz


def had(fuzz, **state):
    state = {"executions": 10**8, "own_executions": 10**8, "program": fuzz.digest_of("json"),
             **state}
    (fuzz.STATE / "json/state.json").write_text(json.dumps(state))


HTTP = "| http | 1,234,567 | 100,000,000 | abc1234 | 4,567 | 10,000 | 40 | 90 |"
JSON = "| json | 99,990,000 | 100,000,000 | abc1234 | 99,000,000 | 10,000 | 50 | 100 |"


def noted(fuzz, *rows):
    """In the table of the results."""
    table = "\n".join([fuzz.MARK, *fuzz.HEAD, *rows, fuzz.MARK])
    fuzz.RESULTS.write_text(f"Above.\n{table}\nBelow.\n")


def table(fuzz):
    """Its rows; what is around them stays."""
    above, rows, below = fuzz.RESULTS.read_text().split(fuzz.MARK)
    assert above == "Above.\n" and below == "\nBelow.\n"
    return rows.strip().splitlines()[2:]


def campaign_of(fuzz):
    return fuzz.Campaign(["json"], None, 1, "def5678")


def stopped(fuzz):
    """The results of a campaign that is told to stop at once."""
    campaign = campaign_of(fuzz)
    campaign.told_to_stop()
    return campaign.run()


def test_a_target_passes_with_its_goal_and_not_before(fuzz, capsys):
    had(fuzz)
    assert stopped(fuzz) == [True]
    had(fuzz, executions=12_345, own_executions=12_345)
    assert stopped(fuzz) == [False]
    assert "json: 12,345 of 100,000,000 executions" in capsys.readouterr().out
    had(fuzz, program="of another code")  # of which it had all of them
    assert stopped(fuzz) == [False]
    assert "of them 0 by the program as it is" in capsys.readouterr().out


def log_of(fuzz, executions, *said):
    """What the program says when it runs."""
    lines = [*said, f"#{executions}\tDONE cov: 60 ft: 200 corp: 9/9b"]
    (fuzz.BUILT / "says").write_text("\n".join(lines) + "\n")


def test_a_run_in_a_fresh_tree_goes_on_with_the_table(fuzz):
    noted(fuzz, HTTP, JSON)
    log_of(fuzz, 20_000)
    campaign = campaign_of(fuzz)
    campaign.round(campaign.take(0))
    assert campaign.has_passed("json")
    fuzz.write_results()
    row, = (row for row in table(fuzz) if row.startswith("| json "))
    assert row.startswith("| json | 100,010,000 | 100,000,000 | def5678 | 20,000 | ")
    assert row.endswith(" | 60 | 200 |")
    assert table(fuzz)[0] == HTTP  # it had no run
    assert fuzz.tallies(["json"])["json"].missing() == 0


def test_of_table_and_state_the_higher_count_holds(fuzz):
    noted(fuzz, JSON)
    assert stopped(fuzz) == [False]
    had(fuzz, executions=10**8, commit="def5678")
    assert stopped(fuzz) == [True]
    had(fuzz, executions=50_000, own_executions=50_000)  # the table is of another tree
    assert fuzz.tallies(["json"])["json"].missing() == 10_000
    fuzz.write_results()
    assert table(fuzz) == [JSON]
    had(fuzz, executions=10**8, commit="def5678")  # of a run that was killed
    fuzz.write_results()
    assert [row[:44] for row in table(fuzz)] == ["| json | 100,000,000 | 100,000,000 | def5678"]


def test_a_target_that_had_no_run_has_no_row_and_begins_at_0(fuzz):
    fuzz.write_results()
    assert not table(fuzz) and fuzz.tallies(["json"])["json"].missing() == 10**8


def test_the_table_as_it_is_can_be_read(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "RESULTS", ROOT / "proof/RESULTS.md")
    assert all(executions > 0 for executions, _ in fuzz.read_results().values())


@pytest.mark.parametrize("rows,told", [
    ((JSON, JSON), "no row of the table, or a second one: | json "),
    ((JSON, "<<<<<<< HEAD"), "no row of the table, or a second one: <<<"),
    ((JSON.replace("99,990,000", "99,99"),), "no row of the table, or a second one: | json "),
    ((HTTP, "<!-- fuzz -->"), "no table with this head between two marks"),
])
def test_a_table_that_cannot_be_read_ends_a_long_run_before_it_begins(fuzz, rows, told):
    noted(fuzz, *rows)
    with pytest.raises(SystemExit, match=re.escape(told)):
        campaign_of(fuzz)


def test_a_find_stays_one_until_a_changed_program_takes_its_input(fuzz, tmp_path):
    unit = tmp_path / "crash"
    unit.write_text("input")
    found = {"sentence": "does not hold: 1 == 2", "unit": str(unit)}
    had(fuzz, found=found)
    assert stopped(fuzz) == [False]
    had(fuzz, found=found, program="before")
    (tmp_path / "bad").touch()
    campaign = campaign_of(fuzz)
    assert campaign.failed == {"json"}
    os.remove(tmp_path / "bad")
    campaign = campaign_of(fuzz)
    assert not campaign.failed and campaign.tallies["json"].missing() == fuzz.LEAST_USUAL


LEAK = "ERROR: LeakSanitizer: detected memory leaks"


def round_of(fuzz, ends_with=None):
    """A campaign that had one round, which ended with this command."""
    if ends_with:
        (fuzz.BUILT / "json").write_text(f"#!/bin/sh\ncat {fuzz.BUILT}/says\n{ends_with}\n")
    campaign = campaign_of(fuzz)
    campaign.round(campaign.take(0))
    return campaign


def test_a_find_without_an_input_stays_one_until_the_program_has_changed(fuzz, capsys):
    log_of(fuzz, 20_000, f"==7=={LEAK}")
    assert round_of(fuzz).failed == {"json"}
    log_of(fuzz, 20_000)
    assert stopped(fuzz) == [False]
    assert f"json: {LEAK} (there is no file of an input)" in capsys.readouterr().out
    target = fuzz.BUILT / "json"
    target.write_text(target.read_text() + "\n")
    assert not campaign_of(fuzz).failed
    assert "the program has changed and cannot be asked, as there is no input; forgotten: " \
        f"{LEAK}\n" in capsys.readouterr().out
    assert not round_of(fuzz).failed and not campaign_of(fuzz).failed


@pytest.mark.parametrize("ends_with,kept", [("kill -SEGV $$", True), ("kill -KILL $$", False),
                                            ("exit 1", False), ("exit 72", False)])
def test_a_crash_is_a_find_and_the_end_by_another_s_hand_is_none(fuzz, ends_with, kept):
    log_of(fuzz, 20_000)
    assert round_of(fuzz, ends_with).failed == (set() if ends_with == "exit 72" else {"json"})
    assert campaign_of(fuzz).failed == ({"json"} if kept else set())


def test_an_input_that_was_only_slow_is_no_find(fuzz):
    slow = "Test unit written to ./slow-unit-1"
    log_of(fuzz, 20_000, slow)
    assert not round_of(fuzz).failed and not campaign_of(fuzz).failed
    log_of(fuzz, 20_000, slow, LEAK)
    assert round_of(fuzz).tallies["json"].found == {"sentence": LEAK, "unit": None}
    log_of(fuzz, 20_000, slow, LEAK, "Test unit written to ./leak-2")
    assert fuzz.Run("json", "json", "long-0").go(
        fuzz.STATE / "corpus", 1, 1).find() == {"sentence": LEAK, "unit": "./leak-2"}
