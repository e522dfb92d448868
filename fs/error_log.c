#include "fs/error_log.h"

#include "base/cleanup.h"
#include "base/lock.h"

#include <string.h>

#define KEPT     8
#define LINE_CUT 512 /* bytes of a refused line that are shown */

struct error_log {
    struct lock lock;  /* guards all below */
    char *lines[KEPT]; /* a ring; NULL: none yet */
    size_t next;
};

struct error_log *error_log_new(void)
{
    struct error_log *log = calloc(1, sizeof *log);
    if (log)
        lock_init(&log->lock, LOCK_ERROR_LOG, "error_log");
    return log;
}

void error_log_clear(struct error_log *log)
{
    LOCK_SCOPE(&log->lock);
    for (size_t i = 0; i < KEPT; i++) {
        free(log->lines[i]);
        log->lines[i] = NULL;
    }
}

void error_log_free(struct error_log *log)
{
    if (!log)
        return;
    error_log_clear(log);
    lock_destroy(&log->lock);
    free(log);
}

/* The first word is meant to be a URL: one with an @ may hold credentials, even where it is none.
 */
static void add_masked_word(struct text *out, bool first, const char *word, size_t len)
{
    const char *at = first ? memrchr(word, '@', len) : NULL;
    if (!at || memmem(word, len, "://", 3)) {
        text_add_masked_url(out, word, len);
    } else {
        text_add(out, "***");
        text_addn(out, at, (size_t)(word + len - at));
    }
}

static void add_line(struct text *out, const char *line, size_t len)
{
    struct text masked CLEANUP_TEXT = {0};
    for (size_t i = 0; i < len;) {
        size_t word = i;
        while (i < len && line[i] != ' ' && line[i] != '\t')
            i++;
        add_masked_word(&masked, word == 0, line + word, i - word);
        for (; i < len && (line[i] == ' ' || line[i] == '\t'); i++)
            text_addn(&masked, &line[i], 1);
    }
    bool cut = masked.len > LINE_CUT;
    text_add(out, "\"");
    text_add_escaped(out, masked.data ? masked.data : "", cut ? LINE_CUT : masked.len);
    text_add(out, cut ? "...\"" : "\"");
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
    if (t.failed) {
        text_free(&t);
        return;
    }
    LOCK_SCOPE(&log->lock);
    free(log->lines[log->next]);
    log->lines[log->next] = t.data;
    log->next = (log->next + 1) % KEPT;
}

void error_log_show(struct error_log *log, struct text *out)
{
    LOCK_SCOPE(&log->lock);
    for (size_t i = 0; i < KEPT; i++) {
        const char *line = log->lines[(log->next + i) % KEPT];
        if (line)
            text_add(out, line);
    }
}
