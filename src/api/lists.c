// lists.c: lists of tasks: filters from the query, pages by an opaque cursor.
#include "api/lists.h"

#include "api/doors/repository.h"
#include "api/doors/session.h"
#include "api/doors/words.h"
#include "base/hash.h"

// --- cursors -------------------------------------------------------------------------------------
//
// 16 hexadecimal digits each: the id's halves, the priority, and a check over them and the filter.
// The check finds mistakes; it is no secret, since a forged cursor shows nothing that the list does
// not.

enum { CURSOR_WORDS = 4, CURSOR_BYTES = CURSOR_WORDS * 16 };

static uint64_t cursor_check(const uint64_t words[3], uint64_t fingerprint) {
  uint64_t all[] = {words[0], words[1], words[2], fingerprint, 0x7461736b79617264};
  uint8_t digest[SHA256_BYTES];
  hash_sha256((struct str){(const char *)all, sizeof all}, digest);
  uint64_t check;
  memcpy(&check, digest, sizeof check);
  return check;
}

void list_put_cursor(struct buf *b, const struct list_call *list) {
  const struct task_page *page = &list->page;
  if (!page->more) {
    BUF_LIT(b, "null");
    return;
  }
  uint64_t words[CURSOR_WORDS] = {page->last.hi, page->last.lo, (uint64_t)page->last_priority, 0};
  words[3] = cursor_check(words, list->fingerprint);
  buf_char(b, '"');
  for (int i = 0; i < CURSOR_WORDS; i++) buf_printf(b, "%016llx", (unsigned long long)words[i]);
  buf_char(b, '"');
}

static enum err take_cursor(struct call *c, struct list_call *list) {
  struct str text = STR_NONE;
  TRY(call_query_text(c, "cursor", CURSOR_BYTES * 2, &text));
  if (str_is_none(text)) return ERR_OK;
  uint64_t words[CURSOR_WORDS] = {0};
  bool good = text.len == CURSOR_BYTES;
  for (int i = 0; good && i < CURSOR_WORDS; i++)
    good = hex_parse((struct str){text.at + i * 16, 16}, &words[i]);
  if (!good || cursor_check(words, list->fingerprint) != words[3])
    return fault_set(&c->fault, ERR_BAD_CURSOR,
                     "the cursor is not from this list with this filter; start without one");
  list->filter.before = (struct id){words[0], words[1]};
  list->filter.before_priority = (int64_t)words[2];
  return ERR_OK;
}

static uint64_t filter_fingerprint(struct call *c) {
  struct buf b;
  buf_init(&b, 64 * 1024);
  buf_put(&b, c->http->path);
  buf_i64(&b, c->who.tenant);
  struct str cursor = c->http->query, name, value;
  bool bad = false;
  while (http_query_next(c->http, &cursor, &name, &value, &bad)) {
    if (str_eq(name, STR("cursor")) || str_eq(name, STR("limit")) || str_eq(name, STR("offset")))
      continue;
    buf_char(&b, '\n');
    buf_put(&b, name);
    buf_char(&b, '=');
    buf_put(&b, value);
  }
  uint64_t fingerprint = hash_fast(buf_str(&b));
  buf_fini(&b);
  return fingerprint;
}

// --- filters -------------------------------------------------------------------------------------

static enum err take_names(struct call *c, const char *param, const struct str **out,
                           size_t *count) {
  struct str all = http_query(c->http, str_of(param), NULL);
  struct str *names = ARENA_ARRAY(c->arena, struct str, LIMIT_FILTER_NAMES);
  *out = names;
  while (!str_is_none(all)) {
    struct str name = str_cut(&all, ',');
    if (!name_is_good(name))
      return call_query_fault(c, param, "must be " NAME_RULE ", or several with commas between");
    if (*count == LIMIT_FILTER_NAMES)
      return call_query_fault(c, param, "must have at most 32 names");
    names[(*count)++] = name;
  }
  return ERR_OK;
}

// To a service its own words come first: one of them stands for two of ours.
static unsigned word_statuses(const struct call *c, struct str word) {
  if (call_is_session(c)) return door_statuses(DIALECT_SESSION, word);
  unsigned bits = repository_is_service(c) ? door_statuses(DIALECT_REPOSITORY, word) : 0;
  enum task_status status;
  if (bits == 0 && task_status_parse(word, &status)) bits = 1u << status;
  return bits;
}

static enum err take_statuses(struct call *c, unsigned *out) {
  struct str all = http_query(c->http, STR("status"), NULL);
  if (str_eq(all, STR("all"))) return ERR_OK;
  while (!str_is_none(all)) {
    unsigned bits = word_statuses(c, str_cut(&all, ','));
    if (bits == 0 && call_is_session(c))
      return call_query_fault(c, "status",
                              "must be pending, running, completed, failed or cancelled, or all");
    if (bits == 0)
      return call_query_fault(c, "status",
                              "must be pending, running, completed, failed, cancelled or "
                              "abandoned, or all");
    *out |= bits;
  }
  return ERR_OK;
}

static bool has_query(const struct call *c, const char *name) {
  return !str_is_none(http_query(c->http, str_of(name), NULL));
}

// Two names of one parameter.
static enum err exclude(struct call *c, const char *theirs, const char *ours) {
  if (!has_query(c, theirs) || !has_query(c, ours)) return ERR_OK;
  struct str sentence = arena_printf(c->arena, "is the same as %s; send one of them", ours);
  return call_query_fault(c, theirs, sentence.at);
}

static enum err take_types(struct call *c, struct task_filter *f) {
  bool theirs = has_query(c, "task_type");
  TRY(exclude(c, "task_type", "type"));
  return take_names(c, theirs ? "task_type" : "type", &f->types, &f->type_count);
}

// What the clients of the task repository service narrow a list by.
static enum err take_repository(struct call *c, struct task_filter *f) {
  struct str service = STR_NONE;
  enum err err = exclude(c, "tenant_id", "projectId");
  call_also(&err, call_query_text(c, "tenant_id", LIMIT_REFERENCE_BYTES, &f->project));
  call_also(&err, call_query_text(c, "service_tag", LIMIT_REFERENCE_BYTES, &service));
  if (str_is_none(service)) return err;
  if (!str_is_none(f->tag_name))
    return call_query_fault(c, "service_tag", "is the same as tag.service; one tag is taken");
  f->tag_name = STR("service");
  f->tag_value = service;
  return err;
}

static enum err take_tag(struct call *c, struct task_filter *f) {
  struct str cursor = c->http->query, name, value;
  bool bad = false;
  while (http_query_next(c->http, &cursor, &name, &value, &bad)) {
    if (!str_starts(name, STR("tag."))) continue;
    f->tag_name = str_from(name, 4);
    f->tag_value = value;
    if (f->tag_name.len == 0 || f->tag_name.len > LIMIT_NAME_BYTES)
      return call_query_fault(c, "tag.", "must be followed by a name of 1 to 128 bytes");
  }
  return ERR_OK;
}

static enum err take_include(struct call *c, unsigned *parts) {
  struct str all = http_query(c->http, STR("include"), NULL);
  while (!str_is_none(all)) {
    struct str word = str_cut(&all, ',');
    if (str_eq(word, STR("payload")))
      *parts |= PART_PAYLOAD;
    else if (str_eq(word, STR("result")))
      *parts |= PART_RESULT;
    else
      return call_query_fault(c, "include", "must be payload, result or both");
  }
  return ERR_OK;
}

enum err list_take_page(struct call *c, enum err err, int64_t usual, int64_t max,
                        struct list_call *list) {
  int64_t limit = usual;
  call_also(&err, call_query_int(c, "limit", 1, max, &limit));
  TRY(err);  // a cursor is checked against the rest
  list->filter.limit = (size_t)limit;
  list->filter.tenant = c->who.tenant;
  list->fingerprint = filter_fingerprint(c);
  return take_cursor(c, list);
}

static enum err take_page(struct call *c, enum err err, struct list_call *list) {
  bool work = list->filter.ready_only && repository_is_service(c);
  // The clients of sessions know no pages.
  if (call_is_session(c)) return list_take_page(c, err, LIMIT_PAGE_ITEMS, LIMIT_PAGE_ITEMS, list);
  return list_take_page(c, err, work ? LIMIT_WORK_DEFAULT : LIMIT_PAGE_DEFAULT,
                        work ? LIMIT_WORK_ITEMS : LIMIT_PAGE_ITEMS, list);
}

static enum err take_filter(struct call *c, struct task_filter *f) {
  static const int64_t TIME_MAX = (1LL << 47) - 1;  // what an id's 48 bits of milliseconds hold
  enum err err = take_statuses(c, &f->statuses);
  call_also(&err, take_types(c, f));
  call_also(&err, take_names(c, "queue", &f->queues, &f->queue_count));
  call_also(&err, take_tag(c, f));
  call_also(&err, take_include(c, &f->parts));
  call_also(&err, call_query_text(c, "projectId", LIMIT_REFERENCE_BYTES, &f->project));
  call_also(&err, take_repository(c, f));
  call_also(&err, call_query_text(c, "subject", LIMIT_REFERENCE_BYTES, &f->subject));
  call_also(&err, call_query_text(c, "worker", LIMIT_NAME_BYTES, &f->worker));
  call_also(&err, call_query_text(c, "uniqueKey", LIMIT_REFERENCE_BYTES, &f->unique_key));
  call_also(&err, call_query_text(c, "q", LIMIT_REFERENCE_BYTES, &f->text));
  call_also(&err, call_query_int(c, "createdAfter", 0, TIME_MAX, &f->created_after));
  call_also(&err, call_query_int(c, "createdBefore", 0, TIME_MAX, &f->created_before));
  return err;
}

// --- routes --------------------------------------------------------------------------------------

static void run_list(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct list_call *list = c->input;
  struct task_filter filter = list->filter;
  if (repository_is_service(c)) filter.parts |= PART_PAYLOAD;  // its members stand in the list
  q->err = ops->read_tasks(reader, &c->read, &filter, &list->page, &q->fault);
}

static void put_listed(struct call *c, struct buf *b, const struct encode_context *x,
                       const struct task *task) {
  const struct list_call *list = c->input;
  if (call_is_session(c))
    session_put_listed(b, x, task);
  else if (repository_is_service(c))
    repository_put_listed(c, b, x, task, list->filter.parts);
  else
    encode_task(b, x, task, list->filter.parts);
}

static int render_list(struct call *c, struct buf *b) {
  const struct list_call *list = c->input;
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"tasks\":[");
  for (size_t i = 0; i < list->page.count; i++) {
    if (i) buf_char(b, ',');
    put_listed(c, b, &x, list->page.tasks[i]);
  }
  buf_printf(b, "],\"count\":%zu", list->page.count);
  if (!call_is_session(c) || list->page.more) {
    BUF_LIT(b, ",\"nextCursor\":");
    list_put_cursor(b, list);
  }
  buf_char(b, '}');
  return 200;
}

enum err task_list(struct call *c) {
  struct list_call *list = ARENA_NEW(c->arena, struct list_call);
  c->input = list;
  enum err err = take_filter(c, &list->filter);
  // A service that names no status asks for work.
  list->filter.ready_only = repository_is_service(c) && !has_query(c, "status");
  TRY(take_page(c, err, list));
  return call_query(c, run_list, render_list);
}

enum err task_pending(struct call *c) {
  struct list_call *list = ARENA_NEW(c->arena, struct list_call);
  c->input = list;
  list->filter.ready_only = true;
  enum err err = take_types(c, &list->filter);
  call_also(&err, take_repository(c, &list->filter));
  call_also(&err, take_names(c, "queue", &list->filter.queues, &list->filter.queue_count));
  call_also(&err, take_include(c, &list->filter.parts));
  TRY(take_page(c, err, list));
  return call_query(c, run_list, render_list);
}
