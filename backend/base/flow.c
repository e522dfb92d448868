#include "base/flow.h"

#include "base/lock.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

struct flows {
    struct lock lock; /* guards all that follows, and all flows */
    pthread_cond_t due, answered;
    struct flow *first, **last; /* whose waiting readers are to be answered */
    bool ending;
    pthread_t thread;
};

struct flow {
    struct flows *flows;
    pthread_cond_t room;
    char *bytes;
    uint64_t filled; /* made so far, the maker's alone */
    uint64_t shown;  /* of these, what readers may take … */
    uint64_t taken;  /* … and have */
    int64_t moved;   /* monotonic ms: the last time that they have; 0: too long ago to matter */
    struct flow_read *waiting, **last;
    bool answering; /* a reader has the bytes behind `taken` in its hands */
    bool ended, broken;
    struct err err;    /* num 0: the end is a good one */
    struct flow *next; /* in the line of those that are due … */
    bool is_due;       /* … if it is in there */
};

/* --- what there is for whom */

static bool has_answer(const struct flow *f)
{
    return f->waiting && !f->answering && (f->shown > f->taken || f->ended || f->broken);
}

/* What lies together, up to the buffer's end. */
static size_t available(const struct flow *f)
{
    size_t at = (size_t)(f->taken % FLOW_SIZE), n = (size_t)(f->shown - f->taken);
    return n < FLOW_SIZE - at ? n : FLOW_SIZE - at;
}

/* With the lock, which it lets go of meanwhile. */
static void answer_first(struct flow *f)
{
    struct flow_read *r = f->waiting;
    size_t n = f->broken ? 0 : available(f);
    const char *data = f->bytes + f->taken % FLOW_SIZE;
    f->waiting = r->next;
    if (!f->waiting)
        f->last = &f->waiting;
    if (n > r->size)
        n = r->size;
    f->answering = true;
    lock_release(&f->flows->lock);
    r->answer(r, data, n, n == 0 && f->err.num ? &f->err : NULL);
    lock_take(&f->flows->lock);
    f->answering = false;
    f->taken += n;
    f->moved = text_monotonic_ms();
    pthread_cond_signal(&f->room);
}

static void answer_all(struct flow *f)
{
    while (has_answer(f))
        answer_first(f);
    pthread_cond_broadcast(&f->flows->answered);
}

static void make_due(struct flow *f)
{
    struct flows *flows = f->flows;
    if (f->is_due || !has_answer(f))
        return;
    f->is_due = true;
    f->next = NULL;
    *flows->last = f;
    flows->last = &f->next;
    pthread_cond_signal(&flows->due);
}

/* It stays due until it has its answers, so that it is not freed in between. */
static void answer_due(struct flows *flows)
{
    struct flow *f = flows->first;
    flows->first = f->next;
    if (!flows->first)
        flows->last = &flows->first;
    answer_all(f);
    f->is_due = false;
    pthread_cond_broadcast(&flows->answered);
}

static void *run(void *arg)
{
    struct flows *flows = arg;
    LOCK_SCOPE(&flows->lock);
    while (!flows->ending) {
        if (flows->first)
            answer_due(flows);
        else
            lock_wait(&flows->lock, &flows->due);
    }
    return NULL;
}

/* --- coming and going */

struct flows *flows_open(void)
{
    struct flows *flows = calloc(1, sizeof *flows);
    if (!flows)
        return NULL;
    flows->last = &flows->first;
    lock_init(&flows->lock, LOCK_FLOWS, "flows");
    lock_cond_init(&flows->due);
    lock_cond_init(&flows->answered);
    if (pthread_create(&flows->thread, NULL, run, flows) == 0)
        return flows;
    free(flows);
    return NULL;
}

void flows_close(struct flows *flows)
{
    if (!flows)
        return;
    lock_take(&flows->lock);
    flows->ending = true;
    pthread_cond_signal(&flows->due);
    lock_release(&flows->lock);
    pthread_join(flows->thread, NULL);
    lock_destroy(&flows->lock);
    pthread_cond_destroy(&flows->due);
    pthread_cond_destroy(&flows->answered);
    free(flows);
}

struct flow *flow_new(struct flows *flows)
{
    struct flow *f = calloc(1, sizeof *f);
    char *bytes = f ? malloc(FLOW_SIZE) : NULL;
    if (!bytes) {
        free(f);
        return NULL;
    }
    f->flows = flows;
    f->bytes = bytes;
    f->last = &f->waiting;
    f->moved = text_monotonic_ms();
    lock_cond_init(&f->room);
    return f;
}

void flow_settle(struct flow *f)
{
    if (!f)
        return;
    LOCK_SCOPE(&f->flows->lock);
    while (f->answering || f->is_due)
        lock_wait(&f->flows->lock, &f->flows->answered);
}

void flow_free(struct flow *f)
{
    if (!f)
        return;
    flow_settle(f);
    pthread_cond_destroy(&f->room);
    free(f->bytes);
    free(f);
}

/* --- the maker */

/* A piece is begun once all of it is free: what a reader takes in small bites is not refilled in
 * such. */
void *flow_room(struct flow *f, size_t *n)
{
    size_t in_piece = (size_t)(f->filled % FLOW_PIECE);
    LOCK_SCOPE(&f->flows->lock);
    while (!f->broken && in_piece == 0 && f->filled - f->taken > FLOW_SIZE - FLOW_PIECE)
        lock_wait(&f->flows->lock, &f->room);
    *n = FLOW_PIECE - in_piece;
    return f->broken ? NULL : f->bytes + f->filled % FLOW_SIZE;
}

static void show(struct flow *f)
{
    LOCK_SCOPE(&f->flows->lock);
    f->shown = f->filled;
    make_due(f);
}

void flow_filled(struct flow *f, size_t n)
{
    f->filled += n;
    if (f->filled % FLOW_PIECE == 0)
        show(f);
}

void flow_end(struct flow *f, const struct err *err)
{
    LOCK_SCOPE(&f->flows->lock);
    if (f->broken)
        return;
    f->shown = f->filled;
    f->ended = true;
    if (err)
        f->err = *err;
    make_due(f);
}

/* --- readers */

static void refuse(struct flow_read *r)
{
    struct err err = {0};
    err_set(&err, ERR_CANCELLED, ECANCELED, "the read was given up");
    r->answer(r, NULL, 0, &err);
}

void flow_read(struct flow *f, struct flow_read *r)
{
    lock_take(&f->flows->lock);
    bool cancelled = r->cancelled;
    if (!cancelled) {
        r->next = NULL;
        *f->last = r;
        f->last = &r->next;
        answer_all(f);
    }
    lock_release(&f->flows->lock);
    if (cancelled)
        refuse(r);
}

bool flow_cancel(struct flow *f, struct flow_read *r)
{
    LOCK_SCOPE(&f->flows->lock);
    for (struct flow_read **at = &f->waiting; *at; at = &(*at)->next) {
        if (*at != r)
            continue;
        *at = r->next;
        if (f->last == &r->next)
            f->last = at;
        return true;
    }
    r->cancelled = true;
    return false;
}

/* --- any thread */

void flow_break(struct flow *f, const struct err *err)
{
    LOCK_SCOPE(&f->flows->lock);
    if (f->broken || f->ended)
        return;
    f->broken = true;
    f->err = *err;
    pthread_cond_signal(&f->room);
    make_due(f);
}

bool flow_is_broken(struct flow *f)
{
    LOCK_SCOPE(&f->flows->lock);
    return f->broken;
}

int64_t flow_idle(struct flow *f)
{
    LOCK_SCOPE(&f->flows->lock);
    return f->waiting || f->answering ? 0
           : f->moved == 0            ? INT64_MAX
                                      : text_monotonic_ms() - f->moved;
}

void flow_rest(struct flow *f)
{
    LOCK_SCOPE(&f->flows->lock);
    f->moved = 0;
}
