// import_fuzz.c: lines of mongoexport: extended JSON to plain JSON, documents to tasks.
//
// What must hold: plain JSON comes of checked JSON; a document that is good becomes a body whose
// fields are the API's own, with the whole document as payload.
#include "fuzz.h"

#include "api/call.h"
#include "api/inputs.h"
#include "app/ejson.h"
#include "app/imported.h"

static struct str find_member(struct str object, const char *name) {
  struct json_walk w = json_walk(object);
  struct str key, value;
  while (json_next(&w, &key, &value))
    if (str_eq(key, str_of(name))) return value;
  return STR_NONE;
}

// Whether a pointer leads to a field of the table, or into one.
static bool is_of_table(const char *pointer) {
  struct str rest = str_of(pointer);
  (void)str_cut(&rest, '/');
  struct str field = str_is_none(rest) ? STR("") : str_cut(&rest, '/');
  for (size_t i = 0; i < BODY_create.fields.count; i++)
    if (str_eq(field, str_of(BODY_create.fields.at[i].name))) return true;
  return false;
}

// The API may refuse what is too long, or a type that is no name; never a field that it has not.
static void check_body(struct arena *a, struct str document, struct str text) {
  struct json_error error;
  struct str body;
  struct fault why = {0};
  struct create_input input = {0};
  HOLDS(json_check(text, &body, &error), "a body is JSON: %s", error.message);
  HOLDS(str_eq(find_member(body, "payload"), document), "the payload is the document, every byte");
  if (decode_object(a, body, BODY_create.fields, NULL, &input, NULL, NULL, &why) == ERR_OK) return;
  for (unsigned i = 0; i < why.field_count; i++)
    HOLDS(is_of_table(why.fields[i].pointer), "%s: %s", why.fields[i].pointer,
          why.fields[i].detail);
}

static void check_document(struct str document, bool history) {
  struct arena a;
  struct buf body;
  struct imported doc = {0};
  struct json_error error;
  struct str ignored;
  arena_init(&a, 4096);
  buf_init(&body, document.len * 16 + 4096);
  const char *why = imported_read(&a, document, history, &doc);
  if (why) {
    HOLDS(*why, "a document is refused with a sentence");
  } else {
    HOLDS(doc.kind < IMPORTED_KINDS && doc.priority >= -5 && doc.priority <= 4, "it has a place");
    HOLDS(!doc.history || imported_has_ended(&doc), "history has ended");
    imported_put_task(&doc, &body);
    HOLDS(!body.overflow, "a body is not much longer than its document");
    check_body(&a, document, buf_str(&body));
    buf_clear(&body);
    imported_put_end(&doc, STR("0123456789abcdef"), &body);
    HOLDS(json_check(buf_str(&body), &ignored, &error), "how it ended is JSON: %s", error.message);
  }
  buf_fini(&body);
  arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct json_error error;
  struct str value, plain;
  if (!json_check((struct str){(const char *)data, size}, &value, &error)) return 0;
  struct str exact = exact_copy(value);
  struct buf out;
  buf_init(&out, size * 8 + 1024);
  ejson_plain(&out, exact);
  HOLDS(!out.overflow, "plain JSON is not much longer");
  HOLDS(json_check(buf_str(&out), &plain, &error), "plain JSON is JSON: %s: %.*s", error.message,
        STR_FMT(buf_str(&out)));
  struct str document = exact_copy(plain);
  check_document(document, false);
  check_document(document, true);
  exact_free(document);
  buf_fini(&out);
  exact_free(exact);
  return 0;
}
