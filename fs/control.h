/* control: the bytes of one write(2) to a control file, as a command. Pure; any thread. */
#ifndef FS_CONTROL_H
#define FS_CONTROL_H

#include "backend/backend.h"
#include "base/log.h"

#define CONTROL_WRITE_MAX (64 * 1024) /* bytes of one write */

enum control_file {
    CONTROL_NONE,
    CONTROL_FETCH,
    CONTROL_REMOVE,
    CONTROL_CANCEL,
    CONTROL_RETRY,
    CONTROL_ACTIVATE,
    CONTROL_DEACTIVATE,
    CONTROL_RESET,
    CONTROL_CLEANUP,
    CONTROL_LOG_LEVEL,
    CONTROL_ERROR_LOG,
};

struct control {
    struct backend_command command; /* borrows from what follows */
    enum log_level level;           /* of LOG_LEVEL, which is no command */
    char *bytes;                    /* the write, cut up */
    struct backend_fetch *fetches;
    /* The refused line within the write, or the first one. */
    size_t line_at, line_len;
    /* Where each line of FETCH stands in the write. */
    struct control_span {
        size_t at, len;
    } * spans;
};

/* 0, or -EINVAL or -E2BIG with err and the refused line set. Free it in either case. */
int control_parse(struct control *c, enum control_file file, const char *bytes, size_t len,
                  struct err *err);
void control_free(struct control *c);

/* Does the write end in the middle of a line? What follows it then is not to be trusted. */
bool control_is_torn(const char *bytes, size_t len);

#endif
