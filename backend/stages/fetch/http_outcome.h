/* http_outcome: what a failed request means to the user, and whether another may fare better. */
#ifndef STAGES_FETCH_HTTP_OUTCOME_H
#define STAGES_FETCH_HTTP_OUTCOME_H

#include "stages/fetch/transport.h"

/* A status that is neither taken nor followed. retry_after: the field's value, or NULL. */
int http_outcome_status(long status, const char *url, const char *retry_after,
                        struct transport_outcome *outcome, struct err *err);

/* A transfer that libcurl gave up: code is its CURLcode, detail what it says about it. */
int http_outcome_curl(int code, const char *detail, const char *url,
                      struct transport_outcome *outcome, struct err *err);

/* `what` did not happen within ms. */
int http_outcome_timeout(const char *what, int64_t ms, const char *url,
                         struct transport_outcome *outcome, struct err *err);

/* An answer that no server should give. */
int http_outcome_answer(const char *what, const char *url, enum stage_retry retry,
                        struct transport_outcome *outcome, struct err *err);

#endif
