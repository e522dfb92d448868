#include "fs/client/change.h"

#include "base/cleanup.h"
#include "fs/client/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What a call on `path` gave. */
static int told(const struct tree *tree, const char *path, int r, struct err *err)
{
    if (r == 0)
        return 0;
    r = tree_explain(tree, errno, err);
    if (r != -ENOTCONN)
        reason_add(tree, path, "", -r, err);
    return r;
}

int change_make(const struct tree *tree, const char *path, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    return root < 0 ? root : told(tree, path, mkdirat(root, path, 0755), err);
}

int change_remove(const struct tree *tree, const char *path, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    return root < 0 ? root : told(tree, path, unlinkat(root, path, AT_REMOVEDIR), err);
}

int change_rename(const struct tree *tree, const char *from, const char *to, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    return root < 0 ? root : told(tree, from, renameat(root, from, root, to), err);
}
