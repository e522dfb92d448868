#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "stages/snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- names: what ENOENT and EBUSY mean */

static struct image *find(struct engine *e, const char *name, struct err *err)
{
    struct image *image = registry_named(e->registry, name);
    if (!image)
        err_set(err, ERR_INTERNAL, ENOENT, "no image is named %s", name);
    return image;
}

static int refuse_busy(const struct image *image, struct err *err)
{
    if (image->removing)
        return err_set(err, ERR_INTERNAL, EBUSY, "%s is being removed", image->name);
    if (image->waits)
        return err_set(err, ERR_INTERNAL, EBUSY, "%s is being deactivated", image->name);
    return 0;
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

/* --- fetch: all lines in one transaction */

struct planned {
    struct image *image; /* the one there is; NULL: to be made */
    struct image *made;
    struct transition retry;
    bool retried;
};

static int check_same(const struct image *image, const struct backend_fetch *line, struct err *err)
{
    if (line->imported)
        return err_set(err, ERR_INTERNAL, EEXIST, "there is an image %s by now", image->name);
    if (strcmp(image->sha256, line->sha256) != 0)
        return err_set(err, ERR_INTERNAL, EEXIST,
                       "%s is taken by another digest, %s; remove it first, or choose another name",
                       image->name, image->sha256);
    return image->removing ? refuse_busy(image, err) : 0;
}

static struct image *make_image(const struct engine *e, const struct backend_fetch *line)
{
    int64_t now = text_now_ms();
    struct images_row row = {
        .name = line->name,
        .url = line->url,
        .sha256 = line->sha256,
        .policy = policy_name(e->config->policy),
        .state = fsm_state_word(FSM_NEW),
        .want = "active",
        .code = "",
        .error = "",
        .format = line->imported ? format_name(line->format) : "",
        .size = line->imported ? line->size : -1,
        .entries = -1,
        .bytes = -1,
        .skipped = -1,
        .created = now,
        .updated = now,
    };
    return registry_image(&row);
}

/* Where that cannot be told there may be one: whoever takes it away finds out. */
static bool may_have_layer(const struct engine *e, const char *name)
{
    return faccessat(e->paths.overlays, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* What a removed image of that name has left, as it was in use or could not be moved, must not
 * become the new one's. */
static int refuse_layer(struct engine *e, const char *name, struct err *err)
{
    if (!may_have_layer(e, name))
        return 0;
    int r = e->settings.snapshot->unmount(&e->paths, name, "", POLICY_STRICT, err);
    if (r == 0) {
        e->layers_synced = false;
        r = recover_layer(e, name, err);
    }
    if (r < 0)
        err_context(err, "%s: a removed image of that name is not quite gone", name);
    return r;
}

/* The line that makes or retries that name: after it, another one changes nothing. */
static const struct planned *earlier_line(const struct planned *plan, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        const struct image *image = plan[i].retried ? plan[i].image : plan[i].made;
        if (image && strcmp(image->name, name) == 0)
            return &plan[i];
    }
    return NULL;
}

static int plan_line(struct engine *e, const struct backend_fetch *line, struct planned *plan,
                     size_t n, struct err *err)
{
    struct planned *p = &plan[n];
    const struct planned *earlier = earlier_line(plan, n, line->name);
    p->image = registry_named(e->registry, line->name);
    if (p->image || earlier) {
        int r = check_same(p->image ? p->image : earlier->made, line, err);
        if (r < 0 || earlier || p->image->state != FSM_FAILED)
            return r;
        p->retried = transition_prepare(e, p->image, FSM_EV_RETRY, &p->retry);
        p->retry.next.url = (char *)line->url;
        p->retry.next.attempts = 0;
        p->retry.next.wrong_digest = false;
        return 0;
    }
    int r = refuse_layer(e, line->name, err);
    if (r < 0)
        return r;
    p->made = make_image(e, line);
    return p->made ? 0 : err_sys(err, ENOMEM, "cannot hold the image");
}

/* The row of a name that is used anew may outlast a power cut that the discarding of its earlier
 * layer does not: the new image would show what was written to the old one. */
static int sync_discarded(struct engine *e, const struct planned *plan, size_t n, struct err *err)
{
    bool made = false;
    for (size_t i = 0; i < n; i++)
        made = made || plan[i].made;
    if (!made || e->layers_synced)
        return 0;
    if (fsync(e->paths.overlays) < 0)
        return err_sys(err, errno, "cannot sync overlays/");
    e->layers_synced = true;
    return 0;
}

static int write_planned(struct engine *e, struct planned *p, struct err *err)
{
    struct images_row row;
    if (p->retried)
        return transition_write(e, &p->retry, err);
    if (!p->made)
        return 0;
    registry_row(p->made, &row);
    int64_t id = images_insert(e->db, &row, err);
    if (id < 0)
        return (int)id;
    p->made->id = (uint64_t)id;
    row.id = id;
    return images_history(e->db, &row, "", row.state, p->made->created, err);
}

struct plan {
    struct planned *lines;
    size_t count;
};

static int write_plan(struct engine *e, void *ctx, struct err *err)
{
    const struct plan *plan = ctx;
    int r = 0;
    for (size_t i = 0; r == 0 && i < plan->count; i++)
        r = write_planned(e, &plan->lines[i], err);
    return r;
}

static void apply_planned(struct engine *e, struct planned *p)
{
    if (p->retried) {
        transition_apply(e, &p->retry);
    } else if (p->made) {
        struct image *image = steal_ptr(p->made);
        metrics_appears(image);
        registry_add(e->registry, image);
        work_notify(e, BACKEND_APPEARED, image->id, image->name);
        work_resume(e, image);
    }
}

static void drop_planned(struct planned *p)
{
    if (p->retried)
        transition_drop(&p->retry);
    registry_free_image(p->made);
}

static int check_room(struct engine *e, int64_t more, struct err *err)
{
    int64_t there = (int64_t)(registry_underway(e->registry) + imports_underway(e->imports));
    if (more <= 0 || there + more <= e->config->queue)
        return 0;
    return err_set(err, ERR_INTERNAL, EAGAIN,
                   "the queue is full (queue=%lld images under way); wait, or raise it with "
                   "-o queue=N",
                   (long long)e->config->queue);
}

static int64_t count_new(const struct planned *plan, size_t n)
{
    int64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += plan[i].made || plan[i].retried;
    return count;
}

static void fetch(struct engine *e, struct request *request)
{
    size_t n = request->command.count, planned = 0;
    struct err err = {0};
    struct planned *plan CLEANUP_FREE = calloc(n + 1, sizeof *plan);
    int r = plan ? 0 : err_sys(&err, ENOMEM, "cannot hold the request");
    for (; r == 0 && planned < n; planned++)
        r = plan_line(e, &request->command.lines[request->refused = planned], plan, planned, &err);
    if (r == 0)
        r = check_room(e, n && request->command.lines[0].imported ? 0 : count_new(plan, n), &err);
    if (r == 0)
        r = sync_discarded(e, plan, n, &err);
    if (r == 0)
        r = work_transact(e, true, write_plan, &(struct plan){plan, n}, &err);
    for (size_t i = 0; i < planned; i++) {
        if (r == 0)
            apply_planned(e, &plan[i]);
        else
            drop_planned(&plan[i]);
    }
    if (r < 0 && n && request->command.lines[0].imported)
        import_refused(e, request->command.lines[0].sha256);
    request_reply(request, r < 0 ? &err : NULL);
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
    struct image *image = find(e, request->command.name, &err);
    int r = image ? refuse_busy(image, &err) : -err.num;
    if (r == 0 && !transition_prepare(e, image, event, &t))
        r = does_not_fit(image, event, &err);
    if (r == 0)
        r = check_room(e, event == FSM_EV_RETRY, &err);
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

/* Someone may have unmounted it behind our back: what is asked for is that it be mounted. What
 * waits to be mounted again waits no longer. */
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
static void give_up(struct engine *e, struct image *image, const struct err *err)
{
    if (image->state == FSM_ACTIVE)
        mount_again(e, image);
    struct request *request = steal_ptr(image->waits);
    image->removing = false;
    registry_hide_rootfs(e->registry, image->id,
                         image->state == FSM_ACTIVE &&
                             !e->settings.snapshot->mounted(&e->paths, image->name));
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
        give_up(e, image, &err);
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
        give_up(e, image, &err);
        return;
    }
    log_info(image->name, "deactivated");
    request_reply(steal_ptr(image->waits), NULL);
}

static int write_removal(struct engine *e, void *ctx, struct err *err)
{
    struct images_row row;
    registry_row(ctx, &row);
    int r = images_history(e->db, &row, row.state, fsm_state_word(FSM_GONE), text_now_ms(), err);
    return r < 0 ? r : images_delete(e->db, row.id, err);
}

static void finish_remove(struct engine *e, struct image *image)
{
    struct err err = {0};
    enum policy policy = image->policy;
    char sha256[PATHS_DIGEST_LEN + 1], name[PATHS_NAME_MAX + 1];
    if (work_transact(e, true, write_removal, image, &err) < 0) {
        give_up(e, image, &err);
        return;
    }
    struct request *request = steal_ptr(image->waits);
    strcpy(sha256, image->sha256);
    strcpy(name, image->name);
    work_unready(image);
    uint64_t id = image->id;
    metrics_vanishes(&e->metrics, image);
    registry_remove(e->registry, image);
    work_notify(e, BACKEND_VANISHED, id, name);
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
    if (!may_have_layer(e, image->name))
        finish_remove(e, image);
    else
        push_unmount(e, image);
}

static void remove_image(struct engine *e, struct request *request)
{
    struct err err = {0};
    struct image *image = find(e, request->command.name, &err);
    if (!image || refuse_busy(image, &err) < 0) {
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
    struct image *image = find(e, request->command.name, &err);
    if (image && image->state == FSM_ACTIVE && refuse_busy(image, &err) == 0) {
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
    bool was_unmount = job->run == chores_unmount;
    int status = job->status;
    struct err err = job->err;
    job_free(job);
    if (!was_unmount || (status == -ECANCELED && image->removing))
        continue_remove(e, image);
    else if (status < 0)
        give_up(e, image, &err);
    else if (image->removing)
        finish_remove(e, image);
    else
        finish_deactivate(e, image);
}

void command_run(struct engine *e, struct request *request)
{
    switch (request->command.kind) {
    case BACKEND_FETCH:
        fetch(e, request);
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
    }
}
