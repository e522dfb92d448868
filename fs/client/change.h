/* change: what is made, removed and renamed in the tree. As in tree.h: 0, or -errno with err set,
 * the reason taken from ctl/error_log. Paths are below the root. One thread. */
#ifndef CLIENT_CHANGE_H
#define CLIENT_CHANGE_H

#include "fs/client/tree.h"

int change_make(const struct tree *tree, const char *path, struct err *err);
int change_remove(const struct tree *tree, const char *path, struct err *err);
int change_rename(const struct tree *tree, const char *from, const char *to, struct err *err);

#endif
