#include "sink_fixture.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "stages/unpack/erofs.h"
#include "wire_build.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* Debian's own tool finds nothing to say. */
static void check_image(struct fixture *f)
{
    char command[256];
    if (system("command -v fsck.erofs >/dev/null 2>&1") != 0)
        return;
    snprintf(command, sizeof command, "fsck.erofs %s/" SINK_IMAGE " >/dev/null 2>&1", f->dir);
    int status = system(command);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "fsck.erofs finds fault");
}

static void finish(struct fixture *f)
{
    fixture_finish(f);
    check_image(f);
}

/* Looked up, and listed once each, in a directory of `count` names made by `name`. */
static void check_names(struct fixture *f, const char *dir, unsigned count,
                        void (*name)(unsigned i, char out[static 256]))
{
    char path[512], one[256];
    int fd = openat(f->root, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d CLEANUP_CLOSEDIR = fdopendir(fd);
    cr_assert_not_null(d);
    unsigned listed = 0, dots = 0;
    for (struct dirent *e; (e = readdir(d));) {
        bool dot = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
        dots += dot;
        listed += !dot;
    }
    cr_assert_eq(dots, 2, "%u dots of %u", dots, listed);
    cr_assert_eq(listed, count);
    for (unsigned i = 0; i < count; i++) {
        name(i, one);
        snprintf(path, sizeof path, "%s/%s", dir, one);
        cr_assert_eq((unsigned)fixture_status(f, path).st_size, i % 7, "%s", path);
    }
}

static void add_names(struct fixture *f, const char *dir, unsigned count,
                      void (*name)(unsigned i, char out[static 256]))
{
    char path[512], one[256];
    for (unsigned i = 0; i < count; i++) {
        name(i, one);
        snprintf(path, sizeof path, "%s/%s", dir, one);
        fixture_must(f, fixture_file(f, path, "123456", i % 7));
    }
}

static void short_name(unsigned i, char out[static 256])
{
    snprintf(out, 256, "%u", i * 2654435761u);
}

/* From 1 to 255 bytes, any byte but NUL and the slash; around the dots too. */
static void odd_name(unsigned i, char out[static 256])
{
    static const char *const around[] = {"!", "-", ".-", ".!", ".a", "..a", "..-", "...", "/"};
    if (i < 8) {
        strcpy(out, around[i]);
        return;
    }
    unsigned len = i % 255 + 1, x = i * 2654435761u;
    for (unsigned at = 0; at < len; at++, x = x * 1664525 + 1013904223)
        out[at] = (char)((x >> 24) % 255 + 1) == '/' ? 'x' : (char)((x >> 24) % 255 + 1);
    snprintf(out + (len > 6 ? len - 6 : 0), 7, "%06u", i);
}

Test(sink_erofs, many_names_in_one_directory, .timeout = 120)
{
    struct fixture f = fixture_erofs();
    add_names(&f, "many", 120000, short_name);
    finish(&f);
    check_names(&f, "many", 120000, short_name);
    fixture_done(&f);
}

Test(sink_erofs, names_of_any_bytes)
{
    struct fixture f = fixture_erofs();
    add_names(&f, "odd", 3000, odd_name);
    finish(&f);
    check_names(&f, "odd", 3000, odd_name);
    fixture_done(&f);
}

/* Directories and targets of every length around what fits behind an inode. */
Test(sink_erofs, what_lies_behind_an_inode_and_what_does_not)
{
    struct fixture f = fixture_erofs();
    char path[64], target[4096], got[4096];
    for (unsigned len = 1; len < 4096; len += len < 3900 ? 97 : 1) {
        snprintf(path, sizeof path, "links/%u", len);
        memset(target, 'a' + (char)(len % 26), len);
        target[len] = '\0';
        fixture_must(&f, entry_link(WIRE_SYMLINK, path, target));
    }
    for (unsigned n = 1; n < 260; n++)
        for (unsigned i = 0; i < n; i++) {
            snprintf(path, sizeof path, "dirs/%u/%u", n, i);
            fixture_must(&f, entry_file(path, 0644));
        }
    finish(&f);
    for (unsigned len = 1; len < 4096; len += len < 3900 ? 97 : 1) {
        snprintf(path, sizeof path, "links/%u", len);
        cr_assert_eq(readlinkat(f.root, path, got, sizeof got), (ssize_t)len, "%u", len);
        for (unsigned i = 0; i < len; i++)
            cr_assert_eq(got[i], 'a' + (char)(len % 26));
    }
    for (unsigned n = 1; n < 260; n++)
        for (unsigned i = 0; i < n; i++) {
            snprintf(path, sizeof path, "dirs/%u/%u", n, i);
            cr_assert_eq(fixture_status(&f, path).st_mode, S_IFREG | 0644);
        }
    fixture_done(&f);
}

static void root_of(unsigned bytes, unsigned xattr)
{
    static char value[2048];
    struct fixture f = fixture_erofs();
    struct text x CLEANUP_TEXT = {0};
    char name[256];
    struct entry root = entry_dir("", 0755);
    if (xattr) {
        wire_add_xattr(&x, "user.x", value, xattr);
        root.xattrs = x.data;
        root.xattrs_len = x.len;
        fixture_must(&f, root);
    }
    unsigned left = bytes - 2 * sizeof(struct erofs_dirent) - 3; /* the dots */
    for (unsigned i = 0; left > sizeof(struct erofs_dirent) + 8; i++) {
        unsigned n = left - (unsigned)sizeof(struct erofs_dirent);
        n = n > 200 ? 100 : n;
        memset(name, 'n', n);
        name[n] = '\0';
        snprintf(name, 8, "%06u", i);
        name[6] = 'n';
        fixture_must(&f, entry_file(name, 0640));
        left -= (unsigned)sizeof(struct erofs_dirent) + n;
    }
    finish(&f);
    cr_assert_eq(fixture_status(&f, "").st_mode, S_IFDIR | 0755);
    cr_assert_eq(fixture_status(&f, name).st_mode, S_IFREG | 0640, "%u %u", bytes, xattr);
    fixture_done(&f);
}

/* The root is where the superblock says, wherever it had to go. */
Test(sink_erofs, roots_around_a_block, .timeout = 120)
{
    for (unsigned bytes = 3930; bytes <= 4120; bytes += 5)
        root_of(bytes, 0);
    for (unsigned bytes = 2940; bytes <= 3100; bytes += 9)
        root_of(bytes, 960);
}

Test(sink_erofs, xattrs_of_every_length)
{
    struct fixture f = fixture_erofs();
    static char value[3072], got[4096];
    char path[64];
    memset(value, 'v', sizeof value);
    for (unsigned len = 0; len <= 3000; len += 31) {
        struct text x CLEANUP_TEXT = {0};
        wire_add_xattr(&x, "user.first", "1", 1);
        wire_add_xattr(&x, "user.long", value, len);
        wire_add_xattr(&x, "trusted.last", "22", 2);
        snprintf(path, sizeof path, "x/%u", len);
        struct entry e = len % 2 ? entry_dir(path, 0755) : entry_file(path, 0644);
        e.xattrs = x.data;
        e.xattrs_len = x.len;
        fixture_must(&f, e);
    }
    finish(&f);
    for (unsigned len = 0; len <= 3000; len += 31) {
        snprintf(path, sizeof path, "/proc/self/fd/%d/x/%u", f.root, len);
        cr_assert_eq(getxattr(path, "user.first", got, sizeof got), 1, "%u", len);
        cr_assert_eq(getxattr(path, "user.long", got, sizeof got), (ssize_t)len);
        cr_assert_eq(memcmp(got, value, len), 0);
        cr_assert_eq(getxattr(path, "trusted.last", got, sizeof got), 2);
        cr_assert_lt(getxattr(path, "user.lon", got, sizeof got), 0);
    }
    fixture_done(&f);
}

Test(sink_erofs, acls)
{
    struct fixture f = fixture_erofs();
    /* version 2; user::rwx, user 5:r-x, group::r-x, mask::r-x, other::--- */
    static const unsigned char acl[] = {
        2, 0, 0,    0,    1,    0,    7,    0, 0xff, 0xff, 0xff, 0xff, 2,    0,    5,
        0, 5, 0,    0,    0,    4,    0,    5, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
        5, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff};
    struct text x CLEANUP_TEXT = {0}, bad CLEANUP_TEXT = {0};
    char path[64], got[64];
    wire_add_xattr(&x, "system.posix_acl_default", acl, sizeof acl);
    wire_add_xattr(&x, "system.posix_acl_access", acl, sizeof acl);
    wire_add_xattr(&bad, "system.posix_acl_access", acl, 7);
    struct entry e = entry_dir("d", 0750);
    e.xattrs = x.data;
    e.xattrs_len = x.len;
    fixture_must(&f, e);
    e.type = WIRE_FILE;
    e.path = "f";
    cr_assert_eq(fixture_add(&f, e), -EINVAL, "a default ACL of a file");
    cr_assert_eq(f.err.code, ERR_CORRUPT_ARCHIVE);
    e.path = "g";
    e.xattrs = bad.data;
    e.xattrs_len = bad.len;
    cr_assert_eq(fixture_add(&f, e), -EINVAL, "an ACL cut short");
    fixture_done(&f);

    f = fixture_erofs();
    e = entry_dir("d", 0750);
    e.xattrs = x.data;
    e.xattrs_len = x.len;
    fixture_must(&f, e);
    finish(&f);
    snprintf(path, sizeof path, "/proc/self/fd/%d/d", f.root);
    cr_assert_eq(getxattr(path, "system.posix_acl_default", got, sizeof got), sizeof acl);
    cr_assert_eq(memcmp(got, acl, sizeof acl), 0);
    cr_assert_eq(getxattr(path, "system.posix_acl_access", got, sizeof got), sizeof acl);
    fixture_done(&f);
}

Test(sink_erofs, extreme_numbers)
{
    struct fixture f = fixture_erofs();
    struct entry e = fixture_file(&f, "large", "begin", 5);
    e.size = (5ULL << 30) + 3;
    e.meta = (struct entry_meta){
        .mode = 07777, .uid = 4000000000, .gid = 100000, .mtime = -1, .mtime_nsec = 999999999};
    fixture_must(&f, e);
    e = entry_file("hole", 0600);
    e.size = 1 << 20; /* contents nowhere */
    e.meta.mtime = 1LL << 40;
    fixture_must(&f, e);
    fixture_must(&f, entry_file("empty", 0644));
    finish(&f);
    struct stat st = fixture_status(&f, "large");
    cr_assert(st.st_size == (5LL << 30) + 3 && st.st_uid == 4000000000 && st.st_gid == 100000);
    cr_assert(st.st_mtim.tv_sec == -1 && st.st_mtim.tv_nsec == 999999999);
    cr_assert_eq(st.st_mode, S_IFREG | 07777);
    cr_assert_eq(fixture_status(&f, "hole").st_mtim.tv_sec, 1LL << 40);
    char got[8192], zeros[8192] = {0};
    int fd CLEANUP_CLOSE = openat(f.root, "large", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pread(fd, got, sizeof got, (5LL << 30) - 4096), 4099);
    cr_assert_eq(memcmp(got, zeros, 4099), 0);
    cr_assert(pread(fd, got, 5, 0) == 5 && memcmp(got, "begin", 5) == 0);
    int hole CLEANUP_CLOSE = openat(f.root, "hole", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pread(hole, got, sizeof got, 4096), (ssize_t)sizeof got);
    cr_assert_eq(memcmp(got, zeros, sizeof got), 0);
    fixture_done(&f);
}

static char *image_of(unsigned *size)
{
    struct fixture f = fixture_erofs();
    struct text x CLEANUP_TEXT = {0};
    wire_add_xattr(&x, "user.a", "1", 1);
    add_names(&f, "odd", 500, odd_name);
    struct entry e = entry_dir("with", 0755);
    e.xattrs = x.data;
    e.xattrs_len = x.len;
    fixture_must(&f, e);
    fixture_must(&f, entry_link(WIRE_SYMLINK, "with/link", "../odd"));
    finish(&f);
    int fd CLEANUP_CLOSE = openat(f.part, SINK_IMAGE, O_RDONLY | O_CLOEXEC);
    *size = (unsigned)lseek(fd, 0, SEEK_END);
    char *bytes = malloc(*size);
    cr_assert_eq(pread(fd, bytes, *size, 0), (ssize_t)*size);
    fixture_done(&f);
    return bytes;
}

Test(sink_erofs, the_same_entries_give_the_same_bytes)
{
    unsigned a_size, b_size;
    char *a CLEANUP_FREE = image_of(&a_size), *b CLEANUP_FREE = image_of(&b_size);
    cr_assert_eq(a_size, b_size);
    cr_assert_eq(a_size % EROFS_BLOCK, 0);
    cr_assert_eq(memcmp(a, b, a_size), 0);
}
