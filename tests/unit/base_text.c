#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

Test(text, grows_and_formats)
{
    struct text t = {0};
    text_add(&t, "a");
    text_addf(&t, "%d-%s", 42, "b");
    cr_assert_str_eq(t.data, "a42-b");
    for (int i = 0; i < 1000; i++)
        text_add(&t, "0123456789");
    cr_assert_eq(t.len, 10005);
    cr_assert_not(t.failed);
    text_free(&t);
}

Test(text, escapes_as_c_does)
{
    struct text t = {0};
    text_add_escaped(&t, "a\"\\\n\t\r\x1b\0é", 10);
    cr_assert_str_eq(t.data, "a\\\"\\\\\\n\\t\\r\\033\\000\\303\\251");
    text_free(&t);
}

Test(text, printable_is_one_line_of_ascii)
{
    struct text t = {0};
    text_add_printable(&t, "a \"b\" \\\n\t\x1b\x7f\xc3\xa9~");
    cr_assert_str_eq(t.data, "a \"b\" \\\\n\\t\\033\\177\\303\\251~");
    text_free(&t);
}

Test(text, sizes)
{
    int64_t v;
    cr_assert(text_parse_size("0", &v) && v == 0);
    cr_assert(text_parse_size("64K", &v) && v == 65536);
    cr_assert(text_parse_size("100M", &v) && v == 104857600);
    cr_assert(text_parse_size("10G", &v) && v == 10737418240);
    cr_assert(text_parse_size("max", &v) && v == TEXT_UNLIMITED);
    const char *bad[] = {
        "", "K", "-1", "+1", " 1", "1 ", "1k", "1KB", "1.5M", "9999999999999999999", "9999999T"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(text_parse_size(bad[i], &v), "%s", bad[i]);
}

Test(text, amounts)
{
    struct amount a = {0};
    cr_assert(text_parse_amount("64M", &a) && a.bytes == 64 << 20 && a.percent == 0);
    cr_assert(text_parse_amount("1%", &a) && a.percent == 1 && a.bytes == 0);
    cr_assert(text_parse_amount("100%", &a) && a.percent == 100);
    cr_assert(text_parse_amount("0", &a) && a.bytes == 0 && a.percent == 0);
    cr_assert(text_parse_amount("max", &a) && a.bytes == TEXT_UNLIMITED);
    const char *bad[] = {"%", "0%", "101%", "-1%", "1.5%", "5 %", "5%%", "5%M", "5M%", "max%"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(text_parse_amount(bad[i], &a), "%s", bad[i]);
}

Test(text, durations)
{
    int64_t v;
    cr_assert(text_parse_duration("500ms", &v) && v == 500);
    cr_assert(text_parse_duration("30", &v) && v == 30000);
    cr_assert(text_parse_duration("2m", &v) && v == 120000);
    cr_assert(text_parse_duration("1d", &v) && v == 86400000);
    cr_assert(text_parse_duration("max", &v) && v == TEXT_UNLIMITED);
    cr_assert_not(text_parse_duration("1w", &v));
    cr_assert_not(text_parse_duration("s", &v));
}

Test(text, times_are_rfc3339_in_utc)
{
    char out[TEXT_TIME_MAX];
    cr_assert_str_eq(text_time(1700000000123, out), "2023-11-14T22:13:20.123Z");
    cr_assert_str_eq(text_time(0, out), "-");
}

static void masks(const char *url, const char *want)
{
    struct text t = {0};
    text_add_masked_url(&t, url, strlen(url));
    cr_assert_str_eq(t.data, want);
    text_free(&t);
}

Test(text, credentials_are_masked)
{
    masks("http://h/p", "http://h/p");
    masks("http://u:secret@h/p", "http://user:***@h/p");
    masks("https://token@h:1/p?q=a@b", "https://user:***@h:1/p?q=a@b");
    masks("http://u:p@q@h/", "http://user:***@h/");
    masks("http://h/a@b", "http://h/a@b");
    masks("nonsense", "nonsense");
}

static void credentials(const char *url, const char *want, bool masked)
{
    size_t at = 99, len = 99;
    bool found = text_find_credentials(url, strlen(url), &at, &len);
    cr_expect_eq(found, want != NULL, "%s", url);
    if (found && want)
        cr_expect(len == strlen(want) && memcmp(url + at, want, len) == 0, "%s: %.*s", url,
                  (int)len, url + at);
    cr_expect_eq(text_is_masked_url(url, strlen(url)), masked, "%s", url);
}

Test(text, credentials_are_found)
{
    credentials("http://u:p@h/x", "u:p", false);
    credentials("http://token@h", "token", false);
    credentials("http://@h", "", false);
    credentials("http://u:p@ss@h/x@y", "u:p@ss", false);
    credentials("http://user:***@h/x", "user:***", true);
    credentials("http://user:***x@h/x", "user:***x", false);
    credentials("http://user:**@h/x", "user:**", false);
    credentials("http://h/user:***@x", NULL, false);
    credentials("http://h?u:p@x", NULL, false);
    credentials("http://h#u:p@x", NULL, false);
    credentials("http://h", NULL, false);
    credentials("u:p@h", NULL, false);
    credentials("", NULL, false);
}
