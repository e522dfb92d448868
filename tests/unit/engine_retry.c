#include "engine/retry.h"

#include <criterion/criterion.h>

static const struct retry_policy policy = {.attempts = 5, .delay = 1000, .most = 60000};

static int64_t after(const struct retry_policy *p, int64_t made, int64_t retry_after, double jitter)
{
    struct stage_result result = {.retry = RETRY_LATER, .retry_after = retry_after};
    return retry_delay(p, made, false, &result, jitter);
}

Test(retry, as_many_attempts_as_allowed)
{
    for (int64_t made = 1; made < 5; made++)
        cr_expect_geq(after(&policy, made, 0, 0), 0, "%lld", (long long)made);
    cr_expect_eq(after(&policy, 5, 0, 0), -1);
    cr_expect_eq(after(&policy, 6, 0, 1), -1);
    cr_expect_eq(after(&policy, 5, 30000, 0), -1, "whatever the server asks for");
    struct retry_policy once = {.attempts = 1, .delay = 1000, .most = 60000};
    cr_expect_eq(after(&once, 1, 0, 0.5), -1);
}

Test(retry, what_would_fail_alike_is_not_tried_again)
{
    struct stage_result result = {.retry = RETRY_NEVER, .retry_after = 1000};
    cr_expect_eq(retry_delay(&policy, 1, false, &result, 0), -1);
}

Test(retry, the_delay_doubles_up_to_the_most)
{
    struct retry_policy many = {.attempts = 100, .delay = 1000, .most = 10000};
    static const int64_t whole[] = {1000, 2000, 4000, 8000, 10000, 10000};
    for (int64_t made = 1; made <= 6; made++)
        cr_expect_eq(after(&many, made, 0, 1), whole[made - 1], "%lld", (long long)made);
}

Test(retry, jitter_spreads_over_the_upper_half)
{
    for (int64_t made = 1; made < 5; made++) {
        int64_t whole = 1000LL << (made - 1);
        cr_expect_eq(after(&policy, made, 0, 0), whole / 2);
        cr_expect_eq(after(&policy, made, 0, 1), whole);
        int64_t last = 0;
        for (int j = 0; j <= 100; j++) {
            int64_t delay = after(&policy, made, 0, j / 100.0);
            cr_expect(delay >= whole / 2 && delay <= whole && delay >= last);
            last = delay;
        }
    }
}

Test(retry, odd_and_small_delays)
{
    struct retry_policy p = {.attempts = 3, .delay = 1, .most = 1};
    cr_expect_eq(after(&p, 1, 0, 0), 0);
    cr_expect_eq(after(&p, 1, 0, 1), 1);
    p = (struct retry_policy){.attempts = 3, .delay = 0, .most = 60000};
    cr_expect_eq(after(&p, 2, 0, 1), 0);
    p = (struct retry_policy){.attempts = 3, .delay = 90000, .most = 60000};
    cr_expect_eq(after(&p, 1, 0, 1), 60000, "the first one is capped too");
    p = (struct retry_policy){.attempts = 3, .delay = 1000, .most = 0};
    cr_expect_eq(after(&p, 1, 5000, 1), 0);
}

Test(retry, no_limit_overflows_nothing)
{
    struct retry_policy p = {.attempts = 100, .delay = INT64_MAX / 4, .most = INT64_MAX};
    for (int64_t made = 1; made < 100; made++)
        for (int j = 0; j <= 2; j++) {
            int64_t delay = after(&p, made, 0, j / 2.0);
            cr_expect_geq(delay, INT64_MAX / 8, "%lld: %lld", (long long)made, (long long)delay);
        }
    p = (struct retry_policy){.attempts = INT64_MAX, .delay = 1, .most = INT64_MAX};
    cr_expect_geq(after(&p, INT64_MAX - 1, 0, 0), INT64_MAX / 4);
}

Test(retry, what_the_server_asked_for_is_honoured_up_to_the_cap)
{
    cr_expect_eq(after(&policy, 1, 5000, 1), 5000);
    cr_expect_eq(after(&policy, 1, 60000, 0), 60000);
    cr_expect_eq(after(&policy, 1, 60001, 0), 60000);
    cr_expect_eq(after(&policy, 1, INT64_MAX, 0), 60000);
    cr_expect_eq(after(&policy, 3, 100, 1), 4000, "never sooner than the backoff");
}

Test(retry, a_wrong_digest_once_and_at_once)
{
    struct stage_result result = {.retry = RETRY_SCRATCH, .retry_after = 30000};
    cr_expect_eq(retry_delay(&policy, 1, false, &result, 1), 0);
    cr_expect_eq(retry_delay(&policy, 4, false, &result, 1), 0);
    cr_expect_eq(retry_delay(&policy, 2, true, &result, 1), -1);
    cr_expect_eq(retry_delay(&policy, 5, false, &result, 1), 0, "also behind the last attempt");
    cr_expect_eq(retry_delay(&policy, 6, true, &result, 1), -1, "but once");
    result.retry = RETRY_LATER;
    cr_expect_geq(retry_delay(&policy, 2, true, &result, 1), 0, "another fault in between");
}
