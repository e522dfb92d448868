/* namespace: the names of one image in memory: which path is what, and what may come where.
 *
 * It decides everything that depends on other members of the archive (parents, hard links, what
 * replaces what) without touching a disk, so that all sinks agree. About 50 bytes and the name a
 * name, and a hash table that no archive can make slow. One thread. */
#ifndef UNPACK_NAMESPACE_H
#define UNPACK_NAMESPACE_H

#include "base/err.h"
#include "stages/unpack/entry.h"

struct namespace;

/* The root alone, as implied. NULL: no memory. */
struct namespace *namespace_new(void);
void namespace_free(struct namespace *ns); /* takes NULL */

enum namespace_action {
    NAMESPACE_CREATE,
    NAMESPACE_UPDATE, /* a directory that exists: its children stay, its metadata is new */
    NAMESPACE_NOTHING /* left out of the image, or a hard link to itself */
};

/* What an entry means for the tree, in the order in which a sink must do it. */
struct namespace_place {
    unsigned implied; /* directories that must be made first … */
    size_t existing;  /* … below this many bytes of the path, which exist */
    bool removes;     /* an earlier entry of that path goes … */
    bool removes_dir; /* … and it is an (empty) directory */
    bool skipped;     /* left out: by policy, or as a hard link to what is */
    unsigned climb;   /* HARDLINK to a symlink: that symlink's climb */
    enum namespace_action action;
};

/* Takes the entry in. Refuses (`unsafe-path`) a parent that is a symlink or a file and a non-empty
 * directory's replacement, and (`unsafe-link`) a hard link to nothing or to a directory. */
int namespace_add(struct namespace *ns, const struct entry *e, struct namespace_place *place,
                  struct err *err);

/* Names in the image: implied directories counted, the root and what was left out not. */
int64_t namespace_count(const struct namespace *ns);

/* Bytes of memory held. */
size_t namespace_memory(const struct namespace *ns);

/* Calls each with every directory, the root ("") included, children before their parents; stops at
 * the first that is negative and returns it. */
int namespace_each_dir(const struct namespace *ns,
                       int (*each)(void *ctx, const char *path, const struct entry_meta *meta,
                                   struct err *err),
                       void *ctx, struct err *err);

#endif
