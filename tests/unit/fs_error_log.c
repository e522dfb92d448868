#include "fs/error_log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define TIME "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z "

static struct error_log *elog;
static struct text shown;

static void set_up(void)
{
    elog = error_log_new();
    cr_assert(elog);
}

static void tear_down(void)
{
    text_free(&shown);
    error_log_free(elog);
}

TestSuite(error_log, .init = set_up, .fini = tear_down);

static void add(const char *line, int num, const char *reason)
{
    struct err err = {0};
    err_set(&err, ERR_INTERNAL, num, "%s", reason);
    error_log_add(elog, "ctl/fetch", line, strlen(line), &err);
}

static const char *show(void)
{
    text_free(&shown);
    error_log_show(elog, &shown);
    return shown.data ? shown.data : "";
}

/* Without the time. */
static const char *only(void)
{
    const char *text = show();
    return strchr(text, ' ') ? strchr(text, ' ') + 1 : text;
}

static const char *added(const char *line)
{
    error_log_clear(elog);
    add(line, EINVAL, "why");
    return only();
}

Test(error_log, is_empty_at_first)
{
    cr_assert_str_eq(show(), "");
}

Test(error_log, a_line_is_time_file_errno_line_reason)
{
    regex_t re;
    add("http://h/a x", EEXIST, "a is taken");
    cr_assert_eq(regcomp(&re, TIME "ctl/fetch EEXIST \"http://h/a x\" a is taken\n$",
                         REG_EXTENDED | REG_NOSUB),
                 0);
    cr_assert_eq(regexec(&re, show(), 0, NULL, 0), 0, "%s", shown.data);
    regfree(&re);
}

Test(error_log, errnos_have_their_names)
{
    static const struct {
        int num;
        const char *name;
    } of[] = {{EINVAL, "EINVAL"}, {EEXIST, "EEXIST"}, {ENOENT, "ENOENT"}, {EBUSY, "EBUSY"},
              {ENOSPC, "ENOSPC"}, {EAGAIN, "EAGAIN"}, {EPERM, "EPERM"},   {E2BIG, "E2BIG"}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        char want[64];
        error_log_clear(elog);
        add("x", of[i].num, "why");
        snprintf(want, sizeof want, "ctl/fetch %s \"x\" why\n", of[i].name);
        cr_expect_str_eq(only(), want);
    }
}

Test(error_log, the_last_eight_oldest_first)
{
    char line[16];
    for (int i = 0; i < 21; i++) {
        snprintf(line, sizeof line, "line-%d", i);
        add(line, EINVAL, "why");
        const char *p = show();
        for (int k = i < 8 ? 0 : i - 7; k <= i; k++) {
            snprintf(line, sizeof line, "\"line-%d\"", k);
            p = strstr(p, line);
            cr_assert(p, "%s after line-%d: %s", line, i, shown.data);
        }
        size_t lines = 0;
        for (p = shown.data; (p = strchr(p, '\n')); p++)
            lines++;
        cr_assert_eq(lines, i < 8 ? (size_t)i + 1 : 8);
    }
}

Test(error_log, clearing_it)
{
    for (int i = 0; i < 11; i++)
        add("old", EINVAL, "why");
    error_log_clear(elog);
    cr_assert_str_eq(show(), "");
    add("new", EINVAL, "why");
    cr_assert_str_eq(only(), "ctl/fetch EINVAL \"new\" why\n");
    error_log_clear(elog);
    error_log_clear(elog);
    cr_assert_str_eq(show(), "");
}

Test(error_log, credentials_are_masked)
{
    static const struct {
        const char *line, *shown;
    } of[] = {
        {"https://me:secret@h/a x web", "https://user:***@h/a x web"},
        {"https://token@h/a x", "https://user:***@h/a x"},
        {"http://u:p@ss@h/a", "http://user:***@h/a"},
        {"  http://u:p@h/a\tx", "  http://user:***@h/a\\tx"},
        {"ftp://u:p@h/a x", "ftp://user:***@h/a x"},
        /* what was meant for a URL and is none */
        {"u:secret@h/a x", "user:***@h/a x"},
        {"http:/u:secret@h/a x", "user:***@h/a x"},
        {"http:u:s@ecret@h x", "user:***@h x"},
        {" u:secret@h/a x", " user:***@h/a x"},
        /* a password that holds what it may not */
        {"http://u:s/ecret@h/a x", "http://user:***@h/a x"},
        {"http://u:secret?@h/a x", "http://user:***@h/a x"},
        {"http://u:sec ret@h/a x", "http://user:***@h/a x"},
        {"http://u:s e\tcret@h/a x", "http://user:***@h/a x"},
        {"http://u:123 456@h/a x", "http://user:***@h/a x"},
        {"u:sec ret@h/a x", "user:***@h/a x"},
        {" http://to ken@h/a x", " http://user:***@h/a x"},
        {"http:///u:secret@h/a x", "http://user:***@h/a x"},
        /* fields in the wrong order */
        {"web x https://me:secret@h/a", "web x https://user:***@h/a"},
        {"x http://a:b@c http://d:e@f", "x http://user:***@c http://user:***@f"},
        /* none, but who can tell? */
        {"http://h/a@b x", "http://user:***@b x"},
        {"http://h/?m=a@b x", "http://user:***@b x"},
        /* no credentials */
        {"http://h/a x a@b", "http://h/a x a@b"},
        {"http://h:80/a x a@b", "http://h:80/a x a@b"},
        {"web", "web"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        char want[256];
        snprintf(want, sizeof want, "ctl/fetch EINVAL \"%s\" why\n", of[i].shown);
        cr_expect_str_eq(added(of[i].line), want);
    }
}

Test(error_log, the_line_is_escaped_as_c_does)
{
    cr_expect_str_eq(added("a\"b\\c\td\re"), "ctl/fetch EINVAL \"a\\\"b\\\\c\\td\\re\" why\n");
    cr_expect_str_eq(added("\x1b[2J\x7f\xc3\xa9"),
                     "ctl/fetch EINVAL \"\\033[2J\\177\\303\\251\" why\n");
    cr_expect_str_eq(added("a\nb"), "ctl/fetch EINVAL \"a\\nb\" why\n");
}

Test(error_log, a_nul_is_shown_and_ends_nothing)
{
    struct err err = {.num = EINVAL, .text = "why"};
    error_log_add(elog, "ctl/remove", "a\0b@c", 5, &err);
    cr_assert_str_eq(only(), "ctl/remove EINVAL \"user:***@c\" why\n");
    error_log_clear(elog);
    error_log_add(elog, "ctl/remove", "x a\0b", 5, &err);
    cr_assert_str_eq(only(), "ctl/remove EINVAL \"x a\\000b\" why\n");
}

Test(error_log, the_line_need_not_end_in_nul)
{
    static const char no_nul[3] = {'a', 'b', 'c'};
    struct err err = {.num = EINVAL, .text = "why"};
    error_log_add(elog, "ctl/remove", no_nul, sizeof no_nul, &err);
    cr_assert_str_eq(only(), "ctl/remove EINVAL \"abc\" why\n");
}

/* Whatever a process that is named in a reason calls itself. */
Test(error_log, a_reason_forges_no_line)
{
    add("x", EBUSY, "pid 7 (a\n2026-01-01T00:00:00.000Z forged \x1b[2J\xff) sits \"there\"");
    cr_assert_str_eq(only(), "ctl/fetch EBUSY \"x\" pid 7 (a\\n2026-01-01T00:00:00.000Z forged "
                             "\\033[2J\\377) sits \"there\"\n");
}

Test(error_log, long_lines_are_cut)
{
    static char line[70000];
    memset(line, 'x', sizeof line - 1);
    const char *got = added(line);
    size_t x = strspn(strchr(got, '"') + 1, "x");
    cr_assert_eq(x, 512);
    cr_assert_str_eq(strchr(got, '"') + 1 + x, "...\" why\n");
    line[512] = '\0';
    got = added(line);
    cr_assert_str_eq(strchr(got, '"') + 1 + 512, "\" why\n");
}

Test(error_log, a_cut_shows_no_more_of_a_secret)
{
    char line[2000] = "http://u:";
    memset(line + 9, 's', 1000);
    strcpy(line + 1009, "@h/a x");
    cr_assert_str_eq(added(line), "ctl/fetch EINVAL \"http://user:***@h/a x\" why\n");
}

Test(error_log, freeing_none)
{
    error_log_free(NULL);
}
