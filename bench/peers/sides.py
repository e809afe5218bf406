"""Who is measured beside whom, at which work, and what the comparison is to show."""

import dataclasses

from cluster import Cluster
from own_stores import OwnStores

MODES = {
    "enqueue": "create, one a request, 64 in flight",
    "enqueue-batch": "create in batches of 1,000",
    "life": "whole life, one at a time, 64 workers",
    "life-mixed": "created one at a time, worked off in batches",
    "life-batch": "whole life in batches of 100",
    "drain": "worked off, all there before",
}
# The profile of ours that does the same work. What comes one by one is gathered in our server, so
# `life2` is held against peers whose workers gather.
OURS = {"enqueue": "create", "enqueue-batch": "create-batch", "life": "life3",
        "life-mixed": "life2", "life-batch": "life-batch", "drain": "work-batch"}


@dataclasses.dataclass
class Side:
    """`names`: how each is called in the report; `programs`: the JavaScript that drives it."""
    about: str
    names: dict
    programs: dict
    modes: list
    lacks: set        # (who, mode) that it cannot do
    workers: dict     # who → how many work where ours works in batches
    notes: list       # what a reader has to know to judge the figures
    columns: dict     # what is told besides rates: key of a run → head
    packages: list
    open: callable    # its stores, below this directory
    figures: callable

    def who(self):
        return list(self.names)


LOADS = ("The load on ours comes from a C program over HTTP, that on theirs from Node with each "
         "queue's own library, as their users run them: a part of each difference is the client's, "
         "whose CPU time is told apart.")
CLIENT = {"cpu_us": "CPU µs a task", "client_cpu_us": "of these: client"}


def of_the_better(ratio, found, mode, bound, others, text):
    found.at_least(bound, "times", ratio(mode, *others), f"{MODES[mode]}: ours, of {text}")


# --- on PostgreSQL -------------------------------------------------------------------------------

def postgres_figures(ratio, found):
    for mode in ("enqueue", "life"):
        of_the_better(ratio, found, mode, 2, ("pgboss", "graphile"), "the better of them")
    found.more_than(1, "times", ratio("life-mixed", "pgboss", "graphile"),
                    f"{MODES['life-mixed']}: ours (all one at a time, two requests), of the "
                    "better of them")
    found.more_than(1, "times", ratio("life-batch", "graphile"),
                    f"{MODES['life-batch']}: ours, of Graphile Worker")
    for mode in ("enqueue-batch", "drain"):
        found.told("times", ratio(mode, "graphile"), f"{MODES[mode]}: ours, of Graphile Worker")


POSTGRES = Side(
    about="with its default settings",
    names={"ours": "Taskyard", "pgboss": "pg-boss", "graphile": "Graphile Worker"},
    programs={"pgboss": "pgboss", "graphile": "graphile"},
    modes=list(MODES),
    lacks=set(),
    workers={"pgboss": 8, "graphile": 64},
    notes=["In batches ours has 8 connections with 100 tasks a request, pg-boss 8 loops that fetch "
           "100, Graphile Worker 64 workers on one local queue.", LOADS],
    columns={**CLIENT, "server_cpu_us": "our server", "store_cpu_us": "PostgreSQL",
             "transactions": "transactions a task", "wal_syncs": "log syncs a task",
             "wal_bytes": "log bytes a task"},
    packages=["pg-boss", "graphile-worker", "pg"],
    open=Cluster,
    figures=postgres_figures,
)

# --- with stores of their own --------------------------------------------------------------------

# Each twice: as durable as ours (synced before the answer), and as it comes or is mostly run.
SERVERS = {
    "bull": ("redis", ["always"]),
    "bull-everysec": ("redis", ["everysec"]),
    "bullmq": ("redis", ["always"]),
    "bullmq-everysec": ("redis", ["everysec"]),
    "beanstalkd": ("beanstalkd", ["-f", "0"]),
    "beanstalkd-50ms": ("beanstalkd", []),
}
DURABLE = ("bull", "bullmq", "beanstalkd")
LAZY = ("bull-everysec", "bullmq-everysec", "beanstalkd-50ms")


def own_figures(ratio, found):
    for mode in ("enqueue", "life"):
        of_the_better(ratio, found, mode, 1, DURABLE, "the best that syncs as we do")
        found.told("times", ratio(mode, *LAZY),
                   f"{MODES[mode]}: ours, of the best that may lose acknowledged tasks")
    for mode in ("enqueue-batch", "life-batch", "drain"):
        others = [who for who in DURABLE if (who, mode) not in OWN.lacks]
        of_the_better(ratio, found, mode, 1, others, "the best that syncs as we do")


OWN = Side(
    about="synced before the answer where nothing else is said",
    names={"ours": "Taskyard, SQLite", "bull": "Bull", "bull-everysec": "Bull, synced each second",
           "bullmq": "BullMQ", "bullmq-everysec": "BullMQ, synced each second",
           "beanstalkd": "beanstalkd", "beanstalkd-50ms": "beanstalkd, synced each 50 ms"},
    programs={who: who.split("-")[0] for who in SERVERS},
    modes=[mode for mode in MODES if mode != "life-mixed"],
    lacks={(who, mode) for who in ("beanstalkd", "beanstalkd-50ms")
           for mode in ("enqueue-batch", "life-batch")},
    workers={who: 64 for who in SERVERS},
    notes=["In batches ours has 8 connections with 100 tasks a request. Bull's, BullMQ's and "
           "beanstalkd's workers take one task at a time, so there are 64 of them there too: with "
           "8 each queue was slower at every work (--workers 8).",
           "Bytes are the pages that our server, Redis or beanstalkd gave the disk to write. "
           "Flushes are those of the whole disk, whoever asked for them.", LOADS],
    columns={**CLIENT, "server_cpu_us": "our server, SQLite in it",
             "store_cpu_us": "Redis, beanstalkd", "bytes": "bytes written a task",
             "flushes": "disk flushes a task"},
    packages=["bull", "bullmq", "ioredis", "jackd"],
    open=lambda parent: OwnStores(parent, SERVERS),
    figures=own_figures,
)

SIDES = {"postgresql": POSTGRES, "own": OWN}
