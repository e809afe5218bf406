"""A private PostgreSQL with its default settings, and what it counts."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Trouble(Exception):
    """Something is not as the measurement needs it; the text says what to do."""


def program(name):
    """The newest installed one; Debian keeps PostgreSQL's own out of the search path."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
                    key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0)
    found = str(places[-1]) if places else shutil.which(name)
    if not found:
        raise Trouble(f"there is no {name}; tools/packages test installs PostgreSQL")
    return found


def make_directory(parent):
    """A new directory on a disk."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", parent], capture_output=True, text=True,
                          check=False).stdout.strip()
    if kind in ("", "tmpfs", "ramfs"):
        raise Trouble(f"{parent} does not lie on a disk; name another place with --dir")
    return Path(tempfile.mkdtemp(prefix="bench-postgres-", dir=parent))


class Cluster:
    """with Cluster("build") as cluster: … cluster.url("bench") …"""

    def __init__(self, parent, settings=()):
        self.directory = make_directory(parent)
        # tools/postgres makes room for many tests at once; here all is as PostgreSQL comes.
        self.settings = ["max_connections=100", *settings]
        self.server = self.pid = None

    def __enter__(self):
        words = [word for setting in self.settings for word in ("--set", setting)]
        started = self._tool("start", *words)
        if started.returncode:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise Trouble(started.stderr.strip())
        self.server = started.stdout.strip().rpartition("/")[0]
        self.pid = int((self.directory / "pid").read_text())
        return self

    def __exit__(self, *_):
        self._tool("stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _tool(self, command, *words):
        return subprocess.run([ROOT / "tools" / "postgres", command, self.directory, *words],
                              capture_output=True, text=True, check=False)

    # --- talking to it --------------------------------------------------------------------------

    def url(self, database):
        return f"{self.server}/{database}"

    def psql(self, sql, database="postgres"):
        """The rows, as lists of texts."""
        ran = subprocess.run(
            [program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
             "-d", self.url(database)],
            input=sql, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise Trouble(f"psql: {ran.stderr.strip()}\n{sql}")
        return [line.split("\t") for line in ran.stdout.splitlines()]

    def number(self, sql, database="postgres"):
        return float(self.psql(sql, database)[0][0] or 0)

    def fresh(self, database):
        """An empty database of that name. Its URL."""
        self.psql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.psql(f"CREATE DATABASE {database}")
        return self.url(database)

    def clear(self):
        """Drops all databases, so that nothing is left to be cleaned beside later runs."""
        for (name,) in self.psql("SELECT datname FROM pg_database WHERE NOT datistemplate "
                                 "AND datname <> 'postgres'"):
            self.psql(f"DROP DATABASE {name} WITH (FORCE)")
        self.psql("CHECKPOINT")

    def settle(self, database):
        """What an ordinary minute brings as well: statistics, and a checkpoint behind us."""
        self.psql("ANALYZE", database)
        self.psql("CHECKPOINT")

    @contextlib.contextmanager
    def held_snapshot(self, database):
        """Somebody else's report: a transaction that goes on seeing what was there at its begin."""
        holder = subprocess.Popen(
            [program("psql"), "-X", "-q", "-A", "-t", "-d", self.url(database)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        holder.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ;"
                           "SELECT count(*) FROM pg_class;\n")
        holder.stdin.flush()
        holder.stdout.readline()
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait()

    # --- what it counts -------------------------------------------------------------------------

    def version(self):
        return "PostgreSQL " + self.psql("SHOW server_version")[0][0].split()[0]

    def counters(self, database):
        """Totals so far: transactions, the log's bytes and syncs, CPU time of all processes."""
        at = {"cpu_s": cpu_s(self.pid)}
        commits, rollbacks = self.psql(
            "SELECT xact_commit, xact_rollback FROM pg_stat_database "
            f"WHERE datname = '{database}'")[0]
        at["transactions"] = float(commits) + float(rollbacks)
        at["wal_bytes"] = self.number("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        at["wal_syncs"] = self._wal_syncs()
        at["at_s"] = time.monotonic()
        return at

    def _wal_syncs(self):
        version = int(self.psql("SHOW server_version_num")[0][0])
        if version >= 180000:
            return self.number("SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'")
        if version >= 140000:
            return self.number("SELECT wal_sync FROM pg_stat_wal")
        return float("nan")  # not counted before 14

    def statements(self, database, limit=12):
        """With pg_stat_statements loaded: where its time went, since this was asked last."""
        self.psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", database)
        rows = self.psql(
            "SELECT round(total_exec_time), calls, round((mean_exec_time * 1000)::numeric), rows, "
            "shared_blks_hit + shared_blks_read, wal_bytes, "
            "left(regexp_replace(query, '\\s+', ' ', 'g'), 110) FROM pg_stat_statements s "
            f"JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '{database}' "
            f"ORDER BY total_exec_time DESC LIMIT {limit}", database)
        self.psql("SELECT pg_stat_statements_reset()", database)
        return rows


# --- what the system counts ----------------------------------------------------------------------

def cpu_s(pid):
    """CPU time of a process and its children; those that have ended count as their parent's."""
    ticks = 0
    for each in [pid, *children(pid)]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15] if each == pid else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def written_bytes(pid):
    """What a process and its children have given the disk to write, in whole pages."""
    total = 0
    for each in [pid, *children(pid)]:
        with contextlib.suppress(OSError):
            counts = Path(f"/proc/{each}/io").read_text().split()
            total += int(counts[counts.index("write_bytes:") + 1])
    return total


def children(pid):
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
