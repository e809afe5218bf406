"""bench/compare: a report is held against the figures of record, and a fall ends with 1."""

import importlib.machinery
import importlib.util
import shutil
import subprocess

import pytest

from lib.server import ROOT

HEAD = """Taskyard 0.1.0. Some text with no table.

### Figures

| figure | asked | measured | verdict |
|---|---|---|---|
| create | ≥ 30,000 tasks/s | 1 | **missed** |

### Rates

| profile | tasks/s | range | p99 ms | of the bare log |
|---|---|---|---|---|
"""
RATES = {"create": ("40,000", "0.50"), "life3": ("20,000", "0.40"),
         "life3-completed": ("20,000", "0.40"), "life3-pending": ("16,000", "0.32")}


def report(changes=None, left_out=()):
    rows = {**RATES, **(changes or {})}
    lines = [f"| {name} | {rate} | 1–2 | 2.30 | {share} |"
             for name, (rate, share) in rows.items() if name not in left_out]
    other = "\n\n| profile | of the bare log |\n|---|---|\n| create | 9 |\n"
    return HEAD + "\n".join(lines) + other


def load():
    """The script, as a module."""
    loader = importlib.machinery.SourceFileLoader("bench_compare", str(ROOT / "bench" / "compare"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def compare(tmp_path, capsys, monkeypatch):
    """compare(report, record): its exit status and what it printed; None: the file is not there."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    main = load().main

    def run(fresh, record):
        paths = []
        for name, text in (("bench.md", fresh), ("RESULTS.md", record)):
            paths.append(tmp_path / name)
            if text is not None:
                paths[-1].write_text(text)
        code = main([str(path) for path in paths])
        return code, "".join(capsys.readouterr())
    return run


def test_the_same_report_has_not_fallen(compare):
    code, told = compare(report(), report())
    assert code == 0 and "6 figures compared, 0 fell by more than 20 %" in told
    assert "| create, of the bare log | 0.50 | 0.50 | +0 % | as before |" in told
    assert "| life3-pending, of empty | 0.80 | 0.80 | +0 % | as before |" in told


def test_a_share_of_the_bare_log_that_fell_is_told(compare):
    code, told = compare(report({"create": ("40,000", "0.25")}), report())
    assert code == 1 and "| create, of the bare log | 0.50 | 0.25 | -50 % | **fell** |" in told
    assert "6 figures compared, 1 fell by more than 20 %" in told


def test_a_slowdown_over_full_stores_is_told(compare):
    code, told = compare(report({"life3-pending": ("10,000", "0.32")}), report())
    assert code == 1 and "| life3-pending, of empty | 0.80 | 0.50 | -38 % | **fell** |" in told


def test_a_slower_machine_is_no_fall(compare):
    half = {name: (f"{int(rate.replace(',', '')) // 2:,}", share)
            for name, (rate, share) in RATES.items()}
    code, told = compare(report(half), report())
    assert code == 0 and "fell |" not in told


@pytest.mark.parametrize("share, code", [
    ("0.40", 0),     # 20 % less, which is not more than 20 %
    ("0.396", 0),    # 20 % less than 0.495, which is 0.50 too
    ("0.395", 1),    # at most 0.3955
    ("0.39", 1),     # at most 0.395
])
def test_a_fall_counts_from_20_percent_on_however_it_was_rounded(compare, share, code):
    assert compare(report({"create": ("40,000", share)}), report())[0] == code


def test_a_small_share_is_not_judged_by_its_rounding(compare):
    """0.08 may be 0.075, and 0.06 may be 0.065."""
    record = report({"create": ("40,000", "0.08")})
    assert compare(report({"create": ("40,000", "0.06")}), record)[0] == 0
    assert compare(report({"create": ("40,000", "0.05")}), record)[0] == 1


def test_a_rise_is_told_and_is_no_failure(compare):
    code, told = compare(report({"create": ("40,000", "0.90")}), report())
    assert code == 0 and "| create, of the bare log | 0.50 | 0.90 | +80 % | rose |" in told


def test_what_one_side_lacks_is_told_and_does_not_count(compare):
    code, told = compare(report(left_out=["create"]), report())
    assert code == 0 and "| create, of the bare log | 0.50 | – | – | not measured |" in told
    assert "5 figures compared" in told
    code, told = compare(report(), report(left_out=["create"]))
    assert code == 0 and "| create, of the bare log | – | 0.50 | – | not on record |" in told


def test_nothing_on_record_is_no_failure(compare):
    code, told = compare(report(), "# Results\n\nNone yet.\n")
    assert code == 0 and "nothing is on record" in told


@pytest.mark.parametrize("fresh", ["", '{"machine":{}}', None])
def test_a_report_without_rates_is_said_to_be_none(compare, fresh):
    code, told = compare(fresh, report())
    assert code == 2 and "bench.md" in told and "make bench writes" in told


def test_the_figures_of_record_can_be_read():
    done = subprocess.run([ROOT / "bench" / "compare", ROOT / "bench" / "RESULTS.md"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "20 figures compared, 0 fell" in done.stdout, done.stdout
    assert "not measured" not in done.stdout and "not on record" not in done.stdout


@pytest.mark.parametrize("fresh, suite, code, word", [
    (report(), 0, 0, "0 fell"),
    (report({"create": ("40,000", "0.25")}), 0, 1, "**fell**"),
    (report(), 69, 69, "0 fell"),
    ("{}", 0, 0, "{}"),
], ids=["as-before", "fell", "the-suite-failed", "another-format"])
def test_the_benchmark_ends_with_the_comparison(tmp_path, fresh, suite, code, word):
    for folder in ("bench", "build"):
        (tmp_path / folder).mkdir()
    for name in ("run", "compare"):
        shutil.copy(ROOT / "bench" / name, tmp_path / "bench")
    (tmp_path / "bench" / "RESULTS.md").write_text(report())
    (tmp_path / "fresh.md").write_text(fresh)
    program = tmp_path / "build" / "taskyard"
    program.write_text(f"#!/bin/sh\ncat fresh.md\nexit {suite}\n")
    program.chmod(0o755)
    done = subprocess.run([tmp_path / "bench" / "run"], capture_output=True, text=True, check=False)
    assert done.returncode == code and word in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "build" / "bench.md").read_text() == fresh
