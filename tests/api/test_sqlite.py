"""What only a server on its own file does."""

import os
import subprocess

from lib.server import BINARY, clean_environment, free_port


def start_second(server, store):
    return subprocess.run(
        [str(BINARY), "serve", "--listen", f"127.0.0.1:{free_port()}", "--store", store],
        capture_output=True, text=True, timeout=10, cwd=server.directory,
        env=clean_environment(server.directory), check=False)


def test_a_second_server_on_the_same_file_is_refused(server):
    second = start_second(server, server.store)
    assert second.returncode != 0 and second.stderr
    assert server.is_alive()


def test_a_second_server_is_refused_by_whatever_way_it_comes(server, tmp_path):
    file = server.directory / server.store.removeprefix("sqlite:")
    soft, hard = tmp_path / "soft.db", tmp_path / "hard.db"
    soft.symlink_to(file)
    second = start_second(server, f"sqlite:{soft}")
    assert second.returncode != 0 and "in use by another taskyard" in second.stderr
    os.link(file, hard)
    second = start_second(server, f"sqlite:{hard}")
    assert second.returncode != 0 and "hard links" in second.stderr
    hard.unlink()
    assert server.is_alive()
