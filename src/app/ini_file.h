// ini_file.h: reads an INI file line by line. libinih is caged here.
#ifndef APP_INI_FILE_H
#define APP_INI_FILE_H

#include "base/err.h"
#include "base/str.h"

// Called in the order of the file; an error ends the reading. `where` is "PATH:LINE".
struct ini_file_hooks {
  void *self;
  enum err (*section)(void *self, struct str header, const char *where, struct fault *why);
  enum err (*entry)(void *self, struct str key, struct str value, const char *where,
                    struct fault *why);
};

// ERR_NOT_FOUND when the file cannot be opened; ERR_INVALID for a line that is neither section,
// entry, comment nor blank, or is too long. The strings live only during a call.
MUST_USE enum err ini_file_read(const char *path, const struct ini_file_hooks *hooks,
                                struct fault *why);

#endif
