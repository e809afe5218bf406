"""What the black-box tests share: a server to start, a client to ask it, raw sockets."""

import signal


def _stop(number, frame):
    raise KeyboardInterrupt


# Fixtures stop the servers that they started also when the run is stopped from outside.
for _signal in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_signal, _stop)
