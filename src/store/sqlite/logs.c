// logs.c: the lines that workers wrote about a task.
#include <assert.h>

#include "store/sqlite/internal.h"

static void read_line(struct use *u, struct arena *a, struct log_line *line) {
  line->number = use_get_i64(u);
  line->at = use_get_i64(u);
  line->text = use_get_text(u, a);
}

static enum err read_lines(struct store_reader *r, struct arena *a, struct id task, int64_t after,
                           size_t limit, struct log_page *page, struct fault *why) {
  struct use u = sqlite_use(&r->conn, QUERY_log_read);
  use_i64(&u, id_key(task));
  use_i64(&u, after);
  use_i64(&u, (int64_t)limit + 1);
  bool row = false;
  enum err err = sqlite_use_row(&u, &row, why);
  while (err == ERR_OK && row && page->count < limit) {
    read_line(&u, a, &page->lines[page->count++]);
    err = sqlite_use_row(&u, &row, why);
  }
  page->more = row;
  sqlite_use_end(&u);
  return err;
}

enum err sqlite_read_logs(struct store_reader *r, struct arena *a, int64_t tenant, struct id task,
                          int64_t after, size_t limit, struct log_page *out, struct fault *why) {
  assert(limit > 0);
  struct log_page page = {.lines = ARENA_ARRAY(a, struct log_line, limit)};
  int64_t log_lines = 0;
  TRY(sqlite_reader_begin(r, why));
  enum err err = sqlite_read_log_head(r, tenant, task, &log_lines, why);
  if (err == ERR_OK && log_lines > after) err = read_lines(r, a, task, after, limit, &page, why);
  sqlite_reader_end(r);
  if (err == ERR_OK) *out = page;
  return err;
}
