#include "base/text.h"

#include "base/point.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

static bool reserve(struct text *t, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(t->len, more, &need) || __builtin_add_overflow(need, 1, &need))
        t->failed = true;
    if (t->failed)
        return false;
    if (need <= t->cap)
        return true;
    size_t cap = t->cap ? t->cap : 128;
    while (cap < need)
        cap *= 2;
    char *data = realloc(t->data, cap);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->cap = cap;
    return true;
}

void text_addn(struct text *t, const char *s, size_t n)
{
    if (!reserve(t, n))
        return;
    if (n)
        memcpy(t->data + t->len, s, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
    text_addn(t, s, strlen(s));
}

void text_addf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(t, (size_t)n)) {
        t->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(t->data + t->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->len += (size_t)n;
}

void text_add_escaped(struct text *t, const char *s, size_t n)
{
    static const char named[] = "\"\"\\\\\nn\tt\rr";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        const char *name = NULL;
        for (const char *p = named; *p; p += 2)
            if ((unsigned char)*p == c)
                name = p + 1;
        if (name)
            text_addf(t, "\\%c", *name);
        else if (c < 0x20 || c > 0x7e)
            text_addf(t, "\\%03o", c);
        else
            text_addn(t, &s[i], 1);
    }
}

void text_add_printable(struct text *t, const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            text_add_escaped(t, s, 1);
        else
            text_addn(t, s, 1);
    }
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t text_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME) + point_clock();
}

int64_t text_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

const char *text_time(int64_t ms, char out[static TEXT_TIME_MAX])
{
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    if (ms <= 0 || !gmtime_r(&s, &tm)) {
        memcpy(out, "-", 2);
        return out;
    }
    size_t n = strftime(out, TEXT_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, TEXT_TIME_MAX - n, ".%03dZ", (int)(ms % 1000));
    return out;
}

/* Digits, then one of the unit words; no sign, no space, no fraction. */
static bool parse_unit(const char *s, const char *const *units, const int64_t *factors,
                       int64_t *value)
{
    if (strcmp(s, "max") == 0) {
        *value = TEXT_UNLIMITED;
        return true;
    }
    int64_t n = 0;
    const char *p = s;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return false;
    if (p == s)
        return false;
    for (; *units; units++, factors++)
        if (strcmp(p, *units) == 0)
            return !__builtin_mul_overflow(n, *factors, value);
    return false;
}

bool text_parse_size(const char *s, int64_t *bytes)
{
    static const char *const units[] = {"", "K", "M", "G", "T", NULL};
    static const int64_t factors[] = {1, 1LL << 10, 1LL << 20, 1LL << 30, 1LL << 40};
    return parse_unit(s, units, factors, bytes);
}

bool text_parse_amount(const char *s, struct amount *amount)
{
    static const char *const units[] = {"%", NULL};
    static const int64_t factors[] = {1};
    int64_t percent;
    if (!strchr(s, '%')) {
        amount->percent = 0;
        return text_parse_size(s, &amount->bytes);
    }
    if (!parse_unit(s, units, factors, &percent) || percent < 1 || percent > 100)
        return false;
    *amount = (struct amount){.percent = (int)percent};
    return true;
}

bool text_parse_duration(const char *s, int64_t *ms)
{
    static const char *const units[] = {"", "ms", "s", "m", "h", "d", NULL};
    static const int64_t factors[] = {1000, 1, 1000, 60000, 3600000, 86400000};
    return parse_unit(s, units, factors, ms);
}

bool text_find_credentials(const char *url, size_t n, size_t *begin, size_t *len)
{
    const char *sep = memmem(url, n, "://", 3), *end = url + n, *at = NULL;
    for (const char *p = sep ? sep + 3 : end; p < end && *p != '/' && *p != '?' && *p != '#'; p++)
        if (*p == '@')
            at = p;
    if (!at)
        return false;
    *begin = (size_t)(sep + 3 - url);
    *len = (size_t)(at - url) - *begin;
    return true;
}

void text_add_masked_url(struct text *t, const char *url, size_t n)
{
    size_t at, len;
    if (!text_find_credentials(url, n, &at, &len)) {
        text_addn(t, url, n);
        return;
    }
    text_addn(t, url, at);
    text_add(t, TEXT_MASK);
    text_addn(t, url + at + len, n - at - len);
}

bool text_is_masked_url(const char *url, size_t n)
{
    size_t at, len;
    return text_find_credentials(url, n, &at, &len) && len == strlen(TEXT_MASK) &&
           memcmp(url + at, TEXT_MASK, len) == 0;
}

void text_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}
