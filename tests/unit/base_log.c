#include "base/log.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char out[8192];

/* What log_write put on the standard error. */
#define LOGGED(...)                                                                                \
    ({                                                                                             \
        FILE *f_ = tmpfile();                                                                      \
        int saved_ = dup(STDERR_FILENO);                                                           \
        dup2(fileno(f_), STDERR_FILENO);                                                           \
        log_write(__VA_ARGS__);                                                                    \
        fflush(stderr);                                                                            \
        dup2(saved_, STDERR_FILENO);                                                               \
        close(saved_);                                                                             \
        rewind(f_);                                                                                \
        out[fread(out, 1, sizeof out - 1, f_)] = '\0';                                             \
        fclose(f_);                                                                                \
        out;                                                                                       \
    })

static bool matches(const char *s, const char *pattern)
{
    regex_t re;
    cr_assert_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool yes = regexec(&re, s, 0, NULL, 0) == 0;
    regfree(&re);
    return yes;
}

#define TIME "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z "

Test(log, one_line_an_event)
{
    cr_assert(matches(LOGGED(LOG_LEVEL_WARN, "web", ERR_NONE, "took %d ms", 5),
                      TIME "warn  image=web took 5 ms\n$"),
              "%s", out);
    cr_assert(
        matches(LOGGED(LOG_LEVEL_ERROR, NULL, ERR_NONE, "no image"), TIME "error no image\n$"),
        "%s", out);
}

Test(log, a_failure_has_its_code)
{
    cr_assert(matches(LOGGED(LOG_LEVEL_WARN, "web", ERR_HTTP_STATUS, "404"),
                      TIME "warn  image=web code=http-status 404\n$"),
              "%s", out);
}

static struct log_line taken;

static void take(const struct log_line *line)
{
    taken = *line;
    taken.message = strdup(line->message);
}

Test(log, a_writer_gets_it_as_it_came)
{
    log_set_writer(take);
    cr_assert_str_eq(LOGGED(LOG_LEVEL_INFO, "web", ERR_IO, "a\n\xff%d", 1), "");
    cr_assert_str_eq(taken.message, "a\n\xff"
                                    "1");
    cr_assert_str_eq(taken.image, "web");
    cr_assert_eq(taken.level, LOG_LEVEL_INFO);
    cr_assert_eq(taken.code, ERR_IO);
    cr_assert_leq(text_now_ms() - taken.time, 60000);
    log_set_writer(NULL);
    cr_assert_neq(strlen(LOGGED(LOG_LEVEL_INFO, NULL, ERR_NONE, "x")), 0);
    free((char *)taken.message);
}

Test(log, no_text_forges_a_line)
{
    LOGGED(LOG_LEVEL_ERROR, NULL, ERR_NONE, "a%sb",
           "\n2026-01-01T00:00:00.000Z error forged\r\x1b[2J\x7f\t");
    cr_assert_eq(strchr(out, '\n'), out + strlen(out) - 1);
    cr_assert(strstr(out, "a\\n2026-01-01T00:00:00.000Z error forged\\r\\033[2J\\177\\tb\n"), "%s",
              out);
}

Test(log, no_name_forges_a_line)
{
    LOGGED(LOG_LEVEL_ERROR, "web\nforged\x1b", ERR_NONE, "x");
    cr_assert(strstr(out, "image=web\\nforged\\033 x\n"), "%s", out);
}

Test(log, no_text_drives_a_terminal)
{
    cr_assert(strstr(LOGGED(LOG_LEVEL_ERROR, NULL, ERR_NONE,
                            "a\xc2\x9b"
                            "2J\xc2\xa0\xc2"),
                     "a\\302\\2332J\xc2\xa0\xc2\n"),
              "%s", out);
}

Test(log, utf8_stays_as_it_is)
{
    cr_assert(strstr(LOGGED(LOG_LEVEL_ERROR, NULL, ERR_NONE, "/srv/bücher"), "/srv/bücher\n"), "%s",
              out);
}

Test(log, long_messages_are_cut)
{
    static char text[6000];
    memset(text, 'x', sizeof text - 1);
    LOGGED(LOG_LEVEL_ERROR, NULL, ERR_NONE, "%s", text);
    cr_assert(strlen(out) > 2000 && strlen(out) < 2200);
    cr_assert_eq(out[strlen(out) - 1], '\n');
}

Test(log, the_level_decides)
{
    cr_assert_str_eq(LOGGED(LOG_LEVEL_DEBUG, NULL, ERR_NONE, "x"), "");
    log_set_level(LOG_LEVEL_DEBUG);
    cr_assert_neq(strlen(LOGGED(LOG_LEVEL_DEBUG, NULL, ERR_NONE, "x")), 0);
    log_set_level(LOG_LEVEL_ERROR);
    cr_assert_str_eq(LOGGED(LOG_LEVEL_WARN, NULL, ERR_NONE, "x"), "");
}

Test(log, the_level_and_its_time_can_be_asked_for)
{
    int64_t since = -1, before = text_now_ms();
    cr_assert_eq(log_get_level(&since), LOG_LEVEL_INFO);
    cr_assert_eq(since, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    cr_assert_eq(log_get_level(&since), LOG_LEVEL_DEBUG);
    cr_assert(since >= before && since <= text_now_ms());
    cr_assert_str_eq(log_level_word(LOG_LEVEL_DEBUG), "debug");
}

Test(log, level_words)
{
    enum log_level l;
    cr_assert(log_parse_level("error", &l) && l == LOG_LEVEL_ERROR);
    cr_assert(log_parse_level("warn", &l) && l == LOG_LEVEL_WARN);
    cr_assert(log_parse_level("info", &l) && l == LOG_LEVEL_INFO);
    cr_assert(log_parse_level("debug", &l) && l == LOG_LEVEL_DEBUG);
    cr_assert_not(log_parse_level("", &l));
    cr_assert_not(log_parse_level("Info", &l));
    cr_assert_not(log_parse_level("trace", &l));
}
