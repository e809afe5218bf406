// call.c: a statement with its arguments, in PostgreSQL's binary form.
#include <assert.h>
#include <endian.h>

#include "store/postgres/conn.h"

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TID = 27, OID_UUID = 2950 };

// The server refuses messages of 1 GiB; what is near that is a mistake.
enum { ARRAY_BYTES_MAX = 512 << 20 };

struct call pg_call(struct conn *c, enum query query) {
  return (struct call){.conn = c, .query = query};
}

struct call pg_call_sql(struct conn *c, struct str sql) {
  return (struct call){.conn = c, .query = QUERY_COUNT, .sql = sql};
}

// --- single values -------------------------------------------------------------------------------

static void put_u32(char *at, uint32_t value) {
  value = htobe32(value);
  memcpy(at, &value, sizeof value);
}

static void put_u16(char *at, uint16_t value) {
  value = htobe16(value);
  memcpy(at, &value, sizeof value);
}

static void put_u64(char *at, uint64_t value) {
  value = htobe64(value);
  memcpy(at, &value, sizeof value);
}

static void put_id(char *at, struct id id) {
  put_u64(at, id.hi);
  put_u64(at + sizeof id.hi, id.lo);
}

// `at` NULL is NULL. The argument is complete, so the last array must be too.
static void argument(struct call *c, const char *at, size_t bytes) {
  assert(c->count < CALL_ARGS_MAX && c->array.left == 0 && c->array.columns_left == 0);
  if (bytes > ARRAY_BYTES_MAX) c->too_large = true;
  c->values[c->count] = at;
  c->lengths[c->count++] = (int)bytes;
}

static char *room(struct call *c, size_t bytes) { return arena_alloc(c->conn->scratch, bytes); }

void call_i64(struct call *c, int64_t value) {
  char *at = room(c, sizeof value);
  put_u64(at, (uint64_t)value);
  argument(c, at, sizeof value);
}

void call_bool(struct call *c, bool value) { argument(c, value ? "\1" : "\0", 1); }

void call_text(struct call *c, struct str s) { argument(c, s.at, s.len); }

void call_id(struct call *c, struct id id) {
  if (id_is_none(id)) {
    argument(c, NULL, 0);
    return;
  }
  char *at = room(c, sizeof id);
  put_id(at, id);
  argument(c, at, sizeof id);
}

void call_bytes(struct call *c, const void *at, size_t bytes) { argument(c, at, bytes); }

// --- arrays --------------------------------------------------------------------------------------

// The head of an array of one dimension: dimensions, whether there may be NULLs, type of the
// elements, how many, number of the first. An empty one has no dimension.
enum { HEAD_EMPTY = 12, HEAD = 20 };
enum { ROW_HEAD = 8, COLUMN_HEAD = 8, PLACE_BYTES = 6 };

// `element` bytes each is what the elements take, or a guess at it.
static void array(struct call *c, size_t count, uint32_t type, size_t element) {
  assert(count <= INT32_MAX);
  c->array.cap = HEAD + count * (4 + element);
  c->array.at = room(c, c->array.cap);
  c->array.len = count ? HEAD : HEAD_EMPTY;
  put_u32(c->array.at, count ? 1 : 0);
  put_u32(c->array.at + 4, 0);
  put_u32(c->array.at + 8, type);
  put_u32(c->array.at + 12, (uint32_t)count);
  put_u32(c->array.at + 16, 1);
  argument(c, c->array.at, c->array.len);
  c->array.left = count;
  c->array.columns = c->array.columns_left = 0;
}

void call_array_i64(struct call *c, size_t count) { array(c, count, OID_INT8, sizeof(int64_t)); }
void call_array_text(struct call *c, size_t count) { array(c, count, OID_TEXT, 28); }
void call_array_id(struct call *c, size_t count) { array(c, count, OID_UUID, sizeof(struct id)); }
void call_array_bytes(struct call *c, size_t count) { array(c, count, OID_BYTEA, 32); }
void call_array_place(struct call *c, size_t count) { array(c, count, OID_TID, PLACE_BYTES); }

void call_array_rows(struct call *c, enum row_type type, size_t count) {
  const struct row_shape *shape = &c->conn->row_shapes[type];
  assert(shape->columns > 0);  // learned when the connection was opened
  array(c, count, shape->oid, ROW_HEAD + shape->columns * (size_t)(COLUMN_HEAD + 12));
  c->array.columns = shape->columns;
}

static void array_grow(struct call *c, size_t more) {
  size_t cap = 2 * c->array.cap + more;
  char *at = room(c, cap);
  memcpy(at, c->array.at, c->array.len);
  c->array.at = at;
  c->array.cap = cap;
}

// Room for so many more bytes. NULL: there is none, and the call will fail.
static char *array_room(struct call *c, size_t more) {
  if (c->too_large || c->array.len + more > ARRAY_BYTES_MAX) {
    c->too_large = true;
    return NULL;
  }
  if (c->array.cap - c->array.len < more) array_grow(c, more);
  char *at = c->array.at + c->array.len;
  c->array.len += more;
  c->values[c->count - 1] = c->array.at;
  c->lengths[c->count - 1] = (int)c->array.len;
  return at;
}

// A row is its own length and the number of its columns, then each of these with its type.
static void row_begin(struct call *c) {
  assert(c->array.left > 0);
  c->array.left--;
  c->array.columns_left = c->array.columns;
  c->array.row_at = c->array.len;
  char *at = array_room(c, ROW_HEAD);
  if (at) put_u32(at + 4, c->array.columns);
}

static void row_end(struct call *c) {
  put_u32(c->array.at + c->array.row_at, (uint32_t)(c->array.len - c->array.row_at - 4));
}

// Puts the next element, or the next column of a row, and gives where its bytes are to be written.
// `length` UINT32_MAX: it is NULL. NULL: there is no room.
static char *put(struct call *c, uint32_t type, uint32_t length) {
  size_t bytes = length == UINT32_MAX ? 0 : length;
  char *at;
  if (c->array.columns) {
    if (c->array.columns_left == 0) row_begin(c);
    at = array_room(c, COLUMN_HEAD + bytes);
    if (at) put_u32(at, type);
    if (at) at += 4;
  } else {
    assert(c->array.left > 0);
    c->array.left--;
    at = array_room(c, 4 + bytes);
    if (at && length == UINT32_MAX) put_u32(c->array.at + 4, 1);
  }
  bool ends = c->array.columns && --c->array.columns_left == 0;
  if (!at) return NULL;
  put_u32(at, length);
  if (ends) row_end(c);
  return at + 4;
}

void call_put_no_i64(struct call *c) { (void)put(c, OID_INT8, UINT32_MAX); }

void call_put_i64(struct call *c, int64_t value) {
  char *at = put(c, OID_INT8, sizeof value);
  if (at) put_u64(at, (uint64_t)value);
}

void call_put_id(struct call *c, struct id id) {
  bool none = id_is_none(id);
  char *at = put(c, OID_UUID, none ? UINT32_MAX : sizeof id);
  if (at && !none) put_id(at, id);
}

// A block's number and that of a row in it.
void call_put_place(struct call *c, int64_t place) {
  char *at = put(c, OID_TID, place ? PLACE_BYTES : UINT32_MAX);
  if (!at || !place) return;
  put_u32(at, (uint32_t)(place >> 16));
  put_u16(at + 4, (uint16_t)place);
}

static void put_bytes(struct call *c, uint32_t type, const void *from, size_t bytes) {
  if (bytes > ARRAY_BYTES_MAX) c->too_large = true;
  char *at = put(c, type, from ? (uint32_t)bytes : UINT32_MAX);
  if (at && from && bytes) memcpy(at, from, bytes);
}

void call_put_bytes(struct call *c, const void *from, size_t bytes) {
  put_bytes(c, OID_BYTEA, from, bytes);
}

void call_put_text(struct call *c, struct str s) { put_bytes(c, OID_TEXT, s.at, s.len); }
