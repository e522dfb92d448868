#include "engine/queue.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

/* What the jobs do, seen from outside: held until they are let go, counted while they run. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct queue *queue;
    bool let_go;
    int ran[64], ended; /* tags in the order in which they began; how many are over */
    int begun, running, most;
    int of_key[4], most_of_key;
    int dropped;
} t = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static struct job jobs[64];
static struct queue_load load[QUEUE_POOLS];

static void wait_until(const int *count, int at_least)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    while (*count < at_least)
        cr_assert_eq(pthread_cond_timedwait(&t.moved, &t.lock, &end), 0, "%d of %d", *count,
                     at_least);
}

static void done(void *ctx, struct job *job)
{
    cr_assert_eq(ctx, (void *)&t);
    pthread_mutex_lock(&t.lock);
    t.ended++;
    pthread_cond_broadcast(&t.moved);
    pthread_mutex_unlock(&t.lock);
}

static void drop(struct job *job)
{
    t.dropped++;
}

/* Holds until let go or cancelled. */
static int run(struct job *job, struct err *err)
{
    struct pollfd cancel = {.fd = job->stage.cancel_fd, .events = POLLIN};
    int status = 0, *of_key = job->key[0] ? &t.of_key[job->key[0] - 'a'] : &t.of_key[3];
    pthread_mutex_lock(&t.lock);
    t.ran[t.begun++] = job->state;
    t.running++;
    ++*of_key;
    t.most = t.running > t.most ? t.running : t.most;
    if (job->key[0] && *of_key > t.most_of_key)
        t.most_of_key = *of_key;
    pthread_cond_broadcast(&t.moved);
    for (bool let_go = t.let_go; !let_go && status == 0; let_go = t.let_go) {
        pthread_mutex_unlock(&t.lock);
        status = poll(&cancel, 1, 1) > 0 ? -ECANCELED : 0;
        pthread_mutex_lock(&t.lock);
    }
    t.running--;
    --*of_key;
    pthread_mutex_unlock(&t.lock);
    return status;
}

static void open_queue(int64_t downloads, int64_t others)
{
    const int64_t threads[QUEUE_POOLS] = {downloads, others, others, others};
    cr_assert_eq(queue_open(&t.queue, threads, done, &t, load), 0);
}

static void push(int tag, enum queue_pool pool, const char *key)
{
    jobs[tag] = (struct job){.pool = pool, .run = run, .state = tag};
    strcpy(jobs[tag].key, key);
    queue_push(t.queue, &jobs[tag]);
}

static void let_go(void)
{
    pthread_mutex_lock(&t.lock);
    t.let_go = true;
    pthread_mutex_unlock(&t.lock);
}

static void wait_begun(int n)
{
    pthread_mutex_lock(&t.lock);
    wait_until(&t.begun, n);
    pthread_mutex_unlock(&t.lock);
}

static void wait_ended(int n)
{
    pthread_mutex_lock(&t.lock);
    wait_until(&t.ended, n);
    pthread_mutex_unlock(&t.lock);
}

/* Long enough for what must not happen to happen. */
static void settle(void)
{
    usleep(50000);
}

Test(queue, first_come_first_served)
{
    open_queue(1, 1);
    t.let_go = true;
    for (int i = 0; i < 20; i++)
        push(i, QUEUE_DOWNLOAD, "");
    cr_assert_eq(queue_start(t.queue), 0);
    wait_ended(20);
    queue_close(t.queue, drop);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(t.ran[i], i);
    cr_assert_eq(t.dropped, 0);
}

Test(queue, as_many_at_a_time_as_the_pool_has_threads)
{
    open_queue(3, 1);
    cr_assert_eq(queue_start(t.queue), 0);
    for (int i = 0; i < 10; i++)
        push(i, QUEUE_DOWNLOAD, "");
    wait_begun(3);
    settle();
    cr_assert_eq(t.begun, 3);
    let_go();
    wait_ended(10);
    cr_assert_eq(t.most, 3);
    queue_close(t.queue, drop);
}

Test(queue, pools_do_not_wait_for_each_other)
{
    open_queue(1, 1);
    cr_assert_eq(queue_start(t.queue), 0);
    for (int p = 0; p < QUEUE_POOLS; p++) {
        push(p, (enum queue_pool)p, "a");
        push(10 + p, (enum queue_pool)p, "a");
    }
    wait_begun(QUEUE_POOLS);
    settle();
    cr_assert_eq(t.begun, QUEUE_POOLS);
    let_go();
    wait_ended(2 * QUEUE_POOLS);
    queue_close(t.queue, drop);
}

Test(queue, two_of_a_key_never_run_at_the_same_time)
{
    open_queue(8, 1);
    t.let_go = true;
    cr_assert_eq(queue_start(t.queue), 0);
    for (int i = 0; i < 60; i++) {
        push(i, QUEUE_DOWNLOAD, (const char *[]){"a", "b", "c"}[i % 3]);
        if (i % 7 == 0)
            usleep(500);
    }
    wait_ended(60);
    cr_assert_eq(t.most_of_key, 1);
    queue_close(t.queue, drop);
}

Test(queue, another_key_passes_one_that_is_taken)
{
    open_queue(2, 1);
    cr_assert_eq(queue_start(t.queue), 0);
    push(0, QUEUE_DOWNLOAD, "a");
    push(1, QUEUE_DOWNLOAD, "a");
    push(2, QUEUE_DOWNLOAD, "a");
    push(3, QUEUE_DOWNLOAD, "b");
    wait_begun(2);
    settle();
    cr_assert_eq(t.begun, 2);
    cr_assert((t.ran[0] == 0 && t.ran[1] == 3) || (t.ran[0] == 3 && t.ran[1] == 0));
    let_go();
    wait_ended(4);
    cr_assert_eq(t.most_of_key, 1);
    cr_assert_lt(t.ran[2], t.ran[3], "those of one key keep their order");
    queue_close(t.queue, drop);
}

Test(queue, a_job_that_has_not_begun_is_the_callers_again)
{
    open_queue(1, 1);
    push(0, QUEUE_DOWNLOAD, "");
    push(1, QUEUE_DOWNLOAD, "");
    push(2, QUEUE_DOWNLOAD, "");
    cr_assert(queue_cancel(t.queue, &jobs[2]), "the last in line");
    push(3, QUEUE_DOWNLOAD, "");
    cr_assert(queue_cancel(t.queue, &jobs[0]), "the first in line");
    cr_assert_eq(queue_start(t.queue), 0);
    let_go();
    wait_ended(2);
    queue_close(t.queue, drop);
    cr_assert(t.begun == 2 && t.ran[0] == 1 && t.ran[1] == 3);
    cr_assert_eq(t.dropped, 0);
}

Test(queue, the_only_one_in_line_can_be_taken_out)
{
    open_queue(1, 1);
    push(0, QUEUE_UNPACK, "a");
    cr_assert(queue_cancel(t.queue, &jobs[0]));
    push(1, QUEUE_UNPACK, "a");
    let_go();
    cr_assert_eq(queue_start(t.queue), 0);
    wait_ended(1);
    queue_close(t.queue, drop);
    cr_assert(t.begun == 1 && t.ran[0] == 1);
}

Test(queue, a_job_that_runs_is_told_and_comes_back_through_done)
{
    open_queue(1, 1);
    cr_assert_eq(queue_start(t.queue), 0);
    push(0, QUEUE_DOWNLOAD, "a");
    push(1, QUEUE_DOWNLOAD, "a");
    wait_begun(1);
    cr_assert_not(queue_cancel(t.queue, &jobs[0]));
    wait_ended(1);
    cr_assert_eq(jobs[0].status, -ECANCELED);
    cr_assert(atomic_load(&jobs[0].cancelled));
    wait_begun(2);
    let_go();
    wait_ended(2);
    cr_assert_eq(jobs[1].status, 0);
    cr_assert_not(queue_cancel(t.queue, &jobs[1]), "one that is over is not the caller's either");
    queue_close(t.queue, drop);
}

Test(queue, closing_ends_what_runs_and_drops_what_waits)
{
    open_queue(2, 1);
    cr_assert_eq(queue_start(t.queue), 0);
    for (int i = 0; i < 5; i++)
        push(i, QUEUE_DOWNLOAD, "");
    push(5, QUEUE_CHORE, "");
    push(6, QUEUE_CHORE, "");
    wait_begun(3);
    queue_close(t.queue, drop);
    cr_assert_eq(t.begun, 3);
    cr_assert_eq(t.ended, 3);
    cr_assert_eq(t.dropped, 4);
    cr_assert_eq(jobs[5].status, -ECANCELED);
}

Test(queue, nothing_begins_after_a_stop)
{
    open_queue(1, 1);
    cr_assert_eq(queue_start(t.queue), 0);
    push(0, QUEUE_DOWNLOAD, "");
    push(1, QUEUE_DOWNLOAD, "");
    wait_begun(1);
    queue_stop(t.queue);
    wait_ended(1);
    push(2, QUEUE_UNPACK, "");
    settle();
    cr_assert_eq(t.begun, 1);
    queue_close(t.queue, drop);
    cr_assert_eq(t.dropped, 2);
}

Test(queue, closing_one_that_never_started)
{
    open_queue(2, 2);
    push(0, QUEUE_MOUNT, "a");
    queue_close(t.queue, drop);
    cr_assert(t.begun == 0 && t.dropped == 1);
    queue_close(NULL, drop);
}
