/* What every sink must make of the same entries. */
#include "sink_fixture.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "wire_build.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SINKS_TEST(name)                                                                           \
    static void name(struct fixture f);                                                            \
    Test(sink_dir, name)                                                                           \
    {                                                                                              \
        name(fixture_new());                                                                       \
    }                                                                                              \
    Test(sink_erofs, name)                                                                         \
    {                                                                                              \
        name(fixture_erofs());                                                                     \
    }                                                                                              \
    static void name(struct fixture f)

SINKS_TEST(modes_and_times)
{
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

SINKS_TEST(the_root_entry)
{
    struct entry e = entry_dir("", 0711);
    e.meta.mtime = 42;
    fixture_must(&f, e);
    fixture_must(&f, entry_file("f", 0644));
    fixture_finish(&f);
    struct stat st = fixture_status(&f, "");
    cr_assert(st.st_mode == (S_IFDIR | 0711) && st.st_mtim.tv_sec == 42);
    fixture_done(&f);
}

SINKS_TEST(owners_setuid_and_device_nodes)
{
    fixture_needs_root();
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

SINKS_TEST(links)
{
    fixture_must(&f, fixture_file(&f, "a/f", "one", 3));
    fixture_must(&f, entry_link(WIRE_HARDLINK, "b/h", "a/f"));
    fixture_must(&f, entry_link(WIRE_HARDLINK, "h2", "b/h"));
    struct entry l = entry_link(WIRE_SYMLINK, "l", "/etc/passwd");
    l.meta.mode = 0750;
    fixture_must(&f, l);
    fixture_must(&f, entry_link(WIRE_HARDLINK, "hl", "l"));
    fixture_must(&f, fixture_file(&f, "b/h", "two", 3));
    fixture_finish(&f);
    if (geteuid() == 0) /* else they may be copies */
        cr_assert_eq(fixture_status(&f, "a/f").st_ino, fixture_status(&f, "h2").st_ino);
    cr_assert(fixture_holds(&f, "h2", "one"));
    cr_assert_neq(fixture_status(&f, "a/f").st_ino, fixture_status(&f, "b/h").st_ino);
    cr_assert(fixture_holds(&f, "a/f", "one") && fixture_holds(&f, "b/h", "two"));
    cr_assert_eq(fixture_status(&f, "hl").st_mode, S_IFLNK | 0777);
    if (geteuid() == 0)
        cr_assert_eq(fixture_status(&f, "hl").st_ino, fixture_status(&f, "l").st_ino);
    fixture_done(&f);
}

SINKS_TEST(replacement)
{
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

SINKS_TEST(a_directory_remade_is_not_mixed_up_with_the_one_before)
{
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

SINKS_TEST(xattrs)
{
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
    snprintf(path, sizeof path, "/proc/self/fd/%d/f", f.root);
    cr_assert(getxattr(path, "user.a", got, sizeof got) == 1 && *got == '1');
    cr_assert_eq(getxattr(path, "user.b", got, sizeof got), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d/d", f.root);
    cr_assert_eq(getxattr(path, "user.a", got, sizeof got), 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d/again", f.root);
    cr_assert_lt(getxattr(path, "user.a", got, sizeof got), 0);
    cr_assert(getxattr(path, "user.c", got, sizeof got) == 1 && *got == '2');
    snprintf(path, sizeof path, "/proc/self/fd/%d/bare", f.root);
    cr_assert_lt(getxattr(path, "user.c", got, sizeof got), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d/.", f.root);
    cr_assert_eq(getxattr(path, "user.c", got, sizeof got), 1);
    fixture_done(&f);
}

SINKS_TEST(the_deepest_path)
{
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
