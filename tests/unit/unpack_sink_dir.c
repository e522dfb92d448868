#include "sink_fixture.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "wire_build.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* All kinds of closed directories, children later: as an ordinary user, when the test can be. */
Test(sink_dir, closed_directories_are_filled)
{
    bool root = geteuid() == 0;
    if (root && (setegid(65534) < 0 || seteuid(65534) < 0))
        cr_skip_test("cannot become an ordinary user");
    struct fixture f = fixture_new();
    fixture_must(&f, entry_dir("a", 0));
    fixture_must(&f, entry_dir("a/b", 0111));
    fixture_must(&f, entry_dir("a/b/c", 0555));
    fixture_must(&f, entry_file("a/b/c/f", 0));
    fixture_must(&f, entry_dir("a", 0));
    fixture_finish(&f);
    struct stat st = fixture_status(&f, "a");
    cr_assert_eq(st.st_mode, S_IFDIR | 0);
    cr_assert_eq(fchmodat(f.root, "a", 0700, 0), 0);
    cr_assert_eq(fixture_status(&f, "a/b").st_mode, S_IFDIR | 0111);
    cr_assert_eq(fixture_status(&f, "a/b/c").st_mode, S_IFDIR | 0555);
    cr_assert_eq(fixture_status(&f, "a/b/c/f").st_mode, S_IFREG | 0);
    cr_assert_eq(fchmodat(f.root, "a/b", 0700, 0), 0);
    cr_assert_eq(fchmodat(f.root, "a/b/c", 0700, 0), 0);
    fixture_done(&f);
    cr_assert(!root || seteuid(0) == 0);
}

static int add_default_acl(struct fixture *f, const char *path)
{
    /* version 2; user::rwx, group::r-x, other::---, as the kernel spells it */
    static const unsigned char acl[] = {2,    0,    0, 0, 1,    0,    7,    0,    0xff, 0xff,
                                        0xff, 0xff, 4, 0, 5,    0,    0xff, 0xff, 0xff, 0xff,
                                        0x20, 0,    0, 0, 0xff, 0xff, 0xff, 0xff};
    struct text x CLEANUP_TEXT = {0};
    wire_add_xattr(&x, "system.posix_acl_default", acl, sizeof acl);
    struct entry e = entry_dir(path, 0755);
    e.xattrs = x.data;
    e.xattrs_len = x.len;
    return fixture_add(f, e);
}

Test(sink_dir, a_default_acl_is_not_inherited_by_what_the_archive_brings)
{
    struct fixture f = fixture_new();
    fixture_must(&f, entry_dir("d", 0755));
    cr_assert_eq(add_default_acl(&f, "d"), 0);
    fixture_must(&f, entry_dir("d/sub", 0755));
    fixture_must(&f, entry_file("d/f", 0644));
    if (sink_dir.finish(f.sink, f.ns, &f.err) < 0) {
        fixture_done(&f);
        cr_skip_test("needs a file system with ACLs: %s", f.err.text);
    }
    char path[128], got[64];
    snprintf(path, sizeof path, "%s/rootfs/d", f.dir);
    cr_assert_eq(getxattr(path, "system.posix_acl_default", got, sizeof got), 28);
    snprintf(path, sizeof path, "%s/rootfs/d/sub", f.dir);
    cr_assert_lt(getxattr(path, "system.posix_acl_default", got, sizeof got), 0);
    cr_assert_eq(fixture_status(&f, "d/f").st_mode, S_IFREG | 0644);
    fixture_done(&f);
}

static bool not_followed(int r)
{
    return r == -ELOOP || r == -ENOTDIR;
}

/* Something swaps a directory for a symlink on disk while we work: nothing is made through it. */
Test(sink_dir, a_symlink_behind_our_back_is_not_followed)
{
    struct fixture f = fixture_new();
    char outside[] = "/tmp/sink_dir_outside.XXXXXX";
    cr_assert(mkdtemp(outside));
    fixture_must(&f, entry_file("d/one", 0644));
    fixture_must(&f, entry_file("e/one", 0644));
    cr_assert_eq(renameat(f.root, "d", f.part, "elsewhere"), 0);
    cr_assert_eq(symlinkat(outside, f.root, "d"), 0);
    cr_assert(not_followed(fixture_add(&f, entry_file("d/two", 0644))), "%s", f.err.text);
    cr_assert_eq(f.err.code, ERR_IO);
    cr_assert(not_followed(fixture_add(&f, entry_dir("d/sub/dir", 0755))));
    cr_assert(not_followed(fixture_add(&f, entry_link(WIRE_SYMLINK, "d/l", "x"))));
    cr_assert(not_followed(fixture_add(&f, entry_link(WIRE_HARDLINK, "d/h", "e/one"))));
    cr_assert(not_followed(fixture_add(&f, entry_link(WIRE_HARDLINK, "e/h", "d/one"))));
    cr_assert(not_followed(fixture_add(&f, entry_file("d/one", 0644))));
    cr_assert(not_followed(sink_dir.finish(f.sink, f.ns, &f.err)));
    cr_assert_eq(rmdir(outside), 0, "something was made outside");
    fixture_done(&f);
}

Test(sink_dir, a_name_taken_behind_our_back_is_not_written_through)
{
    struct fixture f = fixture_new();
    char victim[] = "/tmp/sink_dir_victim.XXXXXX";
    int fd CLEANUP_CLOSE = mkstemp(victim);
    fixture_must(&f, entry_dir("d", 0755));
    cr_assert_eq(symlinkat(victim, f.root, "d/f"), 0);
    cr_assert_eq(fixture_add(&f, fixture_file(&f, "d/f", "evil", 4)), -EEXIST);
    struct stat st;
    cr_assert(fstat(fd, &st) == 0 && st.st_size == 0);
    unlink(victim);
    fixture_done(&f);
}

Test(sink_dir, a_mount_is_not_crossed)
{
    fixture_needs_root();
    fixture_own_mounts();
    struct fixture f = fixture_new();
    fixture_must(&f, entry_dir("d", 0755));
    fixture_must(&f, entry_file("e", 0644));
    char path[128];
    snprintf(path, sizeof path, "%s/rootfs/d", f.dir);
    cr_assert_eq(mount("none", path, "tmpfs", 0, "size=1M"), 0);
    cr_assert_eq(fixture_add(&f, entry_file("d/f", 0644)), -EXDEV);
    cr_assert_eq(umount(path), 0);
    fixture_done(&f);
}

Test(sink_dir, is_chosen_by_name)
{
    const struct sink_kind *kind = NULL;
    struct err err = {0};
    struct paths paths;
    char how[SINK_HOW_MAX], dir[] = "/var/tmp/sink.XXXXXX";
    cr_assert(mkdtemp(dir));
    cr_assert_eq(paths_open(&paths, dir, &err), 0, "%s", err.text);
    bool erofs = sink_erofs.probe(&paths, how, &err) == 0;
    cr_assert_eq(sink_choose("auto", &paths, &kind, &err), 0);
    cr_assert_eq(kind, erofs ? &sink_erofs : &sink_dir);
    cr_assert_eq(paths.image_mount == IMAGE_MOUNT_ANY, !erofs);
    err = (struct err){0};
    cr_assert_eq(sink_choose("dir", &paths, &kind, &err), 0);
    cr_assert_eq(kind, &sink_dir);
    cr_assert_eq(err.num, 0);
    cr_assert_lt(sink_choose("nonsense", &paths, &kind, &err), 0);
    cr_assert(strstr(err.text, "nonsense"));
    paths_close(&paths);
    io_remove_tree(AT_FDCWD, dir);
}
