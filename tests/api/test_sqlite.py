"""What only a server on its own file does."""

import os
import sqlite3
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


def test_a_cleaned_store_passes_the_check(make_server, make_api, tmp_path):
    server = make_server()
    api = make_api(server)
    api.expect(api.put(f"/types/{api.type}", {"keepCompleted": 1, "keepFailed": 1}))
    for status in ("completed", "failed", "cancelled"):
        for _ in range(3):
            api.log(api.running(), "a line")
            api.ended(status)
    api.expect(api.post("/tasks/cleanup/run", {}))
    check = subprocess.run([str(BINARY), "check", "--store", server.store], text=True,
                           capture_output=True, env=clean_environment(tmp_path))
    assert check.returncode == 0, check.stdout + check.stderr
    path = server.store.removeprefix("sqlite:")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM removed").fetchone() == (6,)


def test_the_embedded_store_finds_the_oldest_without_a_walk_over_the_others(make_server):
    path = make_server().store.removeprefix("sqlite:")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT key FROM task WHERE channel = 1 AND status = 2"
                          " AND completed_at > 0 AND completed_at <= 5 ORDER BY completed_at, key")
        assert [step[3] for step in plan] == [
            "SEARCH task USING COVERING INDEX task_ended "
            "(channel=? AND status=? AND completed_at>? AND completed_at<?)"]
