#include "engine/import.h"

#include "base/cleanup.h"
#include "base/crew.h"
#include "engine/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* --- all of them */

struct imports *imports_new(struct engine *e)
{
    struct imports *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->engine = e;
    all->changed = text_now_ms();
    lock_init(&all->lock, LOCK_IMPORTS, "imports");
    lock_cond_init(&all->ended);
    return all;
}

static void raise_event(int fd)
{
    (void)eventfd_write(fd, 1);
}

void imports_halt(struct imports *all)
{
    if (!all)
        return;
    LOCK_SCOPE(&all->lock);
    all->stopping = true;
    for (struct backend_import *i = all->first; i; i = i->next) {
        raise_event(i->cancel);
        pthread_cond_signal(&i->wake);
    }
}

void imports_join(struct imports *all)
{
    if (!all)
        return;
    LOCK_SCOPE(&all->lock);
    while (all->running > 0)
        lock_wait(&all->lock, &all->ended);
}

void import_free_op(struct import_op *op)
{
    if (!op || op->kind == IMPORT_RELEASE)
        return;
    free(op->bytes);
    free(op);
}

void import_free(struct backend_import *i)
{
    import_free_op(i->spare);
    cleanup_close(&i->cancel);
    sem_destroy(&i->answered);
    pthread_cond_destroy(&i->wake);
    free(i);
}

void imports_free(struct imports *all)
{
    if (!all)
        return;
    for (struct backend_import *i = all->first, *next; i; i = next) {
        next = i->next;
        import_free(i);
    }
    lock_destroy(&all->lock);
    pthread_cond_destroy(&all->ended);
    free(all);
}

size_t imports_underway(struct imports *all)
{
    LOCK_SCOPE(&all->lock);
    return all->running;
}

size_t imports_need(struct imports *all, const char *sha256)
{
    size_t count = 0;
    LOCK_SCOPE(&all->lock);
    for (const struct backend_import *i = all->first; i; i = i->next)
        count += i->running && strcmp(i->sha256, sha256) == 0;
    return count;
}

/* With the lock. What is closed, or was removed, comes to nothing: its name is free. */
static bool is_listed(const struct backend_import *i)
{
    return i->state == IMPORT_UNDERWAY && i->open && !i->unlinked;
}

/* With the lock. */
static struct backend_import *find_underway(struct imports *all, const char *name)
{
    struct backend_import *i = all->first;
    while (i && (!is_listed(i) || strcmp(i->name, name) != 0))
        i = i->next;
    return i;
}

static struct backend_import *find_id(struct imports *all, uint64_t id)
{
    struct backend_import *i = all->first;
    while (i && i->id != id)
        i = i->next;
    return i;
}

bool import_view(struct imports *all, uint64_t id, struct backend_import_view *view)
{
    LOCK_SCOPE(&all->lock);
    const struct backend_import *i = find_id(all, id);
    if (!i)
        return false;
    strcpy(view->name, i->name);
    view->size = atomic_load(&i->size);
    view->changed = atomic_load(&i->changed);
    return true;
}

bool import_find(struct imports *all, const char *name, uint64_t *id)
{
    LOCK_SCOPE(&all->lock);
    const struct backend_import *i = find_underway(all, name);
    *id = i ? i->id : 0;
    return i != NULL;
}

int64_t import_list(struct imports *all, struct backend_name **names, int64_t *changed)
{
    int64_t n = 0;
    LOCK_SCOPE(&all->lock);
    *changed = all->changed;
    if (!names)
        return 0;
    if (!(*names = calloc(all->running + 1, sizeof **names)))
        return -ENOMEM;
    for (const struct backend_import *i = all->first; i; i = i->next)
        if (is_listed(i)) {
            (*names)[n].id = i->id;
            strcpy((*names)[n++].name, i->name);
        }
    return n;
}

/* --- begin */

/* With the lock. */
static int check_free(struct imports *all, const char *name, struct err *err)
{
    struct engine *e = all->engine;
    uint64_t id;
    if (registry_find(e->registry, name, &id))
        return err_set(err, ERR_INTERNAL, EEXIST,
                       "there is an image of that name; remove it first, or choose another name");
    if (find_underway(all, name))
        return err_set(err, ERR_INTERNAL, EEXIST, "another import of that name is under way");
    if (all->running >= IMPORTS_MAX)
        return err_set(err, ERR_INTERNAL, EAGAIN,
                       "%d imports are under way, and no more can be; wait for one to end",
                       IMPORTS_MAX);
    if ((int64_t)(registry_underway(e->registry) + all->running) >= e->config->queue)
        return command_queue_full(e, err);
    if (all->stopping)
        return err_set(err, ERR_INTERRUPTED, ECANCELED, "the daemon is stopping");
    return 0;
}

static struct backend_import *make(struct imports *all, const char *name, int64_t by)
{
    struct backend_import *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->all = all;
    i->creator = by;
    i->changed = text_now_ms();
    i->last_op = &i->ops;
    i->judged = -1;
    strcpy(i->name, name);
    lock_cond_init(&i->wake);
    sem_init(&i->answered, 0, 0);
    i->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (i->cancel >= 0)
        return i;
    import_free(i);
    return NULL;
}

/* With the lock. */
static int add(struct imports *all, struct backend_import *i, struct err *err)
{
    int r = check_free(all, i->name, err);
    if (r < 0)
        return r;
    i->id = ++all->last_id;
    if ((r = crew_detach(import_run, i)) < 0)
        return err_sys(err, -r, "cannot start a thread for the import");
    i->open = i->running = true;
    i->next = all->first;
    all->first = i;
    all->running++;
    all->changed = i->changed;
    return 0;
}

int import_begin(struct imports *all, const char *name, int64_t by, struct backend_import **import,
                 struct err *err)
{
    if (!paths_name_valid(name, strlen(name)))
        return err_set(err, ERR_INTERNAL, EINVAL,
                       "not a name: 1 to %d of A-Z a-z 0-9 . _ -, a letter or digit first",
                       BACKEND_NAME_MAX);
    struct backend_import *i = make(all, name, by);
    if (!i)
        return err_sys(err, ENOMEM, "cannot hold the import");
    lock_take(&all->lock);
    int r = add(all, i, err);
    lock_release(&all->lock);
    if (r < 0)
        import_free(i);
    else
        *import = i;
    return r;
}

/* --- what is handed over */

/* With the lock. */
static bool push(struct backend_import *i, struct import_op *op)
{
    if (i->state != IMPORT_UNDERWAY || !i->running)
        return false;
    op->next = NULL;
    *i->last_op = op;
    i->last_op = &op->next;
    pthread_cond_signal(&i->wake);
    return true;
}

/* To its thread, or if it has none any more, answered as that left it. */
static void hand_over(struct backend_import *i, struct import_op *op)
{
    lock_take(&i->all->lock);
    bool pushed = push(i, op);
    struct err answer = i->answer;
    if (op->kind == IMPORT_FLUSH && i->state == IMPORT_IMAGE)
        answer.num = 0; /* all that it saw is in the image */
    lock_release(&i->all->lock);
    if (pushed)
        return;
    op->done(op->ctx, &answer);
    import_free_op(op);
}

static const struct err no_memory = {
    .num = ENOMEM, .code = ERR_INTERNAL, .text = "no memory to hold the request"};

static struct import_op *new_op(const struct import_op *from)
{
    struct import_op *op = malloc(sizeof *op);
    if (op)
        *op = *from;
    else
        from->done(from->ctx, &no_memory);
    return op;
}

/* Pieces of a stream are of one size: the memory of the last one serves the next. */
static struct import_op *new_write(struct backend_import *i, size_t n)
{
    lock_take(&i->all->lock);
    struct import_op *op = steal_ptr(i->spare);
    lock_release(&i->all->lock);
    if (op && op->capacity >= n)
        return op;
    import_free_op(op);
    op = calloc(1, sizeof *op);
    if (op && !(op->bytes = malloc(n))) {
        free(op);
        return NULL;
    }
    if (op)
        op->capacity = n;
    return op;
}

void backend_import_write(struct backend_import *i, const void *bytes, size_t n, int64_t at,
                          backend_import_done *done, void *ctx)
{
    struct import_op *op = new_write(i, n);
    if (!op) {
        done(ctx, &no_memory);
        return;
    }
    op->kind = IMPORT_WRITE;
    op->at = at;
    op->n = n;
    op->done = done;
    op->ctx = ctx;
    memcpy(op->bytes, bytes, n);
    hand_over(i, op);
}

void backend_import_flush(struct backend_import *i, int64_t by, backend_import_done *done,
                          void *ctx)
{
    struct import_op *op =
        new_op(&(struct import_op){.kind = IMPORT_FLUSH, .by = by, .done = done, .ctx = ctx});
    if (op)
        hand_over(i, op);
}

void import_unlist(struct backend_import *i)
{
    struct backend_import **p = &i->all->first;
    while (*p != i)
        p = &(*p)->next;
    *p = i->next;
}

/* The file is closed: what its thread does not need any more goes at once. */
void backend_import_release(struct backend_import *i, backend_import_done *done, void *ctx)
{
    struct imports *all = i->all;
    static const struct err nothing;
    lock_take(&all->lock);
    i->release.kind = IMPORT_RELEASE;
    i->release.done = done;
    i->release.ctx = ctx;
    i->open = false;
    bool pushed = push(i, &i->release), running = i->running;
    if (!running)
        import_unlist(i);
    lock_release(&all->lock);
    if (!pushed)
        done(ctx, &nothing);
    if (!running)
        import_free(i);
}

/* With the lock. */
static void break_off(struct backend_import *i)
{
    i->unlinked = true;
    i->all->changed = text_now_ms();
    raise_event(i->cancel);
    pthread_cond_signal(&i->wake);
}

void backend_import_abandon(struct backend_import *i)
{
    LOCK_SCOPE(&i->all->lock);
    if (i->state == IMPORT_UNDERWAY && !i->sha256[0])
        break_off(i);
}

int import_unlink(struct imports *all, const char *name, struct err *err)
{
    LOCK_SCOPE(&all->lock);
    struct backend_import *i = find_underway(all, name);
    if (!i)
        return err_set(err, ERR_INTERNAL, ENOENT, "no import of that name is under way");
    if (i->sha256[0])
        return err_set(err, ERR_INTERNAL, EBUSY, "it is about to become an image");
    break_off(i);
    return 0;
}

uint64_t backend_import_id(const struct backend_import *i)
{
    return i->id;
}
