#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- error_log: the last refusals, KEPT of them */

#define KEPT 8

static void read_log(const struct storm *s, char log[static STORM_LOG_MAX])
{
    char path[1100];
    snprintf(path, sizeof path, "%s/ctl/error_log", s->mount);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, log, STORM_LOG_MAX - 1);
    if (fd >= 0)
        close(fd);
    log[n < 0 ? 0 : n] = '\0';
}

void judge_begin(struct worker *w)
{
    read_log(w->storm, w->log);
}

static size_t line_len(const char *log)
{
    return strcspn(log, "\n") + 1;
}

static bool has_line(const char *log, const char *line)
{
    for (; *log; log += line_len(log))
        if (line_len(log) == line_len(line) && strncmp(log, line, line_len(line)) == 0)
            return true;
    return false;
}

/* Why a line may be refused so; the last word on it is the caller's. */
static void put_reason(const struct storm *s, char *out, size_t size, const char *line, int error)
{
    line += strspn(line, " ");
    if (error == EAGAIN)
        snprintf(out, size, "the queue is full (queue=%u images under way)", s->queue);
    else if (error == EINVAL)
        snprintf(out, size, "SHA-256");
    else if (error == ENOENT)
        snprintf(out, size, "no image is named %s\n", line);
    else
        snprintf(out, size, "%s is ", line);
}

static bool is_ours(const char *entry, const char *begin, const char *reason)
{
    char line[2048];
    size_t n = line_len(entry) < sizeof line ? line_len(entry) : sizeof line - 1;
    memcpy(line, entry, n);
    line[n] = '\0';
    const char *at = strstr(line, begin);
    return at && at == strchr(line, ' ') && strstr(at + strlen(begin), reason);
}

/* Its line is there; or so many others have come behind it that not one is left of those from
 * before it. */
void judge_refusal(struct worker *w, const char *file, const char *text, int error)
{
    char log[STORM_LOG_MAX], line[512], begin[700], reason[600];
    const char *last = text;
    for (const char *p = text; *p; p += line_len(p))
        last = p;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(last, "\n"), last);
    snprintf(begin, sizeof begin, " ctl/%s %s \"%s\" ", file, strerrorname_np(error), line);
    put_reason(w->storm, reason, sizeof reason, line, error);
    read_log(w->storm, log);
    unsigned count = 0, old = 0;
    for (const char *p = log; *p; p += line_len(p), count++) {
        bool before = has_line(w->log, p);
        if (!before && is_ours(p, begin, reason)) {
            w->logged++;
            return;
        }
        old += before;
    }
    if ((count < KEPT || old > 0) && !w->storm->gone && *log)
        storm_fail("error_log has no line `TIME%s...%s...`; it was\n%sand is\n%s", begin, reason,
                   w->log, log);
    w->displaced++;
}

/* --- the queue: others change it meanwhile, so there are bounds of what it held */

/* Before a call that may add to it, or take from it. */
void judge_asks(struct worker *w, bool adds)
{
    struct storm *s = w->storm;
    w->gone_before = s->refused + s->dropped;
    w->accepted_before = s->accepted;
    if (adds)
        s->asked++;
    else
        s->dropping++;
}

void judge_answer(struct worker *w, bool adds, int error)
{
    struct storm *s = w->storm;
    if (!adds) {
        s->dropped += error == 0;
        return;
    }
    if (error) {
        long most = s->asked - w->gone_before + (long)s->few;
        if (error == EAGAIN && most < (long)s->queue)
            storm_fail("refused as the queue was full, with %ld of %u at most", most, s->queue);
        s->refused++;
        return;
    }
    s->accepted++;
    long least = s->accepted - s->dropping;
    for (long seen = s->fullest; seen < least;)
        if (atomic_compare_exchange_weak(&s->fullest, &seen, least))
            break;
}

void judge_taken(struct worker *w)
{
    long least = w->accepted_before - w->storm->dropping;
    if (least >= (long)w->storm->queue)
        storm_fail("a line was taken with %ld queued, and room for %u", least, w->storm->queue);
}
