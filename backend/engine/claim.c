#include "engine/engine.h"

#include "base/point.h"
#include "engine/snap.h"

#include <errno.h>

/* One look at a pool's line. */
struct round {
    struct engine *e;
    enum queue_pool pool;
    struct transitions claims;
    const struct image *leaders[ENGINE_WORKERS_MAX]; /* of the claims, those that take a worker */
    int64_t count;
};

static int64_t workers_taken(const struct round *r)
{
    return r->e->busy[r->pool] + r->count;
}

static bool may_connect(const struct round *r, uint64_t server)
{
    int64_t connections = 0;
    if (r->pool != QUEUE_DOWNLOAD)
        return true;
    for (int64_t i = 0; i < r->e->busy[r->pool]; i++)
        connections += r->e->leaders[r->pool][i]->server == server;
    for (int64_t i = 0; i < r->count; i++)
        connections += r->leaders[i]->server == server;
    return connections < r->e->config->host_downloads;
}

static bool can_claim(struct engine *e, const struct image *image)
{
    if (image->job || image->waits || !work_takes_turns(image))
        return false;
    if (point_held(fsm_state_word(image->state))) {
        e->held = true;
        return false;
    }
    return true;
}

/* Out of the line; with what the round commits, or, where its state needs no change, at once. */
static int take(struct round *r, struct image *image, bool leads)
{
    work_unready(image);
    if (image->state == FSM_DOWNLOADING) {
        job_start(r->e, image, FSM_RUN_FETCH);
        return 0;
    }
    int result = transition_add(r->e, &r->claims, image, FSM_EV_CLAIM);
    if (result < 0) {
        work_return(r->e, image);
        return result;
    }
    struct image *next = &r->claims.list[r->claims.count - 1].next;
    if (next->state == FSM_DOWNLOADING)
        next->attempts++;
    if (leads)
        r->leaders[r->count++] = image;
    return 0;
}

static struct image *first_claimable(struct round *r)
{
    struct ready *line = &r->e->ready[r->pool];
    bool all_wait = true;
    for (struct image *i = line->passed ? line->passed->ready_after : line->first; i;
         i = i->ready_after) {
        bool waits = !may_connect(r, i->server);
        if (!waits && can_claim(r->e, i))
            return i;
        all_wait = all_wait && waits;
        if (all_wait)
            line->passed = i;
    }
    return NULL;
}

/* Those that have come since the last look stand at the end: may one of them follow a job under
 * way? Later on it is asked only when a leader begins. */
static int take_newcomers(struct round *r)
{
    int result = 0;
    struct image *before;
    for (struct image *i = r->e->ready[r->pool].last; result == 0 && i && !i->looked_at;
         i = before) {
        before = i->ready_before;
        i->looked_at = !point_held(fsm_state_word(i->state));
        if (can_claim(r->e, i) && job_has_leader(r->e, i, r->pool))
            result = take(r, i, false);
    }
    return result;
}

static int take_with_followers(struct round *r, struct image *leader)
{
    struct engine *e = r->e;
    int result = take(r, leader, true);
    for (struct image *i = registry_next_of_digest(e->registry, leader->sha256, NULL);
         result == 0 && i; i = registry_next_of_digest(e->registry, leader->sha256, i))
        if (i->ready_in == &e->ready[r->pool] && can_claim(e, i) &&
            job_is_shared(i, leader, r->pool))
            result = take(r, i, false);
    return result;
}

/* Where they stood: at the head of the line, in their order. */
static void put_back(struct round *r)
{
    for (size_t i = r->claims.count; i > 0; i--)
        work_return(r->e, r->claims.list[i - 1].image);
    r->e->ready[r->pool].passed = NULL;
}

static int claim_all(struct engine *e, enum queue_pool pool)
{
    struct round r = {.e = e, .pool = pool};
    struct err err = {0};
    int result = take_newcomers(&r);
    for (struct image *i; result == 0 && workers_taken(&r) < e->limit[pool] &&
                          r.count < ENGINE_WORKERS_MAX && (i = first_claimable(&r));)
        result = take_with_followers(&r, i);
    if (result == 0)
        result = transition_pass_all(e, &r.claims, &err);
    if (result < 0)
        put_back(&r);
    transition_free_all(&r.claims);
    return result;
}

/* One worker is left for what users ask for. */
static void start_remounts(struct engine *e)
{
    while (e->busy[QUEUE_MOUNT] + e->remounting < ENGINE_MOUNTERS - 1 && e->remounts.first)
        work_hasten(e, e->remounts.first);
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
    start_remounts(e);
    snap_dispatch(e);
}
