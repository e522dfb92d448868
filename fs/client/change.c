#include "fs/client/change.h"

#include "base/cleanup.h"
#include "fs/client/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int change_explain(const struct tree *tree, const char *path, int num, struct err *err)
{
    int r = tree_explain(tree, num, err);
    if (r != -ENOTCONN)
        reason_add(tree, path, "", -r, err);
    return r;
}

/* What a call on `path` gave. */
static int told(const struct tree *tree, const char *path, int r, struct err *err)
{
    return r < 0 ? change_explain(tree, path, errno, err) : r;
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

int change_create(const struct tree *tree, const char *path, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    return root < 0
               ? root
               : told(tree, path, openat(root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), err);
}

int change_unlink(const struct tree *tree, const char *path, struct err *err)
{
    int root CLEANUP_CLOSE = tree_open_root(tree, err);
    return root < 0 ? root : told(tree, path, unlinkat(root, path, 0), err);
}
