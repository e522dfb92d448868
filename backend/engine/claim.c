#include "engine/engine.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/point.h"

struct claim {
    struct image *image;
    struct image next;
    const struct fsm_row *row;
};

/* Those that are claimed together: one commit, for a digest may have thousands of names. */
struct claims {
    struct claim *list;
    size_t count, capacity;
};

static void free_claims(struct claims *c)
{
    free(c->list);
}
#define CLEANUP_CLAIMS __attribute__((cleanup(free_claims)))

static int add_claim(struct engine *e, struct claims *c, struct image *image)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 1;
        struct claim *list = reallocarray(c->list, capacity, sizeof *list);
        if (!list)
            return -ENOMEM;
        c->list = list;
        c->capacity = capacity;
    }
    struct claim *one = &c->list[c->count++];
    one->image = image;
    one->row = work_prepare(e, image, FSM_EV_CLAIM, &one->next);
    if (one->row->to == FSM_DOWNLOADING)
        one->next.attempts++;
    return 0;
}

static int write_claims(struct engine *e, const void *ctx, struct err *err)
{
    const struct claims *c = ctx;
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->count; i++)
        r = work_write(e, &c->list[i].next, c->list[i].image->state, err);
    return r;
}

static int commit_claims(struct engine *e, const struct claims *c)
{
    struct err err = {0};
    int r = c->count ? work_transact(e, write_claims, c, &err) : 0;
    for (size_t i = 0; r == 0 && i < c->count; i++) {
        const struct claim *one = &c->list[i];
        log_debug(one->image->name, "%s -> %s", fsm_state_word(one->image->state),
                  fsm_state_word(one->next.state));
        work_apply(e, one->image, &one->next, one->row->stage);
    }
    return r;
}

static int claim(struct engine *e, struct image *image)
{
    struct claims c CLEANUP_CLAIMS = {0};
    int r = add_claim(e, &c, image);
    return r < 0 ? r : commit_claims(e, &c);
}

static bool can_claim(struct engine *e, const struct image *image)
{
    if (image->job || image->waits || !work_is_claimable(image))
        return false;
    if (point_held(fsm_state_word(image->state))) {
        e->held = true;
        return false;
    }
    return true;
}

static struct image *first_claimable(struct engine *e, enum queue_pool pool)
{
    struct image *i = e->ready[pool].first;
    while (i && !can_claim(e, i))
        i = i->ready_after;
    return i;
}

/* Those that have come since the last look stand at the end: may one of them follow a job under
 * way? Later on it is asked only when a leader begins. */
static int claim_newcomers(struct engine *e, enum queue_pool pool)
{
    struct claims c CLEANUP_CLAIMS = {0};
    int r = 0;
    for (struct image *i = e->ready[pool].last; r == 0 && i && !i->looked_at; i = i->ready_before) {
        i->looked_at = !point_held(fsm_state_word(i->state));
        if (can_claim(e, i) && job_has_leader(e, i, pool))
            r = add_claim(e, &c, i);
    }
    return r < 0 ? r : commit_claims(e, &c);
}

static int claim_followers(struct engine *e, const struct image *leader, enum queue_pool pool)
{
    struct claims c CLEANUP_CLAIMS = {0};
    int r = 0;
    for (struct image *i = registry_next_of_digest(e->registry, leader->sha256, NULL); r == 0 && i;
         i = registry_next_of_digest(e->registry, leader->sha256, i))
        if (i->ready_in == &e->ready[pool] && can_claim(e, i) && job_has_leader(e, i, pool))
            r = add_claim(e, &c, i);
    return r < 0 ? r : commit_claims(e, &c);
}

static int claim_all(struct engine *e, enum queue_pool pool)
{
    int r = claim_newcomers(e, pool);
    for (struct image *i;
         r == 0 && e->busy[pool] < e->limit[pool] && (i = first_claimable(e, pool));) {
        r = claim(e, i);
        if (r == 0)
            r = claim_followers(e, i, pool);
    }
    return r;
}

void claim_dispatch(struct engine *e)
{
    int64_t now = text_monotonic_ms();
    e->held = false;
    if (e->trouble.num && now < e->next_postponed)
        return;
    if (e->trouble.num)
        e->next_postponed = now + ENGINE_POSTPONE_MS;
    for (size_t pool = 0; pool < QUEUE_POOLS; pool++)
        if (claim_all(e, (enum queue_pool)pool) < 0)
            return;
}
