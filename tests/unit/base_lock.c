#include "base/lock.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <signal.h>

static struct lock registry = LOCK_INIT(LOCK_REGISTRY);
static struct lock other_registry = LOCK_INIT(LOCK_REGISTRY);
static struct lock queue = LOCK_INIT(LOCK_QUEUE);

TestSuite(lock, .timeout = 20);

Test(lock, in_order)
{
    for (int i = 0; i < 2; i++) {
        lock_take(&queue);
        lock_take(&registry);
        lock_release(&queue); /* in any order */
        lock_release(&registry);
    }
}

Test(lock, scope_ends_the_hold)
{
    {
        LOCK_SCOPE(&registry);
    }
    lock_take(&queue);
    lock_release(&queue);
}

Test(lock, out_of_order_aborts, .signal = SIGABRT)
{
    lock_take(&registry);
    lock_take(&queue);
}

Test(lock, two_of_one_rank_abort, .signal = SIGABRT)
{
    lock_take(&registry);
    lock_take(&other_registry);
}

Test(lock, twice_aborts, .signal = SIGABRT)
{
    lock_take(&registry);
    lock_take(&registry);
}

struct shared {
    struct lock lock;
    pthread_cond_t cond;
    int turns;
};

static void *take_turns(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < 10000; i++) {
        LOCK_SCOPE(&s->lock);
        s->turns++;
    }
    LOCK_SCOPE(&s->lock);
    pthread_cond_signal(&s->cond);
    return NULL;
}

Test(lock, excludes_and_wakes)
{
    struct shared s = {0};
    lock_init(&s.lock, LOCK_QUEUE, "turns");
    lock_cond_init(&s.cond);
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, take_turns, &s);
    lock_take(&s.lock);
    while (s.turns < 20000)
        lock_wait(&s.lock, &s.cond);
    lock_release(&s.lock);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    cr_assert_eq(s.turns, 20000);
    lock_destroy(&s.lock);
}

Test(lock, waits_no_longer_than_asked)
{
    struct shared s = {0};
    lock_init(&s.lock, LOCK_QUEUE, "nobody");
    lock_cond_init(&s.cond);
    int64_t start = text_monotonic_ms();
    lock_take(&s.lock);
    lock_wait_until(&s.lock, &s.cond, start + 50);
    lock_release(&s.lock);
    int64_t took = text_monotonic_ms() - start;
    cr_assert(took >= 45 && took < 5000, "%lld ms", (long long)took);
}
