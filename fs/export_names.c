/* The names below export/: of each live tree one. */
#include "fs/handle.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES (2 * BACKEND_NAME_MAX + 1 + sizeof TREE_EXPORT_SUFFIX)
#define SUFFIX_LEN (sizeof TREE_EXPORT_SUFFIX - 1)

static bool is_live(struct backend *backend, uint64_t image)
{
    bool rootfs = false;
    return backend_exists(backend, image, &rootfs) && rootfs;
}

static bool is_live_snapshot(struct backend *backend, uint64_t number)
{
    struct backend_snapshot view;
    return backend_snapshot_view(backend, number, &view) && view.rootfs;
}

/* NAME or NAME@ID: no name has an @. Whether it is live is the node's to say. */
static bool find_tree(struct backend *backend, char *name, uint64_t *inode)
{
    uint64_t image, number;
    char *id = name;
    name = strsep(&id, "@");
    if (!backend_find(backend, name, &image))
        return false;
    if (!id) {
        *inode = tree_inode(image, TREE_EXPORT_IMAGE);
        return true;
    }
    if (!backend_snapshot_find(backend, image, id, &number))
        return false;
    *inode = tree_inode(number, TREE_EXPORT_SNAPSHOT);
    return true;
}

static bool find_export(struct backend *backend, uint64_t of, const char *name, uint64_t *inode)
{
    char tree[NAME_BYTES];
    size_t len = strlen(name);
    if (len <= SUFFIX_LEN || len - SUFFIX_LEN >= sizeof tree ||
        strcmp(name + len - SUFFIX_LEN, TREE_EXPORT_SUFFIX) != 0)
        return false;
    snprintf(tree, sizeof tree, "%.*s", (int)(len - SUFFIX_LEN), name);
    return find_tree(backend, tree, inode);
}

static int add_image(struct handle_dir *d, uint64_t image, const char *image_name)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s" TREE_EXPORT_SUFFIX, image_name);
    return handle_add(d, tree_inode(image, TREE_EXPORT_IMAGE), name);
}

static int add_snapshots(struct handle_dir *d, struct backend *backend,
                         const struct backend_name *image)
{
    struct backend_name *ids CLEANUP_FREE = NULL;
    int64_t n = backend_snapshot_list(backend, image->id, &ids);
    int r = n < 0 ? (int)n : 0;
    for (int64_t i = 0; r == 0 && i < n; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s@%s" TREE_EXPORT_SUFFIX, image->name, ids[i].name);
        if (is_live_snapshot(backend, ids[i].id))
            r = handle_add(d, tree_inode(ids[i].id, TREE_EXPORT_SNAPSHOT), name);
    }
    return r;
}

static int list_exports(struct backend *backend, uint64_t of, struct handle_dir *d)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t n = backend_list(backend, &names);
    int r = n < 0 ? (int)n : 0;
    for (int64_t i = 0; r == 0 && i < n; i++) {
        if (is_live(backend, names[i].id))
            r = add_image(d, names[i].id, names[i].name);
        if (r == 0)
            r = add_snapshots(d, backend, &names[i]);
    }
    return r;
}

const struct tree_children export_children = {.find = find_export, .list = list_exports};
