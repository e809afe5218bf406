"""A server whose wall clock jumps, and what must come of it.

libfaketime stands between the server and its clock, because CLOCK_REALTIME has no namespace of its
own, and what runs is the program that is shipped. A file says by how much the clock is off.
"""

import os
import time
from pathlib import Path

from lib.races import LONG_MS, Yard
from lib.server import Server

JUMPS = ("+1h", "-1h", "+1d", "+3650d", "-3650d", "-1s")
TIMER_MS, LATE_MS = 200, 2000


def faked(**clock):
    """The environment of a server with such a clock."""
    library, = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return {"LD_PRELOAD": str(library), **clock}


REAL_MONOTONIC = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


class Ahead(Server):
    """A server whose wall clock is off for good. It is not looked up anew: libfaketime has no lock
    for that, so that with a file a thread now and then has the right time for a moment, and libpq,
    which sees half an hour go by, gives up a connection."""

    def __init__(self, directory, by, **settings):
        clock = faked(FAKETIME=by, FAKETIME_CACHE_DURATION="1000000", **REAL_MONOTONIC)
        super().__init__(directory, env=clock, **settings)


class Clocked(Server):
    """`all_clocks`: the clock that only rises jumps too, which none does. That is the control."""

    def __init__(self, directory, all_clocks=False, **settings):
        directory.mkdir(parents=True, exist_ok=True)
        self.file = directory / "clock"
        clock = {} if all_clocks else REAL_MONOTONIC
        env = faked(FAKETIME_TIMESTAMP_FILE=str(self.file), FAKETIME_NO_CACHE="1", **clock)
        super().__init__(directory, env=env, **settings)
        self.jump("+0")

    def jump(self, by):
        """By how much the clock is off from now on."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(by + "\n")
        os.replace(fresh, self.file)


class Jumping:
    """Tasks that are leased, tasks that wait for their time, and the server that keeps them."""

    def __init__(self, server, seed, count):
        self.server, self.count, self.found = server, count, []
        self.yard = Yard("clocks", [server], seed)
        self.leased, self.later = self.yard.new_type("leased"), self.yard.new_type("later")
        self.yard.create(self.leased, count)
        self.last = self.yard.create(self.later, count, delayMs=3_600_000)[-1]["id"]
        self.held = self.yard.claim_all(self.leased, count)
        self.line = self.yard.line()
        self.cases = 0

    def wrong(self, sentence):
        self.found.append(sentence)

    def nothing_has_moved(self, when):
        """No lease has ended, nothing has started before its time, and holders still hold."""
        self.cases += 1
        taken = self.line.claim(self.leased, 1000, wait_ms=100)
        if taken:
            self.wrong(f"{when}: {len(taken)} tasks were handed out although they are leased")
        taken = self.line.claim(self.later, 1000)
        if taken:
            self.wrong(f"{when}: {len(taken)} tasks were handed out before their time")
        refused = sum(self.line.move(task, "heartbeat")[0] != 200 for task in self.held)
        if refused:
            self.wrong(f"{when}: {refused} of {len(self.held)} heartbeats were refused")

    def a_timer_goes_off(self, when):
        """A short delay lasts as long as it is, by our clock that only rises."""
        name, began = self.yard.new_type("timer"), time.monotonic()
        made = self.yard.create(name, 1, delayMs=TIMER_MS)
        if made[0]["id"] <= self.last:
            self.wrong(f"{when}: the id {made[0]['id']} is not above {self.last}")
        self.last = made[0]["id"]
        tasks = self.line.claim(name, wait_ms=TIMER_MS + LATE_MS)
        took_ms = (time.monotonic() - began) * 1000
        if not tasks or took_ms < TIMER_MS - 1:
            self.wrong(f"{when}: a delay of {TIMER_MS} ms: {len(tasks)} tasks after {took_ms:.0f}")
        elif self.line.move(tasks[0], "complete")[0] != 200:
            self.wrong(f"{when}: a task could not be completed")

    def restart(self, by):
        """Stops, and starts with a clock that is off."""
        self.line.close()
        self.server.stop()
        self.server.jump(by)
        self.server.start()
        self.line = self.yard.line()

    def leases_are_over(self, when):
        """Others take over, and of the old and the new holder one completes, once."""
        self.cases += 1
        heirs = self.yard.claim_all(self.leased, self.count, LONG_MS, worker="heir")
        stale = [self.line.move(task, "complete", result="stale")[0] for task in self.held]
        fresh = [self.line.move(task, "complete", result="heir")[0] for task in heirs]
        if set(stale) != {409} or set(fresh) != {200}:
            self.wrong(f"{when}: old holders were answered {set(stale)}, new ones {set(fresh)}")
        names = self.yard.names()
        for task in heirs:
            if names[task["id"]].count("task.completed") != 1:
                self.wrong(f"{when}: {task['id']} has {names[task['id']]}")


def jump_about(server, seed, count):
    """(cases, what is wrong): while it runs, after a restart with the clock behind, and ahead."""
    all_of_it = Jumping(server, seed, count)
    jumps = list(JUMPS)
    all_of_it.yard.dice.shuffle(jumps)
    for by in jumps:
        server.jump(by)
        all_of_it.nothing_has_moved(f"after a jump by {by}")
        all_of_it.a_timer_goes_off(f"after a jump by {by}")
    all_of_it.restart("-1h")
    all_of_it.nothing_has_moved("started an hour behind")
    all_of_it.a_timer_goes_off("started an hour behind")
    all_of_it.restart("+2h")
    all_of_it.leases_are_over("started two hours ahead")
    all_of_it.a_timer_goes_off("started two hours ahead")
    return all_of_it.cases, all_of_it.found


def control(server, seed):
    """Sentences about a server whose leases are counted by a clock that jumps."""
    jumping = Jumping(server, seed, 10)
    server.jump("+1h")
    jumping.line.close()  # its time limits are over, too
    jumping.nothing_has_moved("with a clock that should only rise")
    return jumping.found
