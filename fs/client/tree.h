/* tree: the mounted tree as the client sees it: found, read, written.
 *
 * Every call opens what it needs and closes it again: a descriptor that is kept would make the
 * daemon's unmount fail. Functions return 0 or -errno with err set; -ENOTCONN: there is no daemon
 * (any more), -ENOENT: the tree is there, what was asked for is not. One thread. */
#ifndef CLIENT_TREE_H
#define CLIENT_TREE_H

#include "base/err.h"
#include "base/text.h"

#include <limits.h>
#include <stdio.h>

struct tree {
    char root[PATH_MAX]; /* the mount point */
};

/* `mount` if it isn't NULL, else $IMGSTORE_MOUNT, else the one mount of ours there is. -EINVAL
 * names them where there are several. */
int tree_find(struct tree *tree, const char *mount, struct err *err);

/* Is there a tree still? */
int tree_look(const struct tree *tree, struct err *err);

/* The one `fuse.imgstorefs` mount point in a stream like /proc/self/mountinfo. */
int tree_find_mount(struct tree *tree, FILE *mountinfo, struct err *err);

/* Adds what the file holds to `out`, less its last newline. `path` is below the root. */
int tree_read(const struct tree *tree, const char *path, struct text *out, struct err *err);

/* Adds where the symbolic link points. */
int tree_read_link(const struct tree *tree, const char *path, struct text *out, struct err *err);

/* Writes `line` and a newline to ctl/<control>, in one write(2). When it is refused, err says
 * "WORD: REASON", the reason taken from ctl/error_log. */
int tree_write(const struct tree *tree, const char *control, const char *line, struct err *err);

/* For what has no call here: a descriptor on what should be the root of the tree (that it is one is
 * looked at only where something is missing: each look is a question to the daemon), and why a call
 * below it failed: the daemon gone, the thing gone, or as the kernel says. */
int tree_open_root(const struct tree *tree, struct err *err);
int tree_explain(const struct tree *tree, int num, struct err *err);

/* A descriptor to read, for a stream alone, and not for longer. */
int tree_open(const struct tree *tree, const char *path, struct err *err);
/* Is it there? */
int tree_stat(const struct tree *tree, const char *path, struct err *err);

/* The names below images/, or below another folder, sorted; free with tree_free_names, also after a
 * failure. */
struct tree_names {
    char **name;
    size_t n;
};
int tree_list(const struct tree *tree, struct tree_names *names, struct err *err);
int tree_list_below(const struct tree *tree, const char *path, struct tree_names *names,
                    struct err *err);
void tree_free_names(struct tree_names *names);

#endif
