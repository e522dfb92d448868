/* bar: a line that says how far something is: what is known of it and a terminal's width become
 * text. Pure; the caller has the clock. */
#ifndef CLIENT_BAR_H
#define CLIENT_BAR_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* How fast it goes, from what was seen of it in the last few seconds. */
#define METER_SAMPLES   32
#define METER_WINDOW_MS 5000
struct meter {
    struct {
        int64_t ms, done;
    } sample[METER_SAMPLES]; /* a ring; the oldest is at `first` */
    unsigned first, n;
};

/* At `now` (monotonic, in milliseconds) so much was done; less than before begins anew. */
void meter_add(struct meter *meter, int64_t now, int64_t done);

/* Bytes a second until now; below 0 while nobody can tell. */
double meter_rate(const struct meter *meter, int64_t now);

/* Milliseconds until all is done at that rate; below 0: nobody can tell. */
int64_t meter_left(double rate, int64_t done, int64_t total);

struct bar {
    const char *name, *phase;
    int percent;         /* below 0: there is no bar */
    int64_t done, total; /* bytes; total below 1: unknown */
    double rate;         /* bytes a second; below 0: unknown */
    int64_t left_ms;     /* below 0: unknown */
    const char *colour;  /* the sequence that colours the phase, or "" */
    const char *note;    /* instead of all that comes after the phase, cut; or NULL */
};

/* Adds one line without a newline, at most `width` columns; the name takes `name_width` of them as
 * long as a quarter of the line holds that. What has no room goes: first the time left, then the
 * rate, the bytes, the bar. */
void bar_add(struct text *out, const struct bar *bar, int width, int name_width);

/* Adds s in at least and at most `width` columns, "..." at the end of what was cut. */
void bar_add_cut(struct text *out, const char *s, int width);

#endif
