#include "engine/reset.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/snap.h"
#include "stages/snapshot/snapshot.h"

#include <errno.h>
#include <unistd.h>

/* A crash on the way leaves the old layer, or none: the start mounts what should be, and so makes a
 * fresh one. The sync is for a power cut: what is taken apart then must not come back. */
static int discard(const struct stage_job *s, struct err *err)
{
    int r = snapshot_discard(s->paths, s->name, err);
    if (r == 0 && fsync(paths_layers(s->paths, s->name)) < 0)
        r = err_sys(err, errno, "cannot sync the folder of layers");
    return r;
}

static int run_discard(struct job *job, struct err *err)
{
    int r = chores_unmount(job, err);
    return r < 0 ? r : discard(&job->stage, err);
}

static int run_anew(struct job *job, struct err *err)
{
    int r = run_discard(job, err);
    if (r == 0)
        r = activate_run(&job->stage, &job->result, err);
    if (r < 0)
        space_explain(err, &job->result.need, job->stage.paths->dir);
    return r;
}

/* --- an image's own */

static int check_image(const struct image *image, struct err *err)
{
    bool at_rest = image->state == FSM_ACTIVE || image->state == FSM_FAILED ||
                   (image->state == FSM_STORED && image->want_stored);
    if (at_rest && !image->job)
        return 0;
    return err_set(err, ERR_INTERNAL, EBUSY, "%s is %s: wait for it, or stop it with ctl/cancel",
                   image->name, at_rest ? "still at its last work" : fsm_state_word(image->state));
}

static void reset_image(struct engine *e, struct image *image, struct request *request)
{
    struct err err = {0};
    int r = command_refuse_busy(image, &err);
    if (r == 0)
        r = check_image(image, &err);
    if (r == 0 && !(image->job = job_new(e, image, QUEUE_MOUNT,
                                         image->state == FSM_ACTIVE ? run_anew : run_discard)))
        r = err_sys(&err, ENOMEM, "cannot reset %s", image->name);
    if (r < 0) {
        request_reply(request, &err);
        return;
    }
    image->waits = request;
    queue_push(e->queue, image->job);
}

void reset_image_finished(struct engine *e, struct image *image, struct job *job)
{
    struct err err = job->err;
    int status = job->status;
    job_free(job);
    if (status < 0) {
        command_explain(&err);
        command_give_up(e, image, &err);
        return;
    }
    work_notify(e, registry_hide_rootfs(e->registry, image->id, false), image->id, image->name);
    log_info(image->name, "reset");
    if (!image->due)
        work_resume(e, image);
    request_reply(steal_ptr(image->waits), NULL);
    chores_sweep(e, NULL);
}

/* --- a snapshot's */

static int check_snap(const struct snap *s, struct err *err)
{
    int r = snap_refuse_busy(s, err);
    if (r < 0 || (s->state != SNAP_ACTIVATING && !s->job))
        return r;
    return err_set(err, ERR_INTERNAL, EBUSY, "%s/%s is ACTIVATING: wait for it", s->image_name,
                   s->id);
}

static void reset_snap(struct engine *e, const struct image *image, struct request *request)
{
    const char *id = request->command.snapshot;
    struct err err = {0};
    struct snap *s = snaps_named(e->snaps, image->id, id);
    int r = s ? check_snap(s, &err)
              : err_set(&err, ERR_INTERNAL, ENOENT, "%s has no snapshot %s", image->name, id);
    /* One that FAILED is mounted, if there is something to mount it on. */
    bool mounts = s && (s->state == SNAP_ACTIVE || snap_is_mountable(image));
    if (r == 0 && !snap_start(e, s, mounts ? run_anew : run_discard))
        r = err_sys(&err, ENOMEM, "cannot reset %s/%s", image->name, id);
    if (r == 0)
        s->waits = request;
    else
        request_reply(request, &err);
}

void reset_snap_finished(struct engine *e, struct snap *s, struct job *job)
{
    if (job->status < 0) {
        snap_give_up(e, s, &job->err);
        return;
    }
    if (job->run == run_anew)
        snaps_set_state(e->snaps, s, SNAP_ACTIVE);
    log_info(s->image_name, "snapshot %s reset", s->id);
    request_reply(steal_ptr(s->waits), NULL);
    chores_sweep(e, NULL);
}

void reset_command(struct engine *e, struct request *request)
{
    struct err err = {0};
    struct image *image = command_find(e, request->command.name, &err);
    if (!image)
        request_reply(request, &err);
    else if (request->command.snapshot)
        reset_snap(e, image, request);
    else
        reset_image(e, image, request);
}
