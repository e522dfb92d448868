#include "fs/handle.h"

#include "base/cleanup.h"

#include <string.h>

struct handle *handle_new(void)
{
    struct handle *h = calloc(1, sizeof *h);
    if (h)
        lock_init(&h->lock, LOCK_HANDLE, "handle");
    return h;
}

void handle_free(struct handle *h)
{
    if (!h)
        return;
    text_free(&h->text);
    lock_destroy(&h->lock);
    free(h);
}

static void add(struct handle_dir *d, uint64_t inode, const char *name)
{
    d->entries[d->count].inode = inode;
    strcpy(d->entries[d->count++].name, name);
}

static void add_children(struct handle_dir *d, struct backend *backend, enum tree_node node,
                         uint64_t image)
{
    bool rootfs = false;
    if (image)
        backend_exists(backend, image, &rootfs);
    for (enum tree_node n = TREE_NONE + 1; n < TREE_NODES; n++)
        if (tree_rows[n].parent == node && tree_rows[n].name && (n != TREE_ROOTFS || rootfs))
            add(d, tree_inode(image, n), tree_rows[n].name);
}

struct handle_dir *handle_list(struct backend *backend, enum tree_node node, uint64_t image)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t images = node == TREE_IMAGES ? backend_list(backend, &names) : 0;
    if (images < 0)
        return NULL;
    size_t most = (size_t)images + TREE_NODES + 2;
    struct handle_dir *d = calloc(1, sizeof *d + most * sizeof d->entries[0]);
    if (!d)
        return NULL;
    enum tree_node parent = tree_rows[node].parent;
    add(d, tree_inode(image, node), ".");
    add(d, tree_inode(0, parent == TREE_NONE ? node : parent), "..");
    add_children(d, backend, node, image);
    for (int64_t i = 0; i < images; i++)
        add(d, tree_inode(names[i].id, TREE_IMAGE), names[i].name);
    return d;
}
