// credential.c: the one credential of a request, or why it is none that can be read.
//
// Two that differ are refused, because whoever stands before us may have checked the other one.
#include "api/call.h"

static enum err check_text(struct call *c, struct str text, const char *header) {
  if (text.len > LIMIT_CREDENTIAL_BYTES)
    return fault_set(&c->fault, ERR_BAD_REQUEST, "the credential in %s is too long to be one",
                     header);
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
      return fault_set(&c->fault, ERR_BAD_REQUEST, "the credential in %s holds a control character",
                       header);
  return ERR_OK;
}

static enum err read_headers(struct call *c, struct credential *out) {
  struct str rest, key;
  TRY(call_header(c, "Authorization", &rest));
  TRY(call_header(c, "x-api-key", &key));
  bool is_bearer = str_eq_nocase(str_cut(&rest, ' '), STR("bearer"));
  struct str bearer = is_bearer && !str_is_none(rest) ? str_trim(rest) : STR_NONE;
  TRY(check_text(c, bearer, "Authorization"));
  TRY(check_text(c, key, "x-api-key"));
  if (!str_is_none(bearer) && !str_is_none(key) && !str_eq(bearer, key))
    return fault_set(&c->fault, ERR_BAD_REQUEST,
                     "Authorization and x-api-key hold different credentials; send one");
  *out = is_bearer ? (struct credential){bearer, true} : (struct credential){key, false};
  if (str_is_none(out->text)) *out = (struct credential){key, false};
  return ERR_OK;
}

enum err credential_read(struct call *c, struct credential *out) {
  enum err err = read_headers(c, out);
  if (err != ERR_OK) c->refusal = "malformed";
  return err;
}
