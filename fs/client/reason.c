#include "fs/client/reason.h"

#include "base/text.h"
#include "fs/client/outcome.h"

#include <stdbool.h>
#include <string.h>

/* A control file is known by its name alone. */
static bool is_file(const char *field, const char *file)
{
    const char *base = strchr(file, '/') ? NULL : strrchr(field, '/');
    return strcmp(base ? base + 1 : field, file) == 0;
}

/* The reason in `TIME FILE ERRNO "the line" reason`, if the line is about that refusal: its file,
 * its errno, and `subject` (the image) in what was written. In place. */
static const char *reason_of(char *line, const char *file, int num, const char *subject)
{
    char *save, *field = strtok_r(line, " ", &save);
    const char *where = strtok_r(NULL, " ", &save), *name = strtok_r(NULL, " ", &save);
    if (!field || !where || !name || strcmp(name, strerrorname_np(num)) != 0)
        return NULL;
    if (!is_file(where, file) || *save != '"')
        return NULL;
    char *end = save + 1;
    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return NULL;
    *end++ = '\0';
    return strstr(save + 1, subject) ? end + strspn(end, " ") : NULL;
}

/* Others are refused too: the newest line that is ours, the last that the log holds first. */
void reason_add(const struct tree *tree, const char *file, const char *line, int num,
                struct err *err)
{
    struct text log CLEANUP_TEXT = {0};
    if (tree_read(tree, "ctl/error_log", &log, NULL) < 0)
        return;
    const char *space = strrchr(line, ' '), *subject = space ? space + 1 : line;
    for (char *last = log.data + log.len; last;) {
        *last = '\0';
        last = strrchr(log.data, '\n');
        const char *why = reason_of(last ? last + 1 : log.data, file, num, subject);
        if (why && *why) {
            err_set(err, ERR_NONE, num, "%s: %s", outcome_word(-num), why);
            return;
        }
    }
}
