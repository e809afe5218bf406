"""Follows one task of a session by polling, until it has ended in whatever way.

    python3 poll.py SESSION ID      TASKYARD_URL says where the server is

Exit: 0 it completed, 1 it failed, 2 it was cancelled, 3 it cannot be followed.
"""

import asyncio
import os
import sys

from task_system import TaskSystem
from taskyard_http import Refused, Unreachable

EXITS = {"completed": 0, "failed": 1, "cancelled": 2}


def show(status):
    step = ": ".join(filter(None, (status["currentStep"], status["currentStepDescription"])))
    print(f"{status['status']} {status['progress']}% {step}".rstrip(), flush=True)
    if status["error"]:
        print(status["error"]["message"], file=sys.stderr)


async def follow(session, task_id):
    system = TaskSystem(os.environ.get("TASKYARD_URL", "http://127.0.0.1:8503"))
    try:
        ended = await system.wait(session, task_id, seen=show)
    except Refused as refusal:
        print(f"{refusal} (sessions live in memory: they end when they are not used, and with the "
              "server)", file=sys.stderr)
        return 3
    except Unreachable as failure:
        print(failure, file=sys.stderr)
        return 3
    return EXITS[ended["status"]]


if __name__ == "__main__":
    sys.exit(asyncio.run(follow(*sys.argv[1:])) if len(sys.argv) == 3 else __doc__)
