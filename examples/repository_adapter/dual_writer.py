"""Writes each task to the old store and to Taskyard, compares the two, and can go back.

    python3 dual_writer.py status          what each service does, what differs, how both did
    python3 dual_writer.py repair SERVICE  bring the store that missed something up to date

Settings of all services stand in one JSON file, which is read again with each call:

    {"content": {"mode": "dual", "rollback": false}}

| mode     | writes to                | reads from | whose answer counts |
|----------|--------------------------|------------|---------------------|
| old      | the old store            | old        | the old store's     |
| dual     | both                     | old        | the old store's     |
| dual-new | both                     | Taskyard   | Taskyard's          |
| new      | Taskyard                 | Taskyard   | Taskyard's          |

`rollback: true` makes `dual` of `dual-new` and `new`. In mode `new` the old store is not opened,
and `old_repository.py` need not be there.
"""

import json
import os
import sys
import time
from pathlib import Path

from task_repository import StoreError, TaskRepositoryAdapter, TaskyardRepository, new_id

MODES = {"old": ["old"], "dual": ["old", "new"], "dual-new": ["new", "old"], "new": ["new"]}
COMPARED = ("task_type", "request", "template", "status", "results", "error")
ENDED = ("completed", "failed")


class Flags:
    """The mode of each service. TASK_MODE_CONTENT in the environment wins for service "content"."""

    def __init__(self, path):
        self.path = Path(path)

    def all(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def sides(self, service):
        """The stores to use, the one whose answer counts first."""
        flags = self.all().get(service, {})
        name = "TASK_MODE_" + service.upper().replace("-", "_")
        mode = os.environ.get(name) or flags.get("mode", "old")
        if flags.get("rollback") and mode in ("dual-new", "new"):
            mode = "dual"
        return MODES[mode]


class Counters:
    """How both stores did, by operation."""

    def __init__(self):
        self.rows = {}

    def row(self, operation):
        return self.rows.setdefault(operation, {
            "calls": 0, "matches": 0, "mismatches": 0, "old_failures": 0, "new_failures": 0,
            "old_seconds": 0.0, "new_seconds": 0.0})

    def timed(self, operation, side, call):
        row, began = self.row(operation), time.perf_counter()
        try:
            return call()
        except StoreError:
            row[f"{side}_failures"] += 1
            raise
        finally:
            row[f"{side}_seconds"] += time.perf_counter() - began

    def compared(self, operation, same):
        self.row(operation)["matches" if same else "mismatches"] += 1


class Journal:
    """The ids of tasks that the two stores may hold differently: an id is in here before the first
    store is written to, and leaves when both agree. So a crash in between is found again."""

    def __init__(self, path):
        self.path = Path(path)

    def _append(self, sign, task_id):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{sign}{task_id}\n")
            file.flush()
            os.fsync(file.fileno())

    def begin(self, task_id):
        self._append("+", task_id)

    def end(self, task_id):
        self._append("-", task_id)

    def open_ids(self):
        ids = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                ids[line[1:]] = line[0] == "+"
        return [task_id for task_id, is_open in ids.items() if is_open]


def same(one, other):
    """Whether two stores hold a task alike."""
    if one is None or other is None:
        return one is other
    return all(one.get(name) == other.get(name) for name in COMPARED)


def bring(store, task):
    """Makes the store hold the task as it is; it may know nothing of it yet."""
    task_id = task["task_id"]
    body = {name: value for name, value in task.items()
            if name not in ("status", "results", "error")}
    here = store.get_task(task_id)
    if here is None:
        store.create_task(body)
    if task["status"] == "pending" or (here and here["status"] in ENDED):
        return
    if here is None or here["status"] == "pending":
        store.claim_task(task_id)
    if task["status"] == "completed":
        store.complete_task(task_id, task["results"])
    if task["status"] == "failed":
        store.fail_task(task_id, task["error"])


class Absent(TaskRepositoryAdapter):
    """An old store that was removed."""

    def _no(self, *_):
        raise StoreError("the old store is not there any more, but the service's mode needs it")

    create_task = get_task = get_pending_tasks = claim_task = complete_task = fail_task = _no


class DualWriter(TaskRepositoryAdapter):
    """Two stores as one. The first of the mode decides; what the second one misses is recorded.
    `old` may be None for a service that was moved."""

    def __init__(self, service, old, new, flags, directory):
        self.service, self.flags = service, flags
        self.stores = {"old": old or Absent(), "new": new}
        self.journal = Journal(Path(directory) / f"{service}.journal")
        self.counters = Counters()
        self.counters_path = Path(directory) / f"{service}.counters.json"

    def _write(self, operation, task_id, call):
        first, *rest = self.flags.sides(self.service)
        self.counters.row(operation)["calls"] += 1
        if rest:
            self.journal.begin(task_id)
        try:
            answer = self.counters.timed(operation, first, lambda: call(self.stores[first]))
            for side in rest:
                # What the first store refused is not asked of the second.
                self._follow(operation, task_id, side, call if answer else lambda store: None)
        finally:
            self.counters_path.write_text(json.dumps(self.counters.rows, indent=1))
        return answer

    def _follow(self, operation, task_id, side, call):
        try:
            self.counters.timed(operation, side, lambda: call(self.stores[side]))
            alike = self._alike(task_id)
        except StoreError as failure:
            print(f"{self.service}: {operation} {task_id}: {failure}", file=sys.stderr)
            return
        self.counters.compared(operation, alike)
        if alike:
            self.journal.end(task_id)

    def _alike(self, task_id):
        return same(*(store.get_task(task_id) for store in self.stores.values()))

    def _read(self, operation, call):
        side = self.flags.sides(self.service)[0]
        self.counters.row(operation)["calls"] += 1
        return self.counters.timed(operation, side, lambda: call(self.stores[side]))

    def create_task(self, task):
        task = {**task, "task_id": task.get("task_id") or new_id()}
        return self._write("create", task["task_id"], lambda store: store.create_task(task))

    def get_task(self, task_id):
        return self._read("get", lambda store: store.get_task(task_id))

    def get_pending_tasks(self, task_type, limit=5):
        return self._read("list", lambda store: store.get_pending_tasks(task_type, limit))

    def claim_task(self, task_id):
        return self._write("claim", task_id, lambda store: store.claim_task(task_id))

    def complete_task(self, task_id, results):
        return self._write("complete", task_id,
                           lambda store: store.complete_task(task_id, results))

    def fail_task(self, task_id, message):
        return self._write("fail", task_id, lambda store: store.fail_task(task_id, message))

    def repair(self):
        """Copies each task that may differ from the store that counts to the other one; returns
        the ids that still differ."""
        first, *rest = self.flags.sides(self.service)
        left = []
        for task_id in self.journal.open_ids():
            task = self.stores[first].get_task(task_id)
            for side in rest:
                if task is not None:
                    bring(self.stores[side], task)
            if task is None or (rest and self._alike(task_id)):
                self.journal.end(task_id)
            else:
                left.append(task_id)
        return left


def open_store(service, directory):
    """The stores that the flags name for the service, as one."""
    flags = Flags(Path(directory) / "services.json")
    old = None
    if "old" in flags.sides(service):
        from old_repository import OldRepository
        old = OldRepository(str(Path(directory) / f"{service}.db"))
    return DualWriter(service, old, TaskyardRepository(service=service), flags, directory)


def show_status(flags, directory):
    for service, settings in sorted(flags.all().items()):
        sides = flags.sides(service)
        open_ids = Journal(Path(directory) / f"{service}.journal").open_ids()
        done = "done" if sides == ["new"] else "open"
        print(f"{service}: {done}, mode {settings.get('mode', 'old')}, reads {sides[0]}, "
              f"writes {' and '.join(sides)}, {len(open_ids)} to repair")
        path = Path(directory) / f"{service}.counters.json"
        for operation, row in (json.loads(path.read_text()) if path.exists() else {}).items():
            print(f"  {operation}: " + ", ".join(
                f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
                for name, value in row.items()))


def main(arguments):
    directory = os.environ.get("TASK_MIGRATION", ".")
    if arguments[:1] == ["status"]:
        return show_status(Flags(Path(directory) / "services.json"), directory)
    if len(arguments) == 2 and arguments[0] == "repair":
        left = open_store(arguments[1], directory).repair()
        return f"still different: {' '.join(left)}" if left else None
    return __doc__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
