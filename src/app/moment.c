// moment.c: reads and writes points in time.
#include "app/moment.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>

enum { TEXT_BYTES_MAX = 40 };

// Reads ".250" as milliseconds; further digits are dropped. Returns what follows.
static const char *parse_fraction(const char *at, int64_t *ms) {
  *ms = 0;
  if (*at != '.') return at;
  int64_t unit = 100;
  for (at++; isdigit((unsigned char)*at); at++, unit /= 10) *ms += unit * (*at - '0');
  return at;
}

// "Z", "+02:00" or nothing. False: something else.
static bool parse_zone(const char *at, bool *is_local, int64_t *offset_s) {
  *is_local = *at == '\0';
  *offset_s = 0;
  if (*is_local || strcmp(at, "Z") == 0) return true;
  if ((*at != '+' && *at != '-') || strlen(at) != 6 || at[3] != ':') return false;
  int64_t hours, minutes;
  if (!str_to_i64((struct str){at + 1, 2}, &hours) || !str_to_i64(str_of(at + 4), &minutes))
    return false;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
  *offset_s = (hours * 60 + minutes) * 60 * (*at == '-' ? -1 : 1);
  return true;
}

static bool parse_calendar(const char *text, int64_t *out_ms) {
  static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M"};
  for (size_t i = 0; i < 4; i++) {
    struct tm parts = {.tm_isdst = -1};
    const char *rest = strptime(text, formats[i], &parts);
    int64_t fraction_ms, offset_s;
    bool is_local;
    if (!rest || !parse_zone(parse_fraction(rest, &fraction_ms), &is_local, &offset_s)) continue;
    int64_t seconds = (int64_t)(is_local ? mktime(&parts) : timegm(&parts)) - offset_s;
    if (seconds < 0) return false;
    *out_ms = seconds * 1000 + fraction_ms;
    return true;
  }
  return false;
}

bool moment_parse(struct str text, int64_t *out_ms) {
  if (text.len == 0 || text.len >= TEXT_BYTES_MAX) return false;
  int64_t number;
  if (str_to_i64(text, &number)) {
    if (number < 0) return false;
    *out_ms = number;
    return true;
  }
  char copy[TEXT_BYTES_MAX] = {0};
  memcpy(copy, text.at, text.len);
  return parse_calendar(copy, out_ms);
}

// Before 1970 the milliseconds count forwards from the second below.
void moment_show(int64_t ms, struct buf *out) {
  int64_t within = ms % 1000;
  time_t seconds = (time_t)(ms / 1000 - (within < 0));
  struct tm parts;
  if (!gmtime_r(&seconds, &parts)) return;
  buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             (int)(within < 0 ? within + 1000 : within));
}

void moment_show_age(int64_t ms, int64_t now_ms, struct buf *out) {
  static const struct {
    int64_t ms;
    char unit;
  } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
  int64_t age = now_ms - ms;
  if (age < 0) {
    BUF_LIT(out, "in ");
    age = -age;
  }
  size_t i = 0;
  while (i < 3 && age < units[i].ms) i++;
  buf_printf(out, "%" PRId64 "%c", age / units[i].ms, units[i].unit);
}
