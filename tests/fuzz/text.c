/* What turns foreign bytes into something to be shown: escapes, masked URLs, log lines, sizes. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "fs/error_log.h"
#include "stages/unpack/entry.h"

#include <string.h>

static uint8_t unescape(const char **p)
{
    static const char named[] = "n\nt\tr\r\"\"\\\\";
    const char *at = *p;
    if (*at != '\\') {
        *p += 1;
        return (uint8_t)*at;
    }
    for (const char *n = named; *n; n += 2)
        if (at[1] == *n) {
            *p += 2;
            return (uint8_t)n[1];
        }
    *p += 4;
    return (uint8_t)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
}

/* What is shown can be read back, and is one line. */
static void check_escaped(const uint8_t *data, size_t size)
{
    struct text t CLEANUP_TEXT = {0};
    text_add_escaped(&t, (const char *)data, size);
    const char *p = t.data ? t.data : "";
    FUZZ_MUST(!t.failed && fuzz_printable(p));
    for (size_t i = 0; i < size; i++) {
        FUZZ_MUST(p < t.data + t.len);
        FUZZ_MUST(unescape(&p) == data[i]);
    }
    FUZZ_MUST(*p == '\0');
}

static void check_shown(const char *s, size_t size)
{
    char shown[ENTRY_SHOWN_MAX];
    struct text t CLEANUP_TEXT = {0};
    text_add_printable(&t, s);
    FUZZ_MUST(!t.data || fuzz_printable(t.data));
    FUZZ_MUST(fuzz_printable(entry_shown(s, size, shown)) && strlen(shown) < sizeof shown);
}

/* One line, whatever it says, and no control character in it. */
static void check_log(const char *s)
{
    char *line = NULL;
    size_t n = 0;
    FILE *saved = stderr, *stream = open_memstream(&line, &n);
    FUZZ_MUST(stream);
    stderr = stream;
    log_warn(s, "%s", s);
    stderr = saved;
    fclose(stream);
    FUZZ_MUST(n > 0 && line[n - 1] == '\n');
    for (size_t i = 0; i < n - 1; i++)
        FUZZ_MUST((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    free(line);
}

/* A refused write, one line of it, with credentials that nobody sees. */
static void check_error_log(const char *s, size_t size)
{
    struct text line CLEANUP_TEXT = {0};
    struct text shown CLEANUP_TEXT = {0};
    struct err err = {0};
    struct error_log *log = error_log_new();
    FUZZ_MUST(log);
    text_add(&line, "http://canary:s3cret1@");
    text_addn(&line, s, size);
    err_set(&err, ERR_INTERNAL, 22, "%s", s);
    error_log_add(log, "ctl/fetch", line.data, line.len, &err);
    error_log_show(log, &shown);
    error_log_free(log);
    FUZZ_MUST(shown.len > 0 && shown.data[shown.len - 1] == '\n');
    shown.data[shown.len - 1] = '\0';
    FUZZ_MUST(fuzz_printable(shown.data));
    FUZZ_MUST(!strstr(shown.data, "s3cret1") || memmem(s, size, "s3cret1", 7));
}

static void check_numbers(const char *s)
{
    int64_t n = 0;
    struct amount amount = {0};
    char time[TEXT_TIME_MAX];
    if (text_parse_size(s, &n))
        FUZZ_MUST(n >= 0);
    if (text_parse_duration(s, &n))
        FUZZ_MUST(n >= 0);
    if (text_parse_amount(s, &amount))
        FUZZ_MUST(amount.bytes >= 0 && amount.percent >= 0 && amount.percent <= 100);
    FUZZ_MUST(strlen(text_time(n, time)) < sizeof time);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s CLEANUP_FREE = fuzz_string(data, size);
    struct err err = {0};
    check_escaped(data, size);
    check_shown(s, size);
    check_log(s);
    check_error_log(s, size);
    check_numbers(s);
    err_set(&err, err_code_of(s), 5, "%s", s);
    err_context(&err, "%s", s);
    FUZZ_MUST(strlen(err.text) < sizeof err.text);
    return 0;
}
