"""The figures to reach, and tables in Markdown."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from cluster import ROOT
from nodes import PROGRAM


def number(value):
    """With as many digits as it deserves, thousands parted."""
    if value is None or value != value:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def origin():
    """Which Taskyard: "taskyard 0.1.0, built by gcc 12.2.0; commit 6bb6da6; SQLite 3.40.1, …"."""
    built = output(PROGRAM, "version").replace("\n", ", ")
    return f"{built}; {output(ROOT / 'bench' / 'versions', PROGRAM)}"


def machine():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (f"{os.cpu_count()} cores ({processor()}), {pages >> 30} GiB, {platform.system()} "
            f"{platform.release()}, {datetime.datetime.now():%Y-%m-%d %H:%M}")


class Verdicts:
    """Figures to reach, in the order in which they were measured."""

    def __init__(self):
        self.rows = []

    def _add(self, about, sign, bound, unit, value, reached):
        verdict = "reached" if reached else "**missed**"
        self.rows.append([about, f"{sign} {number(bound)} {unit}".strip(), number(value), verdict])

    def at_least(self, bound, unit, value, about):
        self._add(about, "≥", bound, unit, value, value >= bound)

    def at_most(self, bound, unit, value, about):
        self._add(about, "≤", bound, unit, value, value <= bound)

    def less_than(self, bound, unit, value, about):
        self._add(about, "<", bound, unit, value, value < bound)

    def more_than(self, bound, unit, value, about):
        self._add(about, ">", bound, unit, value, value > bound)

    def told(self, unit, value, about):
        self.rows.append([about, unit, number(value), "–"])

    def markdown(self):
        return table(["figure", "asked", "measured", "verdict"], self.rows)


RATE_HEADS = ["run", "tasks/s", "per part of the window", "decay", "p50 ms", "p99 ms",
              "claim p99 ms", "per part", "operations a commit", "short claims",
              "cores: driver, server, PostgreSQL, others", "PostgreSQL: CPU µs a task",
              "transactions a task", "log bytes a task", "log syncs a second"]


def rate_row(name, run):
    """One line of the table of rates, from the figures of one run."""
    a_second = run["requests_per_s"] / 1e6
    driver, server = run["driver_cpu_us"] * a_second, run.get("server_cpu_us", 0) * a_second
    postgres = run.spent["cpu_s"] / run.spent["at_s"]
    others = max(0, run.get("others_cores", 0) - postgres)
    claim = run.get("claim_p99_ms", run.get("complete_claim_p99_ms"))
    return [name, number(run["tasks_per_s"]),
            " ".join(f"{rate:,.0f}" for rate in run.all("part_tasks_per_s")) or "–",
            number(run.get("decay")), number(run["p50_ms"]), number(run["p99_ms"]), number(claim),
            " ".join(f"{ms:.1f}" for ms in run.all("part_p99_ms")) or "–",
            number(run.get("group")), number(run.get("short_claims", 0)),
            f"{driver:.2f}, {server:.2f}, {postgres:.2f}, {others:.2f}",
            number(run.spent_a_task("cpu_s") * 1e6), number(run.spent_a_task("transactions")),
            number(run.spent_a_task("wal_bytes")),
            number(run.spent["wal_syncs"] / run.spent["at_s"])]
