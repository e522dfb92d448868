#include "base/log.h"

#include "base/lock.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static const char *const names[] = {"error", "warn", "info", "debug"};
static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static enum log_level threshold = LOG_LEVEL_INFO; /* read-only once threads run */
static bool syslogging;                           /* likewise */
static struct lock lock = LOCK_INIT(LOCK_LOG);    /* one line at a time */

bool log_parse_level(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

void log_to_syslog(const char *ident)
{
    openlog(ident, LOG_PID, LOG_DAEMON);
    syslogging = true;
}

static void add_printable(struct text *line, const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            text_add_escaped(line, s, 1);
        else
            text_addn(line, s, 1);
    }
}

void log_write(enum log_level level, const char *image, const char *fmt, ...)
{
    if (level > threshold)
        return;
    char message[2048], when[TEXT_TIME_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);

    struct text line CLEANUP_TEXT = {0};
    if (!syslogging)
        text_addf(&line, "%s %-5s ", text_time(text_now_ms(), when), names[level]);
    if (image) {
        text_add(&line, "image=");
        add_printable(&line, image);
        text_add(&line, " ");
    }
    add_printable(&line, message);
    LOCK_SCOPE(&lock);
    if (line.failed)
        return;
    if (syslogging)
        syslog(priorities[level], "%s", line.data);
    else
        fprintf(stderr, "%s\n", line.data);
}
