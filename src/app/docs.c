// docs.c: `taskyard docs`: prints pages of the reference that are made from tables.
#include "app/command.h"
#include "api/api.h"
#include "app/lifecycle_docs.h"
#include "app/print.h"
#include "app/settings_docs.h"

enum { PAGE_BYTES_MAX = 4 << 20 };

static const struct page {
  const char *name;
  void (*write)(struct buf *out);
} PAGES[] = {
#define DOCS_PAGE(name, function, meaning) {#name, function},
#include "app/docs.def"
#undef DOCS_PAGE
};
static const char *const WORDS[] = {
#define DOCS_PAGE(name, function, meaning) #name,
#include "app/docs.def"
#undef DOCS_PAGE
    NULL};

static enum err print_page(const struct page *page, struct fault *why) {
  struct buf text;
  buf_init(&text, PAGE_BYTES_MAX);
  page->write(&text);
  enum err err = print_text(&text, why);
  buf_fini(&text);
  return err;
}

static enum err run(struct command *c, struct fault *why) {
  const char *name = c->given.positionals[0];
  for (size_t i = 0; WORDS[i]; i++)
    if (strcmp(WORDS[i], name) == 0) return print_page(&PAGES[i], why);
  return command_misused(c, why, "there is no page %s", name);
}

const struct command_spec COMMAND_docs = {
    .options = {.usage = "taskyard docs PAGE",
                .summary = "Prints a page of the reference in Markdown.",
                .positionals_min = 1,
                .positionals_max = 1},
    .words = WORDS,
    .run = run};
