#include "stages/fetch/http_header.h"

#include <criterion/criterion.h>

#define NOW INT64_C(1700000000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

Test(http_header, retry_after)
{
    static const struct {
        const char *value;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"7", 7000},
        {"86400", 86400000},
        {"9223372036854775", INT64_C(9223372036854775000)},
        {"9223372036854776", INT64_MAX},
        {"99999999999999999999999999", INT64_MAX},
        {"Tue, 14 Nov 2023 22:13:30 GMT", 10000},
        {"Tuesday, 14-Nov-23 22:13:30 GMT", 10000},
        {"Tue Nov 14 22:13:30 2023", 10000},
        {"Tue, 14 Nov 2023 22:13:00 GMT", 0}, /* has passed */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"", 0},
        {"-5", 0},
        {"+5", 0},
        {"1.5", 0},
        {"5 apples", 0},
        {"soon", 0},
        {"0x10", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(http_header_retry_after(cases[i].value, NOW), cases[i].ms, "%s",
                     cases[i].value);
}

static void range(const char *value, int64_t first, int64_t last, int64_t total)
{
    struct http_range r;
    cr_assert(http_header_range(value, &r), "%s", value);
    cr_assert_eq(r.first, first, "%s", value);
    cr_assert_eq(r.last, last, "%s", value);
    cr_assert_eq(r.total, total, "%s", value);
}

Test(http_header, content_range)
{
    range("bytes 0-0/1", 0, 0, 1);
    range("bytes 5-9/10", 5, 9, 10);
    range("Bytes  5-9/10", 5, 9, 10);
    range("bytes 5-9/*", 5, 9, -1);
    range("bytes 0-9223372036854775805/9223372036854775806", 0, INT64_MAX - 2, INT64_MAX - 1);
}

Test(http_header, content_range_refused)
{
    static const char *const bad[] = {
        "",
        "bytes",
        "bytes ",
        "5-9/10",
        "bytes=5-9/10",
        "bytes 5-9",
        "bytes 5-9/",
        "bytes 5-/10",
        "bytes -9/10",
        "bytes */10",
        "bytes 9-5/10",
        "bytes 5-10/10",
        "bytes 5-9/10 ",
        "bytes 5-9/10, 11-12/20",
        "bytes 5-9/x",
        "bytes 5 - 9/10",
        "bytes +5-9/10",
        "items 5-9/10",
        "bytes 99999999999999999999-x/y",
        "bytes 99999999999999999998-99999999999999999999/*",
        "bytes 0-99999999999999999999/*",
        "bytes 0-9/99999999999999999999",
    };
    struct http_range r;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(http_header_range(bad[i], &r), "%s", bad[i]);
}

Test(http_header, length)
{
    int64_t n;
    cr_assert(http_header_length("0", &n) && n == 0);
    cr_assert(http_header_length("1000000000000000000", &n) && n == INT64_C(1000000000000000000));
    static const char *const bad[] = {
        "", "-1", "+1", "1 ", "1,1", "0x1", "9223372036854775808", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(http_header_length(bad[i], &n), "%s", bad[i]);
}

Test(http_header, strong_etags)
{
    cr_assert(http_header_strong("\"a\""));
    cr_assert(http_header_strong("\"5f-61a/+=!\""));
    static const char *const bad[] = {"",         "\"",      "\"\"",          "a",
                                      "W/\"a\"",  "w/\"a\"", "\"a",           "a\"",
                                      "\"a\"b\"", "\"a b\"", "\"a\r\nX: y\"", "\"\xc3\xa9\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(http_header_strong(bad[i]), "%s", bad[i]);
}

Test(http_header, reasons_are_ours)
{
    cr_assert_str_eq(http_header_reason(404), "Not Found");
    cr_assert_str_eq(http_header_reason(418), "");
    cr_assert_str_eq(http_header_reason(-1), "");
}
