// sections.h: the sections of the settings file, [type NAME] and [queue NAME].
#ifndef APP_SECTIONS_H
#define APP_SECTIONS_H

#include "app/settings.h"

enum section_kind { SECTION_TOP, SECTION_TYPE, SECTION_QUEUE };

// What has been read so far; zero at the start of the file.
struct sections {
  enum section_kind kind;  // of the section that is open
  uint64_t seen;           // keys of it, as bits
};

// The three below return ERR_INVALID with a sentence that begins with the place.
enum err sections_open(struct sections *s, struct settings *settings, struct str header,
                       const char *where, struct fault *why);
enum err sections_set(struct sections *s, struct settings *settings, struct str key,
                      struct str value, const char *where, struct fault *why);
// At the end of the file: what only shows when all keys are read.
enum err sections_check(const struct settings *settings, struct fault *why);

// One row of sections.def, for those who print it.
struct section_key {
  enum section_kind section;
  const char *name;
  enum setting_kind kind;
  size_t offset;  // into struct type or struct queue
  int64_t min, max;
  const char *meaning;
};
extern const struct section_key SECTION_KEYS[];
extern const size_t SECTION_KEY_COUNT;

#endif
