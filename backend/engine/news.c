#include "engine/engine.h"

#include "base/array.h"
#include "store/history.h"

#include <errno.h>
#include <string.h>

#define TRIM_MS                                                                                    \
    1000 /* between two pieces of the history that go without a commit to go along with */

static void free_event(struct backend_event *event)
{
    free((char *)event->image);
    free((char *)event->message);
}

/* States and codes are words of the program's own. */
static int remember(struct engine *e, const struct backend_event *event)
{
    struct news *n = &e->news;
    struct backend_event *list = array_more(n->list, n->count, &n->capacity, sizeof *list);
    if (!list)
        return -ENOMEM;
    n->list = list;
    struct backend_event *mine = &n->list[n->count++];
    *mine = *event;
    mine->image = strdup(event->image);
    mine->message = strdup(event->message);
    return mine->image && mine->message ? 0 : -ENOMEM;
}

int news_add(struct engine *e, const struct images_row *row, enum fsm_state from, enum fsm_state to,
             int64_t time, struct err *err)
{
    const char *was = fsm_state_word(from), *is = fsm_state_word(to);
    int64_t seq = history_add(e->db, row, was, is, time, err);
    if (seq < 0)
        return (int)seq;
    struct backend_event event = {.seq = seq,
                                  .time = time,
                                  .image = row->name,
                                  .from = was,
                                  .to = is,
                                  .code = row->code,
                                  .message = row->error};
    int r = e->reporter ? remember(e, &event) : 0;
    return r < 0 ? err_sys(err, -r, "cannot hold the news of %s", row->name) : 0;
}

void news_drop(struct engine *e)
{
    for (size_t i = 0; i < e->news.count; i++)
        free_event(&e->news.list[i]);
    free(e->news.list);
    e->news = (struct news){0};
}

void news_tell(struct engine *e)
{
    if (e->news.count)
        e->reporter(e->reporter_ctx, e->news.list, e->news.count);
    news_drop(e);
}

int news_trim(struct engine *e, struct err *err)
{
    bool more;
    int64_t kept = atomic_load(&e->history_kept);
    if (kept == e->history_trimmed)
        return 0;
    int r = history_trim(e->db, kept, &more, err);
    if (r == 0 && !more)
        e->history_trimmed = kept;
    return r;
}

static int nothing_else(struct engine *e, void *ctx, struct err *err)
{
    return 0;
}

int64_t news_next_trim(const struct engine *e)
{
    bool more = atomic_load(&e->history_kept) != e->history_trimmed;
    return more && !e->trouble.num ? e->next_trim : INT64_MAX;
}

void news_trim_due(struct engine *e, int64_t now)
{
    struct err err = {0};
    if (now < news_next_trim(e))
        return;
    e->next_trim = now + TRIM_MS;
    (void)work_transact(e, false, nothing_else, NULL, &err);
}

struct telling {
    backend_reporter *reporter;
    void *ctx;
};

static void tell_one(void *ctx, const struct history_row *row)
{
    const struct telling *t = ctx;
    struct backend_event event = {.seq = row->seq,
                                  .time = row->time,
                                  .image = row->name,
                                  .from = row->from,
                                  .to = row->to,
                                  .code = row->code,
                                  .message = row->message};
    t->reporter(t->ctx, &event, 1);
}

int news_of_old(struct engine *e, int64_t most, backend_reporter *reporter, void *ctx,
                struct err *err)
{
    return history_newest(e->db, most, tell_one, &(struct telling){reporter, ctx}, err);
}
