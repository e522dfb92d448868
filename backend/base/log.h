/* log: one line an event, with the image that it is about. Any thread.
 *
 * Library layers log at debug only; the engine logs each failure once, with its code. Lines are
 * text on the standard error until log_set_writer() gives them to someone else. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/text.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error" "warn" "info" "debug"; false for other words. */
bool log_parse_level(const char *word, enum log_level *level);
const char *log_level_word(enum log_level level);

/* What is logged from now on: that level and those above. Any thread, at any time. */
void log_set_level(enum log_level level);
/* The level, and when it was set (ms since 1970; 0: never). */
enum log_level log_get_level(int64_t *since);

struct log_line {
    enum log_level level;
    int64_t time;        /* ms since 1970 */
    const char *image;   /* or NULL */
    enum err_code code;  /* or ERR_NONE */
    const char *message; /* as it came: it may quote anything */
};

/* Where lines go, one at a time; NULL: text on the standard error. Before threads start. */
void log_set_writer(void (*write)(const struct log_line *line));

/* Adds s with control characters escaped, those of U+0080 to U+009F too, so that no name or
 * server's text can forge a line or drive a terminal. */
void log_add_plain(struct text *out, const char *s);

/* Adds `[image=NAME ][code=WORD ]message`, in that way. */
void log_add_fields(struct text *out, const struct log_line *line);

/* Adds `TIME LEVEL ` and the fields. */
void log_add_text(struct text *out, const struct log_line *line);

/* image may be NULL, code ERR_NONE. */
void log_write(enum log_level level, const char *image, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#define log_error(image, ...) log_write(LOG_LEVEL_ERROR, image, ERR_NONE, __VA_ARGS__)
#define log_warn(image, ...)  log_write(LOG_LEVEL_WARN, image, ERR_NONE, __VA_ARGS__)
#define log_info(image, ...)  log_write(LOG_LEVEL_INFO, image, ERR_NONE, __VA_ARGS__)
#define log_debug(image, ...) log_write(LOG_LEVEL_DEBUG, image, ERR_NONE, __VA_ARGS__)

/* A warning with an err's code. */
#define log_failure(image, err, ...) log_write(LOG_LEVEL_WARN, image, (err)->code, __VA_ARGS__)

#endif
