#include "engine/engine.h"

#include "base/array.h"
#include "base/log.h"
#include "engine/changes.h"
#include "engine/snap.h"

#include <errno.h>
#include <string.h>

bool transition_prepare(const struct engine *e, struct image *image, enum fsm_event event,
                        struct transition *t)
{
    const struct fsm_row *row = fsm_next(image->state, event);
    if (!row)
        return false;
    t->image = image;
    t->stage = row->stage;
    t->owned = false;
    registry_copy(e->registry, image, &t->next);
    t->next.state = row->to;
    t->next.updated = text_now_ms();
    t->next.next_retry = 0;
    if (row->to != FSM_FAILED && event != FSM_EV_AGAIN) {
        t->next.code = ERR_NONE;
        t->next.error = (char *)"";
    }
    return true;
}

/* Before anything is written: what is on disk must not fail to be seen. */
static int own_strings(struct transition *t)
{
    const char *url = t->next.url, *error = t->next.error;
    if (t->owned)
        return 0;
    t->owned = true;
    if (error != t->image->error)
        t->next.error = strdup(error);
    if (url != t->image->url) {
        t->next.url = t->next.shown_url = NULL;
        (void)registry_set_url(&t->next, url);
    }
    return t->next.error && t->next.url ? 0 : -ENOMEM;
}

int transition_write(struct engine *e, struct transition *t, struct err *err)
{
    struct images_row row;
    if (own_strings(t) < 0)
        return err_sys(err, ENOMEM, "cannot hold the change of %s", t->image->name);
    registry_row(&t->next, &row);
    int r = images_update(e->db, &row, err);
    return r < 0 ? r : news_add(e, &row, t->image->state, t->next.state, t->next.updated, err);
}

static void replace(char **mine, char *fresh)
{
    if (*mine != fresh)
        free(*mine);
    *mine = fresh;
}

/* A new phase, or a new attempt at it, counts from nothing. */
static void reset_progress(struct image *image, const struct image *next)
{
    if (next->state == FSM_FAILED)
        return;
    image->percent = 0;
    image->done = 0;
    image->total = next->size;
}

static bool has_other_error(const struct image *image, const struct image *next)
{
    return image->code != next->code || strcmp(image->error, next->error) != 0;
}

static unsigned publish(struct engine *e, struct image *image, const struct image *next)
{
    bool other_error = has_other_error(image, next);
    registry_edit(e->registry, image);
    struct image was = *image;
    replace(&image->url, next->url);
    replace(&image->shown_url, next->shown_url);
    image->server = next->server;
    replace(&image->error, next->error);
    metrics_changes(&e->metrics, image, next);
    image->state = next->state;
    image->want_stored = next->want_stored;
    image->code = next->code;
    image->format = next->format;
    image->size = next->size;
    image->entries = next->entries;
    image->bytes = next->bytes;
    image->skipped = next->skipped;
    image->sink = next->sink;
    image->attempts = next->attempts;
    image->next_retry = next->next_retry;
    image->updated = next->updated;
    image->hides_rootfs = false;
    image->wrong_digest = next->wrong_digest;
    image->due = next->next_retry ? next->due : 0;
    reset_progress(image, next);
    unsigned changes = changes_note(image, &was, other_error);
    registry_publish(e->registry, image);
    return changes;
}

void transition_apply(struct engine *e, struct transition *t)
{
    struct image *image = t->image;
    log_debug(image->name, "%s -> %s", fsm_state_word(image->state), fsm_state_word(t->next.state));
    work_unready(image);
    image->room_tries = 0;
    unsigned changes = publish(e, image, &t->next);
    t->owned = false;
    work_notify(e, changes, image->id, image->name);
    if (t->stage != FSM_RUN_NOTHING)
        job_start(e, image, t->stage);
    else if (work_is_claimable(image))
        work_resume(e, image);
    snap_image_changed(e, image);
}

void transition_drop(struct transition *t)
{
    if (!t->owned)
        return;
    if (t->next.error != t->image->error)
        free(t->next.error);
    if (t->next.url != t->image->url) {
        free(t->next.url);
        free(t->next.shown_url);
    }
    t->owned = false;
}

static int write_all(struct engine *e, void *ctx, struct err *err)
{
    struct transitions *all = ctx;
    int r = 0;
    for (size_t i = 0; r == 0 && i < all->count; i++)
        r = transition_write(e, &all->list[i], err);
    return r;
}

static int commit(struct engine *e, struct transitions *all, bool durable, struct err *err)
{
    int r = all->count ? work_transact(e, durable, write_all, all, err) : 0;
    for (size_t i = 0; i < all->count; i++)
        if (r == 0)
            transition_apply(e, &all->list[i]);
        else
            transition_drop(&all->list[i]);
    news_tell(e);
    return r;
}

int transition_commit_all(struct engine *e, struct transitions *all, struct err *err)
{
    return commit(e, all, true, err);
}

static bool is_end(const struct image *next)
{
    return !fsm_is_underway(next->state) || (next->state == FSM_STORED && next->want_stored);
}

int transition_pass_all(struct engine *e, struct transitions *all, struct err *err)
{
    bool ends = false;
    for (size_t i = 0; i < all->count; i++)
        ends = ends || is_end(&all->list[i].next);
    return commit(e, all, ends, err);
}

int transition_commit(struct engine *e, struct transition *t, struct err *err)
{
    return transition_commit_all(e, &(struct transitions){.list = t, .count = 1}, err);
}

struct transition *transition_room(struct transitions *all)
{
    struct transition *list = array_more(all->list, all->count, &all->capacity, sizeof *list);
    if (!list)
        return NULL;
    all->list = list;
    return &list[all->count++];
}

int transition_add(struct engine *e, struct transitions *all, struct image *image,
                   enum fsm_event event)
{
    struct transition *t = transition_room(all);
    if (!t)
        return -ENOMEM;
    if (transition_prepare(e, image, event, t))
        return 0;
    all->count--;
    return -EINVAL;
}

void transition_free_all(struct transitions *all)
{
    free(all->list);
}
