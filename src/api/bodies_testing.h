// bodies_testing.h: every table of a request's body, with the struct that it fills; for the unit
// test and the fuzzer. New ones go to the end: the fuzzer's seeds choose by place.
#ifndef API_BODIES_TESTING_H
#define API_BODIES_TESTING_H

#include "api/call.h"
#include "api/inputs.h"

static const struct table {
  const struct body *body;
  size_t bytes;  // of the struct that it fills
} TABLES[] = {
    {&BODY_create, sizeof(struct create_input)},
    {&BODY_edit, sizeof(struct edit_body)},
    {&BODY_cancel, sizeof(struct cancel_body)},
    {&BODY_claim, sizeof(struct claim_body)},
    {&BODY_claim_one, sizeof(struct claim_body)},
    {&BODY_heartbeat, sizeof(struct worker_body)},
    {&BODY_progress, sizeof(struct worker_body)},
    {&BODY_logs, sizeof(struct worker_body)},
    {&BODY_complete, sizeof(struct worker_body)},
    {&BODY_fail, sizeof(struct worker_body)},
    {&BODY_release, sizeof(struct worker_body)},
    {&BODY_completions, sizeof(struct worker_body)},
    {&BODY_completion_item, sizeof(struct worker_body)},
    {&BODY_error, sizeof(struct error_body)},
    {&BODY_backoff, sizeof(struct backoff_input)},
    {&BODY_type, sizeof(struct type_body)},
    {&BODY_key, sizeof(struct key_body)},
    {&BODY_rotate, sizeof(struct rotate_body)},
    {&BODY_bull, sizeof(struct bull_body)},
    {&BODY_repository, sizeof(struct repository_body)},
    {&BODY_repository_failure, sizeof(struct repository_failure)},
    {&BODY_repository_error, sizeof(struct repository_failure)},
    {&BODY_job, sizeof(struct job_body)},
    {&BODY_dummy_job, sizeof(struct dummy_body)},
    {&BODY_status, sizeof(struct worker_body)},
    {&BODY_session_task, sizeof(struct session_body)},
    {&BODY_demo_sample, sizeof(struct demo_body)},
    {&BODY_demo_file, sizeof(struct demo_body)},
    {&BODY_demo_api, sizeof(struct demo_body)},
    {&BODY_demo_batch, sizeof(struct demo_body)},
    {&BODY_empty, 0},
};
enum { TABLE_COUNT = sizeof TABLES / sizeof *TABLES };

#endif
