/* live: images that are looked at for long: what has changed is told, and only that is read again.
 *
 * The kernel tells (inotify on the images' folders), for a watch holds nothing that is mounted: the
 * daemon's unmount succeeds while somebody looks on. poll(2) would need each file open, and be in
 * its way. What cannot be watched is read every now and then, and so is, a few at a time, all else,
 * so that what was missed is seen late rather than never. One thread. */
#ifndef CLIENT_LIVE_H
#define CLIENT_LIVE_H

#include "fs/client/image.h"

#define LIVE_TICK_MS 1000 /* at the latest after so long live_look is to be called */

struct live_image {
    char *name; /* owned */
    bool there;
    bool fresh; /* it was read by the last live_look, or was found to be gone */
    bool done;  /* the caller's: it is not to be looked at any more */
    int error;  /* 0 or -errno of the last reading, `why` says it */
    struct err why;
    struct image image; /* while it is there */
    void *more;         /* the caller's; freed with it */
    /* live's own */
    int watch;
    bool stale;
};

struct live {
    const struct tree *tree;
    bool all; /* also those that are yet to come */
    int inotify;
    int folder; /* the watch on images/ */
    struct live_image *image;
    size_t n, capacity;
    int *of; /* the watch's image, -1 for none */
    int watches;
    size_t next; /* to be read though nothing is known to have changed */
    int64_t ticked;
};

/* Those names; all images, sorted by name and watched, if n is 0. Reads nothing of them yet. */
int live_open(struct live *live, const struct tree *tree, char *const *names, size_t n,
              struct err *err);
void live_close(struct live *live);
#define CLEANUP_LIVE __attribute__((cleanup(live_close)))

/* From then on changes are told; all are read by the next live_look. For who stays: what begins and
 * ends a watch takes longer than a look. */
void live_watch(struct live *live);

/* Readable when there is something to look at; -1: there is nothing but to look again soon. */
int live_fd(const struct live *live);

/* How long to wait for that at most. */
int live_pause(const struct live *live);

/* Reads what has changed. Images that are gone, of all, are no more there after the look after
 * this one. -ENOTCONN: the daemon is gone. */
int live_look(struct live *live, struct err *err);

#endif
