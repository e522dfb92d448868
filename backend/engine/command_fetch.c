#include "engine/engine.h"

#include "base/cleanup.h"
#include "engine/import.h"
#include "stages/snapshot/snapshot.h"
#include "store/removals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ctl/fetch: all lines in one transaction. */

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
    return image->removing ? command_refuse_busy(image, err) : 0;
}

/* A cleanup may have begun to take it away before the import was there to need it. */
static int check_blob(const struct engine *e, const struct backend_fetch *line, struct err *err)
{
    int64_t size;
    if (paths_find_blob(&e->paths, line->sha256, &size) != FORMAT_UNKNOWN)
        return 0;
    return err_set(err, ERR_IO, EIO, "a cleanup has taken the archive away; import it again");
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

/* What a removed image of that name has left, as it was in use or could not be moved, must not
 * become the new one's. */
static int refuse_layer(struct engine *e, const char *name, struct err *err)
{
    if (!command_may_have_layer(e, name))
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
        if ((r = command_refuse_busy(p->image, err)) < 0)
            return r;
        p->retried = transition_prepare(e, p->image, FSM_EV_RETRY, &p->retry);
        p->retry.next.url = (char *)line->url;
        p->retry.next.attempts = 0;
        p->retry.next.wrong_digest = false;
        return 0;
    }
    int r = line->imported ? check_blob(e, line, err) : 0;
    if (r < 0 || (r = refuse_layer(e, line->name, err)) < 0)
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
    int r = removals_drop(e->db, row.name, err);
    return r < 0 ? r : news_add(e, &row, FSM_GONE, p->made->state, p->made->created, err);
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

static int64_t count_new(const struct planned *plan, size_t n)
{
    int64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += plan[i].made || plan[i].retried;
    return count;
}

void command_fetch(struct engine *e, struct request *request)
{
    size_t n = request->command.count, planned = 0;
    struct err err = {0};
    struct planned *plan CLEANUP_FREE = calloc(n + 1, sizeof *plan);
    int r = plan ? 0 : err_sys(&err, ENOMEM, "cannot hold the request");
    for (; r == 0 && planned < n; planned++)
        r = plan_line(e, &request->command.lines[request->refused = planned], plan, planned, &err);
    if (r == 0)
        r = command_check_room(e, n && request->command.lines[0].imported ? 0 : count_new(plan, n),
                               &err);
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
    news_tell(e);
    request_reply(request, r < 0 ? &err : NULL);
}
