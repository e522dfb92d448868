/* change: what is made, written, removed and renamed in the tree. As in tree.h: 0, or -errno with
 * err set, the reason taken from ctl/error_log. Paths are below the root. One thread. */
#ifndef CLIENT_CHANGE_H
#define CLIENT_CHANGE_H

#include "fs/client/tree.h"

int change_make(const struct tree *tree, const char *path, struct err *err);
int change_remove(const struct tree *tree, const char *path, struct err *err);
int change_rename(const struct tree *tree, const char *from, const char *to, struct err *err);

/* A file that is made anew, to be written: a descriptor, for a stream alone, and not for longer. */
int change_create(const struct tree *tree, const char *path, struct err *err);
int change_unlink(const struct tree *tree, const char *path, struct err *err);
/* Why a call on `path` failed with the errno `num`, for who has the descriptor. */
int change_explain(const struct tree *tree, const char *path, int num, struct err *err);

#endif
