/* retry: whether a download is attempted again, and when. Pure. */
#ifndef ENGINE_RETRY_H
#define ENGINE_RETRY_H

#include "stages/stage.h"

struct retry_policy {
    int64_t attempts;    /* at most, the first included */
    int64_t delay, most; /* ms: the first backoff; the longest, and the cap on Retry-After */
};

/* ms to wait before the next attempt, or -1: give up. `made` attempts have been made, the failed
 * one included. The delay doubles with each attempt and is spread by jitter (0 … 1) over its upper
 * half, so that many who failed together do not come back together; what the server asked for is
 * honoured up to the cap. A wrong digest is tried again at once, from scratch, once, whatever the
 * attempts made. */
int64_t retry_delay(const struct retry_policy *policy, int64_t made, bool wrong_digest_before,
                    const struct stage_result *result, double jitter);

#endif
