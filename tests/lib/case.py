"""One server that is harmed at one place while the script runs, and what is asked of it after."""

import shutil
import signal
import time

from lib import faults
from lib.script import Gone, Refused, Script, Teller

CHECKPOINT_PAGES = 60          # so that the script goes through some checkpoints
HEALS_S = 5.0
BUGS = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGFPE)


class Case:
    """Keeps what clients were told; `code` is how the server ended, if it did by itself."""

    def __init__(self, folder, judge, apart=None, **options):
        shutil.rmtree(folder, ignore_errors=True)
        self.server, self.judge = faults.Faulty(folder, apart=apart, **options), judge
        self.facts, self.facts_path = faults.Facts(), (apart or folder) / "facts"
        self.doubt = None      # the request that got no answer
        self.refused = None    # the first answer that was an error: (status, body)
        self.started = False
        self.code = None
        self.half = False      # an answer began and did not end
        self.called = set()    # see Teller

    def begin(self, **page):
        """Starts the server with this page. False: it died of it."""
        self.server.page.set(checkpoint_pages=CHECKPOINT_PAGES, **page)
        self.started = self.server.try_start()
        if not self.started:
            self.code = self.server.process.poll()
        return self.started

    def script(self, mark="s", first=(), whole=False):
        """Runs it until the server is gone or refuses; the `whole` one calls all routes. True: to
        its end."""
        teller = Teller(self.server, self.facts, faults.KEY)
        self.doubt = self.refused = None
        try:
            teller.connect()
            for method, path, body in first:
                teller.ask(method, path, body)
            script = Script(teller, mark)
            script.run()
            for step in script.others() if whole else ():
                step()
            return True
        except Gone:
            self.doubt = teller.doubt
        except Refused as failure:
            self.refused = failure.args
        finally:
            self.half = self.half or teller.half
            self.called |= teller.called
            teller.close()
        return False

    def end(self, timeout_s=10.0):
        """TERM unless it dies by itself already; its exit code."""
        if self.server.is_alive() and not self.doubt:
            self.server.signal(signal.SIGTERM)  # it may meet the fault while it closes the store
        self.code = self.server.await_end(timeout_s)
        self.server.kill()
        return self.code

    def run(self, mark="s", **page):
        """The script on a server with this page. True: it was killed by it."""
        if self.begin(**page):
            self.script(mark)
            self.end()
        return self.code == -signal.SIGKILL

    def why(self):
        """What the judge finds wrong."""
        self.facts.write(self.facts_path)
        return self.judge.why(self.server.path, self.facts_path)

    def crash_in_recovery(self, call, action):
        self.server.page.set(checkpoint_pages=CHECKPOINT_PAGES, io_at=call, io_action=action)
        self.server.try_start()
        self.server.kill()

    def heals(self):
        """Whether the server, whose fault is over, takes work again by itself within the limit."""
        give_up = time.monotonic() + HEALS_S
        while time.monotonic() < give_up and self.server.is_alive():
            if self.server.is_ready():
                return True
            self.server.await_end(0.02)
        return False

    def repeats(self):
        """Repeats what is in doubt with its key, twice; None when both answers are one."""
        teller = Teller(self.server, self.facts, faults.KEY)
        try:
            teller.connect()
            first, second = (teller.ask(*self.doubt) for _ in range(2))
        except (Gone, Refused) as failure:
            return f"the repetition of what was in doubt failed: {failure!r}"
        finally:
            teller.close()
        return None if first == second else "the same key was answered in two ways"

    def go_on(self):
        """A new server takes over, repeats what is in doubt with its key, and serves. Why not?"""
        doubt = self.doubt
        if not self.begin():
            return f"it does not start again: {self.server.log_tail(3)}"
        why = self.repeats() if doubt and doubt[3] else None
        return why or self.serves("again") or self.kill_and_judge()

    def kill_and_judge(self):
        self.server.kill()
        return self.why()

    def serves(self, mark):
        if self.script(mark, first=[("POST", "/queues/q/resume", {})]):
            return None
        return f"it does not serve again: {self.refused or self.doubt}"
