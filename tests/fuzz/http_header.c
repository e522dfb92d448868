/* Header fields of an answer. The first byte says which. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "stages/fetch/http_header.h"

#include <inttypes.h>
#include <string.h>

static const char *without_zeros(const char *s)
{
    while (s[0] == '0' && s[1] >= '0' && s[1] <= '9')
        s++;
    return s;
}

static void check_length(const char *s)
{
    int64_t n;
    char back[32];
    if (!http_header_length(s, &n))
        return;
    snprintf(back, sizeof back, "%" PRId64, n);
    FUZZ_MUST(n >= 0 && strcmp(back, without_zeros(s)) == 0);
}

static void check_range(const char *s)
{
    struct http_range r;
    if (!http_header_range(s, &r))
        return;
    FUZZ_MUST(r.first >= 0 && r.first <= r.last && r.last < INT64_MAX);
    FUZZ_MUST(r.total == -1 || (r.total > r.last && r.total < INT64_MAX));
}

/* It is sent again as it came. */
static void check_strong(const char *s)
{
    if (http_header_strong(s))
        FUZZ_MUST(s[0] == '"' && strchr(s + 1, '"') == s + strlen(s) - 1 && fuzz_printable(s) &&
                  !strchr(s, ' '));
}

static void check_retry(const char *s)
{
    static const int64_t nows[] = {0, 1, INT64_C(1700000000000), INT64_MAX - 1};
    for (size_t i = 0; i < ARRAY_SIZE(nows); i++)
        FUZZ_MUST(http_header_retry_after(s, nows[i]) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void (*const checks[])(const char *) = {check_length, check_range, check_strong, check_retry};
    if (size == 0)
        return 0;
    char *s CLEANUP_FREE = fuzz_string(data + 1, size - 1);
    checks[data[0] % ARRAY_SIZE(checks)](s);
    return 0;
}
