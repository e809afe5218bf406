// refuse.c: answers what is not let through to the handler: a problem document, and the end.
//
// The connection is closed because after a doubt about framing nobody knows where the next request
// starts.
#include "http/inside.h"

// The id that the client sent, if its head came that far.
static struct str id_of(const struct request *r, char fresh[24]) {
  return r && !str_is_none(r->public.id) ? r->public.id : http_request_id_new(fresh);
}

void http_refuse(struct conn *c, enum err err, const char *detail) {
  struct http_server *s = c->server;
  struct request *r = c->request;
  c->request = NULL;
  s->stats.refused_total++;
  char fresh[24];
  struct str id = id_of(r, fresh);
  buf_clear(&s->problem);
  if (s->hooks.refuse)
    s->hooks.refuse(s->hooks.self, err, detail, r ? &r->public : NULL, id, &s->problem);
  struct http_answer answer = {
      .status = err_http_status(err),
      .content_type = STR("application/problem+json"),
      .body = buf_str(&s->problem),
  };
  if (err == ERR_OVERLOADED) answer.extra[0] = (struct http_header){STR("Retry-After"), STR("1")};
  http_send(c, &(struct sending){
                   .answer = &answer,
                   .id = id,
                   .head_only = r && r->public.method == HTTP_METHOD_HEAD,
                   .close = true,
               });
  if (r) http_request_free(r);
}
