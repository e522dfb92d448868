#include "fs/handle.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
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

int handle_add(struct handle_dir *d, uint64_t inode, const char *name)
{
    struct handle_entry *more = array_more(d->entries, d->count, &d->capacity, sizeof *more);
    if (!more)
        return -ENOMEM;
    d->entries = more;
    d->entries[d->count++] = (struct handle_entry){.inode = inode, .at = d->names.len};
    text_addn(&d->names, name, strlen(name) + 1);
    return d->names.failed ? -ENOMEM : 0;
}

void handle_free_dir(struct handle_dir *d)
{
    if (!d)
        return;
    text_free(&d->names);
    free(d->entries);
    free(d);
}

static int add_rows(struct handle_dir *d, struct backend *backend, enum tree_node node, uint64_t of)
{
    bool rootfs = false;
    int r = 0;
    struct backend_snapshot snapshot;
    if (tree_rows[node].of == TREE_OF_IMAGE)
        backend_exists(backend, of, &rootfs);
    else if (tree_rows[node].of == TREE_OF_SNAPSHOT)
        rootfs = backend_snapshot_view(backend, of, &snapshot) && snapshot.rootfs;
    for (enum tree_node n = TREE_NONE + 1; r == 0 && n < TREE_NODES; n++)
        if (tree_rows[n].parent == node && tree_rows[n].name &&
            (!S_ISLNK(tree_rows[n].mode) || rootfs))
            r = handle_add(d, tree_inode(of, n), tree_rows[n].name);
    return r;
}

static uint64_t inode_above(struct backend *backend, enum tree_node node, uint64_t of)
{
    enum tree_node parent = tree_rows[node].parent;
    struct backend_snapshot snapshot;
    if (parent == TREE_NONE)
        parent = node;
    if (node == TREE_SNAPSHOT && backend_snapshot_view(backend, of, &snapshot))
        return tree_inode(snapshot.image, parent);
    return tree_inode(tree_rows[parent].of == tree_rows[node].of ? of : 0, parent);
}

static int list(struct handle_dir *d, struct backend *backend, enum tree_node node, uint64_t of)
{
    const struct tree_children *children = tree_rows[node].children;
    int r = handle_add(d, tree_inode(of, node), ".");
    if (r == 0)
        r = handle_add(d, inode_above(backend, node, of), "..");
    if (r == 0)
        r = add_rows(d, backend, node, of);
    return r == 0 && children ? children->list(backend, of, d) : r;
}

struct handle_dir *handle_list(struct backend *backend, enum tree_node node, uint64_t of)
{
    struct handle_dir *d = calloc(1, sizeof *d);
    if (d && list(d, backend, node, of) < 0) {
        handle_free_dir(d);
        return NULL;
    }
    for (size_t i = 0; d && i < d->count; i++)
        d->entries[i].name = d->names.data + d->entries[i].at;
    return d;
}

/* --- images */

static bool find_image(struct backend *backend, uint64_t of, const char *name, uint64_t *inode)
{
    uint64_t id;
    if (!backend_find(backend, name, &id))
        return false;
    *inode = tree_inode(id, TREE_IMAGE);
    return true;
}

static int add_names(struct handle_dir *d, enum tree_node node, const struct backend_name *names,
                     int64_t n)
{
    int r = n < 0 ? (int)n : 0;
    for (int64_t i = 0; r == 0 && i < n; i++)
        r = handle_add(d, tree_inode(names[i].id, node), names[i].name);
    return r;
}

static int list_images(struct backend *backend, uint64_t of, struct handle_dir *d)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t n = backend_list(backend, &names);
    return add_names(d, TREE_IMAGE, names, n);
}

const struct tree_children images_children = {.find = find_image, .list = list_images};

/* --- snapshots */

static bool find_snapshot(struct backend *backend, uint64_t of, const char *name, uint64_t *inode)
{
    uint64_t number;
    if (!backend_snapshot_find(backend, of, name, &number))
        return false;
    *inode = tree_inode(number, TREE_SNAPSHOT);
    return true;
}

static int list_snapshots(struct backend *backend, uint64_t of, struct handle_dir *d)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t n = backend_snapshot_list(backend, of, &names);
    return add_names(d, TREE_SNAPSHOT, names, n);
}

const struct tree_children snapshots_children = {.find = find_snapshot, .list = list_snapshots};

/* --- imports under way */

static bool find_import(struct backend *backend, uint64_t of, const char *name, uint64_t *inode)
{
    uint64_t id;
    if (!backend_import_find(backend, name, &id))
        return false;
    *inode = tree_inode(id, TREE_IMPORT);
    return true;
}

static int list_imports(struct backend *backend, uint64_t of, struct handle_dir *d)
{
    struct backend_name *names CLEANUP_FREE = NULL;
    int64_t changed, n = backend_import_list(backend, &names, &changed);
    return add_names(d, TREE_IMPORT, names, n);
}

const struct tree_children imports_children = {.find = find_import, .list = list_imports};
