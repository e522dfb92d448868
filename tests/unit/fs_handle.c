#include "fs/handle.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <string.h>

static bool has(const struct handle_dir *d, const char *name, uint64_t inode)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->entries[i].name, name) == 0)
            return d->entries[i].inode == inode;
    return false;
}

/* These folders ask no backend; engine_backend has those that do. */
Test(handle, the_folders_that_are_always_there)
{
    struct handle_dir *root CLEANUP_FREE = handle_list(NULL, TREE_ROOT, 0);
    struct handle_dir *ctl CLEANUP_FREE = handle_list(NULL, TREE_CTL, 0);
    cr_assert_str_eq(root->entries[0].name, ".");
    cr_assert_str_eq(root->entries[1].name, "..");
    cr_assert(has(root, ".", 1) && has(root, "..", 1));
    cr_assert(has(ctl, ".", tree_inode(0, TREE_CTL)) && has(ctl, "..", 1));
    cr_assert(has(root, "README", tree_inode(0, TREE_README)));
    cr_assert(has(root, "ctl", tree_inode(0, TREE_CTL)));
    cr_assert(has(root, "images", tree_inode(0, TREE_IMAGES)));
    cr_assert(has(ctl, "fetch", tree_inode(0, TREE_CTL_FETCH)));
    cr_assert(has(ctl, "error_log", tree_inode(0, TREE_CTL_ERROR_LOG)));
    cr_assert_not(has(root, "fetch", tree_inode(0, TREE_CTL_FETCH)));
    cr_assert_eq(ctl->count, 2 + 8);
}

Test(handle, a_file_begins_with_nothing)
{
    struct handle *h = handle_new();
    cr_assert(h && !h->torn && h->text.len == 0);
    lock_take(&h->lock);
    text_add(&h->text, "read before");
    lock_release(&h->lock);
    handle_free(h);
    handle_free(NULL);
}
