#include "base/log.h"

#include "base/cleanup.h"
#include "base/lock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = {"error", "warn", "info", "debug"};

static void write_stderr(const struct log_line *line);

static _Atomic enum log_level threshold = LOG_LEVEL_INFO;
static int64_t threshold_set;                                      /* when; under the lock */
static void (*writer)(const struct log_line *line) = write_stderr; /* fixed once threads run */
static struct lock lock = LOCK_INIT(LOCK_LOG);                     /* one line at a time */

/* --- levels */

bool log_parse_level(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(word, words[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

const char *log_level_word(enum log_level level)
{
    return words[level];
}

void log_set_level(enum log_level level)
{
    LOCK_SCOPE(&lock);
    atomic_store(&threshold, level);
    threshold_set = text_now_ms();
}

enum log_level log_get_level(int64_t *since)
{
    LOCK_SCOPE(&lock);
    *since = threshold_set;
    return atomic_load(&threshold);
}

/* --- lines */

void log_add_plain(struct text *out, const char *s)
{
    while (*s) {
        bool c1 = (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] >= 0x80 &&
                  (unsigned char)s[1] <= 0x9f; /* in UTF-8 */
        size_t n = c1 ? 2 : 1;
        (c1 || (unsigned char)*s < 0x20 || *s == 0x7f ? text_add_escaped : text_addn)(out, s, n);
        s += n;
    }
}

void log_add_fields(struct text *out, const struct log_line *line)
{
    if (line->image) {
        text_add(out, "image=");
        log_add_plain(out, line->image);
        text_add(out, " ");
    }
    if (line->code != ERR_NONE)
        text_addf(out, "code=%s ", err_word(line->code));
    log_add_plain(out, line->message);
}

void log_add_text(struct text *out, const struct log_line *line)
{
    char when[TEXT_TIME_MAX];
    text_addf(out, "%s %-5s ", text_time(line->time, when), words[line->level]);
    log_add_fields(out, line);
}

static void write_stderr(const struct log_line *line)
{
    struct text text CLEANUP_TEXT = {0};
    log_add_text(&text, line);
    if (!text.failed)
        fprintf(stderr, "%s\n", text.data);
}

void log_set_writer(void (*write)(const struct log_line *line))
{
    writer = write ? write : write_stderr;
}

void log_write(enum log_level level, const char *image, enum err_code code, const char *fmt, ...)
{
    if (level > atomic_load(&threshold))
        return;
    char message[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    const struct log_line line = {level, text_now_ms(), image, code, message};
    LOCK_SCOPE(&lock);
    writer(&line);
}
