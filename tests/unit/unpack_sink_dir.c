#include "sink_fixture.h"

#include "base/cleanup.h"
#include "wire_build.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

Test(sink_dir, modes_and_times)
{
    struct fixture f = fixture_new();
    umask(077); /* must not matter */
    struct entry e = entry_file("a/f", 0644);
    e.meta.mtime = 1000000001;
    e.meta.mtime_nsec = 123456789;
    fixture_must(&f, e);
    fixture_must(&f, entry_file("a/x", 0755));
    fixture_must(&f, entry_file("a/none", 0));
    struct entry d = entry_dir("d", 0555);
    d.meta.mtime = -86400;
    fixture_must(&f, d);
    fixture_must(&f, entry_file("d/later", 0400));
    e = entry_link(WIRE_SYMLINK, "a/l", "/nowhere");
    e.meta.mtime = 5;
    fixture_must(&f, e);
    fixture_finish(&f);
    struct stat st = fixture_status(&f, "a/f");
    cr_assert_eq(st.st_mode, S_IFREG | 0644);
    cr_assert(st.st_mtim.tv_sec == 1000000001 && st.st_mtim.tv_nsec == 123456789);
    cr_assert_eq(fixture_status(&f, "a/x").st_mode, S_IFREG | 0755);
    cr_assert_eq(fixture_status(&f, "a/none").st_mode, S_IFREG | 0);
    st = fixture_status(&f, "a");
    cr_assert(st.st_mode == (S_IFDIR | 0755) && st.st_mtim.tv_sec == 0);
    st = fixture_status(&f, "d");
    cr_assert(st.st_mode == (S_IFDIR | 0555) && st.st_mtim.tv_sec == -86400);
    cr_assert_eq(fixture_status(&f, "a/l").st_mtim.tv_sec, 5);
    st = fixture_status(&f, "");
    cr_assert(st.st_mode == (S_IFDIR | 0755) && st.st_mtim.tv_sec == 0);
    fixture_done(&f);
}

Test(sink_dir, the_root_entry)
{
    struct fixture f = fixture_new();
    struct entry e = entry_dir("", 0711);
    e.meta.mtime = 42;
    fixture_must(&f, e);
    fixture_must(&f, entry_file("f", 0644));
    fixture_finish(&f);
    struct stat st = fixture_status(&f, "");
    cr_assert(st.st_mode == (S_IFDIR | 0711) && st.st_mtim.tv_sec == 42);
    fixture_done(&f);
}

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

Test(sink_dir, owners_setuid_and_device_nodes)
{
    fixture_needs_root();
    struct fixture f = fixture_new();
    struct entry e = entry_file("f", 06755);
    e.meta.uid = 1000;
    e.meta.gid = 1001;
    fixture_must(&f, e);
    e = entry_dir("d", 03775);
    e.meta.uid = 7;
    fixture_must(&f, e);
    e = entry_link(WIRE_SYMLINK, "l", "f");
    e.meta.uid = 8;
    fixture_must(&f, e);
    e = (struct entry){.type = WIRE_CHARDEV,
                       .path = "null",
                       .meta = {.mode = 0666, .gid = 9},
                       .rdev_major = 1,
                       .rdev_minor = 3};
    fixture_must(&f, e);
    e.type = WIRE_BLOCKDEV;
    e.path = "loop";
    e.rdev_major = 7;
    fixture_must(&f, e);
    fixture_must(&f, (struct entry){.type = WIRE_FIFO, .path = "fifo", .meta.mode = 0622});
    fixture_must(&f, (struct entry){.type = WIRE_SOCKET, .path = "socket", .meta.mode = 0600});
    fixture_finish(&f);
    struct stat st = fixture_status(&f, "f");
    cr_assert(st.st_mode == (S_IFREG | 06755) && st.st_uid == 1000 && st.st_gid == 1001);
    st = fixture_status(&f, "d");
    cr_assert(st.st_mode == (S_IFDIR | 03775) && st.st_uid == 7 && st.st_gid == 0);
    st = fixture_status(&f, "l");
    cr_assert(S_ISLNK(st.st_mode) && st.st_uid == 8);
    st = fixture_status(&f, "null");
    cr_assert(st.st_mode == (S_IFCHR | 0666) && st.st_gid == 9 && st.st_rdev == makedev(1, 3));
    st = fixture_status(&f, "loop");
    cr_assert(S_ISBLK(st.st_mode) && st.st_rdev == makedev(7, 3));
    cr_assert_eq(fixture_status(&f, "fifo").st_mode, S_IFIFO | 0622);
    cr_assert_eq(fixture_status(&f, "socket").st_mode, S_IFSOCK | 0600);
    fixture_done(&f);
}

Test(sink_dir, links)
{
    struct fixture f = fixture_new();
    fixture_must(&f, fixture_file(&f, "a/f", "one", 3));
    fixture_must(&f, entry_link(WIRE_HARDLINK, "b/h", "a/f"));
    fixture_must(&f, entry_link(WIRE_HARDLINK, "h2", "b/h"));
    fixture_must(&f, entry_link(WIRE_SYMLINK, "l", "/etc/passwd"));
    fixture_must(&f, entry_link(WIRE_HARDLINK, "hl", "l"));
    fixture_must(&f, fixture_file(&f, "b/h", "two", 3));
    fixture_finish(&f);
    cr_assert_eq(fixture_status(&f, "a/f").st_ino, fixture_status(&f, "h2").st_ino);
    cr_assert_neq(fixture_status(&f, "a/f").st_ino, fixture_status(&f, "b/h").st_ino);
    cr_assert(fixture_holds(&f, "a/f", "one") && fixture_holds(&f, "b/h", "two"));
    cr_assert(S_ISLNK(fixture_status(&f, "hl").st_mode));
    cr_assert_eq(fixture_status(&f, "hl").st_ino, fixture_status(&f, "l").st_ino);
    fixture_done(&f);
}

Test(sink_dir, replacement)
{
    struct fixture f = fixture_new();
    fixture_must(&f, fixture_file(&f, "keep", "k", 1));
    fixture_must(&f, entry_link(WIRE_SYMLINK, "x", "keep"));
    fixture_must(&f, fixture_file(&f, "x", "new", 3));
    fixture_must(&f, entry_dir("d", 0755));
    fixture_must(&f, fixture_file(&f, "d", "was a directory", 15));
    fixture_must(&f, fixture_file(&f, "e", "file", 4));
    fixture_must(&f, fixture_file(&f, "g/h", "x", 1));
    fixture_must(&f, entry_dir("e", 0755));
    fixture_must(&f, fixture_file(&f, "e/f", "below", 5));
    fixture_finish(&f);
    cr_assert(fixture_holds(&f, "keep", "k") && fixture_holds(&f, "x", "new"));
    cr_assert(fixture_holds(&f, "d", "was a directory") && fixture_holds(&f, "e/f", "below"));
    fixture_done(&f);
}

Test(sink_dir, a_directory_remade_is_not_mixed_up_with_the_one_before)
{
    struct fixture f = fixture_new();
    fixture_must(&f, entry_dir("d/e", 0755));
    fixture_must(&f, entry_file("d/e/f", 0644));
    fixture_must(&f, entry_file("d/e/f", 0600)); /* caches d/e */
    fixture_must(&f, entry_dir("x", 0755));
    fixture_must(&f, entry_dir("x/y", 0755));
    fixture_must(&f, entry_file("x/y", 0644)); /* y goes while x/y could be cached */
    fixture_must(&f, entry_dir("x/y", 0755));
    fixture_must(&f, entry_file("x/y/z", 0644));
    fixture_finish(&f);
    cr_assert_eq(fixture_status(&f, "x/y/z").st_mode, S_IFREG | 0644);
    cr_assert_eq(fixture_status(&f, "d/e/f").st_mode, S_IFREG | 0600);
    fixture_done(&f);
}

Test(sink_dir, xattrs)
{
    struct fixture f = fixture_new();
    struct text x CLEANUP_TEXT = {0}, y CLEANUP_TEXT = {0};
    char got[16] = {0};
    wire_add_xattr(&x, "user.a", "1", 1);
    wire_add_xattr(&x, "user.b", "", 0);
    wire_add_xattr(&y, "user.c", "2", 1);
    struct entry e = entry_file("f", 0400);
    e.xattrs = x.data;
    e.xattrs_len = x.len;
    if (fixture_add(&f, e) < 0) {
        fixture_done(&f);
        cr_skip_test("needs a file system with user xattrs: %s", f.err.text);
    }
    e.type = WIRE_DIR;
    e.path = "d";
    e.meta.mode = 0500;
    fixture_must(&f, e);
    e.path = "again";
    fixture_must(&f, e);
    e.xattrs = y.data;
    e.xattrs_len = y.len;
    fixture_must(&f, e);
    e.path = "bare";
    fixture_must(&f, e);
    fixture_must(&f, entry_dir("bare", 0755));
    e.path = "";
    fixture_must(&f, e);
    e.path = "gone";
    fixture_must(&f, e);
    fixture_must(&f, entry_file("gone", 0644));
    fixture_finish(&f);
    char path[128];
    snprintf(path, sizeof path, "%s/rootfs/f", f.dir);
    cr_assert(getxattr(path, "user.a", got, sizeof got) == 1 && *got == '1');
    cr_assert_eq(getxattr(path, "user.b", got, sizeof got), 0);
    snprintf(path, sizeof path, "%s/rootfs/d", f.dir);
    cr_assert_eq(getxattr(path, "user.a", got, sizeof got), 1);
    snprintf(path, sizeof path, "%s/rootfs/again", f.dir);
    cr_assert_lt(getxattr(path, "user.a", got, sizeof got), 0);
    cr_assert(getxattr(path, "user.c", got, sizeof got) == 1 && *got == '2');
    snprintf(path, sizeof path, "%s/rootfs/bare", f.dir);
    cr_assert_lt(getxattr(path, "user.c", got, sizeof got), 0);
    snprintf(path, sizeof path, "%s/rootfs", f.dir);
    cr_assert_eq(getxattr(path, "user.c", got, sizeof got), 1);
    fixture_done(&f);
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

Test(sink_dir, the_deepest_path)
{
    struct fixture f = fixture_new();
    char path[LIMIT_PATH_MAX + 1] = {0};
    for (int i = 0; i < LIMIT_PATH_MAX; i++)
        path[i] = i % 2 ? '/' : 'a';
    fixture_must(&f, fixture_file(&f, path, "deep", 4));
    path[LIMIT_PATH_MAX - 1] = 'h';
    char target[LIMIT_PATH_MAX + 1];
    memcpy(target, path, sizeof target);
    target[LIMIT_PATH_MAX - 1] = 'a';
    fixture_must(&f, entry_link(WIRE_HARDLINK, path, target));
    fixture_finish(&f);
    fixture_done(&f);
}

Test(sink_dir, is_chosen_by_name)
{
    const struct sink_kind *kind = NULL;
    struct err err = {0};
    struct paths paths = {.images = open("/tmp", O_RDONLY | O_DIRECTORY)};
    cr_assert_eq(sink_choose("auto", &paths, &kind, &err), 0);
    cr_assert_eq(kind, &sink_dir);
    cr_assert_eq(sink_choose("dir", &paths, &kind, &err), 0);
    cr_assert_eq(err.num, 0);
    cr_assert_lt(sink_choose("nonsense", &paths, &kind, &err), 0);
    cr_assert(strstr(err.text, "nonsense"));
    close(paths.images);
}
