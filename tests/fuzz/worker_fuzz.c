// worker_fuzz.c: what programs say to the bundled worker: lines, progress, results, payloads.
//
// What must hold: lines are the same however the bytes are cut; what goes on to the server is text
// within its limits; a result is JSON; words that are quoted come back as they were.
#include "fuzz.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "worker/demo_payload.h"
#include "worker/lines.h"
#include "worker/outcome.h"
#include "worker/progress.h"
#include "worker/text.h"
#include "worker/words.h"

static bool is_clean(struct str s) {
  const char *end = s.at + s.len;
  for (const char *at = s.at; at < end;) {
    size_t length = *at ? utf8_length(at, end) : 0;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

// --- lines ---------------------------------------------------------------------------------------

static void take_line(void *self, struct str line) {
  struct buf *all = self;
  HOLDS(line.len <= LIMIT_LOG_LINE_BYTES && str_find(line, '\n') == line.len, "a line is one line");
  struct progress p = {0};
  if (progress_parse(line, &p)) {
    HOLDS(p.percent >= 0 && p.percent <= 100, "progress is a percentage");
    HOLDS(str_is_none(p.step) || p.step.len > 0, "a step has a name or is absent");
    HOLDS(p.step.len + p.description.len <= line.len, "its texts are of the line");
  }
  buf_i64(all, (int64_t)line.len);
  buf_char(all, ':');
  buf_put(all, line);
}

static void cut_lines(struct str in, unsigned most, struct buf *all) {
  static struct lines lines;  // large
  lines_init(&lines, (struct lines_taker){take_line, all});
  while (in.len > 0) {
    size_t len = most ? 1 + (unsigned char)in.at[in.len / 2] % most : in.len;
    if (len > in.len) len = in.len;
    struct str piece = exact_copy((struct str){in.at, len});
    lines_feed(&lines, piece);
    exact_free(piece);
    in = str_from(in, len);
  }
  lines_end(&lines);
}

static void check_lines(struct str in, unsigned most) {
  static struct buf whole, pieces;  // kept from one input to the next
  if (whole.max == 0) buf_init(&whole, 1 << 20);
  if (pieces.max == 0) buf_init(&pieces, 1 << 20);
  buf_clear(&whole);
  buf_clear(&pieces);
  cut_lines(in, 0, &whole);
  cut_lines(in, most, &pieces);
  HOLDS(!whole.overflow && str_eq(buf_str(&whole), buf_str(&pieces)),
        "lines are the same however they come");
}

// The text again and again, so that the bound of a line is met. Its own lines end in the last time
// only: what comes before is one line that is too long.
static void check_long_lines(struct arena *a, struct str in, unsigned most) {
  size_t times = in.len ? LIMIT_LOG_LINE_BYTES / in.len + 2 : 1, len = times * in.len;
  char *many = arena_alloc(a, len + 1);
  for (size_t i = 0; i < times; i++) memcpy(many + i * in.len, in.at, in.len);
  for (size_t i = 0; i < len - in.len; i++)
    if (many[i] == '\n') many[i] = '\r';
  check_lines((struct str){many, len}, most * 7);
}

// --- words ---------------------------------------------------------------------------------------

static struct str quoted(struct arena *a, char **argv) {
  static struct buf line;  // kept
  if (line.max == 0) buf_init(&line, 1 << 16);
  buf_clear(&line);
  for (char **word = argv; *word; word++) {
    BUF_LIT(&line, " '");
    for (const char *at = *word; *at; at++)
      if (*at == '\'')
        BUF_LIT(&line, "'\\''");
      else
        buf_char(&line, *at);
    buf_char(&line, '\'');
  }
  return arena_dup(a, buf_str(&line));
}

static void check_words(struct arena *a, struct str line) {
  char **argv = NULL, **again = NULL;
  struct fault why = {0};
  if (words_split(line, a, &argv, &why) != ERR_OK) {
    HOLDS(why.detail[0], "a line that is no command is refused with a sentence");
    return;
  }
  HOLDS(argv && argv[0], "a command has a word");
  HOLDS(words_split(quoted(a, argv), a, &again, &why) == ERR_OK, "quoted words split");
  for (; *argv && *again; argv++, again++) HOLDS(strcmp(*argv, *again) == 0, "and are the same");
  HOLDS(*argv == NULL && *again == NULL, "and as many");
}

// --- texts and results ---------------------------------------------------------------------------

static void check_text(struct arena *a, struct str raw, size_t max) {
  struct str head = text_head(a, raw, max), tail = text_tail(a, raw, max);
  HOLDS(is_clean(head) && is_clean(tail), "text is clean");
  HOLDS(head.len <= max && tail.len <= max, "text is bounded");
  if (is_clean(raw) && raw.len <= max)
    HOLDS(str_eq(raw, head) && str_eq(raw, tail), "clean text stays as it is");
}

static void check_outcome(struct arena *a, struct str out, int status) {
  struct json_error error;
  struct str value, result = outcome_result(a, out);
  HOLDS(json_check(result, &value, &error), "a result is JSON: %s", error.message);
  struct outcome o = outcome_of_exit(a, status, out, out);
  HOLDS(o.kind != OUTCOME_COMPLETED || json_check(o.result, &value, &error), "so is an outcome's");
  HOLDS(o.kind == OUTCOME_COMPLETED || is_clean(o.message), "a failure's message is clean");
  HOLDS(o.kind == OUTCOME_COMPLETED || o.message.len <= LIMIT_TEXT_BYTES, "and bounded");
}

static void check_payload(struct arena *a, struct str text) {
  struct json_error error;
  struct str payload;
  struct demo_payload demo = {.delay_ms = -1, .file_size = -1};
  const char *why = NULL;
  if (!json_check(text, &payload, &error)) return;
  if (!demo_payload_read(a, payload, &demo, &why)) {
    HOLDS(why && *why, "a payload is refused with a sentence");
    return;
  }
  HOLDS(demo.delay_ms >= -1 && demo.delay_ms <= DEMO_DELAY_MS_MAX, "a delay is bounded");
  HOLDS(demo.item_count >= 0 && demo.item_count <= DEMO_ITEMS_MAX, "items are bounded");
  HOLDS(json_check(demo.data, &payload, &error), "data is JSON");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct dice dice = dice_of(data, size);
  unsigned most = 1 + dice_below(&dice, 40), status = dice_byte(&dice);
  struct str text = exact_copy(dice_rest(&dice));
  struct arena a;
  arena_init(&a, 4096);
  check_lines(text, most);
  if (text.len < 300 && status % 8 == 3) check_long_lines(&a, text, most);
  check_words(&a, text);
  check_text(&a, text, most);
  check_text(&a, text, LIMIT_TEXT_BYTES);
  check_outcome(&a, text, (int)(status << (most & 1 ? 8 : 0)));
  check_payload(&a, text);
  arena_fini(&a);
  exact_free(text);
  return 0;
}
