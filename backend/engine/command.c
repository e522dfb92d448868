#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/reset.h"
#include "engine/snap.h"
#include "stages/snapshot/snapshot.h"
#include "store/removals.h"
#include "store/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- names: what ENOENT and EBUSY mean */

struct image *command_find(struct engine *e, const char *name, struct err *err)
{
    struct image *image = registry_named(e->registry, name);
    if (!image)
        err_set(err, ERR_INTERNAL, ENOENT, "no image is named %s", name);
    return image;
}

int command_refuse_busy(const struct image *image, struct err *err)
{
    if (image->removing)
        return err_set(err, ERR_INTERNAL, EBUSY, "%s is being removed", image->name);
    if (image->waits)
        return err_set(err, ERR_INTERNAL, EBUSY, "%s is being %s", image->name,
                       image->waits->command.kind == BACKEND_RESET ? "reset" : "deactivated");
    return 0;
}

void command_explain(struct err *err)
{
    if (err->num != ENOSPC && err->num != ENOMEM && err->num != EBUSY && err->num != ECANCELED)
        err->num = EIO;
}

static int does_not_fit(const struct image *image, enum fsm_event event, struct err *err)
{
    const char *way_out = image->state == FSM_FAILED      ? "; ctl/retry tries it again"
                          : event == FSM_EV_DEACTIVATE    ? "; ctl/cancel stops it"
                          : fsm_is_underway(image->state) ? "; wait for it"
                                                          : "";
    return err_set(err, ERR_INTERNAL, EBUSY, "%s is %s: nothing to %s%s", image->name,
                   fsm_state_word(image->state), fsm_event_word(event), way_out);
}

bool command_may_have_layer(const struct engine *e, const char *name)
{
    return faccessat(e->paths.overlays, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int command_queue_full(const struct engine *e, struct err *err)
{
    return err_set(err, ERR_INTERNAL, EAGAIN,
                   "the queue is full (queue=%lld images under way); wait, or raise it with "
                   "-o queue=N",
                   (long long)e->config->queue);
}

int command_check_room(struct engine *e, int64_t more, struct err *err)
{
    int64_t there = (int64_t)(registry_underway(e->registry) + imports_underway(e->imports));
    if (more <= 0 || there + more <= e->config->queue)
        return 0;
    return command_queue_full(e, err);
}

/* --- one image, one event */

/* What is asked for is so: it succeeds, and leaves no trace. */
static bool is_already(const struct image *image, const struct image *next)
{
    return next->state == image->state && next->want_stored == image->want_stored;
}

static void reply_event(struct engine *e, struct request *request, enum fsm_event event,
                        int (*change)(const struct image *image, struct image *next,
                                      struct err *err))
{
    struct err err = {0};
    struct transition t;
    struct image *image = command_find(e, request->command.name, &err);
    int r = image ? command_refuse_busy(image, &err) : -err.num;
    if (r == 0 && !transition_prepare(e, image, event, &t))
        r = does_not_fit(image, event, &err);
    if (r == 0)
        r = command_check_room(e, event == FSM_EV_RETRY, &err);
    if (r == 0)
        r = change(image, &t.next, &err);
    if (r == 0 && !is_already(image, &t.next))
        r = transition_commit(e, &t, &err);
    if (r == 0 && event == FSM_EV_CANCEL) {
        (void)job_halt(e, image);
        if (chores_unwanted(e, image->sha256, image->policy))
            chores_sweep(e, NULL);
    }
    request_reply(request, r < 0 ? &err : NULL);
}

static int change_cancel(const struct image *image, struct image *next, struct err *err)
{
    if (image->state == FSM_STORED && image->want_stored)
        return does_not_fit(image, FSM_EV_CANCEL, err);
    next->code = ERR_CANCELLED;
    next->error = (char *)"cancelled by the user";
    return 0;
}

static int change_retry(const struct image *image, struct image *next, struct err *err)
{
    next->attempts = 0;
    next->wrong_digest = false;
    return 0;
}

static int change_activate(const struct image *image, struct image *next, struct err *err)
{
    next->want_stored = false;
    return 0;
}

/* Someone may have unmounted it; what waits to be mounted again waits no longer. */
static void activate(struct engine *e, struct request *request)
{
    struct image *image = registry_named(e->registry, request->command.name);
    if (image && image->state == FSM_ACTIVE && !image->waits &&
        !e->settings.snapshot->mounted(&e->paths, image->name))
        work_unmounted(e, image);
    if (image)
        work_hasten(e, image);
    reply_event(e, request, FSM_EV_ACTIVATE, change_activate);
}

static int change_deactivate(const struct image *image, struct image *next, struct err *err)
{
    next->want_stored = true;
    return 0;
}

/* --- commands that unmount first */

/* It was unmounted for what then could not be written down; or it still is mounted. */
static void mount_again(struct engine *e, const struct image *image)
{
    char key[PATHS_FILE_MAX];
    struct err err = {0};
    paths_image(key, image->sha256, image->policy);
    if (e->settings.snapshot->mount(&e->paths, image->name, key, image->policy, &err) < 0)
        log_failure(image->name, &err, "cannot be mounted again: %s", err.text);
}

/* The command is over, with the image where it was. */
void command_give_up(struct engine *e, struct image *image, const struct err *err)
{
    if (image->state == FSM_ACTIVE)
        mount_again(e, image);
    struct request *request = steal_ptr(image->waits);
    image->removing = false;
    bool hide =
        image->state == FSM_ACTIVE && !e->settings.snapshot->mounted(&e->paths, image->name);
    work_notify(e, registry_hide_rootfs(e->registry, image->id, hide), image->id, image->name);
    if (!image->due)
        work_resume(e, image);
    request_reply(request, err);
}

static void push_unmount(struct engine *e, struct image *image)
{
    struct err err = {0};
    image->job = job_new(e, image, QUEUE_MOUNT, chores_unmount);
    if (!image->job) {
        err_sys(&err, ENOMEM, "cannot unmount");
        command_give_up(e, image, &err);
        return;
    }
    queue_push(e->queue, image->job);
}

static void finish_deactivate(struct engine *e, struct image *image)
{
    struct transition t;
    struct err err = {0};
    transition_prepare(e, image, FSM_EV_DEACTIVATE, &t);
    t.next.want_stored = true;
    if (transition_commit(e, &t, &err) < 0) {
        command_give_up(e, image, &err);
        return;
    }
    log_info(image->name, "deactivated");
    request_reply(steal_ptr(image->waits), NULL);
}

static int write_removal(struct engine *e, void *ctx, struct err *err)
{
    const struct image *image = ctx;
    struct images_row row;
    registry_row(image, &row);
    int64_t now = text_now_ms();
    int r = news_add(e, &row, image->state, FSM_GONE, now, err);
    if (r == 0)
        r = removals_add(e->db, row.name, now, err);
    if (r == 0) /* what is left of those that could not be made */
        r = snapshots_delete_all(e->db, image->id, err);
    return r < 0 ? r : images_delete(e->db, row.id, err);
}

static void finish_remove(struct engine *e, struct image *image)
{
    struct err err = {0};
    enum policy policy = image->policy;
    char sha256[PATHS_DIGEST_LEN + 1], name[PATHS_NAME_MAX + 1];
    if (work_transact(e, true, write_removal, image, &err) < 0) {
        command_give_up(e, image, &err);
        return;
    }
    struct request *request = steal_ptr(image->waits);
    strcpy(sha256, image->sha256);
    strcpy(name, image->name);
    work_unready(image);
    uint64_t id = image->id;
    metrics_vanishes(&e->metrics, image);
    unsigned link = registry_shows_rootfs(image) ? BACKEND_ROOTFS_GOES : 0;
    registry_remove(e->registry, image);
    work_notify(e, link | BACKEND_VANISHED, id, name);
    news_tell(e);
    e->layers_synced = false;
    if (snapshot_discard(&e->paths, name, &err) < 0)
        log_failure(name, &err, "%s", err.text);
    log_info(name, "removed");
    if (!registry_next_of_digest(e->registry, sha256, NULL))
        chores_unreferenced(e, sha256);
    request_reply(request, NULL);
    (void)chores_unwanted(e, sha256, policy);
    chores_sweep(e, NULL);
}

/* Once no job has the image any more. A layer that was never made cannot be in use. */
static void continue_remove(struct engine *e, struct image *image)
{
    if (!command_may_have_layer(e, image->name))
        finish_remove(e, image);
    else
        push_unmount(e, image);
}

static void remove_image(struct engine *e, struct request *request)
{
    struct err err = {0};
    struct image *image = command_find(e, request->command.name, &err);
    if (image && request->command.image && request->command.image != image->id) {
        err_set(&err, ERR_INTERNAL, ENOENT, "%s is another image by now", image->name);
        image = NULL;
    }
    if (!image || command_refuse_busy(image, &err) < 0 || snap_refuse_any(e, image, &err) < 0) {
        request_reply(request, &err);
        return;
    }
    image->removing = true;
    image->waits = request;
    work_unready(image);
    /* Nobody waits for a download or an unpack to notice; only a mount must be over. */
    if (!job_halt(e, image) && image->job->pool != QUEUE_MOUNT)
        image->job = NULL;
    if (!image->job)
        continue_remove(e, image);
}

static void deactivate(struct engine *e, struct request *request)
{
    struct err err = {0};
    struct image *image = command_find(e, request->command.name, &err);
    if (image && image->state == FSM_ACTIVE && command_refuse_busy(image, &err) == 0) {
        image->waits = request;
        push_unmount(e, image);
    } else if (err.num) {
        request_reply(request, &err);
    } else {
        reply_event(e, request, FSM_EV_DEACTIVATE, change_deactivate);
    }
}

void command_continue(struct engine *e, struct image *image, struct job *job)
{
    if (image->waits->command.kind == BACKEND_RESET) {
        reset_image_finished(e, image, job);
        return;
    }
    bool was_unmount = job->run == chores_unmount;
    int status = job->status;
    struct err err = job->err;
    job_free(job);
    if (!was_unmount || (status == -ECANCELED && image->removing))
        continue_remove(e, image);
    else if (status < 0)
        command_give_up(e, image, &err);
    else if (image->removing)
        finish_remove(e, image);
    else
        finish_deactivate(e, image);
}

void command_run(struct engine *e, struct request *request)
{
    switch (request->command.kind) {
    case BACKEND_FETCH:
        command_fetch(e, request);
        break;
    case BACKEND_REMOVE:
        remove_image(e, request);
        break;
    case BACKEND_CANCEL:
        reply_event(e, request, FSM_EV_CANCEL, change_cancel);
        break;
    case BACKEND_RETRY:
        reply_event(e, request, FSM_EV_RETRY, change_retry);
        break;
    case BACKEND_ACTIVATE:
        activate(e, request);
        break;
    case BACKEND_DEACTIVATE:
        deactivate(e, request);
        break;
    case BACKEND_CLEANUP:
        cleanup_asked(e, request);
        break;
    case BACKEND_RESET:
    case BACKEND_SNAPSHOT_MAKE:
    case BACKEND_SNAPSHOT_REMOVE:
    case BACKEND_SNAPSHOT_RENAME:
        snap_command(e, request);
        break;
    }
}
