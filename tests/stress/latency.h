/* latency: how long calls took, as a histogram a kind: a thread fills its own, one sums them up.
 *
 * Steps of an eighth at most: what a row of the table says is at most 12 % over what was. */
#ifndef TESTS_LATENCY_H
#define TESTS_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_STEPS 512

struct latency {
    uint64_t count, most; /* ns */
    uint64_t steps[LATENCY_STEPS];
};

int64_t latency_now(void); /* ns, monotonic */

/* One call that began then and has just ended. */
void latency_add(struct latency *l, int64_t begun);
void latency_merge(struct latency *into, const struct latency *from);

/* The time that `share` of the calls took at most, in ns. */
uint64_t latency_at(const struct latency *l, double share);

/* The table: its head, and a row for whatever was called at all. ms. */
void latency_print_head(void);
void latency_print(const char *kind, const struct latency *l);

#endif
