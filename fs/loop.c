#define FUSE_USE_VERSION 312

#include "fs/loop.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/log.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define THREADS 10

static const struct timespec memory_wait = {.tv_sec = 1};     /* from a lack to the next try */
static const struct timespec end_wait = {.tv_nsec = 1000000}; /* between signals to end */

struct loop {
    struct fuse_session *session;
    atomic_int idle; /* threads that wait for a request, or soon will */
    atomic_int error;
    sem_t ended;      /* posted by each that ends */
    struct lock lock; /* over what follows */
    pthread_t threads[THREADS];
    int count;
    bool ending;
};

static void *work(void *arg);

/* The one that cannot be had will be missed, not needed. */
static int add_thread(struct loop *l)
{
    LOCK_SCOPE(&l->lock);
    if (l->ending || l->count == THREADS)
        return 0;
    atomic_fetch_add(&l->idle, 1);
    int r = pthread_create(&l->threads[l->count], NULL, work, l);
    if (r == 0)
        l->count++;
    else
        atomic_fetch_sub(&l->idle, 1);
    return -r;
}

static void *work(void *arg)
{
    struct loop *l = arg;
    struct fuse_buf request = {0};
    while (!fuse_session_exited(l->session)) {
        int r = fuse_session_receive_buf(l->session, &request);
        if (r == -ENOMEM)
            nanosleep(&memory_wait, NULL);
        if (r == -EINTR || r == -ENOMEM)
            continue;
        if (r <= 0) {
            if (r < 0)
                atomic_store(&l->error, r);
            fuse_session_exit(l->session);
            break;
        }
        if (atomic_fetch_sub(&l->idle, 1) == 1)
            (void)add_thread(l);
        fuse_session_process_buf(l->session, &request);
        atomic_fetch_add(&l->idle, 1);
    }
    sem_post(&l->ended);
    free(request.mem);
    return NULL;
}

/* A signal that comes between a thread's look at the session and its read is repeated. */
static void join_all(struct loop *l)
{
    lock_take(&l->lock);
    l->ending = true;
    lock_release(&l->lock);
    for (int i = 0; i < l->count; i++)
        pthread_kill(l->threads[i], SIGCHLD);
    for (int i = 0; i < l->count; i++)
        while (pthread_tryjoin_np(l->threads[i], NULL) == EBUSY) {
            pthread_kill(l->threads[i], SIGCHLD);
            nanosleep(&end_wait, NULL);
        }
}

int loop_run(struct fuse_session *session)
{
    struct loop l = {.session = session, .lock = LOCK_INIT(LOCK_LOOP)};
    sem_init(&l.ended, 0, 0);
    int r = add_thread(&l);
    while (r == 0 && !fuse_session_exited(session))
        sem_wait(&l.ended);
    join_all(&l);
    sem_destroy(&l.ended);
    return r < 0 ? r : atomic_load(&l.error);
}
