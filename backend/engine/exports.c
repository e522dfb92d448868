#include "engine/exports.h"

#include "base/crew.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/point.h"
#include "stages/export/export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exports {
    const struct paths *paths;
    struct registry *registry;
    struct snaps *snaps;
    struct flows *flows;
    struct lock lock; /* guards all below, and all exports */
    pthread_cond_t ended;
    struct backend_export *first;
    size_t running;
    size_t held; /* that have a flow */
    bool stopping;
};

struct backend_export {
    struct exports *exports;
    uint64_t image, snapshot;  /* the latter 0: the image's own tree */
    char name[SNAP_TITLE_MAX]; /* NAME or NAME@ID */
    char mount[PATH_MAX];
    struct flow *_Atomic flow; /* NULL: not begun; written with the lock */
    bool running;              /* it has a thread … */
    bool closed;               /* … which frees it */
    atomic_bool broken;        /* nobody wants more of it */
    struct backend_export *next, **at;
};

/* --- all of them */

struct exports *exports_new(const struct paths *paths, struct registry *registry,
                            struct snaps *snaps)
{
    struct exports *e = calloc(1, sizeof *e);
    struct flows *flows = e ? flows_open() : NULL;
    if (!flows) {
        free(e);
        return NULL;
    }
    e->paths = paths;
    e->registry = registry;
    e->snaps = snaps;
    e->flows = flows;
    lock_init(&e->lock, LOCK_EXPORTS, "exports");
    lock_cond_init(&e->ended);
    return e;
}

static void break_off(struct backend_export *x, const char *why)
{
    struct err err = {0};
    err_set(&err, ERR_INTERRUPTED, EIO, "the export of %s is broken off: %s", x->name, why);
    atomic_store(&x->broken, true);
    flow_break(x->flow, &err);
}

void exports_stop(struct exports *e)
{
    if (!e)
        return;
    LOCK_SCOPE(&e->lock);
    e->stopping = true;
    for (struct backend_export *x = e->first; x; x = x->next)
        if (x->running)
            break_off(x, "the daemon is stopping");
    while (e->running > 0)
        lock_wait(&e->lock, &e->ended);
    for (struct backend_export *x = e->first; x; x = x->next)
        flow_settle(x->flow);
}

static void drop(struct backend_export *x)
{
    if (x->next)
        x->next->at = x->at;
    *x->at = x->next;
    x->exports->held -= x->flow != NULL;
    flow_free(x->flow);
    free(x);
}

void exports_free(struct exports *e)
{
    if (!e)
        return;
    exports_stop(e);
    while (e->first)
        drop(e->first);
    flows_close(e->flows);
    lock_destroy(&e->lock);
    pthread_cond_destroy(&e->ended);
    free(e);
}

/* --- the image is to be unmounted */

static struct backend_export *next_running(const struct exports *e, uint64_t image,
                                           uint64_t snapshot, struct backend_export *x)
{
    for (x = x ? x->next : e->first; x; x = x->next)
        if (x->running && x->image == image && x->snapshot == snapshot)
            return x;
    return NULL;
}

static int refuse_moving(const struct exports *e, uint64_t image, uint64_t snapshot,
                         struct err *err)
{
    struct backend_export *x = NULL;
    while ((x = next_running(e, image, snapshot, x)))
        if (!x->closed && flow_idle(x->flow) < EXPORTS_IDLE_MS)
            return err_set(err, ERR_INTERNAL, EBUSY,
                           "%s is being exported: who reads export/%s.tar has taken something in "
                           "the last %d s; wait for the end, or end the reader",
                           x->name, x->name, EXPORTS_IDLE_MS / 1000);
    return 0;
}

int exports_let_go(struct exports *e, uint64_t image, uint64_t snapshot, struct err *err)
{
    LOCK_SCOPE(&e->lock);
    int r = refuse_moving(e, image, snapshot, err);
    struct backend_export *x = NULL;
    while (r == 0 && (x = next_running(e, image, snapshot, x))) {
        log_info(x->name, "an export is broken off, as its reader takes nothing");
        break_off(x, "its reader has taken nothing for too long");
    }
    while (r == 0 && next_running(e, image, snapshot, NULL))
        lock_wait(&e->lock, &e->ended);
    return r;
}

/* --- one export */

/* Is it there to be read? */
static bool is_active(const struct backend_export *x)
{
    const struct exports *e = x->exports;
    struct backend_snapshot snapshot;
    bool rootfs = false;
    if (x->snapshot)
        return snaps_view(e->snaps, x->snapshot, &snapshot) && snapshot.rootfs;
    return registry_exists(e->registry, x->image, &rootfs) && rootfs;
}

static int refuse_inactive(const struct backend_export *x, struct err *err)
{
    if (is_active(x))
        return 0;
    return err_set(err, ERR_INTERNAL, ENODEV, "%s is not ACTIVE: there is nothing to export",
                   x->name);
}

static int name_image(struct backend_export *x, struct err *err)
{
    struct exports *e = x->exports;
    struct backend_view view;
    if (!registry_view(e->registry, x->image, &view))
        return err_set(err, ERR_INTERNAL, ENOENT, "the image is gone");
    strcpy(x->name, view.name);
    snprintf(x->mount, sizeof x->mount, "%.*s/active/%s", PATHS_DIR_MAX, e->paths->dir, view.name);
    return 0;
}

static int name_snapshot(struct backend_export *x, struct err *err)
{
    struct exports *e = x->exports;
    struct backend_snapshot view;
    char place[PATHS_PLACE_MAX];
    if (!snaps_view(e->snaps, x->snapshot, &view))
        return err_set(err, ERR_INTERNAL, ENOENT, "the snapshot is gone");
    x->image = view.image;
    paths_snapshot(place, x->snapshot);
    snprintf(x->name, sizeof x->name, "%s@%s", view.image_name, view.id);
    snprintf(x->mount, sizeof x->mount, "%.*s/active/%s", PATHS_DIR_MAX, e->paths->dir, place);
    return 0;
}

int exports_open(struct exports *e, uint64_t image, uint64_t snapshot, struct backend_export **out,
                 struct err *err)
{
    struct backend_export *x = calloc(1, sizeof *x);
    if (!x)
        return err_sys(err, ENOMEM, "cannot export");
    x->exports = e;
    x->image = image;
    x->snapshot = snapshot;
    int r = snapshot ? name_snapshot(x, err) : name_image(x, err);
    if (r == 0)
        r = refuse_inactive(x, err);
    if (r < 0) {
        free(x);
        return r;
    }
    LOCK_SCOPE(&e->lock);
    x->next = e->first;
    x->at = &e->first;
    if (x->next)
        x->next->at = &x->next;
    e->first = x;
    *out = x;
    return 0;
}

static void *run(void *arg)
{
    struct backend_export *x = arg;
    struct exports *e = x->exports;
    struct err err;
    pthread_setname_np(pthread_self(), "export"); /* its own threads are called so, too */
    point_wait("export", &x->broken);
    int r = export_run(x->mount, x->flow, &err);
    if (r < 0 && r != -ECANCELED)
        log_failure(x->name, &err, "the export fails: %s", err.text);
    LOCK_SCOPE(&e->lock);
    x->running = false;
    if (x->closed)
        drop(x);
    e->running--;
    pthread_cond_broadcast(&e->ended);
    return NULL;
}

/* With the lock. */
static int begin(struct backend_export *x, struct err *err)
{
    struct exports *e = x->exports;
    if (e->stopping)
        return err_set(err, ERR_INTERRUPTED, EIO, "the daemon is stopping");
    if (e->held >= EXPORTS_MAX)
        return err_set(err, ERR_INTERNAL, EAGAIN,
                       "%d exports are open, as many as may: wait until one of them is closed",
                       EXPORTS_MAX);
    int r = refuse_inactive(x, err);
    if (r < 0)
        return r;
    struct flow *flow = flow_new(e->flows);
    if (!flow)
        return err_sys(err, ENOMEM, "cannot export %s", x->name);
    x->flow = flow;
    e->held++;
    if ((r = crew_detach(run, x)) < 0) { /* an interruption may have the flow in its hands */
        err_sys(err, -r, "no thread to export %s on", x->name);
        flow_break(flow, err);
        return r;
    }
    x->running = true;
    e->running++;
    return 0;
}

void exports_read(struct backend_export *x, struct flow_read *r)
{
    struct err err = {0};
    lock_take(&x->exports->lock);
    int begun = x->flow ? 0 : begin(x, &err);
    lock_release(&x->exports->lock);
    if (begun < 0)
        r->answer(r, NULL, 0, &err);
    else
        flow_read(x->flow, r);
}

/* Without the lock: who holds it may wait for an answer to be given, which may wait for the caller.
 * In this order: a read that is not seen to have a flow will see that it is cancelled. */
bool exports_cancel(struct backend_export *x, struct flow_read *r)
{
    atomic_store(&r->cancelled, true);
    struct flow *flow = x->flow;
    return flow && flow_cancel(flow, r);
}

void exports_rest(struct backend_export *x)
{
    LOCK_SCOPE(&x->exports->lock);
    if (x->flow)
        flow_rest(x->flow);
}

void exports_close(struct backend_export *x)
{
    struct exports *e = x->exports;
    LOCK_SCOPE(&e->lock);
    x->closed = true;
    if (x->running)
        break_off(x, "its reader has closed it");
    else
        drop(x);
}
