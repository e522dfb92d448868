/* log: one line an event: `TIME LEVEL [image=NAME] message`. Any thread.
 *
 * Library layers log at debug only; the engine logs each failure once. Lines go to the log's
 * stream, or to syslog once log_to_syslog() was called. Control characters are escaped here, so
 * that no name or server text can forge a line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error" "warn" "info" "debug"; false for other words. */
bool log_parse_level(const char *word, enum log_level *level);

void log_set_level(enum log_level level); /* before threads start */
void log_to_syslog(const char *ident);    /* before threads start */

/* image may be NULL. */
void log_write(enum log_level level, const char *image, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(image, ...) log_write(LOG_LEVEL_ERROR, image, __VA_ARGS__)
#define log_warn(image, ...)  log_write(LOG_LEVEL_WARN, image, __VA_ARGS__)
#define log_info(image, ...)  log_write(LOG_LEVEL_INFO, image, __VA_ARGS__)
#define log_debug(image, ...) log_write(LOG_LEVEL_DEBUG, image, __VA_ARGS__)

#endif
