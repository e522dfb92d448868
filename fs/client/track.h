/* track: one image on its way, as a line: what live reads of it becomes what bar shows. Pure but
 * for the clock that it is given. */
#ifndef CLIENT_TRACK_H
#define CLIENT_TRACK_H

#include "fs/client/bar.h"
#include "fs/client/live.h"

struct track {
    char phase[16], state[16];
    struct meter meter;
    bool was_pending; /* at any look */
};

/* The track of an image, made at the first call; NULL: no memory. */
struct track *track_of(struct live_image *image);

enum track_change {
    TRACK_PHASE = 1 << 0,
    TRACK_STATE = 1 << 1, /* not always with its phase: they are read one after the other */
};
/* Takes what the image's last reading says; which of enum track_change are others now. */
unsigned track_update(struct track *track, const struct image *image, int64_t now);

/* Adds its line, coloured or not, and a newline. */
void track_add(struct text *out, const struct live_image *image, int64_t now, int width,
               int name_width, bool colour);

/* What is under way comes first, then what waits, what has failed, and the rest; each by name. */
int track_compare(const struct live_image *a, const struct live_image *b);

/* The n images of which `wanted` is true (NULL: all), in that order; the caller frees it. NULL: no
 * memory. */
struct live_image **track_sort(struct live *live, bool (*wanted)(const struct live_image *),
                               size_t *n);

/* Adds a line for each, as many as `rows` hold; the last one says how many more there are. */
void track_add_all(struct text *out, struct live_image *const *images, size_t n, int rows,
                   int64_t now, int width, bool colour);

#endif
