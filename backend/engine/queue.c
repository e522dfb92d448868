#include "engine/queue.h"

#include "base/cleanup.h"
#include "base/lock.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

struct line {
    struct queue *queue;
    struct job *first, **last; /* waiting */
    struct job *running;
    pthread_cond_t wake;
    struct queue_load *load;
    pthread_t *threads;
    int64_t want, started; /* threads */
};

struct queue {
    struct lock lock; /* guards all below */
    struct line lines[QUEUE_POOLS];
    void (*done)(void *ctx, struct job *job);
    void *ctx;
    bool stopping;
};

int queue_open(struct queue **out, const int64_t threads[QUEUE_POOLS],
               void (*done)(void *ctx, struct job *job), void *ctx,
               struct queue_load load[QUEUE_POOLS])
{
    struct queue *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    lock_init(&q->lock, LOCK_QUEUE, "queue");
    q->done = done;
    q->ctx = ctx;
    for (size_t p = 0; p < QUEUE_POOLS; p++) {
        struct line *l = &q->lines[p];
        l->queue = q;
        l->last = &l->first;
        l->want = threads[p];
        l->load = &load[p];
        lock_cond_init(&l->wake);
        if (!(l->threads = calloc((size_t)threads[p], sizeof *l->threads))) {
            queue_close(q, NULL);
            return -ENOMEM;
        }
    }
    *out = q;
    return 0;
}

static bool is_running(const struct line *l, const char *key)
{
    for (const struct job *j = l->running; j; j = j->next)
        if (key[0] && strcmp(j->key, key) == 0)
            return true;
    return false;
}

/* The first whose key is free, out of the line; NULL: none. */
static struct job *take(struct line *l)
{
    for (struct job **p = &l->first; *p; p = &(*p)->next) {
        struct job *job = *p;
        if (is_running(l, job->key))
            continue;
        *p = job->next;
        if (!job->next)
            l->last = p;
        l->load->waiting--;
        l->load->running++;
        job->running = true;
        job->next = l->running;
        l->running = job;
        return job;
    }
    return NULL;
}

static void leave(struct line *l, struct job *job)
{
    struct job **p = &l->running;
    while (*p != job)
        p = &(*p)->next;
    *p = job->next;
    job->next = NULL;
    l->load->running--;
}

static void run(struct job *job)
{
    job->err = (struct err){0};
    if (atomic_load(&job->cancelled))
        job->status = err_set(&job->err, ERR_CANCELLED, ECANCELED, "cancelled");
    else if (job->stage.cancel_fd < 0)
        job->status = err_sys(&job->err, EMFILE, "cannot make an event descriptor");
    else
        job->status = job->run(job, &job->err);
}

static void *work(void *arg)
{
    struct line *l = arg;
    struct queue *q = l->queue;
    lock_take(&q->lock);
    while (!q->stopping) {
        struct job *job = take(l);
        if (!job) {
            lock_wait(&q->lock, &l->wake);
            continue;
        }
        job->stage.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        lock_release(&q->lock);
        run(job);
        lock_take(&q->lock);
        leave(l, job);
        cleanup_close(&job->stage.cancel_fd);
        job->stage.cancel_fd = -1;
        if (l->first)
            pthread_cond_broadcast(&l->wake); /* its key is free */
        lock_release(&q->lock);
        q->done(q->ctx, job);
        lock_take(&q->lock);
    }
    lock_release(&q->lock);
    return NULL;
}

int queue_start(struct queue *q)
{
    for (size_t p = 0; p < QUEUE_POOLS; p++)
        for (struct line *l = &q->lines[p]; l->started < l->want; l->started++) {
            int r = pthread_create(&l->threads[l->started], NULL, work, l);
            if (r)
                return -r;
        }
    return 0;
}

void queue_push(struct queue *q, struct job *job)
{
    struct line *l = &q->lines[job->pool];
    LOCK_SCOPE(&q->lock);
    job->running = false;
    job->stage.cancel_fd = -1;
    job->next = NULL;
    *l->last = job;
    l->last = &job->next;
    l->load->waiting++;
    pthread_cond_signal(&l->wake);
}

static void cancel_running(struct job *job)
{
    atomic_store(&job->cancelled, true);
    if (job->stage.cancel_fd >= 0)
        eventfd_write(job->stage.cancel_fd, 1);
}

bool queue_cancel(struct queue *q, struct job *job)
{
    struct line *l = &q->lines[job->pool];
    LOCK_SCOPE(&q->lock);
    if (job->running) {
        cancel_running(job);
        return false;
    }
    struct job **p = &l->first;
    while (*p != job)
        p = &(*p)->next;
    *p = job->next;
    if (!job->next)
        l->last = p;
    l->load->waiting--;
    return true;
}

void queue_stop(struct queue *q)
{
    LOCK_SCOPE(&q->lock);
    q->stopping = true;
    for (size_t p = 0; p < QUEUE_POOLS; p++) {
        for (struct job *j = q->lines[p].running; j; j = j->next)
            cancel_running(j);
        pthread_cond_broadcast(&q->lines[p].wake);
    }
}

void queue_close(struct queue *q, void (*drop)(struct job *job))
{
    if (!q)
        return;
    queue_stop(q);
    for (size_t p = 0; p < QUEUE_POOLS; p++) {
        struct line *l = &q->lines[p];
        for (int64_t t = 0; t < l->started; t++)
            pthread_join(l->threads[t], NULL);
        for (struct job *j = l->first, *next; j; j = next) {
            next = j->next;
            l->load->waiting--;
            drop(j);
        }
        free(l->threads);
        pthread_cond_destroy(&l->wake);
    }
    lock_destroy(&q->lock);
    free(q);
}
