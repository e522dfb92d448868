#include "stages/snapshot/elsewhere.h"

#include "base/cleanup.h"
#include "stages/snapshot/mountinfo.h"
#include "stages/snapshot/processes.h"

#include <limits.h>
#include <string.h>

#define COPIES_MAX 16 /* of one mount in one namespace that are looked at */

struct ours {
    const char *point;
    dev_t dev;
    int id;            /* tells it from its copies: others' namespaces have no name for us */
    int parent, group; /* the mount that it is on, and that one's peers; 0: none */
};

static bool is_at(void *ctx, const struct mountinfo *m)
{
    struct ours *o = ctx;
    if (strcmp(m->point, o->point) == 0) { /* the last one is on top */
        o->dev = m->dev;
        o->id = m->id;
        o->parent = m->parent;
    }
    return false;
}

static bool is_parent(void *ctx, const struct mountinfo *m)
{
    struct ours *o = ctx;
    if (m->id != o->parent)
        return false;
    o->group = mountinfo_group(m, "shared");
    return true;
}

/* Of one namespace. */
struct copies {
    const struct ours *ours;
    int parents[COPIES_MAX], count;
    char point[PATH_MAX];
};

static bool is_copy(void *ctx, const struct mountinfo *m)
{
    struct copies *c = ctx;
    if (m->dev != c->ours->dev || m->id == c->ours->id)
        return false;
    snprintf(c->point, sizeof c->point, "%s", m->point);
    c->parents[c->count++] = m->parent;
    return c->count == COPIES_MAX;
}

/* What happens on ours happens on its peers, and on those that follow them. */
static bool is_follower(void *ctx, const struct mountinfo *m)
{
    struct copies *c = ctx;
    int group = c->ours->group;
    if (!group || (mountinfo_group(m, "shared") != group && mountinfo_group(m, "master") != group))
        return false;
    for (int i = 0; i < c->count; i++)
        if (c->parents[i] == m->id)
            c->parents[i--] = c->parents[--c->count];
    return c->count == 0;
}

struct search {
    const struct ours *ours;
    struct processes_seen seen;
    char *why;
};

static bool keeps(void *ctx, pid_t pid)
{
    struct search *s = ctx;
    struct copies c = {.ours = s->ours};
    char path[64], who[PROCESSES_TEXT_MAX];
    if (processes_is_helper(pid) || !processes_is_new(&s->seen, pid))
        return false;
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    if (mountinfo_each(path, is_copy, &c) < 0 || c.count == 0 ||
        mountinfo_each(path, is_follower, &c) < 0 || c.count == 0)
        return false;
    processes_describe(pid, who);
    snprintf(s->why, HOLDER_TEXT_MAX, "%s sees it at %.300s", who, c.point);
    return true;
}

bool elsewhere_kept(const char *point, char why[static HOLDER_TEXT_MAX])
{
    struct ours o = {.point = point};
    struct search s = {.ours = &o, .why = why};
    mountinfo_each("/proc/self/mountinfo", is_at, &o);
    mountinfo_each("/proc/self/mountinfo", is_parent, &o);
    (void)processes_is_new(&s.seen, getpid());
    return o.dev && processes_each(keeps, &s);
}
