// settings.c: where the server is, and with which key, as the environment and files tell.
#include "client/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_LINE_BYTES = 16 * 1024 + 2 };  // of the longest token, its line's end and a NUL

struct client_settings client_settings_from_env(void) {
  const char *url = getenv("TASKYARD_URL");
  const char *key = getenv("TASKYARD_KEY");
  return (struct client_settings){
      .url = url && *url ? str_of(url) : STR("http://127.0.0.1:8503"),
      .key = key && *key ? str_of(key) : STR_NONE,
  };
}

enum err client_key_read(const char *path, struct arena *a, struct str *key, struct fault *why) {
  FILE *file = fopen(path, "re");
  if (!file)
    return fault_set(why, ERR_INVALID, "the key file %s cannot be read: %s", path, strerror(errno));
  char *line = arena_alloc(a, KEY_LINE_BYTES);
  bool found = fgets(line, KEY_LINE_BYTES, file) != NULL;
  (void)fclose(file);
  size_t len = found ? strcspn(line, "\r\n") : 0;
  if (len == KEY_LINE_BYTES - 1)
    return fault_set(why, ERR_INVALID, "the first line of the key file %s is over %d bytes", path,
                     KEY_LINE_BYTES - 2);
  struct str text = str_trim((struct str){line, len});
  if (text.len == 0)
    return fault_set(why, ERR_INVALID, "the key file %s has no key in its first line", path);
  *key = text;
  return ERR_OK;
}
