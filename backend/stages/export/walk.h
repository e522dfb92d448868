/* walk: every name of a tree, each folder's in the order of their bytes, a folder before what is in
 * it.
 *
 * By descriptors, without following anything or leaving the mount; the depth costs neither stack
 * nor descriptors. The tree may change meanwhile: what has gone since its folder was listed is
 * passed over. One thread. */
#ifndef EXPORT_WALK_H
#define EXPORT_WALK_H

#include "base/err.h"
#include "base/text.h"

#include <stdint.h>
#include <sys/stat.h>

#define WALK_OPEN 32 /* folders open at a time */

struct walk_name {
    size_t at;          /* of `names` */
    unsigned char type; /* DT_… */
};

struct walk_folder {
    int fd; /* -1: shut, to be opened again when it is needed */
    dev_t dev;
    ino_t ino;
    size_t path_len;    /* of `path`: its own, the slash at the end included */
    size_t names;       /* of `names`: where its own begin */
    size_t first, next; /* of `entries`: likewise, and the next one of them */
};

struct walk {
    /* The entry; `path` is "./" for the root, a folder's ends in a slash. */
    struct text path;
    struct stat st;
    int fd;           /* of a regular file or a folder, open for reading; else -1 */
    int folder;       /* of others: the folder that it is in … */
    const char *name; /* … and its name there */

    /* walk.c's. */
    bool begun;
    struct walk_folder *folders; /* the last one is the one whose names come next */
    size_t depth, capacity;
    struct text names;         /* of all those folders, each with its NUL */
    struct walk_name *entries; /* likewise, sorted within each */
    size_t count, room;
    char *listing; /* what the kernel fills */
};

/* From the directory `root`, which stays the caller's. walk_free() also after a failure. */
int walk_begin(struct walk *w, int root, struct err *err);

/* 1: the next entry is there, until the next call. 0: that was all. Else a negative errno. */
int walk_next(struct walk *w, struct err *err);

void walk_free(struct walk *w);

#endif
