#include "latency.h"

#include <stdio.h>
#include <time.h>

int64_t latency_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Eight steps for each power of two. */
static size_t step_of(uint64_t ns)
{
    if (ns < 8)
        return ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    return (power - 2) * 8 + (ns >> (power - 3) & 7);
}

static uint64_t end_of(size_t step)
{
    if (step < 8)
        return step;
    return ((9 + step % 8) << (step / 8 - 1)) - 1;
}

void latency_add(struct latency *l, int64_t begun)
{
    uint64_t ns = (uint64_t)(latency_now() - begun);
    l->steps[step_of(ns)]++;
    l->count++;
    if (ns > l->most)
        l->most = ns;
}

void latency_merge(struct latency *into, const struct latency *from)
{
    for (size_t i = 0; i < LATENCY_STEPS; i++)
        into->steps[i] += from->steps[i];
    into->count += from->count;
    if (from->most > into->most)
        into->most = from->most;
}

uint64_t latency_at(const struct latency *l, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)((double)l->count * share);
    for (size_t i = 0; i < LATENCY_STEPS; i++)
        if ((seen += l->steps[i]) > wanted)
            return end_of(i) < l->most ? end_of(i) : l->most;
    return l->most;
}

void latency_print_head(void)
{
    printf("%-14s %9s %9s %9s %9s %9s %9s\n", "ms", "calls", "p50", "p90", "p99", "p99.9", "most");
}

void latency_print(const char *kind, const struct latency *l)
{
    static const double shares[] = {0.5, 0.9, 0.99, 0.999};
    if (!l->count)
        return;
    printf("%-14s %9llu", kind, (unsigned long long)l->count);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
        printf(" %9.3f", (double)latency_at(l, shares[i]) / 1e6);
    printf(" %9.3f\n", (double)l->most / 1e6);
}
