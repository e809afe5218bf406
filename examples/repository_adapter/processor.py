"""A service of the document: asks for pending tasks of its types, claims, processes and ends them.

    python3 processor.py SERVICE TYPE…     until it is interrupted
    python3 processor.py --once SERVICE TYPE…    until nothing is pending

Which stores it uses is in services.json (see dual_writer.py). Put your own work in `process`.
"""

import os
import signal
import sys
import threading

from dual_writer import open_store
from task_repository import StoreError

POLL_S = 2.0


def process(task):
    """The results of a task; an exception is its failure."""
    content = task["request"]["content"]
    return {"text": f"done: {content['prompt']}", "metadata": {"tokens_used": len(content)}}


def serve_one(store, task_id):
    """False when somebody else was faster."""
    task = store.claim_task(task_id)
    if task is None:
        return False
    try:
        results = process(task)
    except Exception as failure:
        store.fail_task(task_id, f"{type(failure).__name__}: {failure}")
        print(f"{task_id} failed", flush=True)
        return True
    store.complete_task(task_id, results)
    print(f"{task_id} completed", flush=True)
    return True


def serve_pending(store, types):
    """How many were served of what is pending now."""
    pending = [task for kind in types for task in store.get_pending_tasks(kind)]
    return sum(serve_one(store, task["task_id"]) for task in pending)


def main(arguments):
    once = arguments[:1] == ["--once"]
    service, *types = arguments[once:] or [None]
    if not types:
        return __doc__
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = open_store(service, os.environ.get("TASK_MIGRATION", "."))
    while not stop.is_set():
        try:
            served = serve_pending(store, types)
        except StoreError as failure:
            print(failure, file=sys.stderr, flush=True)
            if once:
                return 1
            served = 0
        if once and not served:
            return None
        if not served:
            stop.wait(POLL_S)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
