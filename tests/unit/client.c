#include "fs/client/image.h"
#include "fs/client/outcome.h"
#include "fs/client/tree.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(client, outcomes)
{
    static const struct {
        int num;
        enum outcome outcome;
    } due[] = {{0, OUTCOME_DONE},
               {EINVAL, OUTCOME_USAGE},
               {E2BIG, OUTCOME_USAGE},
               {ENOTCONN, 3},
               {ENOENT, 4},
               {EBUSY, OUTCOME_REFUSED},
               {EEXIST, OUTCOME_REFUSED},
               {ENOSPC, OUTCOME_REFUSED},
               {EAGAIN, OUTCOME_REFUSED},
               {EPERM, OUTCOME_REFUSED},
               {EACCES, 5},
               {EIO, 5}};
    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++)
        cr_assert_eq(outcome_of(-due[i].num), due[i].outcome, "%s", strerror(due[i].num));
    cr_assert_str_eq(outcome_word(-EBUSY), "busy");
}

Test(client, names)
{
    char long_name[130];
    memset(long_name, 'a', sizeof long_name);
    long_name[129] = '\0';
    cr_assert_not(image_name_ok(long_name));
    long_name[128] = '\0';
    cr_assert(image_name_ok(long_name));
    cr_assert(image_name_ok("0") && image_name_ok("web-1.2_x"));
    const char *bad[] = {"", ".", "..", "../ctl", "a/b", "-x", "_x", "a b", "a\n", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(image_name_ok(bad[i]), "%s", bad[i]);
}

#define MOUNT(at, type) "36 35 0:44 / " at " rw,nosuid shared:7 master:2 - " type " src rw\n"

static int find(const char *text, struct tree *tree, struct err *err)
{
    FILE *f = fmemopen((char *)text, strlen(text), "r");
    int r = tree_find_mount(tree, f, err);
    fclose(f);
    return r;
}

Test(client, finds_the_one_mount)
{
    struct tree tree;
    struct err err;
    cr_assert_eq(find(MOUNT("/", "ext4") MOUNT("/mnt/a\\040b", "fuse.imgstorefs"), &tree, &err), 0);
    cr_assert_str_eq(tree.root, "/mnt/a b");
}

Test(client, a_mount_over_a_dead_one_is_one_place)
{
    struct tree tree;
    struct err err;
    cr_assert_eq(find(MOUNT("/m", "fuse.imgstorefs") MOUNT("/m", "fuse.imgstorefs"), &tree, &err),
                 0);
    cr_assert_str_eq(tree.root, "/m");
}

Test(client, no_mount_is_no_daemon)
{
    struct tree tree;
    struct err err;
    cr_assert_eq(
        find(MOUNT("/m", "fuse.imgstorefsx") MOUNT("/n", "fuse.sshfs") "\n - \n", &tree, &err),
        -ENOTCONN);
}

Test(client, several_mounts_are_named)
{
    struct tree tree;
    struct err err;
    cr_assert_eq(find(MOUNT("/m", "fuse.imgstorefs") MOUNT("/n", "fuse.imgstorefs"), &tree, &err),
                 -EINVAL);
    cr_assert(strstr(err.text, "/m, /n"), "%s", err.text);
}
