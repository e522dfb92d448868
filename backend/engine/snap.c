#include "engine/snap.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/point.h"
#include "engine/reset.h"
#include "stages/snapshot/snapshot.h"

#include <errno.h>
#include <string.h>

/* --- jobs */

/* A job for its image, on another layer. */
bool snap_start(struct engine *e, struct snap *s, int (*run)(struct job *job, struct err *err))
{
    const struct image *image = registry_get(e->registry, s->image);
    struct job *job = image ? job_new(e, image, QUEUE_MOUNT, run) : NULL;
    char *place = strdup(s->place);
    if (!job || !place) {
        if (job)
            job_free(job);
        free(place);
        return false;
    }
    free((char *)job->stage.name);
    job->stage.name = place;
    job->snapshot = s->number;
    snprintf(job->key, sizeof job->key, "%s", place);
    snaps_leave_line(e->snaps, s);
    s->job = job;
    queue_push(e->queue, job);
    return true;
}

static int run_mount(struct job *job, struct err *err)
{
    point_wait("snapshot", &job->cancelled);
    int r = activate_run(&job->stage, &job->result, err);
    if (r < 0)
        space_explain(err, &job->result.need, job->stage.paths->dir);
    return r;
}

bool snap_is_mountable(const struct image *image)
{
    return image->state == FSM_STORED || image->state == FSM_ACTIVATING ||
           image->state == FSM_ACTIVE;
}

static void explain(const struct snap *s, struct err *err)
{
    char title[SNAP_TITLE_MAX];
    command_explain(err);
    err_context(err, "%s", snaps_title(s, title));
}

static void reply(struct snap *s, const struct err *err)
{
    request_reply(steal_ptr(s->waits), err);
}

int snap_refuse_busy(const struct snap *s, struct err *err)
{
    static const char *const doing[] = {
        [BACKEND_RESET] = "reset",
        [BACKEND_SNAPSHOT_MAKE] = "made",
        [BACKEND_SNAPSHOT_REMOVE] = "removed",
    };
    if (!s->waits)
        return 0;
    return err_set(err, ERR_INTERNAL, EBUSY, "%s/%s is being %s", s->image_name, s->id,
                   doing[s->waits->command.kind]);
}

/* --- made */

static int check_id(const char *id, struct err *err)
{
    if (paths_name_valid(id, strlen(id)))
        return 0;
    return err_set(
        err, ERR_INTERNAL, EINVAL,
        "the name of a snapshot is 1 to %d of A-Z a-z 0-9 . _ - and begins with a letter "
        "or digit",
        PATHS_NAME_MAX);
}

static struct image *find_image(struct engine *e, uint64_t id, struct err *err)
{
    struct image *image = registry_get(e->registry, id);
    if (!image)
        err_set(err, ERR_INTERNAL, ENOENT, "the image is gone");
    return image;
}

static int check_free(struct engine *e, const struct image *image, const char *id, struct err *err)
{
    if (!snaps_named(e->snaps, image->id, id))
        return 0;
    return err_set(err, ERR_INTERNAL, EEXIST,
                   "%s has a snapshot %s already; remove it first, or choose another name",
                   image->name, id);
}

static int check_image(const struct image *image, struct err *err)
{
    if (image->removing)
        return err_set(err, ERR_INTERNAL, EBUSY, "%s is being removed", image->name);
    if (image->state == FSM_STORED || image->state == FSM_ACTIVE)
        return 0;
    return err_set(err, ERR_INTERNAL, EBUSY,
                   "%s is %s: a snapshot is made of what is STORED or "
                   "ACTIVE%s",
                   image->name, fsm_state_word(image->state),
                   image->state == FSM_FAILED ? "; ctl/retry tries it again" : "; wait for it");
}

static int write_new(struct engine *e, void *ctx, struct err *err)
{
    struct snapshots_row row;
    snaps_row(ctx, &row);
    return snapshots_insert(e->db, &row, err);
}

static int write_answered(struct engine *e, void *ctx, struct err *err)
{
    const struct snap *s = ctx;
    return snapshots_set_state(e->db, s->number, snaps_state_word(SNAP_ACTIVE), err);
}

static int write_gone(struct engine *e, void *ctx, struct err *err)
{
    const struct snap *s = ctx;
    return snapshots_delete(e->db, s->number, err);
}

/* Nobody knows of it yet. */
static void unmake(struct engine *e, struct snap *s, struct err *err)
{
    struct err more = {0};
    explain(s, err);
    if (e->settings.snapshot->unmount(&e->paths, s->place, "", POLICY_STRICT, &more) < 0 ||
        snapshot_discard(&e->paths, s->place, &more) < 0)
        log_failure(s->image_name, &more,
                    "what is left of snapshot %s stays until the next start: %s", s->id, more.text);
    else
        (void)work_transact(e, false, write_gone, s, &more); /* else the next start does it */
    reply(s, err);
    snaps_remove(e->snaps, s);
    chores_sweep(e, NULL);
}

/* Only the answer waits for the disk: a row that a crash forgets was nobody's yet. */
static void make(struct engine *e, struct request *request)
{
    const struct backend_command *c = &request->command;
    struct err err = {0};
    struct snap *s = NULL;
    const struct image *image = find_image(e, c->image, &err);
    int r = image ? check_id(c->snapshot, &err) : -err.num;
    if (r == 0)
        r = check_free(e, image, c->snapshot, &err);
    if (r == 0)
        r = check_image(image, &err);
    if (r == 0 && e->snaps_stuck)
        r = err_set(&err, ERR_IO, EIO,
                    "the layer of a snapshot that is not known could not be kept aside: see the "
                    "log, and start the daemon again");
    if (r == 0 &&
        !(s = snaps_new(e->next_snap++, image->id, image->name, c->snapshot, text_now_ms())))
        r = err_sys(&err, ENOMEM, "cannot hold the snapshot");
    if (r == 0)
        r = work_transact(e, false, write_new, s, &err);
    if (r < 0) {
        free(s);
        request_reply(request, &err);
        return;
    }
    snaps_add(e->snaps, s);
    s->waits = request;
    if (!snap_start(e, s, run_mount)) {
        err_sys(&err, ENOMEM, "cannot mount");
        unmake(e, s, &err);
    }
}

static void finish_make(struct engine *e, struct snap *s, int status, struct err *err)
{
    if (status < 0 || work_transact(e, true, write_answered, s, err) < 0) {
        unmake(e, s, err);
        return;
    }
    s->answered = true;
    snaps_set_state(e->snaps, s, SNAP_ACTIVE);
    log_info(s->image_name, "snapshot %s made", s->id);
    reply(s, NULL);
}

/* --- mounted again */

static void line_up(struct engine *e, struct snap *s)
{
    if (s->state != SNAP_ACTIVATING)
        snaps_set_state(e->snaps, s, SNAP_ACTIVATING);
    snaps_line_up(e->snaps, s);
}

void snap_image_changed(struct engine *e, const struct image *image)
{
    if (!snap_is_mountable(image) && image->state != FSM_FAILED)
        return;
    for (struct snap *s = snaps_next_of_image(e->snaps, image->id, NULL); s;
         s = snaps_next_of_image(e->snaps, image->id, s)) {
        bool wanted = s->state == SNAP_ACTIVATING ||
                      (s->state == SNAP_FAILED &&
                       (image->state == FSM_STORED || image->state == FSM_ACTIVATING));
        if (wanted && !s->job && !s->waits)
            line_up(e, s);
    }
}

/* Those of an image that is on its way again wait for snap_image_changed(). */
void snap_dispatch(struct engine *e)
{
    struct snap *s;
    while (e->busy[QUEUE_MOUNT] + e->remounting < ENGINE_MOUNTERS - 1 &&
           (s = snaps_first_in_line(e->snaps))) {
        const struct image *image = registry_get(e->registry, s->image);
        if (!image || (!snap_is_mountable(image) && image->state != FSM_FAILED))
            continue;
        if (!snap_start(e, s, run_mount)) {
            snaps_line_up(e->snaps, s);
            return;
        }
        e->remounting++;
    }
}

static void finish_remount(struct engine *e, struct snap *s, int status, const struct err *err)
{
    const struct image *image = registry_get(e->registry, s->image);
    if (status == 0) {
        snaps_set_state(e->snaps, s, SNAP_ACTIVE);
        log_info(s->image_name, "snapshot %s is mounted again", s->id);
    } else if (!s->waits && image && (snap_is_mountable(image) || image->state == FSM_FAILED)) {
        snaps_set_state(e->snaps, s, SNAP_FAILED);
        log_failure(s->image_name, err, "snapshot %s cannot be mounted: %s", s->id, err->text);
    }
}

void snap_check_mounts(struct engine *e)
{
    for (struct snap *s = snaps_next(e->snaps, NULL); s; s = snaps_next(e->snaps, s))
        if (s->state == SNAP_ACTIVE && !s->mounted && !s->waits && !s->job) {
            log_warn(s->image_name, "snapshot %s was unmounted by someone else", s->id);
            line_up(e, s);
        }
}

/* --- removed */

int snap_refuse_any(struct engine *e, const struct image *image, struct err *err)
{
    size_t n = 0;
    for (struct snap *s = snaps_next_of_image(e->snaps, image->id, NULL); s;
         s = snaps_next_of_image(e->snaps, image->id, s))
        n++;
    return n == 0 ? 0
                  : err_set(err, ERR_INTERNAL, EBUSY,
                            "%s has snapshots (%zu): remove them first, with rmdir "
                            "images/%s/snapshots/*",
                            image->name, n, image->name);
}

void snap_give_up(struct engine *e, struct snap *s, struct err *err)
{
    if (s->state == SNAP_ACTIVE && e->settings.snapshot->mounted(&e->paths, s->place))
        snaps_hide_rootfs(e->snaps, s->number, false);
    else if (s->state != SNAP_FAILED)
        line_up(e, s);
    explain(s, err);
    reply(s, err);
}

static void push_unmount(struct engine *e, struct snap *s)
{
    struct err err = {0};
    if (snap_start(e, s, chores_unmount))
        return;
    err_sys(&err, ENOMEM, "cannot unmount");
    snap_give_up(e, s, &err);
}

static void finish_remove(struct engine *e, struct snap *s, int status, struct err *err)
{
    if (status < 0 || work_transact(e, true, write_gone, s, err) < 0) {
        snap_give_up(e, s, err);
        return;
    }
    struct request *request = steal_ptr(s->waits);
    if (snapshot_discard(&e->paths, s->place, err) < 0)
        log_failure(s->image_name, err, "snapshot %s: %s", s->id, err->text);
    log_info(s->image_name, "snapshot %s removed", s->id);
    snaps_remove(e->snaps, s);
    request_reply(request, NULL);
    chores_sweep(e, NULL);
}

static struct snap *find(struct engine *e, const struct backend_command *c, struct err *err)
{
    const struct image *image = find_image(e, c->image, err);
    struct snap *s = image ? snaps_named(e->snaps, image->id, c->snapshot) : NULL;
    if (image && !s)
        err_set(err, ERR_INTERNAL, ENOENT, "%s has no snapshot %s", image->name, c->snapshot);
    return s && snap_refuse_busy(s, err) < 0 ? NULL : s;
}

/* One that is just being mounted again is waited for. */
static void remove_snap(struct engine *e, struct request *request)
{
    struct err err = {0};
    struct snap *s = find(e, &request->command, &err);
    if (!s) {
        request_reply(request, &err);
        return;
    }
    s->waits = request;
    snaps_leave_line(e->snaps, s);
    if (s->job && queue_cancel(e->queue, s->job)) {
        job_free(steal_ptr(s->job));
        e->remounting--;
    }
    if (!s->job)
        push_unmount(e, s);
}

/* --- renamed */

struct renaming {
    const struct snap *snap;
    const char *to;
};

static int write_renamed(struct engine *e, void *ctx, struct err *err)
{
    const struct renaming *r = ctx;
    return snapshots_rename(e->db, r->snap->number, r->to, err);
}

static void rename_snap(struct engine *e, struct request *request)
{
    const struct backend_command *c = &request->command;
    struct err err = {0};
    struct snap *s = find(e, c, &err);
    int r = s ? check_id(c->to, &err) : -err.num;
    bool same = r == 0 && strcmp(c->to, c->snapshot) == 0;
    if (r == 0 && !same)
        r = check_free(e, registry_get(e->registry, s->image), c->to, &err);
    if (r == 0 && !same)
        r = work_transact(e, true, write_renamed, &(struct renaming){s, c->to}, &err);
    if (r == 0 && !same) {
        log_info(s->image_name, "snapshot %s is %s now", s->id, c->to);
        snaps_rename(e->snaps, s, c->to);
    }
    request_reply(request, r < 0 ? &err : NULL);
}

/* --- */

void snap_command(struct engine *e, struct request *request)
{
    if (request->command.kind == BACKEND_SNAPSHOT_MAKE)
        make(e, request);
    else if (request->command.kind == BACKEND_SNAPSHOT_REMOVE)
        remove_snap(e, request);
    else if (request->command.kind == BACKEND_SNAPSHOT_RENAME)
        rename_snap(e, request);
    else
        reset_command(e, request);
}

void snap_finished(struct engine *e, struct job *job)
{
    struct snap *s = snaps_get(e->snaps, job->snapshot);
    bool remounted = s->waits == NULL || (s->state == SNAP_ACTIVATING && job->run == run_mount &&
                                          s->waits->command.kind != BACKEND_SNAPSHOT_MAKE);
    s->job = NULL;
    if (remounted) {
        e->remounting--;
        finish_remount(e, s, job->status, &job->err);
        if (s->waits)
            push_unmount(e, s);
    } else if (s->waits->command.kind == BACKEND_SNAPSHOT_MAKE) {
        finish_make(e, s, job->status, &job->err);
    } else if (s->waits->command.kind == BACKEND_SNAPSHOT_REMOVE) {
        finish_remove(e, s, job->status, &job->err);
    } else {
        reset_snap_finished(e, s, job);
    }
    job_free(job);
}

void snap_refuse_waiting(struct engine *e, const struct err *err)
{
    for (struct snap *s = e->snaps ? snaps_next(e->snaps, NULL) : NULL; s;
         s = snaps_next(e->snaps, s))
        reply(s, err);
}
