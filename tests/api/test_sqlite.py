"""What only a server on its own file does."""

import subprocess

from lib.server import BINARY, clean_environment, free_port


def test_a_second_server_on_the_same_file_is_refused(server):
    second = subprocess.run(
        [str(BINARY), "serve", "--listen", f"127.0.0.1:{free_port()}",
         "--store", server.store], capture_output=True, text=True, timeout=10,
        cwd=server.directory, env=clean_environment(server.directory))
    assert second.returncode != 0 and second.stderr
    assert server.is_alive()
