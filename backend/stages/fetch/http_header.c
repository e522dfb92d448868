#include "stages/fetch/http_header.h"

#include <curl/curl.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at *p, which moves behind them; false if there are none. Too many saturate. */
static bool number(const char **p, int64_t *n)
{
    if (!is_digit(**p))
        return false;
    bool over = false;
    *n = 0;
    for (; is_digit(**p); (*p)++)
        over |= __builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, **p - '0', n);
    if (over)
        *n = INT64_MAX;
    return true;
}

static bool word(const char **p, const char *s)
{
    size_t len = strlen(s);
    if (strncasecmp(*p, s, len) != 0)
        return false;
    *p += len;
    return true;
}

/* The largest number is taken for an overflow: no file is that long. */
bool http_header_length(const char *value, int64_t *length)
{
    return number(&value, length) && *value == '\0' && *length < INT64_MAX;
}

bool http_header_range(const char *value, struct http_range *r)
{
    const char *p = value;
    if (!word(&p, "bytes "))
        return false;
    p += strspn(p, " ");
    if (!number(&p, &r->first) || !word(&p, "-") || !number(&p, &r->last) || !word(&p, "/"))
        return false;
    if (strcmp(p, "*") == 0)
        r->total = -1;
    else if (!number(&p, &r->total) || *p || r->last >= r->total)
        return false;
    return r->first <= r->last && r->last < INT64_MAX && r->total < INT64_MAX;
}

/* Stricter than RFC 9110: it is to be sent again as it came, so only printable ASCII will do. */
bool http_header_strong(const char *etag)
{
    size_t len = strlen(etag);
    if (len < 3 || etag[0] != '"' || etag[len - 1] != '"')
        return false;
    for (size_t i = 1; i < len - 1; i++)
        if (etag[i] <= ' ' || etag[i] > '~' || etag[i] == '"')
            return false;
    return true;
}

static int64_t until(int64_t seconds, int64_t now)
{
    int64_t ms;
    if (__builtin_mul_overflow(seconds, 1000, &ms))
        return INT64_MAX;
    return ms > now ? ms - now : 0;
}

int64_t http_header_retry_after(const char *value, int64_t now)
{
    const char *p = value;
    int64_t seconds;
    if (number(&p, &seconds))
        return *p ? 0 : until(seconds, 0);
    time_t date = curl_getdate(value, NULL);
    return date < 0 ? 0 : until(date, now);
}

const char *http_header_reason(long status)
{
    static const struct {
        long status;
        const char *reason;
    } known[] = {
        {204, "No Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {421, "Misdirected Request"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].reason;
    return "";
}
