/* options: the command line, the environment, and the one settings table (settings.def). */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include "backend/backend.h"
#include "base/log.h"

#include <limits.h>

/* The fields of settings.def as their types. */
struct options {
    const char *database, *store, *log_level, *log_format, *policy, *sink, *ctl_group, *helper;
    int64_t downloads, host_downloads, unpacks, queue, max_files, max_file_size, max_total_size,
        max_download_size, connect_timeout, stall_timeout, attempts, retry_delay, retry_max,
        keep_unused, keep_events;
    struct amount min_free;
    bool allow_other;

    const char *mountpoint;
    bool foreground, debug;
    enum { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_PRINT_FSM } action;

    char default_database[PATH_MAX], default_store[PATH_MAX];
    struct options_list *lists; /* copies of what -o was given: values point into them */
};

/* Defaults, then the environment, then the command line. argv's and the environment's strings are
 * borrowed, copies of `-o` lists live as long as the program. Returns 0, or -EINVAL with err naming
 * the setting, what it takes and what it got. */
int options_parse(struct options *o, int argc, char **argv, struct err *err);

/* What the backend is to be opened with; borrows from o. */
void options_backend(const struct options *o, struct backend_config *config);

/* --help's text, made from the table. */
void options_help(struct text *out);

#endif
