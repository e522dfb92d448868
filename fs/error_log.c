#include "fs/error_log.h"

#include "base/cleanup.h"
#include "base/lock.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define KEPT     8
#define LINE_CUT 512 /* bytes of a refused line that are shown */

struct error_log {
    struct lock lock;  /* guards all below */
    char *lines[KEPT]; /* a ring; NULL: none yet */
    size_t next;
    int64_t changed; /* ms since 1970 */
    int64_t refusals[METRICS_REFUSALS];
};

struct error_log *error_log_new(void)
{
    struct error_log *log = calloc(1, sizeof *log);
    if (log)
        lock_init(&log->lock, LOCK_ERROR_LOG, "error_log");
    if (log)
        log->changed = text_now_ms();
    return log;
}

void error_log_clear(struct error_log *log)
{
    LOCK_SCOPE(&log->lock);
    for (size_t i = 0; i < KEPT; i++) {
        free(log->lines[i]);
        log->lines[i] = NULL;
    }
    log->changed = text_now_ms();
}

void error_log_free(struct error_log *log)
{
    if (!log)
        return;
    error_log_clear(log);
    lock_destroy(&log->lock);
    free(log);
}

/* Whatever stands before the last @ of a URL may be credentials, also where it is none: where the
 * password holds what a URL's may not, or the scheme is missing. */
static void add_masked_word(struct text *out, const char *word, size_t len, bool first)
{
    const char *at = memrchr(word, '@', len), *sep = memmem(word, len, "://", 3);
    if (!at || (!first && !sep)) {
        text_addn(out, word, len);
        return;
    }
    if (sep && sep < at)
        text_addn(out, word, (size_t)(sep + 3 - word));
    text_add(out, "user:***");
    text_addn(out, at, (size_t)(word + len - at));
}

static size_t span_of(const char *line, size_t len, bool blank)
{
    size_t n = 0;
    while (n < len && (line[n] == ' ' || line[n] == '\t') == blank)
        n++;
    return n;
}

/* The bytes of the line's beginning that are one URL whose password holds blanks: up to its host,
 * if what comes before the first blank has a port that is none, or what follows an @ and no scheme.
 * 0: it is not so. */
static size_t torn_url(const char *line, size_t len)
{
    size_t from = span_of(line, len, true), first = span_of(line + from, len - from, false);
    size_t next = from + first + span_of(line + from + first, len - from - first, true);
    size_t second = span_of(line + next, len - next, false);
    const char *word = line + from, *sep = memmem(word, first, "://", 3);
    const char *last = memrchr(line, '@', len), *host = sep ? sep + 3 : word;
    if (!last || memchr(word, '@', first))
        return 0;
    const char *port = memchr(host, ':', (size_t)(word + first - host));
    bool bad_port = port && port + 1 < word + first && !isdigit((unsigned char)port[1]);
    bool at_follows = memchr(line + next, '@', second) && !memmem(line + next, second, "://", 3);
    return bad_port || at_follows ? (size_t)(last - line) + 1 : 0;
}

static void add_line(struct text *out, const char *line, size_t len)
{
    struct text masked CLEANUP_TEXT = {0};
    size_t at = torn_url(line, len), words = at ? 1 : 0;
    text_add(&masked, "");
    if (at)
        add_masked_word(&masked, line, at, true);
    while (at < len) {
        size_t blank = span_of(line + at, len - at, true);
        size_t word = span_of(line + at + blank, len - at - blank, false);
        text_addn(&masked, line + at, blank);
        add_masked_word(&masked, line + at + blank, word, words++ == 0);
        at += blank + word;
    }
    bool cut = masked.len > LINE_CUT;
    text_add(out, "\"");
    if (!masked.failed)
        text_add_escaped(out, masked.data, cut ? LINE_CUT : masked.len);
    text_add(out, cut ? "...\"" : "\"");
}

static size_t refusal_of(int num)
{
    static const int errnos[] = {
#define REFUSAL(errno_) [METRICS_REFUSAL_##errno_] = errno_,
#include "backend/metrics.def"
#undef REFUSAL
    };
    size_t i = 0;
    while (i < METRICS_REFUSAL_OTHER && errnos[i] != num)
        i++;
    return i;
}

static void keep(struct error_log *log, char *line)
{
    free(log->lines[log->next]);
    log->lines[log->next] = line;
    log->next = (log->next + 1) % KEPT;
    log->changed = text_now_ms();
}

void error_log_add(struct error_log *log, const char *file, const char *line, size_t len,
                   const struct err *err)
{
    struct text t = {0};
    char when[TEXT_TIME_MAX];
    const char *name = strerrorname_np(err->num);
    text_addf(&t, "%s %s %s ", text_time(text_now_ms(), when), file, name ? name : "EIO");
    add_line(&t, line, len);
    text_add(&t, " ");
    text_add_printable(&t, err->text); /* it may quote a process' name */
    text_add(&t, "\n");
    LOCK_SCOPE(&log->lock);
    log->refusals[refusal_of(err->num)]++;
    if (t.failed)
        text_free(&t);
    else
        keep(log, t.data);
}

void error_log_refusals(struct error_log *log, int64_t counts[METRICS_REFUSALS])
{
    LOCK_SCOPE(&log->lock);
    memcpy(counts, log->refusals, sizeof log->refusals);
}

int64_t error_log_show(struct error_log *log, struct text *out)
{
    LOCK_SCOPE(&log->lock);
    for (size_t i = 0; i < KEPT; i++) {
        const char *line = log->lines[(log->next + i) % KEPT];
        if (line)
            text_add(out, line);
    }
    return log->changed;
}
