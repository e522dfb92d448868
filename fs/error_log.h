/* error_log: the last refused writes, for ctl/error_log. Any thread. */
#ifndef FS_ERROR_LOG_H
#define FS_ERROR_LOG_H

#include "backend/metrics.h"
#include "base/err.h"
#include "base/text.h"

struct error_log;

struct error_log *error_log_new(void); /* NULL: out of memory */
void error_log_free(struct error_log *log);

/* `TIME FILE ERRNO "the line, C-escaped" reason`, with credentials masked and long lines cut.
 * line need not end in NUL. */
void error_log_add(struct error_log *log, const char *file, const char *line, size_t len,
                   const struct err *err);
/* Returns when it last changed, ms since 1970. */
int64_t error_log_show(struct error_log *log, struct text *out);
/* How many there were of each of the REFUSALs of backend/metrics.def, cleared ones included. */
void error_log_refusals(struct error_log *log, int64_t counts[METRICS_REFUSALS]);
void error_log_clear(struct error_log *log);

#endif
