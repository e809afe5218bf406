"""An application with a route of its own that starts a task in its caller's session.

    python3 program.py [PORT]

TASKYARD_URL and TASKYARD_KEY say where Taskyard is and who we are.

    POST /process {"fileName": "a.png", "fileSize": 1200}, with the header X-App-Session
    → 202 {"message": "File processing started", "taskId": "…", "status": "pending"}

The caller then asks Taskyard for the task, with the same header.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from task_system import TaskSystem
from taskyard_http import Refused, Unreachable

STEPS = ((0, "Starting"), (25, "Reading"), (50, "Processing"), (75, "Saving"), (100, "Finishing"))
BODY_BYTES_MAX = 65536


class FileExecutor:
    """Pretends to process a file, in the steps that a real one would report."""

    def __init__(self, step_s):
        self.step_s = step_s

    async def execute(self, task, progress):
        file = task["metadata"]
        for percent, step in STEPS:
            await progress(percent, step, file["fileName"])
            await asyncio.sleep(self.step_s)
            if percent == 50 and file["fileSize"] == 0:
                raise ValueError(f"{file['fileName']} is empty")
        return {"fileName": file["fileName"], "bytes": file["fileSize"]}


async def start(system, session, file):
    """What a route of an application does: create in the caller's session, execute, answer."""
    task = await system.create_task(session, f"Process {file['fileName']}", "A file to process",
                                    metadata=file)
    step_s = float(os.environ.get("STEP_S", "1"))
    await system.execute_task(session, task["id"], FileExecutor(step_s))
    return {"message": "File processing started", "taskId": task["id"], "status": "pending"}


def read_file(body):
    """The fields that the caller may give; everything else of a body is not ours to pass on."""
    file = json.loads(body)
    if not isinstance(file, dict):
        raise ValueError("the body must be an object with fileName and fileSize")
    name, size = file.get("fileName"), file.get("fileSize")
    if not isinstance(name, str) or not name:
        raise ValueError("fileName must be a string that is not empty")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError("fileSize must be a whole number of bytes")
    return {"fileName": name, "fileSize": size}


class Routes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    system = loop = None  # set by main

    def answer(self, status, document):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if self.path != "/process" or not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(400, {"error": "send a small JSON body to /process"})
        try:
            file = read_file(self.rfile.read(int(length)))
            work = start(self.system, self.headers.get("X-App-Session"), file)
            self.answer(202, asyncio.run_coroutine_threadsafe(work, self.loop).result())
        except Refused as refusal:  # no session, too many tasks: the caller should hear it
            self.answer(refusal.status, refusal.problem)
        except Unreachable as failure:
            self.answer(503, {"error": str(failure)})
        except ValueError as failure:
            self.answer(400, {"error": str(failure)})

    def log_message(self, *args):
        pass


async def main(port):
    Routes.system = TaskSystem(os.environ.get("TASKYARD_URL", "http://127.0.0.1:8503"),
                               os.environ.get("TASKYARD_KEY"))
    Routes.loop = asyncio.get_running_loop()
    server = ThreadingHTTPServer(("127.0.0.1", port), Routes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    tasks = asyncio.ensure_future(Routes.system.serve())
    for number in (signal.SIGTERM, signal.SIGINT):
        Routes.loop.add_signal_handler(number, tasks.cancel)
    try:
        await tasks
    except asyncio.CancelledError:
        return 0
    except Refused as refusal:
        print(f"the server hands out no tasks of sessions: {refusal}", file=sys.stderr)
        return 1
    finally:
        server.shutdown()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)))
