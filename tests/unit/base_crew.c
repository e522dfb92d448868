#include "base/crew.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#define MOST 1000

static struct {
    atomic_int calls[MOST];
    pthread_barrier_t all;
} t;

static void count(void *ctx, size_t i)
{
    cr_assert_eq(ctx, (void *)&t);
    atomic_fetch_add(&t.calls[i], 1);
}

Test(crew, each_is_called_once_and_all_before_it_returns)
{
    static const size_t counts[] = {0, 1, 2, CREW_EACH, CREW_EACH * CREW_MAX, MOST};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (size_t i = 0; i < MOST; i++)
            atomic_store(&t.calls[i], 0);
        crew_run(counts[c], count, &t);
        for (size_t i = 0; i < MOST; i++)
            cr_assert_eq(atomic_load(&t.calls[i]), i < counts[c], "%zu of %zu", i, counts[c]);
    }
}

/* They are in there together, or this does not end. */
static void meet(void *ctx, size_t i)
{
    if (i < CREW_MAX)
        pthread_barrier_wait(&t.all);
}

Test(crew, many_things_are_done_by_that_many_threads, .timeout = 60)
{
    cr_assert_eq(pthread_barrier_init(&t.all, NULL, CREW_MAX), 0);
    crew_run(MOST, meet, &t);
    pthread_barrier_destroy(&t.all);
}

static pthread_t caller;

static void check_thread(void *ctx, size_t i)
{
    cr_assert(pthread_equal(pthread_self(), caller));
}

Test(crew, few_things_are_done_by_the_caller)
{
    caller = pthread_self();
    crew_run(2 * CREW_EACH - 1, check_thread, NULL);
}
