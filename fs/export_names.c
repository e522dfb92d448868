/* The names below export/: of each live tree one. */
#include "fs/handle.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX_LEN (sizeof TREE_EXPORT_SUFFIX - 1)

static bool is_live(struct backend *backend, uint64_t image)
{
    bool rootfs = false;
    return backend_exists(backend, image, &rootfs) && rootfs;
}

/* `name` without the suffix. */
static bool find_tree(struct backend *backend, const char *name, uint64_t *inode)
{
    uint64_t image;
    if (!backend_find(backend, name, &image) || !is_live(backend, image))
        return false;
    *inode = tree_inode(image, TREE_EXPORT_IMAGE);
    return true;
}

static bool find_export(struct backend *backend, uint64_t of, const char *name, uint64_t *inode)
{
    char tree[HANDLE_NAME_MAX];
    size_t len = strlen(name);
    if (len <= SUFFIX_LEN || len - SUFFIX_LEN >= sizeof tree ||
        strcmp(name + len - SUFFIX_LEN, TREE_EXPORT_SUFFIX) != 0)
        return false;
    snprintf(tree, sizeof tree, "%.*s", (int)(len - SUFFIX_LEN), name);
    return find_tree(backend, tree, inode);
}

static int add_image(struct handle_dir *d, uint64_t image, const char *image_name)
{
    char name[HANDLE_NAME_MAX];
    snprintf(name, sizeof name, "%s" TREE_EXPORT_SUFFIX, image_name);
    return handle_add(d, tree_inode(image, TREE_EXPORT_IMAGE), name);
}

static int list_exports(struct backend *backend, uint64_t of, struct handle_dir *d)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t n = backend_list(backend, &names);
    int r = n < 0 ? (int)n : 0;
    for (int64_t i = 0; r == 0 && i < n; i++)
        if (is_live(backend, names[i].id))
            r = add_image(d, names[i].id, names[i].name);
    return r;
}

const struct tree_children export_children = {.find = find_export, .list = list_exports};
