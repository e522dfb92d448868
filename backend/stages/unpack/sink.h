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
#include "store/space.h"

/* Where to work; everything is borrowed until the sink is closed. */
struct sink_place {
    int part;      /* images/<key>.part/, where the sink makes `rootfs` or what is mounted there */
    int data;      /* the data file part/data, for reading and writing, at positions of our own:
                      the helper writes it through another open file */
    int cancel_fd; /* -1: none */
    int64_t max_total_size; /* of what a sink copies of itself, too */
};

#define SINK_DATA   "data"   /* the data file's name in part: the sink's to remove or to keep */
#define SINK_ROOTFS "rootfs" /* the image's root, or where SINK_IMAGE is mounted */
#define SINK_IMAGE  "image"  /* a file system in a file; missing where rootfs holds the files */

#define SINK_HOW_MAX (ERR_TEXT_MAX + 64)

struct sink_kind {
    const char *name;
    /* 0 if images can be made and used in that store, and `how` says in words how they are kept;
     * else a negative errno, and err says why not. Really tries, leaves nothing behind, and lets
     * *paths know what it found out. Called once, at start. */
    int (*probe)(struct paths *paths, char how[static SINK_HOW_MAX], struct err *err);
    /* What contents of so many bytes in so many entries (0: not known) take in the store while
     * they are unpacked, at the least and the data file counted. */
    struct space_need (*need)(int64_t bytes, int64_t entries);
    /* Begins an image in an empty part directory. *sink is the sink's own, until close. */
    int (*open)(const struct sink_place *place, void **sink, struct err *err);
    /* Makes a directory that the archive only implies; its parent exists, it does not. */
    int (*implied)(void *sink, const char *path, struct err *err);
    /* Takes away what an earlier entry made: a directory that is empty, or anything else. */
    int (*remove)(void *sink, const char *path, bool dir, struct err *err);
    /* Makes the entry; its parent exists, it does not; where place->action is an update, it is a
     * directory, perhaps the root, that exists. A hard link's target exists and is no directory.
     * The range of a file lies whole in the data file, or is shorter: then the rest is zeros.
     * -ECANCELED once cancel_fd asks for it. */
    int (*entry)(void *sink, const struct entry *e, const struct namespace_place *place,
                 struct err *err);
    /* The data file has grown, perhaps; about once a MiB of the archive. */
    void (*grown)(void *sink);
    /* After the last entry: gives directories their metadata and settles the data file. The image
     * is whole then, but not yet durable. */
    int (*finish)(void *sink, const struct namespace *ns, struct err *err);
    /* Frees the sink, finished or not; what it made on disk stays. Takes NULL. */
    void (*close)(void *sink);
};

extern const struct sink_kind sink_dir, sink_erofs;

/* Its name, if there is one of that name; else NULL. */
const char *sink_word(const char *name);

/* The sink of that name, or with "auto" the first that can serve, and the log says which, and why
 * none before it; a negative errno, and err says why there is none. */
int sink_choose(const char *name, struct paths *paths, const struct sink_kind **kind,
                struct err *err);

#endif
