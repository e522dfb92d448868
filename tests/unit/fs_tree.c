#include "fs/tree.h"

#include <criterion/criterion.h>
#include <string.h>

static bool of_image(enum tree_node n)
{
    return tree_rows[n].of != TREE_OF_NOTHING;
}

Test(tree, an_inode_packs_and_unpacks)
{
    static const uint64_t ids[] = {1, 2, 255, 256, 65535, 1ULL << 32, (1ULL << 55) - 1};
    uint64_t image = 99;
    for (enum tree_node n = TREE_NONE + 1; n < TREE_NODES; n++) {
        if (!of_image(n)) {
            cr_expect_eq(tree_unpack(tree_inode(0, n), &image), n);
            cr_expect_eq(image, 0);
            cr_expect_eq(tree_unpack(tree_inode(7, n), &image), TREE_NONE, "%d of an image", n);
            continue;
        }
        for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            cr_expect_eq(tree_unpack(tree_inode(ids[i], n), &image), n);
            cr_expect_eq(image, ids[i]);
        }
        cr_expect_eq(tree_unpack(tree_inode(0, n), &image), TREE_NONE, "%d of none", n);
    }
}

Test(tree, what_cannot_be_unpacked_does_not_exist)
{
    uint64_t image;
    cr_expect_eq(tree_unpack(0, &image), TREE_NONE);
    cr_expect_eq(tree_unpack(TREE_NODES, &image), TREE_NONE);
    cr_expect_eq(tree_unpack(0xff, &image), TREE_NONE);
    cr_expect_eq(tree_unpack(tree_inode(5, TREE_NONE), &image), TREE_NONE);
    cr_expect_eq(tree_unpack(UINT64_MAX, &image), TREE_NONE);
}

/* FUSE's root has the number 1, and a node's number has a byte in the inode. */
Test(tree, the_root_is_fuses)
{
    cr_assert_eq(tree_inode(0, TREE_ROOT), 1);
    cr_assert_leq(TREE_NODES, 256);
}

Test(tree, every_row_is_reachable_from_the_root)
{
    for (enum tree_node n = TREE_NONE + 1; n < TREE_NODES; n++) {
        enum tree_node up = n;
        int steps = 0;
        while (up != TREE_ROOT && steps++ < TREE_NODES) {
            enum tree_node parent = tree_rows[up].parent;
            cr_assert(parent != TREE_NONE && S_ISDIR(tree_rows[parent].mode), "node %d", n);
            if (tree_rows[up].name)
                cr_expect_eq(tree_child(parent, tree_rows[up].name), up, "%s", tree_rows[up].name);
            up = parent;
        }
        cr_assert_eq(up, TREE_ROOT, "node %d", n);
    }
}

Test(tree, names_are_unique_in_their_folder)
{
    for (enum tree_node a = TREE_NONE + 1; a < TREE_NODES; a++)
        for (enum tree_node b = a + 1; b < TREE_NODES; b++)
            if (tree_rows[a].parent == tree_rows[b].parent && tree_rows[a].name &&
                tree_rows[b].name)
                cr_expect_str_neq(tree_rows[a].name, tree_rows[b].name);
}

Test(tree, only_what_is_in_the_table_is_a_child)
{
    cr_expect_eq(tree_child(TREE_ROOT, "ctl"), TREE_CTL);
    cr_expect_eq(tree_child(TREE_CTL, "fetch"), TREE_CTL_FETCH);
    cr_expect_eq(tree_child(TREE_IMAGE, "rootfs"), TREE_ROOTFS);
    static const char *const none[] = {"", ".", "..", "CTL", "ctl ", "fetch", "ct", "ctl/fetch"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        cr_expect_eq(tree_child(TREE_ROOT, none[i]), TREE_NONE, "%s", none[i]);
    cr_expect_eq(tree_child(TREE_IMAGES, "web"), TREE_NONE, "images are the backend's");
    cr_expect_eq(tree_child(TREE_STATE, "state"), TREE_NONE);
}

/* The contract's tree: paths, modes, what is written to. */
static const struct {
    const char *path;
    mode_t mode;
    enum control_file store;
} contract[] = {
    {"README", S_IFREG | 0444, CONTROL_NONE},
    {"version", S_IFREG | 0444, CONTROL_NONE},
    {"health", S_IFREG | 0444, CONTROL_NONE},
    {"metrics", S_IFREG | 0444, CONTROL_NONE},
    {"ctl", S_IFDIR | 0555, CONTROL_NONE},
    {"ctl/fetch", S_IFREG | 0600, CONTROL_FETCH},
    {"ctl/remove", S_IFREG | 0600, CONTROL_REMOVE},
    {"ctl/cancel", S_IFREG | 0600, CONTROL_CANCEL},
    {"ctl/retry", S_IFREG | 0600, CONTROL_RETRY},
    {"ctl/activate", S_IFREG | 0600, CONTROL_ACTIVATE},
    {"ctl/deactivate", S_IFREG | 0600, CONTROL_DEACTIVATE},
    {"ctl/cleanup", S_IFREG | 0600, CONTROL_CLEANUP},
    {"ctl/log_level", S_IFREG | 0600, CONTROL_LOG_LEVEL},
    {"ctl/error_log", S_IFREG | 0600, CONTROL_ERROR_LOG},
    {"images", S_IFDIR | 0555, CONTROL_NONE},
    {"images/web", S_IFDIR | 0555, CONTROL_NONE},
    {"images/web/state", S_IFREG | 0444, CONTROL_NONE},
    {"images/web/progress", S_IFREG | 0444, CONTROL_NONE},
    {"images/web/error", S_IFREG | 0444, CONTROL_NONE},
    {"images/web/info", S_IFREG | 0444, CONTROL_NONE},
    {"images/web/rootfs", S_IFLNK | 0777, CONTROL_NONE},
};

static enum tree_node of_path(const char *path)
{
    for (enum tree_node n = TREE_ROOT + 1; n < TREE_NODES; n++) {
        struct text t CLEANUP_TEXT = {0};
        tree_path(n, "web", &t);
        if (strcmp(t.data, path) == 0)
            return n;
    }
    return TREE_NONE;
}

Test(tree, is_the_contracts)
{
    for (size_t i = 0; i < sizeof contract / sizeof contract[0]; i++) {
        enum tree_node n = of_path(contract[i].path);
        cr_assert_neq(n, TREE_NONE, "%s", contract[i].path);
        cr_expect_eq(tree_rows[n].mode, contract[i].mode, "%s", contract[i].path);
        cr_expect_eq(tree_rows[n].store, contract[i].store, "%s", contract[i].path);
        cr_expect_eq(tree_rows[n].show != NULL, !S_ISDIR(contract[i].mode), "%s", contract[i].path);
    }
}

Test(tree, the_root_has_a_path_of_no_length)
{
    struct text t CLEANUP_TEXT = {0};
    tree_path(TREE_ROOT, "", &t);
    cr_assert_eq(t.len, 0);
}
