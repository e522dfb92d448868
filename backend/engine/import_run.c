#include "engine/import.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/engine.h"
#include "stages/fetch/fetch.h"
#include "stages/unpack/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

/* A writer that hangs has a thread and no more: what is unpacked ahead for it goes, and is made
 * anew at the next flush. */
#define IDLE_MS 10000

static const struct stage_settings *settings_of(const struct backend_import *i)
{
    return &i->all->engine->settings;
}

/* --- what is to be done */

static void free_spare(struct backend_import *i, struct import_op *op)
{
    struct import_op *old;
    lock_take(&i->all->lock);
    old = i->spare;
    i->spare = op;
    lock_release(&i->all->lock);
    import_free_op(old);
}

/* NULL: it is broken off from outside. */
static struct import_op *next_op(struct backend_import *i)
{
    struct imports *all = i->all;
    struct ahead *idle = NULL;
    int64_t deadline = text_monotonic_ms() + IDLE_MS;
    lock_take(&all->lock);
    while (!i->ops && !all->stopping && !i->unlinked) {
        if (!i->ahead)
            lock_wait(&all->lock, &i->wake);
        else if (text_monotonic_ms() < deadline)
            lock_wait_until(&all->lock, &i->wake, deadline);
        else {
            idle = steal_ptr(i->ahead);
            lock_release(&all->lock);
            ahead_remove(idle);
            lock_take(&all->lock);
        }
    }
    struct import_op *op = all->stopping || i->unlinked ? NULL : i->ops;
    if (op && !(i->ops = op->next))
        i->last_op = &i->ops;
    lock_release(&all->lock);
    return op;
}

static void answer(struct import_op *op, const struct err *err)
{
    static const struct err success;
    op->done(op->ctx, err ? err : &success);
}

/* --- the end of it */

/* From now on others answer, with `err`. */
static struct import_op *settle(struct backend_import *i, enum import_state state,
                                const struct err *err)
{
    LOCK_SCOPE(&i->all->lock);
    i->state = state;
    i->answer = *err;
    i->all->changed = text_now_ms();
    i->last_op = &i->ops;
    return steal_ptr(i->ops);
}

static void answer_rest(struct backend_import *i, struct import_op *ops)
{
    bool image = i->state == IMPORT_IMAGE;
    for (struct import_op *op = ops, *next; op; op = next) {
        next = op->next;
        bool fine = op->kind == IMPORT_RELEASE || (op->kind == IMPORT_FLUSH && image);
        answer(op, fine ? NULL : &i->answer);
        import_free_op(op);
    }
}

/* The blob may be named, and the engine not have taken it: by the file the next start knows that
 * nobody needs it. */
static bool is_for_start(const struct backend_import *i)
{
    LOCK_SCOPE(&i->all->lock);
    return i->all->stopping && i->state == IMPORT_UNDERWAY && i->sha256[0];
}

/* Nothing is left of it before anyone hears that it is over. */
static void let_go(struct backend_import *i)
{
    ahead_remove(steal_ptr(i->ahead));
    if (i->begun)
        intake_close(&i->in, is_for_start(i));
    i->begun = false;
}

static void break_off(struct backend_import *i, const struct err *why)
{
    let_go(i);
    log_failure(i->name, why, "import broken off: %s", why->text);
    answer_rest(i, settle(i, IMPORT_BROKEN, why));
}

/* What is left of it holds nobody up. */
static void become_image(struct backend_import *i, struct import_op *flush)
{
    struct err more = {0};
    err_set(&more, ERR_INTERNAL, EINVAL,
            "%s is complete and has become an image: no more can be added to it", i->name);
    struct import_op *rest = settle(i, IMPORT_IMAGE, &more);
    answer(flush, NULL);
    answer_rest(i, rest);
    let_go(i);
}

/* --- a piece */

static void no_progress(void *ctx, int64_t done, int64_t total)
{
}

/* What stands for the digest in the names of files can be none. */
static int begin(struct backend_import *i, struct err *err)
{
    char name[PATHS_FILE_MAX];
    struct engine *e = i->all->engine;
    if (i->begun)
        return 0;
    snprintf(i->job_key, sizeof i->job_key, "import-%llu", (unsigned long long)i->id);
    paths_import(name, i->id);
    i->job = (struct stage_job){.name = i->name,
                                .url = FETCH_IMPORTED,
                                .sha256 = i->job_key,
                                .policy = e->config->policy,
                                .paths = &e->paths,
                                .settings = &e->settings,
                                .cancel_fd = i->cancel,
                                .progress = no_progress};
    i->begun = true;
    return intake_open(&i->in, &e->paths, name, O_EXCL, "the import", err);
}

static int check_write(const struct backend_import *i, const struct import_op *op, struct err *err)
{
    int64_t limit = settings_of(i)->limits.max_download_size, there = atomic_load(&i->size);
    if (op->at != there)
        return err_set(err, ERR_INTERNAL, EINVAL,
                       "an import takes bytes one after another: these are for offset %lld, while "
                       "%lld bytes have come; write it without gaps (cp --sparse=never)",
                       (long long)op->at, (long long)there);
    if ((int64_t)op->n > limit - there)
        return err_set(err, ERR_TOO_LARGE_DOWNLOAD, EFBIG,
                       "the import is over the limit of %lld bytes; raise it with "
                       "-o max_download_size=SIZE",
                       (long long)limit);
    return 0;
}

static void explain(struct backend_import *i, struct err *err)
{
    space_explain(err, NULL, i->all->engine->paths.dir);
}

static int take(struct backend_import *i, const struct import_op *op, struct err *err)
{
    int r = intake_add(&i->in, op->bytes, op->n, err);
    if (r < 0)
        return r;
    if (!i->ahead && !i->ahead_tried)
        i->ahead = ahead_begin(&i->job, i->in.fd, -1, false);
    i->ahead_tried = true;
    ahead_bytes(i->ahead, i->in.size - (int64_t)i->in.buffered, false);
    return 0;
}

/* The writer makes its next piece ready while this one is hashed and written. */
static void write_piece(struct backend_import *i, struct import_op *op)
{
    struct err err = {0};
    int r = check_write(i, op, &err);
    bool fits = r == 0, fatal = r == -EFBIG;
    if (r == 0 && (r = begin(i, &err)) < 0)
        fatal = true;
    if (r == 0) {
        atomic_fetch_add(&i->size, (long long)op->n);
        atomic_store(&i->changed, text_now_ms());
    }
    answer(op, r < 0 ? &err : NULL);
    if (r == 0 && (r = take(i, op, &err)) < 0)
        fatal = true;
    free_spare(i, op);
    if (!fatal)
        return;
    if (fits)
        explain(i, &err);
    break_off(i, &err);
}

/* --- is that all? */

static bool is_cancelled(const struct backend_import *i)
{
    struct pollfd p = {.fd = i->cancel, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static int unpack(struct backend_import *i, struct stage_result *result, struct err *err)
{
    if (!i->ahead && !(i->ahead = ahead_begin(&i->job, i->in.fd, i->in.size, true)))
        return err_set(err, ERR_INTERNAL, EAGAIN, "no memory or thread to look at the archive");
    ahead_bytes(i->ahead, i->in.size, true);
    return ahead_wait(i->ahead, &i->job, result, err);
}

/* Given up for want of room, or a failure of ours: that says nothing of the archive. */
static bool may_pass(const struct err *why)
{
    return why->code == ERR_CANCELLED || why->code == ERR_IO || why->code == ERR_INTERNAL ||
           why->code == ERR_NO_SPACE;
}

/* One that fails so a second time is for the image's stages to tell of. */
static int unpack_at_last(struct backend_import *i, struct stage_result *result, struct err *err)
{
    int r = unpack(i, result, err);
    if (r >= 0 || !may_pass(err) || is_cancelled(i))
        return r;
    ahead_remove(steal_ptr(i->ahead));
    return unpack(i, result, err);
}

/* Fewer bytes than it takes to tell what it is may still become anything. */
static bool is_incomplete(const struct backend_import *i, const struct err *why)
{
    return why->code == ERR_CORRUPT_ARCHIVE ||
           (why->code == ERR_UNSUPPORTED_FORMAT && i->in.size < FORMAT_SNIFF_BYTES);
}

static int go_on(struct backend_import *i, const struct err *why)
{
    ahead_remove(steal_ptr(i->ahead));
    i->ahead_tried = false;
    i->judged = i->in.size;
    i->told = false;
    err_set(&i->verdict, why->code, EINVAL, "%s: %s, %lld bytes", err_word(why->code), why->text,
            (long long)i->in.size);
    return 0;
}

/* 0: not yet, 1: it is an image now. A failure ends it, but for -EAGAIN. */
static int judge(struct backend_import *i, struct err *err)
{
    struct stage_result result = {0};
    struct err why = {0};
    enum format format;
    int r = intake_sync(&i->in, &format, err);
    if (r < 0)
        return r;
    r = unpack_at_last(i, &result, &why);
    if (r == 0 && !result.ended)
        r = err_set(&why, ERR_CORRUPT_ARCHIVE, EBADMSG, "it has no end: the archive is truncated");
    if (r < 0 && is_incomplete(i, &why))
        return go_on(i, &why);
    if (r == -EAGAIN || is_cancelled(i)) {
        *err = why;
        return r < 0 ? r : err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
    }
    return (r = import_end(i, format, r == 0, err)) < 0 ? r : 1;
}

static void say_who(struct backend_import *i, struct err *err)
{
    LOCK_SCOPE(&i->all->lock);
    if (i->unlinked)
        err_set(err, ERR_CANCELLED, ECANCELED, "import/%s was removed, or its writer killed",
                i->name);
    else
        err_set(err, ERR_INTERRUPTED, ECANCELED, "the daemon is stopping");
}

static void flush(struct backend_import *i, struct import_op *op)
{
    struct err err = {0};
    bool news = i->begun && i->in.size != i->judged;
    int r = news ? judge(i, &err) : 0;
    if (r == 0 && i->judged > 0 && op->by == i->creator) {
        err = i->verdict;
        i->told = true;
    }
    if (r == -ECANCELED)
        say_who(i, &err);
    else if (r < 0)
        explain(i, &err);
    if (r < 0 && r != -EAGAIN)
        break_off(i, &err);
    if (r > 0)
        become_image(i, op);
    else
        answer(op, err.num ? &err : NULL);
    import_free_op(op);
}

/* --- it is closed */

/* Whoever has begun it may know already. */
static void release(struct backend_import *i, struct import_op *op)
{
    struct err err = i->verdict;
    if (i->in.size == 0)
        err_set(&err, ERR_CORRUPT_ARCHIVE, EINVAL, "nothing was written");
    else if (!err.code)
        err_set(&err, ERR_CORRUPT_ARCHIVE, EINVAL, "closed before it could be looked at");
    break_off(i, &err);
    answer(op, i->told ? NULL : &err);
}

static void run_op(struct backend_import *i, struct import_op *op)
{
    switch (op->kind) {
    case IMPORT_WRITE:
        write_piece(i, op);
        break;
    case IMPORT_FLUSH:
        flush(i, op);
        break;
    case IMPORT_RELEASE:
        release(i, op);
        break;
    }
}

static void stopped(struct backend_import *i)
{
    struct err err = {0};
    say_who(i, &err);
    break_off(i, &err);
}

/* Whoever is the last to know of it frees it. */
static void leave(struct backend_import *i)
{
    struct imports *all = i->all;
    lock_take(&all->lock);
    bool last = !i->open;
    i->running = false;
    all->running--;
    if (last)
        import_unlist(i);
    pthread_cond_broadcast(&all->ended);
    lock_release(&all->lock);
    if (last)
        import_free(i);
}

/* Only its thread changes its state. */
void *import_run(void *arg)
{
    struct backend_import *i = arg;
    while (i->state == IMPORT_UNDERWAY) {
        struct import_op *op = next_op(i);
        if (op)
            run_op(i, op);
        else
            stopped(i);
    }
    leave(i);
    return NULL;
}
