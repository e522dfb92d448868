#include "storm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Between two calls of one reader: it is to look all the time, not to take the machine. */
#define PAUSE_US 200

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void read_file(struct worker *w, enum call call, const char *path)
{
    char buf[8192];
    int64_t begun = latency_now();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf);
    if (fd >= 0)
        close(fd);
    if (fd < 0)
        return;
    latency_add(&w->calls[call], begun);
    if (n > 0 && buf[n - 1] != '\n' && n < (ssize_t)sizeof buf)
        storm_fail("%s does not end in a newline", path);
}

static void random_name(struct worker *w, char name[static STORM_NAME_MAX])
{
    const struct storm *s = w->storm;
    if (s->few && rand_r(&w->random) % 8 == 0)
        snprintf(name, STORM_NAME_MAX, "few-%u", (unsigned)rand_r(&w->random) % s->few);
    else
        storm_name(name, (unsigned)rand_r(&w->random) % s->writers,
                   (unsigned)rand_r(&w->random) % s->lines);
}

static void read_image(struct worker *w)
{
    static const char *const files[] = {"state", "progress", "error", "info"};
    char name[STORM_NAME_MAX], path[1200];
    random_name(w, name);
    snprintf(path, sizeof path, "%s/images/%s/%s", w->storm->mount, name,
             files[(unsigned)rand_r(&w->random) % COUNT(files)]);
    read_file(w, CALL_READ, path);
}

static void read_other(struct worker *w)
{
    static const char *const files[] = {
        "README",      "version",       "health",         "metrics",    "events",
        "ctl/cleanup", "ctl/error_log", "ctl/fetch",      "ctl/remove", "ctl/cancel",
        "ctl/retry",   "ctl/activate",  "ctl/deactivate", "ctl/reset",  "ctl/log_level"};
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", w->storm->mount,
             files[(unsigned)rand_r(&w->random) % COUNT(files)]);
    read_file(w, CALL_READ_OTHER, path);
}

static void look_up(struct worker *w)
{
    char name[STORM_NAME_MAX], path[1200];
    struct stat st;
    random_name(w, name);
    snprintf(path, sizeof path, "%s/images/%s", w->storm->mount, name);
    int64_t begun = latency_now();
    int r = stat(path, &st);
    latency_add(&w->calls[r < 0 ? CALL_MISS : CALL_STAT], begun);
}

/* Call by call: each is one that a user waits for. */
static void list(struct worker *w, const char *folder)
{
    char path[1200], buf[32768];
    snprintf(path, sizeof path, "%s/%s", w->storm->mount, folder);
    int64_t begun = latency_now();
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    latency_add(&w->calls[CALL_OPENDIR], begun);
    for (long n = 1; n > 0;) {
        begun = latency_now();
        n = syscall(SYS_getdents64, fd, buf, sizeof buf);
        latency_add(&w->calls[CALL_GETDENTS], begun);
    }
    close(fd);
}

void *storm_read(void *arg)
{
    struct worker *w = arg;
    for (unsigned i = 0; !w->storm->over && !w->storm->gone; i++) {
        read_image(w);
        look_up(w);
        if (i % 4 == 0)
            read_other(w);
        if (i % 100 == 0)
            list(w, "images");
        if (i % 100 == 50)
            list(w, "ctl");
        usleep(PAUSE_US);
    }
    return NULL;
}
