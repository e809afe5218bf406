// encode.h: nouns to JSON. Private to api/.
#ifndef API_ENCODE_H
#define API_ENCODE_H

#include "api/decode.h"
#include "base/buf.h"
#include "engine/engine.h"

enum encode_parts {
  ENCODE_PAYLOAD = PART_PAYLOAD,
  ENCODE_RESULT = PART_RESULT,
  ENCODE_LEASE = 4,    // with leaseToken
  ENCODE_MINIMAL = 8,  // id and status only
  ENCODE_OPEN = 16,    // without the last brace: more members follow
};

struct encode_context {
  struct engine *engine;
  struct str tenant_name;
  struct str session_key;   // of tasks of a session; STR_NONE: they are of none
  uint32_t session_number;  // the same, 0: of none
};

// `"key":` and a value, with no comma.
#define PUT_KEY(b, key) BUF_LIT(b, "\"" key "\":")
void put_text_or_null(struct buf *b, struct str text);
void put_json_or_null(struct buf *b, struct str json);
void put_time_or_null(struct buf *b, int64_t at);
void put_bool(struct buf *b, bool value);
void put_id(struct buf *b, struct id id);                 // quoted
void put_roles(struct buf *b, unsigned roles);            // an array of their words
void put_token(struct buf *b, struct lease_token token);  // quoted

// The status as whoever asks calls it: sessions have words of their own.
struct str shown_status(const struct encode_context *x, const struct task *task);
// Why a pending task does not run, a paused queue included; STR_NONE when it is not pending.
struct str shown_waiting(const struct encode_context *x, const struct task *task);

void encode_task(struct buf *b, const struct encode_context *x, const struct task *task,
                 unsigned parts);
void encode_error(struct buf *b, const struct task *task);  // null or {code,message,detail}
void encode_event(struct buf *b, const struct event *event);
// The same, with what became of its task by it: progress, status.
void encode_event_live(struct buf *b, const struct encode_context *x, const struct event *event);
void encode_backoff(struct buf *b, const struct backoff *backoff);  // null when delay_ms is 0
void encode_counts(struct buf *b, const struct tally *tally);       // "total":…,"pending":…,…
void tally_add(struct tally *sum, const struct tally *one);
int64_t tally_total(const struct tally *tally);  // of all statuses

#endif
