"""PostgreSQL servers of a test's own: started on a free port, killed, promoted, and all gone after.

They run with the durability that they come with (fsync on), as the user postgres when the tests run
as root, because the server refuses root. The server is the one that tools/postgres chooses, of the
version TASKYARD_POSTGRES_VERSION if that is set; psql and the like are always Debian's.
"""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from lib.server import ROOT, free_port

SUPERUSER = "postgres"
FIELD, MARK = "\x1f", "--end-of-answer--"


def newest_clients():
    """Debian keeps each version's programs in a folder of its own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    assert found, "there is no PostgreSQL here; run tools/packages test"
    return found[-1]


CLIENTS = newest_clients()


@functools.cache
def server_programs():
    """The folder of initdb and postgres."""
    found = subprocess.run([ROOT / "tools" / "postgres", "programs"], capture_output=True,
                           text=True, check=False)
    assert found.returncode == 0, found.stderr
    folder = Path(found.stdout.strip())
    assert os.getuid() != 0 or enterable(folder), \
        f"the user {SUPERUSER} cannot reach {folder}: all its folders must let it pass (chmod a+x)"
    return folder


def as_postgres():
    """Arguments of Popen that give up root."""
    if os.getuid() != 0:
        return {}
    return {"user": SUPERUSER, "group": SUPERUSER, "extra_groups": []}


def enterable(path):
    """Whether somebody else may go through all folders of a path."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def make_room():
    """A new folder that the user postgres can reach and owns; pytest's own are for us alone."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    place = next(path for path in places if path.is_dir() and enterable(path.resolve()))
    room = Path(tempfile.mkdtemp(prefix="taskyard-postgres-", dir=place))
    room.chmod(0o755)
    if os.getuid() == 0:
        shutil.chown(room, SUPERUSER, SUPERUSER)
    return room


def run(program, *args):
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True,
                          timeout=60, cwd="/", **as_postgres())
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


def until(what, deadline_s, sentence):
    """Asks `what` again and again until it is true, and returns how long that took."""
    began = time.monotonic()
    while True:
        value = what()
        took = time.monotonic() - began
        if value:
            return took
        assert took < deadline_s, f"{sentence} within {deadline_s} s"
        time.sleep(0.01)  # what another process is about to do tells nobody; it is asked


def not_of_a_copy(folder, names):
    """What belongs to the running server alone, and the log, which is copied last."""
    emptied = {"pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots",
               "pg_stat_tmp", "pg_subtrans"}
    if Path(folder).name in emptied:
        return names
    return {"pg_wal", "postmaster.pid", "postmaster.opts"} & set(names)


def copy_if_there(source, target):
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


class SqlError(Exception):
    """What the server said to a statement."""


class Sql:
    """A session that lasts: one psql that is fed statements and read answer by answer."""

    def __init__(self, url):
        command = [CLIENTS / "psql", "-XAtq", "-F", FIELD, "-d", url]
        self.psql = subprocess.Popen(command, text=True, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __call__(self, statement):
        """All rows, as tuples of strings."""
        self.begin(statement)
        return self.finish()

    def begin(self, statement):
        self.psql.stdin.write(f"{statement};\n\\echo {MARK}\n")
        self.psql.stdin.flush()

    def finish(self):
        rows = []
        while (line := self.psql.stdout.readline().rstrip("\n")) != MARK:
            if self.psql.poll() is not None or line.startswith(("ERROR:", "FATAL:", "psql:")):
                raise SqlError(self._rest(line))
            rows.append(tuple(line.split(FIELD)))
        return rows

    def _rest(self, line):
        """What else was said about a failure; the session can go on after it."""
        lines = [line]
        while self.psql.poll() is None and lines[-1] != MARK:
            lines.append(self.psql.stdout.readline().rstrip("\n"))
        return "\n".join(lines[:-1] or lines)

    def one(self, statement):
        (value,), = self(statement)
        return value

    def close(self):
        self.psql.stdin.close()
        self.psql.wait(timeout=10)
        self.psql.stdout.close()


class Postgres:
    """One server. Keyword settings go into its configuration."""

    def __init__(self, port=None, **settings):
        self.room = make_room()
        self.data = self.room / "data"
        self.port = port or free_port()
        self.settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "",
                         "max_connections": 100, **settings}
        self.process = None

    # --- making and starting ----------------------------------------------------------------------

    def create(self):
        run(server_programs() / "initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust",
            "-E", "UTF8", "--no-locale", "--no-sync")
        self.configure(**self.settings)
        return self

    def configure(self, **settings):
        """Later lines win, so settings can be added at any time; a reload makes them so."""
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as file:
            for name, value in settings.items():
                file.write(f"{name} = '{value}'\n")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def start(self):
        self.spawn()
        self.wait_ready()
        return self

    def spawn(self):
        assert not self.is_alive()
        with open(self.room / "log", "ab") as log:
            self.process = subprocess.Popen(
                [server_programs() / "postgres", "-D", self.data, "-p", str(self.port)], cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **as_postgres())

    def wait_ready(self, deadline_s=30):
        until(self.accepts, deadline_s, f"PostgreSQL did not accept connections\n{self.log_tail()}")

    def accepts(self):
        command = [CLIENTS / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        done = subprocess.run(command, check=False, timeout=10)
        return done.returncode == 0

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def log_tail(self, lines=20):
        return "\n".join((self.room / "log").read_text(errors="replace").splitlines()[-lines:])

    # --- stopping ---------------------------------------------------------------------------------

    def _end(self, number):
        if self.is_alive():
            self.process.send_signal(number)
            self.process.wait(timeout=60)
        self.process = None

    def kill(self):
        """As `pg_ctl stop -m immediate`: no checkpoint, no goodbye; recovery at the next start."""
        self._end(signal.SIGQUIT)

    def stop(self):
        self._end(signal.SIGINT)

    def freeze(self):
        """It answers nothing, and its connections stay open. Returns how to let it go on."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], check=True,
                                capture_output=True, text=True).stdout
        pids = [self.process.pid, *map(int, listed.split())]

        def signal_all(number):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

        signal_all(signal.SIGSTOP)
        return lambda: signal_all(signal.SIGCONT)

    def remove(self):
        self.kill()
        shutil.rmtree(self.room, ignore_errors=True)

    # --- using ------------------------------------------------------------------------------------

    def major(self):
        return int((self.data / "PG_VERSION").read_text())

    def url(self, database=SUPERUSER):
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def sql(self, database=SUPERUSER):
        return Sql(self.url(database))

    def make_database(self, name):
        with self.sql() as sql:
            sql(f"CREATE DATABASE {name}")
        return self.url(name)

    # --- a second server that follows this one ----------------------------------------------------

    def follow(self, primary):
        """Becomes, from nothing, a standby of `primary` that is up to date and synchronous."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)
        if primary.major() > int(CLIENTS.parts[-2]):
            self._copy(primary)
        else:
            run(CLIENTS / "pg_basebackup", "-D", self.data, "-d", primary.url(), "-R",
                "-X", "stream", "-c", "fast", "--no-sync")
        self.configure(synchronous_standby_names="")  # it follows nobody's commits once promoted
        self.start()
        primary.configure(synchronous_standby_names="*")
        primary.reload()
        with primary.sql() as sql:
            until(lambda: sql("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"), 20,
                  "the standby did not become synchronous")
        return self

    def _copy(self, primary):
        """As pg_basebackup, which takes nothing from a server that is newer than itself."""
        wal = self.data / "pg_wal"
        with primary.sql() as sql:
            sql("SET client_min_messages = warning")
            sql("SELECT pg_backup_start('standby', true)")
            shutil.copytree(primary.data, self.data, ignore=not_of_a_copy,
                            copy_function=copy_if_there)
            label = sql.one("SELECT replace(labelfile, chr(10), '|') FROM pg_backup_stop(false)")
            shutil.copytree(primary.data / "pg_wal", wal, copy_function=copy_if_there)
        (self.data / "backup_label").write_text(label.replace("|", "\n"))
        (self.data / "standby.signal").touch()
        self.configure(primary_conninfo=primary.url())
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{SUPERUSER}:", self.data], check=True)

    def promote(self):
        """Returns once it takes writes."""
        with self.sql() as sql:
            sql("SELECT pg_promote(true, 30)")
            until(lambda: sql.one("SELECT pg_is_in_recovery()") == "f", 30, "not promoted")


class PgBouncer:
    """A pooler in front of one server."""

    def __init__(self, postgres, pool=10, mode="transaction"):
        self.postgres, self.pool, self.mode = postgres, pool, mode
        self.port = free_port()
        self.room = make_room()
        self.process = None

    def start(self):
        config = self.room / "pgbouncer.ini"
        config.write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={self.postgres.port} user={SUPERUSER}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {self.mode}\ndefault_pool_size = {self.pool}\n"
            f"max_client_conn = 200\nserver_login_retry = 1\nlogfile = {self.room}/log\n")
        self.process = subprocess.Popen(
            ["/usr/sbin/pgbouncer", "-q", config], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_postgres())
        until(self.accepts, 10, "PgBouncer did not accept connections")
        return self

    def cut(self):
        """All that goes through it breaks, until it is started again."""
        self.process.kill()
        self.process.wait(timeout=20)

    def accepts(self):
        command = [CLIENTS / "psql", "-XAtq", "-d", self.url(SUPERUSER), "-c", "SELECT 1"]
        done = subprocess.run(command, check=False, timeout=10, capture_output=True)
        return done.returncode == 0

    def url(self, database):
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=20)
        shutil.rmtree(self.room, ignore_errors=True)
