/* sink: where the entries of an archive become an image.
 *
 * One file a sink; sink.c holds the array of them. A sink never sees the archive: the entries come
 * from policy and namespace, the contents from the data file. One thread; one image a sink at a
 * time. */
#ifndef UNPACK_SINK_H
#define UNPACK_SINK_H

#include "base/err.h"
#include "stages/unpack/entry.h"
#include "stages/unpack/namespace.h"
#include "store/paths.h"

/* Where to work; everything is borrowed until the sink is closed. */
struct sink_place {
    int part;      /* images/<key>.part/, where the sink makes `rootfs` or what is mounted there */
    int data;      /* the data file part/data, for reading and writing, at positions of our own:
                      the helper writes it through another open file */
    int cancel_fd; /* -1: none */
};

#define SINK_DATA   "data"   /* the data file's name in part: the sink's to remove or to keep */
#define SINK_ROOTFS "rootfs" /* the image's */

struct sink_kind {
    const char *name;
    /* 0 if images can be made in that store; else a negative errno, and err says why not. Leaves
     * nothing behind. */
    int (*probe)(const struct paths *paths, struct err *err);
    /* Bytes of room that contents of so many bytes take while they are unpacked, the data file
     * counted. */
    int64_t (*room)(int64_t bytes);
    /* Begins an image in an empty part directory. *sink is the sink's own, until close. */
    int (*open)(const struct sink_place *place, void **sink, struct err *err);
    /* Makes a directory that the archive only implies; its parent exists, it does not. */
    int (*implied)(void *sink, const char *path, struct err *err);
    /* Takes away what an earlier entry made: a directory that is empty, or anything else. */
    int (*remove)(void *sink, const char *path, bool dir, struct err *err);
    /* Makes the entry; its parent exists, it does not; with `update`, it is a directory, perhaps
     * the root, that exists. A hard link's target exists and is no directory. The range of a file
     * lies whole in the data file, or is shorter: then the rest is zeros. -ECANCELED once
     * cancel_fd asks for it. */
    int (*entry)(void *sink, const struct entry *e, bool update, struct err *err);
    /* After the last entry: gives directories their metadata and settles the data file. The image
     * is whole then, but not yet durable. */
    int (*finish)(void *sink, const struct namespace *ns, struct err *err);
    /* Frees the sink, finished or not; what it made on disk stays. Takes NULL. */
    void (*close)(void *sink);
};

extern const struct sink_kind sink_dir;

/* The sink of that name, or with "auto" the first that can serve; a negative errno, and err says
 * why there is none. */
int sink_choose(const char *name, const struct paths *paths, const struct sink_kind **kind,
                struct err *err);

#endif
