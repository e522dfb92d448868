#include "engine/retry.h"

static int64_t backoff(const struct retry_policy *policy, int64_t made, double jitter)
{
    int64_t delay = policy->delay;
    for (int64_t n = 1; n < made && delay < policy->most; n++)
        if (__builtin_mul_overflow(delay, 2, &delay))
            delay = policy->most;
    if (delay > policy->most)
        delay = policy->most;
    return delay / 2 + (int64_t)((double)(delay - delay / 2) * jitter);
}

int64_t retry_delay(const struct retry_policy *policy, int64_t made, bool wrong_digest_before,
                    const struct stage_result *result, double jitter)
{
    switch (result->retry) {
    case RETRY_NEVER:
        return -1;
    case RETRY_SCRATCH:
        return wrong_digest_before ? -1 : 0;
    case RETRY_LATER:
        if (made >= policy->attempts)
            return -1;
        break;
    }
    int64_t delay = backoff(policy, made, jitter);
    int64_t asked = result->retry_after < policy->most ? result->retry_after : policy->most;
    return asked > delay ? asked : delay;
}
