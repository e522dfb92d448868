#include "fs/handle.h"

#include "world.h"

#include <criterion/criterion.h>
#include <string.h>

static void free_dir(struct handle_dir **d)
{
    handle_free_dir(*d);
}
#define CLEANUP_DIR __attribute__((cleanup(free_dir)))

static bool has(const struct handle_dir *d, const char *name, uint64_t inode)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->entries[i].name, name) == 0)
            return d->entries[i].inode == inode;
    return false;
}

/* These folders ask no backend. */
Test(handle, the_folders_that_are_always_there)
{
    struct handle_dir *root CLEANUP_DIR = handle_list(NULL, TREE_ROOT, 0);
    struct handle_dir *ctl CLEANUP_DIR = handle_list(NULL, TREE_CTL, 0);
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
    cr_assert_eq(ctl->count, 2 + 10);
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

/* --- with images */

static struct world w;

static void set_up(void)
{
    const char *why = world_up(&w);
    if (why)
        cr_skip_test("%s", why);
    cr_assert_eq(world_start(&w), 0, "%s", w.err.text);
}

static void tear_down(void)
{
    world_down(&w);
}

TestSuite(folders, .init = set_up, .fini = tear_down, .timeout = 100);

static uint64_t fetched(const char *mode, int archive, const char *name, const char *state)
{
    struct backend_view view;
    cr_assert_eq(world_fetch(&w, world_archive(&w, mode, archive), w.sha256[archive], name), 0);
    cr_assert(world_wait(&w, name, state), "%s", world_state(&w, name));
    cr_assert(world_look(&w, name, &view));
    return view.id;
}

Test(folders, the_folders_of_the_tree)
{
    uint64_t web_id = fetched("ok", 0, "web", "ACTIVE"), db_id = fetched("404", 1, "db", "FAILED");
    struct handle_dir *d CLEANUP_DIR = handle_list(w.backend, TREE_IMAGES, 0);
    cr_assert_eq(d->count, 4);
    static const char *const images[] = {".", "..", "db", "web"};
    for (size_t i = 0; i < 4; i++)
        cr_expect_str_eq(d->entries[i].name, images[i]);
    cr_expect_eq(d->entries[3].inode, tree_inode(web_id, TREE_IMAGE));
    struct handle_dir *web CLEANUP_DIR = handle_list(w.backend, TREE_IMAGE, web_id);
    struct handle_dir *db CLEANUP_DIR = handle_list(w.backend, TREE_IMAGE, db_id);
    static const char *const files[] = {".",     "..",   "state",  "progress",
                                        "error", "info", "rootfs", "snapshots"};
    cr_assert(web->count == 8 && db->count == 7, "rootfs is there only while ACTIVE");
    for (size_t i = 0; i < 8; i++)
        cr_expect_str_eq(web->entries[i].name, files[i]);
    cr_expect_eq(web->entries[1].inode, tree_inode(0, TREE_IMAGES));
}

Test(folders, the_folders_of_snapshots)
{
    uint64_t web = fetched("ok", 0, "web", "ACTIVE"), number;
    struct err err = {0};
    static const char *const ids[] = {"b", "a"};
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(world_submit(&w,
                                  &(struct backend_command){.kind = BACKEND_SNAPSHOT_MAKE,
                                                            .image = web,
                                                            .snapshot = ids[i]},
                                  &err, NULL),
                     0, "%s", err.text);
    struct handle_dir *all CLEANUP_DIR = handle_list(w.backend, TREE_SNAPSHOTS, web);
    cr_assert_eq(all->count, 4);
    cr_expect_str_eq(all->entries[2].name, "a");
    cr_expect_str_eq(all->entries[3].name, "b");
    cr_expect_eq(all->entries[1].inode, tree_inode(web, TREE_IMAGE));
    cr_assert(backend_snapshot_find(w.backend, web, "a", &number));
    cr_expect_eq(all->entries[2].inode, tree_inode(number, TREE_SNAPSHOT));
    struct handle_dir *a CLEANUP_DIR = handle_list(w.backend, TREE_SNAPSHOT, number);
    static const char *const files[] = {".", "..", "state", "info", "rootfs"};
    cr_assert_eq(a->count, 5);
    for (size_t i = 0; i < 5; i++)
        cr_expect_str_eq(a->entries[i].name, files[i]);
    cr_expect_eq(a->entries[1].inode, tree_inode(web, TREE_SNAPSHOTS));
}

Test(folders, what_the_link_points_to)
{
    struct text out CLEANUP_TEXT = {0};
    char want[160];
    int64_t changed = 0;
    struct backend_view view;
    cr_assert(backend_view(w.backend, fetched("ok", 0, "web", "ACTIVE"), &view));
    show_rootfs(&(struct show){.backend = w.backend, .view = &view}, &out);
    snprintf(want, sizeof want, "%s/active/web", w.store);
    cr_assert_str_eq(out.data, want);
    text_free(&out);
    show_health(&(struct show){.backend = w.backend, .changed = &changed}, &out);
    cr_assert_str_eq(out.data, "ok\n");
    cr_assert_gt(changed, 0);
}
