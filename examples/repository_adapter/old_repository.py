"""The store that a service has now; here an SQLite file stands for it. When a service uses Taskyard
alone this file can be removed, and nothing else changes."""

import json
import sqlite3

from task_repository import StoreError, TaskRepositoryAdapter, new_id


class OldRepository(TaskRepositoryAdapter):
    """An SQLite file of the service's own."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS task (number INTEGER PRIMARY KEY, id TEXT UNIQUE, "
            "type TEXT, priority INTEGER, status TEXT, body TEXT, results TEXT, error TEXT)")

    def _run(self, sql, *values):
        try:
            return self.db.execute(sql, values)
        except sqlite3.Error as failure:
            raise StoreError(f"old store: {failure}") from failure

    @staticmethod
    def _task(row):
        task_id, status, body, results, error = row
        task = {**json.loads(body), "task_id": task_id, "status": status}
        task["results"] = json.loads(results) if results else None
        task["error"] = error
        return task

    def _select(self, where, *values):
        sql = f"SELECT id, status, body, results, error FROM task WHERE {where}"
        return [self._task(row) for row in self._run(sql, *values)]

    def create_task(self, task):
        task_id = task.get("task_id") or new_id()
        self._run("INSERT INTO task (id, type, priority, status, body) "
                  "VALUES (?, ?, ?, 'pending', ?) ON CONFLICT (id) DO NOTHING", task_id,
                  task["task_type"], task.get("priority", 5), json.dumps(task))
        return task_id

    def get_task(self, task_id):
        found = self._select("id = ?", task_id)
        return found[0] if found else None

    def get_pending_tasks(self, task_type, limit=5):
        return self._select("type = ? AND status = 'pending' ORDER BY priority, number LIMIT ?",
                            task_type, limit)

    def claim_task(self, task_id):
        moved = self._run("UPDATE task SET status = 'processing' "
                          "WHERE id = ? AND status = 'pending'", task_id).rowcount
        return self.get_task(task_id) if moved else None

    def _end(self, task_id, status, results, error):
        return bool(self._run(
            "UPDATE task SET status = ?, results = ?, error = ? "
            "WHERE id = ? AND status = 'processing'", status, results, error, task_id).rowcount)

    def complete_task(self, task_id, results):
        return self._end(task_id, "completed", json.dumps(results), None)

    def fail_task(self, task_id, message):
        return self._end(task_id, "failed", None, message)
