// result.c: reads the rows of a result, whose values all come in PostgreSQL's binary form.
#include <assert.h>
#include <endian.h>

#include "store/postgres/conn.h"

enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_OID = 26 };

bool result_next(struct result *r) {
  r->column = 0;
  return ++r->row < r->count;
}

void result_free(struct result *r) {
  PQclear(r->result);
  *r = (struct result){0};
}

bool result_is_null(const struct result *r) {
  return PQgetisnull(r->result, r->row, r->column) != 0;
}

// The bytes of the next column; none for NULL.
static struct str take(struct result *r) {
  int column = r->column++;
  assert(r->row >= 0 && r->row < r->count && column < PQnfields(r->result));
  if (PQgetisnull(r->result, r->row, column)) return STR_NONE;
  return (struct str){PQgetvalue(r->result, r->row, column),
                      (size_t)PQgetlength(r->result, r->row, column)};
}

static uint64_t big_endian(const char *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return be64toh(value);
}

int64_t result_i64(struct result *r) {
  Oid type = PQftype(r->result, r->column);
  // Another type, such as the numeric that a sum of bigints is, wants a cast in the statement.
  assert(type == OID_INT8 || type == OID_INT4 || type == OID_INT2 || type == OID_BOOL ||
         type == OID_OID);
  struct str bytes = take(r);
  if (bytes.len == 0 || bytes.len > sizeof(int64_t)) return 0;
  bool negative = type != OID_BOOL && type != OID_OID && (bytes.at[0] & 0x80);
  uint64_t value = negative ? UINT64_MAX : 0;
  for (size_t i = 0; i < bytes.len; i++) value = value << 8 | (uint8_t)bytes.at[i];
  return (int64_t)value;
}

struct str result_text(struct result *r, struct arena *a) {
  return arena_dup(a, take(r));
}

struct id result_id(struct result *r) {
  struct str bytes = take(r);
  if (bytes.len != sizeof(struct id)) return (struct id){0};
  return (struct id){.hi = big_endian(bytes.at), .lo = big_endian(bytes.at + 8)};
}

int64_t result_place(struct result *r) {
  struct str bytes = take(r);
  int64_t place = 0;
  for (size_t i = 0; i < bytes.len; i++) place = place << 8 | (uint8_t)bytes.at[i];
  return place;
}

void result_bytes(struct result *r, void *out, size_t bytes) {
  struct str value = take(r);
  if (!str_is_none(value) && value.len == bytes)
    memcpy(out, value.at, bytes);
  else
    memset(out, 0, bytes);
}
