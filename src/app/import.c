// import.c: `taskyard import`: tasks of a MongoDB collection, from a file of mongoexport.
//
// Each document becomes a task through the API of a running server, with its _id as unique key: a
// repeated run makes nothing twice, so that an interrupted one is simply repeated.
#include "app/ejson.h"
#include "app/imported.h"
#include "app/remote.h"
#include "app/table.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_BLOCK_BYTES = 64 * 1024, LINE_BYTES_MAX = 64 << 20 };

static const struct option_spec OPTIONS[] = {
    {"from", 'f', "FILE", "what mongoexport wrote, a document a line; - is standard input"},
    {"tenant", 0, "ID", "only documents with this tenant_id"},
    {"service", 's', "NAME", "only documents whose tags.service is this"},
    {"processing", 0, NULL, "take what is being processed too, as pending"},
    {"history", 0, NULL, "take what has ended too, as ended tasks of type history/TYPE"},
    {"dry-run", 0, NULL, "read and check the file, call no server"},
    {"report", 'r', "FILE", "write a line of JSON for each document: what became of it"},
    {0}};

static const char *const EXAMPLES[] = {
    "mongoexport --uri \"$MONGODB_URI\" -c tasks --out tasks.jsonl",
    "taskyard import --from tasks.jsonl --dry-run",
    "taskyard import --from tasks.jsonl --report imported.jsonl",
    "taskyard import --from tasks.jsonl --service content --history --report imported.jsonl", NULL};

enum outcome { MADE, EXISTED, LEFT_OUT, BAD, OUTCOME_COUNT };
static const char *const OUTCOME_WORDS[] = {"made", "existed", "left_out", "bad"};

struct import {
  struct command *c;
  FILE *file, *report;
  struct arena arena;  // of one line
  struct buf plain, body;
  int64_t number;                                     // of the line
  int64_t counts[IMPORTED_KINDS + 1][OUTCOME_COUNT];  // the last row: lines that are no document
  bool dry_run, history, processing;
  struct str tenant, service;
};

// What became of one line.
struct fate {
  enum outcome outcome;
  struct str task, reason;
};

// --- the report ----------------------------------------------------------------------------------

static void put_report(struct import *m, const struct imported *doc, const struct fate *fate,
                       struct buf *out) {
  buf_printf(out, "{\"line\":%" PRId64 ",\"outcome\":\"%s\"", m->number,
             OUTCOME_WORDS[fate->outcome]);
  const struct {
    const char *key;
    struct str text;
  } members[] = {
      {"id", doc->id}, {"status", doc->status}, {"task", fate->task}, {"reason", fate->reason}};
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    if (str_is_none(members[i].text)) continue;
    buf_printf(out, ",\"%s\":", members[i].key);
    buf_json_str(out, members[i].text);
  }
  BUF_LIT(out, "}\n");
}

static enum err write_report(struct import *m, const struct imported *doc, const struct fate *fate,
                             struct fault *why) {
  struct buf line;
  if (!m->report) return ERR_OK;
  buf_init(&line, 64 * 1024);
  put_report(m, doc, fate, &line);
  bool written = fwrite(line.at, 1, line.len, m->report) == line.len;
  buf_fini(&line);
  if (written) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "the report cannot be written: %s", strerror(errno));
}

static enum err tell(struct import *m, const struct imported *doc, const struct fate *fate,
                     struct fault *why) {
  m->counts[doc->kind][fate->outcome]++;
  if (fate->outcome == BAD)
    fprintf(stderr, "taskyard: line %" PRId64 ": %.*s\n", m->number, STR_FMT(fate->reason));
  return write_report(m, doc, fate, why);
}

static enum err show_counts(struct import *m, struct fault *why) {
  static const char *const TITLES[] = {"status", "made", "existed", "left out", "bad", NULL};
  struct table table;
  struct term term = term_of(STDOUT_FILENO);
  table_init(&table, &m->c->arena, TITLES);
  for (size_t kind = 0; kind <= IMPORTED_KINDS; kind++) {
    struct table_cell cells[OUTCOME_COUNT + 1] = {
        {imported_word((enum imported_kind)kind), STYLE_PLAIN}};
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
      cells[i + 1] = (struct table_cell){arena_printf(&m->c->arena, "%" PRId64, m->counts[kind][i]),
                                         STYLE_PLAIN};
    table_add(&table, cells);
  }
  return table_show(&table, &term, why);
}

// --- the server ----------------------------------------------------------------------------------

// What the server refuses of this document, so that the next one may be better.
static bool is_of_the_document(enum err err) {
  return err == ERR_INVALID || err == ERR_BODY_TOO_LARGE || err == ERR_WRONG_STATUS ||
         err == ERR_LEASE_LOST || err == ERR_NOT_FOUND;
}

static enum err post(struct import *m, struct str path, struct str body, struct str *document,
                     struct fault *why) {
  struct client_call call = {.method = "POST", .path = path, .body = body, .minimal = true};
  return remote_call(m->c, &m->arena, &call, document, why);
}

static struct str path_of(struct import *m, struct str task, const char *verb) {
  return remote_path(&m->arena, "tasks", arena_cstr(&m->arena, task), verb);
}

static enum err create(struct import *m, const struct imported *doc, struct fate *fate,
                       struct fault *why) {
  struct str document;
  buf_clear(&m->body);
  imported_put_task(doc, &m->body);
  TRY(post(m, STR("/api/v1/tasks"), buf_str(&m->body), &document, why));
  struct str task = reply_raw(document, "task");
  if (str_is_none(task)) return remote_refuse_answer(why);
  fate->task = reply_text(&m->arena, task, "id");
  fate->outcome = reply_bool(document, "deduplicated") ? EXISTED : MADE;
  return ERR_OK;
}

// An ended task is made by living its life in short. A repeated run goes on where one ended.
static enum err end(struct import *m, const struct imported *doc, const struct fate *fate,
                    struct fault *why) {
  struct str document;
  if (doc->kind == IMPORTED_CANCELLED)
    return post(m, path_of(m, fate->task, "/cancel"), STR("{}"), NULL, why);
  TRY(post(m, path_of(m, fate->task, "/claim"), STR("{\"workerId\":\"import\"}"), &document, why));
  struct str token = reply_text(&m->arena, reply_raw(document, "task"), "leaseToken");
  buf_clear(&m->body);
  imported_put_end(doc, token, &m->body);
  const char *verb = doc->kind == IMPORTED_COMPLETED ? "/complete" : "/fail";
  return post(m, path_of(m, fate->task, verb), buf_str(&m->body), NULL, why);
}

static enum err has_ended(struct import *m, struct str task, bool *out, struct fault *why) {
  struct client_call call = {.method = "GET", .path = path_of(m, task, "/status")};
  struct str document;
  TRY(remote_call(m->c, &m->arena, &call, &document, why));
  struct str status = reply_text(&m->arena, document, "status");
  *out = !str_eq(status, STR("pending")) && !str_eq(status, STR("running"));
  return ERR_OK;
}

static enum err make(struct import *m, const struct imported *doc, struct fate *fate,
                     struct fault *why) {
  bool ended = false;
  TRY(create(m, doc, fate, why));
  if (!imported_has_ended(doc)) return ERR_OK;
  if (fate->outcome == EXISTED) TRY(has_ended(m, fate->task, &ended, why));
  return ended ? ERR_OK : end(m, doc, fate, why);
}

// --- one line ------------------------------------------------------------------------------------

static bool is_wanted(const struct import *m, const struct imported *doc) {
  if (!str_is_none(m->tenant) && !str_eq(doc->tenant, m->tenant)) return false;
  return str_is_none(m->service) || str_eq(doc->service, m->service);
}

static const char *why_left_out(const struct import *m, const struct imported *doc) {
  if (!is_wanted(m, doc)) return "of another tenant or service";
  if (doc->kind == IMPORTED_PROCESSING && !m->processing)
    return "is being processed; repeat the import when it has ended, or give --processing";
  if (imported_has_ended(doc) && !m->history) return "has ended; --history takes it over";
  return NULL;
}

static enum err take(struct import *m, const struct imported *doc, struct fate *fate,
                     struct fault *why) {
  struct fault refused = {0};
  const char *left_out = why_left_out(m, doc);
  *fate = (struct fate){.outcome = left_out ? LEFT_OUT : MADE, .reason = str_of(left_out)};
  if (left_out || m->dry_run) return ERR_OK;
  enum err err = make(m, doc, fate, &refused);
  if (err != ERR_OK && !is_of_the_document(err)) {
    *why = refused;
    return err;
  }
  if (err != ERR_OK) {
    fate->outcome = BAD;
    fate->reason = arena_dup(&m->arena, str_of(refused.detail));
  }
  return ERR_OK;
}

static enum err take_line(struct import *m, struct str line, struct fault *why) {
  struct imported doc = {.kind = IMPORTED_KINDS};
  struct fate fate = {.outcome = BAD};
  struct json_error error;
  struct str value;
  arena_reset(&m->arena);
  buf_clear(&m->plain);
  if (!json_check(line, &value, &error)) {
    fate.reason = arena_printf(&m->arena, "column %zu: %s", error.offset + 1, error.message);
    return tell(m, &doc, &fate, why);
  }
  ejson_plain(&m->plain, value);
  const char *wrong = imported_read(&m->arena, buf_str(&m->plain), m->history, &doc);
  if (wrong) {
    fate.reason = str_of(wrong);
    return tell(m, &doc, &fate, why);
  }
  TRY(take(m, &doc, &fate, why));
  return tell(m, &doc, &fate, why);
}

static enum err take_lines(struct import *m, struct fault *why) {
  char *line = NULL;
  size_t room = 0;
  enum err err = ERR_OK;
  ssize_t len;
  while (err == ERR_OK && (len = getline(&line, &room, m->file)) >= 0) {
    struct str text = str_trim((struct str){line, (size_t)len - (line[len - 1] == '\n')});
    m->number++;
    if (text.len > 0) err = take_line(m, text, why);
  }
  if (err == ERR_OK && ferror(m->file))
    err = fault_set(why, ERR_INTERNAL, "the file cannot be read: %s", strerror(errno));
  mem_free(line);  // getline's
  return err;
}

// --- the command ---------------------------------------------------------------------------------

static enum err open_files(struct import *m, struct fault *why) {
  const char *from = options_value(&m->c->given, "from");
  const char *report = options_value(&m->c->given, "report");
  if (!from) return command_misused(m->c, why, "--from FILE is needed");
  m->file = strcmp(from, "-") == 0 ? stdin : fopen(from, "re");
  if (!m->file) return fault_set(why, ERR_NOT_FOUND, "%s: %s", from, strerror(errno));
  if (!report) return ERR_OK;
  m->report = fopen(report, "we");
  if (m->report) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "%s: %s", report, strerror(errno));
}

// A report that is cut short is worse than none.
static enum err close_files(struct import *m, enum err err, struct fault *why) {
  if (m->file && m->file != stdin) fclose(m->file);
  bool closed = !m->report || fclose(m->report) == 0;
  if (err != ERR_OK || closed) return err;
  return fault_set(why, ERR_INTERNAL, "the report cannot be written: %s", strerror(errno));
}

static enum err run_import(struct import *m, struct fault *why) {
  TRY(open_files(m, why));
  struct str document;
  // Before the first line: a wrong address or key is nobody's line.
  if (!m->dry_run) TRY(remote_get(m->c, STR("/api/v1/tasks?limit=1"), &document, why));
  enum err err = take_lines(m, why);
  if (err != ERR_OK)
    fprintf(stderr, "taskyard: stopped at line %" PRId64 "; repeat the command to go on\n",
            m->number);
  struct fault ignored = {0};
  enum err shown = show_counts(m, err == ERR_OK ? why : &ignored);
  return err == ERR_OK ? shown : err;
}

static bool any_bad(const struct import *m) {
  for (size_t kind = 0; kind <= IMPORTED_KINDS; kind++)
    if (m->counts[kind][BAD] > 0) return true;
  return false;
}

static enum err run(struct command *c, struct fault *why) {
  struct import m = {.c = c,
                     .dry_run = options_has(&c->given, "dry-run"),
                     .history = options_has(&c->given, "history"),
                     .processing = options_has(&c->given, "processing"),
                     .tenant = str_of(options_value(&c->given, "tenant")),
                     .service = str_of(options_value(&c->given, "service"))};
  arena_init(&m.arena, LINE_BLOCK_BYTES);
  buf_init(&m.plain, LINE_BYTES_MAX);
  buf_init(&m.body, LINE_BYTES_MAX);
  enum err err = close_files(&m, run_import(&m, why), why);
  arena_fini(&m.arena);
  buf_fini(&m.plain);
  buf_fini(&m.body);
  if (err != ERR_OK || !any_bad(&m)) return err;
  c->exit_code = EXIT_FAILURE;
  return fault_set(why, ERR_INVALID, "some lines could not be imported; the others were");
}

const struct command_spec COMMAND_import = {
    .options =
        {.usage = "taskyard import --from FILE [OPTION]…",
         .summary =
             "Makes tasks of the documents of a MongoDB collection, from a file of\n"
             "mongoexport. The payload of each is the whole document, its _id the unique\n"
             "key, so that a repeated run makes nothing twice. Pending documents become\n"
             "pending tasks; --history makes ended tasks of the others, with their results,\n"
             "but with the times of the import. Bad lines are told and passed over.",
         .options = OPTIONS,
         .common = REMOTE_OPTIONS,
         .examples = EXAMPLES},
    .run = run};
