#include "fs/client/track.h"

#include "base/cleanup.h"
#include "fs/client/colour.h"
#include "fs/client/human.h"
#include "fs/client/screen.h"

#include <string.h>

struct track *track_of(struct live_image *image)
{
    if (!image->more)
        image->more = calloc(1, sizeof(struct track));
    return image->more;
}

unsigned track_update(struct track *track, const struct image *image, int64_t now)
{
    struct progress p = image_progress(image);
    const char *state = image_value(image, "state");
    unsigned changes = 0;
    if (strcmp(track->state, state) != 0) {
        snprintf(track->state, sizeof track->state, "%s", state);
        changes |= TRACK_STATE;
    }
    if (strcmp(track->phase, p.phase) != 0) {
        track->meter = (struct meter){0};
        memcpy(track->phase, p.phase, sizeof track->phase);
        changes |= TRACK_PHASE;
    }
    meter_add(&track->meter, now, p.done);
    return changes;
}

/* What is to be said of an image on which no work is done. */
static void add_note(struct text *note, const struct image *image)
{
    char size[HUMAN_MAX], age[HUMAN_MAX];
    int64_t since = human_time(image_value(image, "updated"));
    if (image_verdict(image) == IMAGE_FAILED) {
        text_add(note, image->error.len ? image->error.data : "failed");
        return;
    }
    text_addf(note, "%10s", human_size(atoll(image_value(image, "size")), size));
    if (since > 0)
        text_addf(note, "  %s", human_age(text_now_ms() - since, age));
}

void track_add(struct text *out, const struct live_image *image, int64_t now, int width,
               int name_width, bool colour)
{
    const struct track *track = image->more;
    struct text note CLEANUP_TEXT = {0};
    struct progress p = image_progress(&image->image);
    bool waits = strcmp(p.phase, "queued") == 0;
    struct bar bar = {.name = image->name,
                      .phase = p.phase,
                      .percent = waits || p.total <= 0 ? -1 : p.percent,
                      .done = waits ? 0 : p.done,
                      .total = waits ? 0 : p.total,
                      .rate = meter_rate(&track->meter, now),
                      .colour = colour ? colour_begin(colour_of_state(p.phase)) : ""};
    bar.left_ms = meter_left(bar.rate, p.done, p.total);
    if (image_verdict(&image->image) != IMAGE_PENDING) {
        add_note(&note, &image->image);
        bar.note = note.failed ? "" : note.data;
    }
    bar_add(out, &bar, width, name_width);
    text_add(out, "\n");
}

static int rank(const struct live_image *image)
{
    static const char *const first[] = {"activate", "unpack", "download", "queued", "failed"};
    const struct track *track = image->more;
    for (size_t i = 0; i < ARRAY_SIZE(first); i++)
        if (strcmp(track->phase, first[i]) == 0)
            return i < 3 ? 0 : (int)i; /* a row does not jump as its phase changes */
    return (int)ARRAY_SIZE(first);
}

int track_compare(const struct live_image *a, const struct live_image *b)
{
    int by_rank = rank(a) - rank(b);
    return by_rank ? by_rank : strcmp(a->name, b->name);
}

static int compare(const void *a, const void *b)
{
    return track_compare(*(struct live_image *const *)a, *(struct live_image *const *)b);
}

struct live_image **track_sort(struct live *live, bool (*wanted)(const struct live_image *),
                               size_t *n)
{
    struct live_image **sorted = calloc(live->n + 1, sizeof *sorted);
    *n = 0;
    for (size_t i = 0; sorted && i < live->n; i++)
        if (live->image[i].there && live->image[i].more && (!wanted || wanted(&live->image[i])))
            sorted[(*n)++] = &live->image[i];
    if (*n > 1)
        qsort(sorted, *n, sizeof *sorted, compare);
    return sorted;
}

void track_add_all(struct text *out, struct live_image *const *images, size_t n, int rows,
                   int64_t now, int width, bool colour)
{
    size_t fit = rows > 1 ? (size_t)rows : 1, shown = n <= fit ? n : fit - 1;
    int name_width = 0;
    for (size_t i = 0; i < shown; i++)
        if ((int)strlen(images[i]->name) > name_width)
            name_width = (int)strlen(images[i]->name);
    for (size_t i = 0; i < shown; i++)
        track_add(out, images[i], now, width, name_width, colour);
    if (shown < n)
        text_addf(out, "and %zu more\n", n - shown);
}
