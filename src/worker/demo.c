// demo.c: kinds of task that only pretend to work, for trying things out.
#include "worker/demo.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/rand.h"
#include "worker/demo_payload.h"

#include <stdio.h>

enum {
  FILE_SIZE_DEFAULT = 1 << 20,
  DELAY_MS_DEFAULT = 5000,
  // Whoever creates a task at front door S1 waits for its end, some 5 s at most.
  DELAY_MS_BRIEF = 200,
};

const char *const demo_types[] = {"sample",      "file-processing", "api-call", "batch",
                                  "sendMessage", "processVoice",    "dummy",    NULL};

// A step: where the progress stands when it begins, and what it is called.
struct step {
  int64_t percent;
  const char *name, *description;
};

static const struct step sample_steps[] = {
    {0, "Initializing", "Getting ready"}, {25, "Loading", "Loading what the task needs"},
    {50, "Processing", "Doing the work"}, {75, "Verifying", "Looking over the result"},
    {100, "Finishing", "Cleaning up"},
};
static const struct step file_steps[] = {
    {0, "Opening", "Looking for the file"},     {10, "Reading", "Reading the first half"},
    {40, "Reading", "Reading the second half"}, {70, "Analyzing", "Looking at the content"},
    {90, "Saving", "Writing the result"},
};
static const struct step api_steps[] = {
    {0, "Connecting", "Opening a connection"},
    {20, "Sending", "Sending the request"},
    {40, "Waiting", "Waiting for the answer"},
    {80, "Reading", "Reading the answer"},
};

static const struct step message_steps[] = {
    {0, "Sending", "Handing over the message"},
    {80, "Confirming", "Waiting for the receipt"},
};
static const struct step voice_steps[] = {
    {0, "Listening", "Reading the recording"},
    {40, "Transcribing", "Turning speech into text"},
    {90, "Saving", "Writing the transcript"},
};

static const struct step dummy_steps[] = {{0, "Waiting", "Doing nothing for a while"}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct outcome bad_payload(const struct attempt *at, const char *why) {
  return outcome_fail(at->arena, "bad_payload", "%s", why);
}

// Takes the steps, each for the same time. False: the attempt must stop.
static bool take_steps(const struct attempt *at, const struct step *steps, size_t count,
                       int64_t total_ms) {
  for (size_t i = 0; i < count; i++) {
    struct progress progress = {steps[i].percent, str_of(steps[i].name),
                                str_of(steps[i].description)};
    lease_progress(at->lease, &progress);
    int64_t from_ms = total_ms * (int64_t)i / (int64_t)count;
    int64_t to_ms = total_ms * (int64_t)(i + 1) / (int64_t)count;
    if (!attempt_pause(at, to_ms - from_ms)) return false;
  }
  return true;
}

static void log_about(const struct attempt *at, const char *doing, struct str what) {
  char line[512];
  (void)snprintf(line, sizeof line, "%s %.*s", doing, STR_FMT(what));
  lease_log(at->lease, str_of(line));
}

static void put_text(struct buf *b, const char *member, struct str text) {
  buf_printf(b, "\"%s\":", member);
  if (str_is_none(text))
    BUF_LIT(b, "null");
  else
    buf_json_str(b, text);
  buf_char(b, ',');
}

// Ends a result's object, and frees `b`.
static struct outcome finish(const struct attempt *at, struct buf *b,
                             const struct demo_payload *p) {
  put_text(b, "description", p->description);
  buf_printf(b, "\"durationMs\":%lld,\"simulated\":true}", (long long)p->delay_ms);
  struct outcome outcome = {OUTCOME_COMPLETED, arena_dup(at->arena, buf_str(b)), NULL, STR_NONE};
  if (b->overflow || b->len > OUTCOME_RESULT_BYTES_MAX)
    outcome = bad_payload(at, "the payload is too large to be shown in the result");
  buf_fini(b);
  return outcome;
}

static struct outcome run_sample(const struct attempt *at, const struct demo_payload *p) {
  if (!take_steps(at, sample_steps, COUNT(sample_steps), p->delay_ms))
    return attempt_halted(at, attempt_halt(at));
  struct buf b;
  buf_init(&b, OUTCOME_RESULT_BYTES_MAX + 1);
  BUF_LIT(&b, "{\"message\":\"Sample task completed\",");
  buf_printf(&b, "\"steps\":%zu,", COUNT(sample_steps));
  return finish(at, &b, p);
}

static struct outcome run_file(const struct attempt *at, const struct demo_payload *p) {
  if (str_is_none(p->file_path)) return bad_payload(at, "filePath is missing");
  log_about(at, "pretending to process", p->file_path);
  if (!take_steps(at, file_steps, COUNT(file_steps), p->delay_ms))
    return attempt_halted(at, attempt_halt(at));
  int64_t bytes = p->file_size >= 0 ? p->file_size : FILE_SIZE_DEFAULT;
  struct buf b;
  buf_init(&b, OUTCOME_RESULT_BYTES_MAX + 1);
  BUF_LIT(&b, "{\"message\":\"File processed\",");
  put_text(&b, "filePath", p->file_path);
  buf_printf(&b, "\"fileSize\":%lld,\"bytesProcessed\":%lld,", (long long)bytes, (long long)bytes);
  return finish(at, &b, p);
}

static struct outcome run_api(const struct attempt *at, const struct demo_payload *p) {
  if (str_is_none(p->endpoint)) return bad_payload(at, "endpoint is missing");
  log_about(at, "pretending to call", p->endpoint);
  if (!take_steps(at, api_steps, COUNT(api_steps), p->delay_ms))
    return attempt_halted(at, attempt_halt(at));
  struct buf b;
  buf_init(&b, OUTCOME_RESULT_BYTES_MAX + 1);
  BUF_LIT(&b, "{\"message\":\"API call completed\",");
  put_text(&b, "endpoint", p->endpoint);
  BUF_LIT(&b, "\"statusCode\":200,\"response\":{\"ok\":true,\"echo\":");
  buf_put(&b, p->data);
  BUF_LIT(&b, "},");
  return finish(at, &b, p);
}

// An item as a person would call it: a string's own text, else its JSON.
static struct str item_text(struct arena *a, struct str item) {
  return json_kind(item) == JSON_STRING ? json_string(a, item, NULL) : item;
}

static void report_item(const struct attempt *at, int64_t number, int64_t count, struct str item) {
  struct arena *a = at->arena;
  struct progress progress = {
      .percent = (number - 1) * 100 / count,
      .step = arena_printf(a, "Item %lld of %lld", (long long)number, (long long)count),
      .description = item_text(a, item),
  };
  lease_progress(at->lease, &progress);
}

static struct outcome run_batch(const struct attempt *at, const struct demo_payload *p) {
  if (str_is_none(p->items)) return bad_payload(at, "items is missing");
  struct buf b;
  buf_init(&b, OUTCOME_RESULT_BYTES_MAX + 1);
  BUF_LIT(&b, "{\"message\":\"Batch completed\",\"items\":[");
  struct str key, item;
  struct json_walk items = json_walk(p->items);
  int64_t number = 0;
  while (json_next(&items, &key, &item)) {
    report_item(at, ++number, p->item_count, item);
    if (!attempt_pause(at, p->delay_ms / p->item_count)) {
      buf_fini(&b);
      return attempt_halted(at, attempt_halt(at));
    }
    if (number > 1) buf_char(&b, ',');
    BUF_LIT(&b, "{\"item\":");
    buf_put(&b, item);
    BUF_LIT(&b, ",\"status\":\"done\"}");
  }
  buf_printf(&b, "],\"processed\":%lld,\"failed\":0,", (long long)number);
  return finish(at, &b, p);
}

static struct outcome run_message(const struct attempt *at, const struct demo_payload *p) {
  log_about(at, "pretending to send", p->message);
  if (!take_steps(at, message_steps, COUNT(message_steps), p->delay_ms))
    return attempt_halted(at, attempt_halt(at));
  struct buf b;
  buf_init(&b, OUTCOME_RESULT_BYTES_MAX + 1);
  BUF_LIT(&b, "{\"message\":\"Message sent\",\"sent\":");
  buf_put(&b, p->message);
  buf_char(&b, ',');
  return finish(at, &b, p);
}

static struct outcome run_voice(const struct attempt *at, const struct demo_payload *p) {
  log_about(at, "pretending to transcribe",
            str_is_none(p->file_path) ? STR("a recording") : p->file_path);
  if (!take_steps(at, voice_steps, COUNT(voice_steps), p->delay_ms))
    return attempt_halted(at, attempt_halt(at));
  struct buf b;
  buf_init(&b, OUTCOME_RESULT_BYTES_MAX + 1);
  BUF_LIT(&b, "{\"message\":\"Voice processed\",");
  put_text(&b, "filePath", p->file_path);
  BUF_LIT(&b, "\"transcript\":\"This is where the words would be.\",");
  return finish(at, &b, p);
}

// Waits for some time of a range, as the job API's document has it.
static struct outcome run_dummy(const struct attempt *at, const struct demo_payload *p) {
  int64_t min_s = p->min_s < 0 ? 1 : p->min_s;
  int64_t max_s = p->max_s >= 0 ? p->max_s : min_s > 5 ? min_s : 5;
  if (max_s < min_s) return bad_payload(at, "delayMaxSec must not be below delayMinSec");
  struct demo_payload waits = *p;
  waits.delay_ms = min_s * 1000 + rand_below((max_s - min_s) * 1000 + 1);
  if (!take_steps(at, dummy_steps, COUNT(dummy_steps), waits.delay_ms))
    return attempt_halted(at, attempt_halt(at));
  struct buf b;
  buf_init(&b, OUTCOME_RESULT_BYTES_MAX + 1);
  buf_printf(&b, "{\"message\":\"Dummy job completed\",\"waitedSeconds\":%lld.%03lld,",
             (long long)(waits.delay_ms / 1000), (long long)(waits.delay_ms % 1000));
  return finish(at, &b, &waits);
}

static const struct demo {
  struct str type;
  struct outcome (*run)(const struct attempt *, const struct demo_payload *);
  int64_t delay_ms;  // when the payload names none
} demos[] = {{{"sample", 6}, run_sample, DELAY_MS_DEFAULT},
             {{"file-processing", 15}, run_file, DELAY_MS_DEFAULT},
             {{"api-call", 8}, run_api, DELAY_MS_DEFAULT},
             {{"batch", 5}, run_batch, DELAY_MS_DEFAULT},
             {{"sendMessage", 11}, run_message, DELAY_MS_BRIEF},
             {{"processVoice", 12}, run_voice, DELAY_MS_BRIEF},
             {{"dummy", 5}, run_dummy, DELAY_MS_DEFAULT}};

static const struct demo *demo_find(struct str type) {
  for (size_t i = 0; i < COUNT(demos); i++)
    if (str_eq(type, demos[i].type)) return &demos[i];
  return NULL;
}

struct outcome demo_run(const void *self, const struct attempt *at) {
  (void)self;
  const struct demo *demo = demo_find(at->claim->type);
  if (!demo)
    return outcome_fail(at->arena, "unknown_task_type", "Unknown task type: %.*s",
                        STR_FMT(at->claim->type));
  struct demo_payload payload;
  const char *why = NULL;
  if (!demo_payload_read(at->arena, at->claim->payload, &payload, &why))
    return bad_payload(at, why);
  if (payload.delay_ms < 0) payload.delay_ms = demo->delay_ms;
  return demo->run(at, &payload);
}
