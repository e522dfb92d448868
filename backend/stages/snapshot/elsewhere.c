#include "stages/snapshot/elsewhere.h"

#include "base/cleanup.h"
#include "stages/snapshot/mountinfo.h"
#include "stages/snapshot/processes.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE_MAX (2 * PATH_MAX)

struct ours {
    const char *point;
    dev_t dev;
    int id;                /* tells it from its copies: others' namespaces have no name for us */
    int parent, group;     /* the mount that it is on, and that one's peers; 0: none */
    char place[PLACE_MAX]; /* where on the parent's file system */
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

/* Of what is mounted at `point`, on the parent, the place on that one's file system: it is the same
 * in all namespaces, wherever they have that. */
static void place_on(const struct mountinfo *parent, const char *point,
                     char place[static PLACE_MAX])
{
    const char *root = strcmp(parent->root, "/") == 0 ? "" : parent->root;
    size_t above = strcmp(parent->point, "/") == 0 ? 0 : strlen(parent->point);
    snprintf(place, PLACE_MAX, "%s%s", root, strlen(point) > above ? point + above : "");
}

static bool is_parent(void *ctx, const struct mountinfo *m)
{
    struct ours *o = ctx;
    if (m->id != o->parent)
        return false;
    o->group = mountinfo_group(m, "shared");
    place_on(m, o->point, o->place);
    return true;
}

/* One of its namespace's mounts. */
struct copy {
    const struct ours *ours;
    const struct mountinfo *mount;
};

/* What happens on ours happens on its peers, and on those that follow them, at the same place. */
static bool takes_away(void *ctx, const struct mountinfo *m)
{
    const struct copy *c = ctx;
    char place[PLACE_MAX];
    int group = c->ours->group;
    if (m->id != c->mount->parent || !group ||
        (mountinfo_group(m, "shared") != group && mountinfo_group(m, "master") != group))
        return false;
    place_on(m, c->mount->point, place);
    return strcmp(place, c->ours->place) == 0;
}

/* Of one process. */
struct look {
    const struct ours *ours;
    char file[64], point[PATH_MAX];
};

static bool stays(void *ctx, const struct mountinfo *m)
{
    struct look *l = ctx;
    struct copy c = {.ours = l->ours, .mount = m};
    if (m->dev != l->ours->dev || m->id == l->ours->id ||
        mountinfo_each(l->file, takes_away, &c) == 1)
        return false;
    snprintf(l->point, sizeof l->point, "%s", m->point);
    return true;
}

struct search {
    const struct ours *ours;
    struct processes_seen seen;
    char *why;
};

static bool keeps(void *ctx, pid_t pid)
{
    struct search *s = ctx;
    struct look l = {.ours = s->ours};
    char who[PROCESSES_TEXT_MAX];
    if (processes_is_helper(pid) || !processes_is_new(&s->seen, pid))
        return false;
    snprintf(l.file, sizeof l.file, "/proc/%d/mountinfo", (int)pid);
    if (mountinfo_each(l.file, stays, &l) != 1)
        return false;
    processes_describe(pid, who);
    snprintf(s->why, HOLDER_TEXT_MAX, "%s sees it at %.300s", who, l.point);
    return true;
}

bool elsewhere_kept(const char *point, char why[static HOLDER_TEXT_MAX])
{
    char resolved[PATH_MAX]; /* as the table has it: a folder of the store may be a link */
    struct ours o = {.point = realpath(point, resolved) ? resolved : point};
    struct search s = {.ours = &o, .why = why};
    mountinfo_each("/proc/self/mountinfo", is_at, &o);
    mountinfo_each("/proc/self/mountinfo", is_parent, &o);
    return o.dev && (keeps(&s, getpid()) || processes_each(keeps, &s));
}
