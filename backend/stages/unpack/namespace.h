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

#define NAMESPACE_ROOT 0u /* the root's node */
#define NAMESPACE_NONE UINT32_MAX

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
    uint32_t node;   /* of the entry: its number from now on, as long as it has a name */
    uint32_t target; /* HARDLINK: the node that it names; else NAMESPACE_NONE */
};

/* Takes the entry in. Refuses (`unsafe-path`) a parent that is a symlink or a file and a non-empty
 * directory's replacement, and (`unsafe-link`) a hard link to nothing or to a directory. */
int namespace_add(struct namespace *ns, const struct entry *e, struct namespace_place *place,
                  struct err *err);

/* Names in the image: implied directories counted, the root and what was left out not. */
int64_t namespace_count(const struct namespace *ns);

/* Bytes of memory held. */
size_t namespace_memory(const struct namespace *ns);

/* What is known of a node; nodes are numbered from 0 in the order in which their names came first.
 * A child's number is above its parent's. */
struct namespace_node {
    uint32_t parent, children; /* children: of a directory */
    const char *name;          /* no NUL behind it */
    size_t name_len;
    bool is_dir, skipped; /* skipped: not in the image */
};
uint32_t namespace_nodes(const struct namespace *ns);
struct namespace_node namespace_at(const struct namespace *ns, uint32_t node);

/* Calls each with every directory, the root ("") included, children before their parents; stops at
 * the first that is negative and returns it. */
int namespace_each_dir(const struct namespace *ns,
                       int (*each)(void *ctx, const char *path, const struct entry_meta *meta,
                                   struct err *err),
                       void *ctx, struct err *err);

#endif
