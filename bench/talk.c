// talk.c: the requests of each step, and the few bytes of the answers that matter.
#include "bench/talk.h"

#include "base/mem.h"

enum { TALK_BODY_BYTES_MAX = 8 << 20 };

enum err bench_talk_open(struct talk *t, const struct endpoint *to, const struct profile *profile,
                         unsigned number, struct fault *why) {
  memset(t, 0, sizeof *t);
  TRY(bench_wire_open(&t->wire, to, why));
  t->endpoint = to;
  t->profile = profile;
  t->type = number % TALK_TYPES;
  t->random = UINT64_C(0x9e3779b97f4a7c15) * (number + 1);
  t->sequence = UINT64_C(1000000000) * number;
  t->held = mem_zero(sizeof *t->held * profile->batch);
  buf_init(&t->body, TALK_BODY_BYTES_MAX);
  return ERR_OK;
}

void bench_talk_close(struct talk *t) {
  bench_wire_close(&t->wire);
  buf_fini(&t->body);
  mem_free(t->held);
}

// xorshift64*: the same runs give the same tasks.
static unsigned random_below(struct talk *t, unsigned bound) {
  t->random ^= t->random >> 12;
  t->random ^= t->random << 25;
  t->random ^= t->random >> 27;
  return (unsigned)((t->random * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % bound;
}

// --- bodies --------------------------------------------------------------------------------------

static const char payload_start[] = "{\"n\":\"";
static const char payload_middle[] = "\",\"text\":\"";
static const char payload_end[] = "\"}";
enum {
  PAYLOAD_FRAME = sizeof payload_start + sizeof payload_middle + sizeof payload_end - 3,
  PAYLOAD_FILL = TALK_PAYLOAD_BYTES - PAYLOAD_FRAME - TALK_SEQUENCE_DIGITS,
};

void bench_payload_write(struct buf *b, uint64_t sequence) {
  static const char words[] =
      "a task server keeps what it was given until somebody has done it and said so, and then "
      "it keeps what they said; these words only fill the payload up to its two hundred bytes";
  _Static_assert(sizeof words > PAYLOAD_FILL, "the words are too short to fill a payload");
  char digits[TALK_SEQUENCE_DIGITS];
  for (int i = TALK_SEQUENCE_DIGITS - 1; i >= 0; i--, sequence /= 10)
    digits[i] = (char)('0' + sequence % 10);
  buf_bytes(b, payload_start, sizeof payload_start - 1);
  buf_bytes(b, digits, sizeof digits);
  buf_bytes(b, payload_middle, sizeof payload_middle - 1);
  buf_bytes(b, words, PAYLOAD_FILL);
  buf_bytes(b, payload_end, sizeof payload_end - 1);
}

bool bench_payload_read(struct str text, uint64_t *sequence) {
  const char *at = memmem(text.at, text.len, payload_start, sizeof payload_start - 1);
  if (!at) return false;
  size_t from = (size_t)(at - text.at) + sizeof payload_start - 1;
  int64_t value;
  if (text.len - from < TALK_SEQUENCE_DIGITS) return false;
  if (!str_to_i64((struct str){text.at + from, TALK_SEQUENCE_DIGITS}, &value)) return false;
  *sequence = (uint64_t)value;
  return true;
}

static void put_digit(struct buf *b, unsigned digit) {
  char c = (char)('0' + digit);
  buf_bytes(b, &c, 1);
}

static void put_task(struct talk *t) {
  unsigned type = t->profile->way == WAY_CREATE ? random_below(t, TALK_TYPES) : t->type;
  BUF_LIT(&t->body, "{\"type\":\"bench-");
  put_digit(&t->body, type);
  BUF_LIT(&t->body, "\",\"priority\":");
  put_digit(&t->body, random_below(t, TALK_PRIORITIES));
  BUF_LIT(&t->body, ",\"payload\":");
  bench_payload_write(&t->body, t->sequence++);
  BUF_LIT(&t->body, "}");
}

static void put_claim(struct talk *t) {
  bool all = t->profile->way == WAY_WORK || t->owed > t->profile->batch;
  t->asked = all ? t->profile->batch : t->owed;
  BUF_LIT(&t->body, "{\"types\":[\"bench-");
  put_digit(&t->body, t->type);
  BUF_LIT(&t->body, "\"],\"workerId\":\"bench\",\"limit\":");
  buf_i64(&t->body, (int64_t)t->asked);
  if (t->empty && t->profile->way != WAY_WORK) buf_printf(&t->body, ",\"waitMs\":%d", TALK_WAIT_MS);
  BUF_LIT(&t->body, "}");
}

// {"leaseToken":"…","result":{"ok":true}, without the closing brace
static void put_outcome(struct buf *b, const struct lease *l, bool with_id) {
  BUF_LIT(b, "{");
  if (with_id) {
    BUF_LIT(b, "\"id\":\"");
    buf_bytes(b, l->id, sizeof l->id);
    BUF_LIT(b, "\",");
  }
  BUF_LIT(b, "\"leaseToken\":\"");
  buf_bytes(b, l->token, l->token_bytes);
  BUF_LIT(b, "\",\"result\":{\"ok\":true}");
}

// --- requests ------------------------------------------------------------------------------------

static void request(struct talk *t, struct str line, bool minimal) {
  struct str extra = minimal ? STR("Prefer: return=minimal\r\n") : STR("");
  bench_wire_request(&t->wire, t->endpoint, line, extra, buf_str(&t->body));
}

static void say_create(struct talk *t) {
  unsigned batch = t->profile->batch;
  if (batch == 1) {
    put_task(t);
  } else {
    for (unsigned i = 0; i < batch; i++) {
      buf_bytes(&t->body, i ? "," : "[", 1);
      put_task(t);
    }
    BUF_LIT(&t->body, "]");
  }
  request(t, STR("POST /api/v1/tasks"), t->profile->minimal);
}

static void say_claim(struct talk *t) {
  put_claim(t);
  request(t, STR("POST /api/v1/claims"), false);
}

static void say_complete_one(struct talk *t, bool claim_next) {
  char line[96] = "POST /api/v1/tasks/";
  size_t length = strlen(line);
  memcpy(line + length, t->held[0].id, sizeof t->held[0].id);
  length += sizeof t->held[0].id;
  memcpy(line + length, "/complete", sizeof "/complete" - 1);
  length += sizeof "/complete" - 1;
  put_outcome(&t->body, &t->held[0], false);
  if (claim_next) {
    BUF_LIT(&t->body, ",\"claim\":");
    put_claim(t);
  }
  BUF_LIT(&t->body, "}");
  request(t, (struct str){line, length}, t->profile->minimal);
}

static void say_complete_many(struct talk *t, bool claim_next) {
  BUF_LIT(&t->body, "{\"items\":");
  for (size_t i = 0; i < t->held_count; i++) {
    buf_bytes(&t->body, i ? "," : "[", 1);
    put_outcome(&t->body, &t->held[i], true);
    BUF_LIT(&t->body, "}");
  }
  BUF_LIT(&t->body, "]");
  if (claim_next) {
    BUF_LIT(&t->body, ",\"claim\":");
    put_claim(t);
  }
  BUF_LIT(&t->body, "}");
  request(t, STR("POST /api/v1/completions"), t->profile->minimal);
}

static void say_complete(struct talk *t, bool claim_next) {
  if (t->profile->batch == 1)
    say_complete_one(t, claim_next);
  else
    say_complete_many(t, claim_next);
}

// What a claim left because it came short is claimed next, as soon as it makes a whole batch.
static enum step next_step(const struct talk *t, bool last) {
  bool holds = t->held_count > 0, life2 = t->profile->way == WAY_LIFE2;
  if (t->profile->way == WAY_CREATE) return STEP_CREATE;
  if (t->profile->way == WAY_WORK) return holds ? STEP_COMPLETE : STEP_CLAIM;
  bool claims = t->owed > 0 && (last || t->owed >= t->profile->batch);
  if (claims && life2 && holds) return STEP_COMPLETE_AND_CLAIM;
  if (holds && (last || !life2)) return STEP_COMPLETE;
  return claims ? STEP_CLAIM : STEP_CREATE;
}

// Whether a task of its own is still under way.
static bool owes(const struct talk *t) {
  if (t->profile->way == WAY_CREATE) return false;
  return t->held_count || (t->owed && t->profile->way != WAY_WORK);
}

bool bench_talk_say(struct talk *t, bool last) {
  unsigned empty_max = t->profile->patient ? TALK_WORK_EMPTY_MAX : 1;
  bool done = t->profile->way == WAY_WORK && t->empty >= empty_max;
  if ((last || done) && !owes(t)) return false;
  t->step = next_step(t, last);
  buf_clear(&t->body);
  switch (t->step) {
  case STEP_CREATE: say_create(t); break;
  case STEP_CLAIM: say_claim(t); break;
  case STEP_COMPLETE: say_complete(t, false); break;
  default: say_complete(t, true); break;
  }
  return true;
}
