#include "stages/unpack/sink.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "wire_build.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct fixture {
    char dir[64];
    int part, root, data;
    int64_t end; /* of the data file */
    void *sink;
    struct namespace *ns;
    struct err err;
};

static struct fixture fixture_in(const char *parent)
{
    struct fixture f = {0};
    snprintf(f.dir, sizeof f.dir, "%s/sink_dir.XXXXXX", parent);
    cr_assert(mkdtemp(f.dir));
    f.part = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f.data = openat(f.part, SINK_DATA, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    f.end = WIRE_BLOCK;
    f.ns = namespace_new();
    struct sink_place place = {f.part, f.data, -1};
    cr_assert_eq(sink_dir.open(&place, &f.sink, &f.err), 0, "%s", f.err.text);
    f.root = openat(f.part, SINK_ROOTFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f;
}

static struct fixture fixture(void)
{
    return fixture_in("/tmp");
}

static void done(struct fixture *f)
{
    sink_dir.close(f->sink);
    namespace_free(f->ns);
    close(f->data);
    close(f->root);
    close(f->part);
    char *name = strrchr(f->dir, '/');
    *name++ = '\0';
    int parent CLEANUP_CLOSE = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(io_remove_tree(parent, name), 0);
}

/* As the stage does it. */
static int add(struct fixture *f, struct entry e)
{
    struct namespace_place p;
    e.target = e.target ? e.target : "";
    f->err = (struct err){0};
    cr_assert_eq(namespace_add(f->ns, &e, &p, &f->err), 0, "%s", f->err.text);
    char path[LIMIT_PATH_MAX + 1];
    const char *slash = strchr(e.path + p.existing + (p.existing > 0), '/');
    for (unsigned i = 0; i < p.implied; i++, slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof path, "%.*s", (int)(slash - e.path), e.path);
        int r = sink_dir.implied(f->sink, path, &f->err);
        if (r < 0)
            return r;
    }
    int r = p.removes ? sink_dir.remove(f->sink, e.path, p.removes_dir, &f->err) : 0;
    if (r < 0 || p.action == NAMESPACE_NOTHING)
        return r;
    return sink_dir.entry(f->sink, &e, p.action == NAMESPACE_UPDATE, &f->err);
}

static struct entry file(const char *path, unsigned mode)
{
    return (struct entry){.type = WIRE_FILE, .path = path, .meta.mode = mode};
}

static struct entry directory(const char *path, unsigned mode)
{
    return (struct entry){.type = WIRE_DIR, .path = path, .meta.mode = mode};
}

static struct entry link_to(enum wire_type type, const char *path, const char *target)
{
    return (struct entry){.type = type, .path = path, .target = target, .meta.mode = 0777};
}

/* A file whose contents are put into the data file first. */
static struct entry file_of(struct fixture *f, const char *path, const void *bytes, size_t n)
{
    struct entry e = file(path, 0644);
    e.offset = (uint64_t)f->end;
    e.size = n;
    cr_assert_eq(pwrite(f->data, bytes, n, f->end), (ssize_t)n);
    f->end = (f->end + (int64_t)n + WIRE_BLOCK - 1) / WIRE_BLOCK * WIRE_BLOCK;
    return e;
}

static void must(struct fixture *f, struct entry e)
{
    cr_assert_eq(add(f, e), 0, "%s: %s", e.path, f->err.text);
}

static void finish(struct fixture *f)
{
    cr_assert_eq(sink_dir.finish(f->sink, f->ns, &f->err), 0, "%s", f->err.text);
    cr_assert_lt(faccessat(f->part, SINK_DATA, F_OK, 0), 0);
}

static struct stat status(struct fixture *f, const char *path)
{
    struct stat st;
    cr_assert_eq(fstatat(f->root, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW), 0, "%s", path);
    return st;
}

static bool holds(struct fixture *f, const char *path, const char *want)
{
    char buf[256] = {0};
    int fd CLEANUP_CLOSE = openat(f->root, path, O_RDONLY | O_NOFOLLOW);
    return fd >= 0 && io_read(fd, buf, sizeof buf - 1) >= 0 && strcmp(buf, want) == 0;
}

#define NEEDS_ROOT()                                                                               \
    do {                                                                                           \
        if (geteuid() != 0)                                                                        \
            cr_skip_test("needs root: owners, mounts and device nodes");                           \
    } while (0)

Test(sink_dir, modes_and_times)
{
    struct fixture f = fixture();
    umask(077); /* must not matter */
    struct entry e = file("a/f", 0644);
    e.meta.mtime = 1000000001;
    e.meta.mtime_nsec = 123456789;
    must(&f, e);
    must(&f, file("a/x", 0755));
    must(&f, file("a/none", 0));
    struct entry d = directory("d", 0555);
    d.meta.mtime = -86400;
    must(&f, d);
    must(&f, file("d/later", 0400));
    e = link_to(WIRE_SYMLINK, "a/l", "/nowhere");
    e.meta.mtime = 5;
    must(&f, e);
    finish(&f);
    struct stat st = status(&f, "a/f");
    cr_assert_eq(st.st_mode, S_IFREG | 0644);
    cr_assert(st.st_mtim.tv_sec == 1000000001 && st.st_mtim.tv_nsec == 123456789);
    cr_assert_eq(status(&f, "a/x").st_mode, S_IFREG | 0755);
    cr_assert_eq(status(&f, "a/none").st_mode, S_IFREG | 0);
    st = status(&f, "a");
    cr_assert(st.st_mode == (S_IFDIR | 0755) && st.st_mtim.tv_sec == 0);
    st = status(&f, "d");
    cr_assert(st.st_mode == (S_IFDIR | 0555) && st.st_mtim.tv_sec == -86400);
    cr_assert_eq(status(&f, "a/l").st_mtim.tv_sec, 5);
    st = status(&f, "");
    cr_assert(st.st_mode == (S_IFDIR | 0755) && st.st_mtim.tv_sec == 0);
    done(&f);
}

Test(sink_dir, the_root_entry)
{
    struct fixture f = fixture();
    struct entry e = directory("", 0711);
    e.meta.mtime = 42;
    must(&f, e);
    must(&f, file("f", 0644));
    finish(&f);
    struct stat st = status(&f, "");
    cr_assert(st.st_mode == (S_IFDIR | 0711) && st.st_mtim.tv_sec == 42);
    done(&f);
}

/* All kinds of closed directories, children later: as an ordinary user, when the test can be. */
Test(sink_dir, closed_directories_are_filled)
{
    bool root = geteuid() == 0;
    if (root && (setegid(65534) < 0 || seteuid(65534) < 0))
        cr_skip_test("cannot become an ordinary user");
    struct fixture f = fixture();
    must(&f, directory("a", 0));
    must(&f, directory("a/b", 0111));
    must(&f, directory("a/b/c", 0555));
    must(&f, file("a/b/c/f", 0));
    must(&f, directory("a", 0));
    finish(&f);
    struct stat st = status(&f, "a");
    cr_assert_eq(st.st_mode, S_IFDIR | 0);
    cr_assert_eq(fchmodat(f.root, "a", 0700, 0), 0);
    cr_assert_eq(status(&f, "a/b").st_mode, S_IFDIR | 0111);
    cr_assert_eq(status(&f, "a/b/c").st_mode, S_IFDIR | 0555);
    cr_assert_eq(status(&f, "a/b/c/f").st_mode, S_IFREG | 0);
    cr_assert_eq(fchmodat(f.root, "a/b", 0700, 0), 0);
    cr_assert_eq(fchmodat(f.root, "a/b/c", 0700, 0), 0);
    done(&f);
    cr_assert(!root || seteuid(0) == 0);
}

Test(sink_dir, owners_setuid_and_device_nodes)
{
    NEEDS_ROOT();
    struct fixture f = fixture();
    struct entry e = file("f", 06755);
    e.meta.uid = 1000;
    e.meta.gid = 1001;
    must(&f, e);
    e = directory("d", 03775);
    e.meta.uid = 7;
    must(&f, e);
    e = link_to(WIRE_SYMLINK, "l", "f");
    e.meta.uid = 8;
    must(&f, e);
    e = (struct entry){.type = WIRE_CHARDEV,
                       .path = "null",
                       .meta = {.mode = 0666, .gid = 9},
                       .rdev_major = 1,
                       .rdev_minor = 3};
    must(&f, e);
    e.type = WIRE_BLOCKDEV;
    e.path = "loop";
    e.rdev_major = 7;
    must(&f, e);
    must(&f, (struct entry){.type = WIRE_FIFO, .path = "fifo", .meta.mode = 0622});
    must(&f, (struct entry){.type = WIRE_SOCKET, .path = "socket", .meta.mode = 0600});
    finish(&f);
    struct stat st = status(&f, "f");
    cr_assert(st.st_mode == (S_IFREG | 06755) && st.st_uid == 1000 && st.st_gid == 1001);
    st = status(&f, "d");
    cr_assert(st.st_mode == (S_IFDIR | 03775) && st.st_uid == 7 && st.st_gid == 0);
    st = status(&f, "l");
    cr_assert(S_ISLNK(st.st_mode) && st.st_uid == 8);
    st = status(&f, "null");
    cr_assert(st.st_mode == (S_IFCHR | 0666) && st.st_gid == 9 && st.st_rdev == makedev(1, 3));
    st = status(&f, "loop");
    cr_assert(S_ISBLK(st.st_mode) && st.st_rdev == makedev(7, 3));
    cr_assert_eq(status(&f, "fifo").st_mode, S_IFIFO | 0622);
    cr_assert_eq(status(&f, "socket").st_mode, S_IFSOCK | 0600);
    done(&f);
}

Test(sink_dir, links)
{
    struct fixture f = fixture();
    must(&f, file_of(&f, "a/f", "one", 3));
    must(&f, link_to(WIRE_HARDLINK, "b/h", "a/f"));
    must(&f, link_to(WIRE_HARDLINK, "h2", "b/h"));
    must(&f, link_to(WIRE_SYMLINK, "l", "/etc/passwd"));
    must(&f, link_to(WIRE_HARDLINK, "hl", "l"));
    must(&f, file_of(&f, "b/h", "two", 3));
    finish(&f);
    cr_assert_eq(status(&f, "a/f").st_ino, status(&f, "h2").st_ino);
    cr_assert_neq(status(&f, "a/f").st_ino, status(&f, "b/h").st_ino);
    cr_assert(holds(&f, "a/f", "one") && holds(&f, "b/h", "two"));
    cr_assert(S_ISLNK(status(&f, "hl").st_mode));
    cr_assert_eq(status(&f, "hl").st_ino, status(&f, "l").st_ino);
    done(&f);
}

Test(sink_dir, replacement)
{
    struct fixture f = fixture();
    must(&f, file_of(&f, "keep", "k", 1));
    must(&f, link_to(WIRE_SYMLINK, "x", "keep"));
    must(&f, file_of(&f, "x", "new", 3));
    must(&f, directory("d", 0755));
    must(&f, file_of(&f, "d", "was a directory", 15));
    must(&f, file_of(&f, "e", "file", 4));
    must(&f, file_of(&f, "g/h", "x", 1));
    must(&f, directory("e", 0755));
    must(&f, file_of(&f, "e/f", "below", 5));
    finish(&f);
    cr_assert(holds(&f, "keep", "k") && holds(&f, "x", "new"));
    cr_assert(holds(&f, "d", "was a directory") && holds(&f, "e/f", "below"));
    done(&f);
}

Test(sink_dir, a_directory_remade_is_not_mixed_up_with_the_one_before)
{
    struct fixture f = fixture();
    must(&f, directory("d/e", 0755));
    must(&f, file("d/e/f", 0644));
    must(&f, file("d/e/f", 0600)); /* caches d/e */
    must(&f, directory("x", 0755));
    must(&f, directory("x/y", 0755));
    must(&f, file("x/y", 0644)); /* y goes while x/y could be cached */
    must(&f, directory("x/y", 0755));
    must(&f, file("x/y/z", 0644));
    finish(&f);
    cr_assert_eq(status(&f, "x/y/z").st_mode, S_IFREG | 0644);
    cr_assert_eq(status(&f, "d/e/f").st_mode, S_IFREG | 0600);
    done(&f);
}

Test(sink_dir, holes_stay_holes)
{
    struct fixture f = fixture();
    static char block[65536];
    memset(block, 'x', sizeof block);
    struct entry e = file("sparse", 0644);
    e.offset = WIRE_BLOCK;
    e.size = 10 << 20;
    cr_assert_eq(pwrite(f.data, block, sizeof block, WIRE_BLOCK + (1 << 20)),
                 (ssize_t)sizeof block);
    cr_assert_eq(pwrite(f.data, "end", 3, WIRE_BLOCK + (9 << 20)), 3);
    cr_assert_eq(ftruncate(f.data, WIRE_BLOCK + (10 << 20)), 0);
    must(&f, e);
    e.path = "hole";
    e.offset = 0;
    e.size = 1LL << 40;
    must(&f, e);
    finish(&f);
    struct stat st = status(&f, "sparse");
    cr_assert_eq(st.st_size, 10 << 20);
    cr_assert_leq(st.st_blocks * 512, 256 << 10, "%lld blocks", (long long)st.st_blocks);
    char got[4];
    int fd CLEANUP_CLOSE = openat(f.root, "sparse", O_RDONLY);
    cr_assert(pread(fd, got, 4, (1 << 20) - 2) == 4 && memcmp(got, "\0\0xx", 4) == 0);
    cr_assert(pread(fd, got, 4, 9 << 20) == 4 && memcmp(got, "end\0", 4) == 0);
    st = status(&f, "hole");
    cr_assert(st.st_size == 1LL << 40 && st.st_blocks == 0);
    done(&f);
}

Test(sink_dir, ranges_that_lie_give_zeros_and_nothing_else)
{
    struct fixture f = fixture();
    char got[16] = {1};
    struct entry e = file_of(&f, "short", "abc", 3);
    e.size = 100; /* beyond the end of the data file */
    must(&f, e);
    e = file("beyond", 0644);
    e.offset = 1LL << 40;
    e.size = 16;
    must(&f, e);
    e.path = "far";
    e.offset = (uint64_t)INT64_MAX / WIRE_BLOCK * WIRE_BLOCK - WIRE_BLOCK;
    must(&f, e);
    finish(&f);
    cr_assert_eq(status(&f, "short").st_size, 100);
    cr_assert(holds(&f, "short", "abc"));
    int fd CLEANUP_CLOSE = openat(f.root, "beyond", O_RDONLY);
    cr_assert(io_read(fd, got, 16) == 16 && memcmp(got, (char[16]){0}, 16) == 0);
    done(&f);
}

/* Sizes about the step from one way of copying to the other, and about blocks. */
Test(sink_dir, contents_are_exact)
{
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 9 << 20};
    static char bytes[9 << 20], got[9 << 20];
    struct fixture f = fixture();
    char path[32];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(1 + i * 2654435761u / 65536 % 255);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(path, sizeof path, "f%zu", i);
        must(&f, file_of(&f, path, bytes + i, sizes[i] - (sizes[i] == sizeof bytes ? i : 0)));
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(path, sizeof path, "f%zu", i);
        size_t size = sizes[i] - (sizes[i] == sizeof bytes ? i : 0);
        int fd CLEANUP_CLOSE = openat(f.root, path, O_RDONLY);
        cr_assert_eq(status(&f, path).st_size, (off_t)size);
        cr_assert_eq(io_read(fd, got, sizeof got), (ssize_t)size);
        cr_assert_eq(memcmp(got, bytes + i, size), 0, "%zu", size);
    }
    done(&f);
}

Test(sink_dir, what_was_copied_is_given_back)
{
    static char bytes[8 << 20];
    struct fixture f = fixture();
    struct stat st;
    char path[16];
    memset(bytes, 'b', sizeof bytes);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "f%d", i);
        must(&f, file_of(&f, path, bytes, sizeof bytes));
    }
    fsync(f.data);
    cr_assert_eq(fstat(f.data, &st), 0);
    cr_assert_leq(st.st_blocks * 512, 80 << 20);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "f%d", i);
        int fd CLEANUP_CLOSE = openat(f.root, path, O_RDONLY);
        char last;
        cr_assert(pread(fd, &last, 1, sizeof bytes - 1) == 1 && last == 'b');
    }
    done(&f);
}

Test(sink_dir, a_hole_gives_nothing_back)
{
    struct fixture f = fixture();
    struct entry hole = file("hole", 0644), e = file_of(&f, "f", "kept", 4);
    hole.size = 1LL << 40;
    must(&f, hole);
    must(&f, e);
    finish(&f);
    cr_assert(holds(&f, "f", "kept"));
    done(&f);
}

Test(sink_dir, xattrs)
{
    struct fixture f = fixture();
    struct text x CLEANUP_TEXT = {0}, y CLEANUP_TEXT = {0};
    char got[16] = {0};
    wire_add_xattr(&x, "user.a", "1", 1);
    wire_add_xattr(&x, "user.b", "", 0);
    wire_add_xattr(&y, "user.c", "2", 1);
    struct entry e = file("f", 0400);
    e.xattrs = x.data;
    e.xattrs_len = x.len;
    if (add(&f, e) < 0) {
        done(&f);
        cr_skip_test("needs a file system with user xattrs: %s", f.err.text);
    }
    e.type = WIRE_DIR;
    e.path = "d";
    e.meta.mode = 0500;
    must(&f, e);
    e.path = "again";
    must(&f, e);
    e.xattrs = y.data;
    e.xattrs_len = y.len;
    must(&f, e);
    e.path = "bare";
    must(&f, e);
    must(&f, directory("bare", 0755));
    e.path = "";
    must(&f, e);
    e.path = "gone";
    must(&f, e);
    must(&f, file("gone", 0644));
    finish(&f);
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
    done(&f);
}

static int add_default_acl(struct fixture *f, const char *path)
{
    /* version 2; user::rwx, group::r-x, other::---, as the kernel spells it */
    static const unsigned char acl[] = {2,    0,    0, 0, 1,    0,    7,    0,    0xff, 0xff,
                                        0xff, 0xff, 4, 0, 5,    0,    0xff, 0xff, 0xff, 0xff,
                                        0x20, 0,    0, 0, 0xff, 0xff, 0xff, 0xff};
    struct text x CLEANUP_TEXT = {0};
    wire_add_xattr(&x, "system.posix_acl_default", acl, sizeof acl);
    struct entry e = directory(path, 0755);
    e.xattrs = x.data;
    e.xattrs_len = x.len;
    return add(f, e);
}

Test(sink_dir, a_default_acl_is_not_inherited_by_what_the_archive_brings)
{
    struct fixture f = fixture();
    must(&f, directory("d", 0755));
    cr_assert_eq(add_default_acl(&f, "d"), 0);
    must(&f, directory("d/sub", 0755));
    must(&f, file("d/f", 0644));
    if (sink_dir.finish(f.sink, f.ns, &f.err) < 0) {
        done(&f);
        cr_skip_test("needs a file system with ACLs: %s", f.err.text);
    }
    char path[128], got[64];
    snprintf(path, sizeof path, "%s/rootfs/d", f.dir);
    cr_assert_eq(getxattr(path, "system.posix_acl_default", got, sizeof got), 28);
    snprintf(path, sizeof path, "%s/rootfs/d/sub", f.dir);
    cr_assert_lt(getxattr(path, "system.posix_acl_default", got, sizeof got), 0);
    cr_assert_eq(status(&f, "d/f").st_mode, S_IFREG | 0644);
    done(&f);
}

static bool not_followed(int r)
{
    return r == -ELOOP || r == -ENOTDIR;
}

/* Something swaps a directory for a symlink on disk while we work: nothing is made through it. */
Test(sink_dir, a_symlink_behind_our_back_is_not_followed)
{
    struct fixture f = fixture();
    char outside[] = "/tmp/sink_dir_outside.XXXXXX";
    cr_assert(mkdtemp(outside));
    must(&f, file("d/one", 0644));
    must(&f, file("e/one", 0644));
    cr_assert_eq(renameat(f.root, "d", f.part, "elsewhere"), 0);
    cr_assert_eq(symlinkat(outside, f.root, "d"), 0);
    cr_assert(not_followed(add(&f, file("d/two", 0644))), "%s", f.err.text);
    cr_assert_eq(f.err.code, ERR_IO);
    cr_assert(not_followed(add(&f, directory("d/sub/dir", 0755))));
    cr_assert(not_followed(add(&f, link_to(WIRE_SYMLINK, "d/l", "x"))));
    cr_assert(not_followed(add(&f, link_to(WIRE_HARDLINK, "d/h", "e/one"))));
    cr_assert(not_followed(add(&f, link_to(WIRE_HARDLINK, "e/h", "d/one"))));
    cr_assert(not_followed(add(&f, file("d/one", 0644))));
    cr_assert(not_followed(sink_dir.finish(f.sink, f.ns, &f.err)));
    cr_assert_eq(rmdir(outside), 0, "something was made outside");
    done(&f);
}

Test(sink_dir, a_name_taken_behind_our_back_is_not_written_through)
{
    struct fixture f = fixture();
    char victim[] = "/tmp/sink_dir_victim.XXXXXX";
    int fd CLEANUP_CLOSE = mkstemp(victim);
    must(&f, directory("d", 0755));
    cr_assert_eq(symlinkat(victim, f.root, "d/f"), 0);
    cr_assert_eq(add(&f, file_of(&f, "d/f", "evil", 4)), -EEXIST);
    struct stat st;
    cr_assert(fstat(fd, &st) == 0 && st.st_size == 0);
    unlink(victim);
    done(&f);
}

/* Into a mount namespace of the test's own: its mounts go with it. */
static void mounts_of_our_own(void)
{
    cr_assert_eq(unshare(CLONE_NEWNS), 0);
    cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

Test(sink_dir, a_mount_is_not_crossed)
{
    NEEDS_ROOT();
    mounts_of_our_own();
    struct fixture f = fixture();
    must(&f, directory("d", 0755));
    must(&f, file("e", 0644));
    char path[128];
    snprintf(path, sizeof path, "%s/rootfs/d", f.dir);
    cr_assert_eq(mount("none", path, "tmpfs", 0, "size=1M"), 0);
    cr_assert_eq(add(&f, file("d/f", 0644)), -EXDEV);
    cr_assert_eq(umount(path), 0);
    done(&f);
}

Test(sink_dir, a_full_disk_is_no_space)
{
    NEEDS_ROOT();
    mounts_of_our_own();
    char dir[] = "/tmp/sink_dir_full.XXXXXX";
    static char bytes[600 << 10];
    cr_assert(mkdtemp(dir));
    cr_assert_eq(mount("none", dir, "tmpfs", 0, "size=1M"), 0);
    struct fixture f = fixture_in(dir);
    memset(bytes, 'b', sizeof bytes);
    cr_assert_eq(add(&f, file_of(&f, "f", bytes, sizeof bytes)), -ENOSPC);
    cr_assert_eq(f.err.code, ERR_NO_SPACE);
    done(&f);
    cr_assert_eq(umount(dir), 0);
    rmdir(dir);
}

Test(sink_dir, cancel_ends_a_long_copy)
{
    struct fixture f = fixture();
    int cancel[2];
    static char bytes[1 << 20];
    cr_assert_eq(pipe(cancel), 0);
    cr_assert_eq(write(cancel[1], "x", 1), 1);
    sink_dir.close(f.sink);
    cr_assert_eq(unlinkat(f.part, SINK_ROOTFS, AT_REMOVEDIR), 0);
    struct sink_place place = {f.part, f.data, cancel[0]};
    cr_assert_eq(sink_dir.open(&place, &f.sink, &f.err), 0);
    memset(bytes, 'b', sizeof bytes);
    cr_assert_eq(add(&f, file_of(&f, "f", bytes, sizeof bytes)), -ECANCELED);
    cr_assert_eq(f.err.code, ERR_CANCELLED);
    done(&f);
}

Test(sink_dir, the_deepest_path)
{
    struct fixture f = fixture();
    char path[LIMIT_PATH_MAX + 1] = {0};
    for (int i = 0; i < LIMIT_PATH_MAX; i++)
        path[i] = i % 2 ? '/' : 'a';
    must(&f, file_of(&f, path, "deep", 4));
    path[LIMIT_PATH_MAX - 1] = 'h';
    char target[LIMIT_PATH_MAX + 1];
    memcpy(target, path, sizeof target);
    target[LIMIT_PATH_MAX - 1] = 'a';
    must(&f, link_to(WIRE_HARDLINK, path, target));
    finish(&f);
    done(&f);
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
