#include "fs/client/bar.h"

#include "fs/client/human.h"

#include <stdio.h>
#include <string.h>

#define PHASE_WIDTH   8  /* "download", "activate" */
#define PERCENT_WIDTH 4  /* "100%" */
#define BYTES_WIDTH   13 /* "12.0/28.0 MiB" */
#define RATE_WIDTH    10 /* "98.4 MiB/s" */
#define LEFT_WIDTH    6  /* "12m34s" */
#define BAR_MIN       10 /* its frame is counted */
#define BAR_MAX       60
#define NAME_MIN      8
#define GAP           2

static unsigned place(const struct meter *meter, unsigned i)
{
    return (meter->first + i) % METER_SAMPLES;
}

static void drop_first(struct meter *meter)
{
    meter->first = place(meter, 1);
    meter->n--;
}

/* Is the last sample so close to the one before that the next may take its place? Else the ring
 * would hold less than its window. */
static bool is_close(const struct meter *meter)
{
    return meter->n > 1 && meter->sample[place(meter, meter->n - 1)].ms -
                                   meter->sample[place(meter, meter->n - 2)].ms <
                               METER_WINDOW_MS / (METER_SAMPLES - 4);
}

void meter_add(struct meter *meter, int64_t now, int64_t done)
{
    if (meter->n > 0 && done < meter->sample[place(meter, meter->n - 1)].done)
        meter->n = 0;
    if (is_close(meter))
        meter->n--;
    if (meter->n == METER_SAMPLES)
        drop_first(meter);
    unsigned last = place(meter, meter->n++);
    meter->sample[last].ms = now;
    meter->sample[last].done = done;
    while (meter->n > 2 && now - meter->sample[meter->first].ms > METER_WINDOW_MS)
        drop_first(meter);
}

double meter_rate(const struct meter *meter, int64_t now)
{
    if (meter->n < 2)
        return -1;
    unsigned last = place(meter, meter->n - 1);
    int64_t ms = now - meter->sample[meter->first].ms;
    if (ms < 200) /* a first burst says nothing */
        return -1;
    return (double)(meter->sample[last].done - meter->sample[meter->first].done) * 1000 /
           (double)ms;
}

int64_t meter_left(double rate, int64_t done, int64_t total)
{
    if (rate <= 0 || total <= 0 || done > total)
        return -1;
    double ms = (double)(total - done) / rate * 1000;
    return ms < 100.0 * 86400 * 1000 ? (int64_t)ms : -1;
}

void bar_add_cut(struct text *out, const char *s, int width)
{
    int n = (int)strlen(s);
    if (width <= 0)
        return;
    if (n <= width)
        text_addf(out, "%-*s", width, s);
    else if (width <= 3)
        text_addf(out, "%.*s", width, s);
    else
        text_addf(out, "%.*s...", width - 3, s);
}

static void add_bar(struct text *out, int percent, int width)
{
    int inside = width - 2, full = inside * percent / 100;
    text_addf(out, "%*s[", GAP, "");
    for (int i = 0; i < inside; i++)
        text_add(out, i < full ? "=" : i == full ? ">" : " ");
    text_add(out, "]");
}

/* Takes its room from what is left of the line. */
static bool fits(int *left, int width)
{
    if (*left < GAP + width)
        return false;
    *left -= GAP + width;
    return true;
}

static void add_right(struct text *out, const char *s, int width)
{
    text_addf(out, "%*s%*s", GAP, "", width, s);
}

/* Blank while nobody can tell: what comes and goes must not move the rest of the line. */
static void add_rate(struct text *out, double rate)
{
    char spelt[HUMAN_MAX], all[HUMAN_MAX + 2] = "";
    if (rate >= 0)
        snprintf(all, sizeof all, "%s/s", human_size((int64_t)rate, spelt));
    add_right(out, all, RATE_WIDTH);
}

/* In whole seconds: tenths would only flicker. */
static void add_left(struct text *out, int64_t ms)
{
    char spelt[HUMAN_MAX] = "";
    if (ms >= 60000)
        human_duration(ms, spelt);
    else if (ms >= 0)
        snprintf(spelt, sizeof spelt, "%d s", (int)(ms + 999) / 1000);
    add_right(out, spelt, LEFT_WIDTH);
}

/* What there is room for; widths, 0 for what is left out. */
struct layout {
    int name, bar;
    bool phase, percent, bytes, rate, left;
};

static struct layout lay_out(const struct bar *bar, int width, int name_width)
{
    int most = width / 4 > NAME_MIN ? width / 4 : NAME_MIN;
    struct layout at = {.name = name_width < most ? name_width : most};
    if (at.name > width)
        at.name = width;
    int room = width - at.name;
    bool measured = bar->percent >= 0;
    at.phase = fits(&room, PHASE_WIDTH);
    at.percent = measured && fits(&room, PERCENT_WIDTH);
    at.bar = measured && fits(&room, BAR_MIN) ? BAR_MIN : 0;
    at.bytes = (bar->done > 0 || bar->total > 0) && fits(&room, BYTES_WIDTH);
    at.rate = at.bytes && fits(&room, RATE_WIDTH);
    at.left = at.rate && measured && fits(&room, LEFT_WIDTH);
    if (at.bar)
        at.bar += room < BAR_MAX - BAR_MIN ? room : BAR_MAX - BAR_MIN;
    return at;
}

void bar_add(struct text *out, const struct bar *bar, int width, int name_width)
{
    char bytes[HUMAN_PART_MAX];
    struct layout at = lay_out(bar, width, name_width);
    bar_add_cut(out, bar->name, at.name);
    if (at.phase)
        text_addf(out, "%*s%s%-*.*s%s", GAP, "", bar->colour, PHASE_WIDTH, PHASE_WIDTH, bar->phase,
                  *bar->colour ? "\033[0m" : "");
    if (bar->note) {
        int room = width - at.name - GAP - PHASE_WIDTH - GAP;
        text_addf(out, "%*s", room > 0 ? GAP : 0, "");
        bar_add_cut(out, bar->note, room < (int)strlen(bar->note) ? room : 0);
        text_add(out, room < (int)strlen(bar->note) ? "" : bar->note);
        return;
    }
    if (at.bar)
        add_bar(out, bar->percent, at.bar);
    if (at.percent)
        text_addf(out, "%*s%*d%%", GAP, "", PERCENT_WIDTH - 1, bar->percent);
    if (at.bytes)
        add_right(out, human_part(bar->done, bar->total, bytes), BYTES_WIDTH);
    if (at.rate)
        add_rate(out, bar->rate);
    if (at.left)
        add_left(out, bar->left_ms);
}
