#include "stages/unpack/link_copy.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char dir[] = "/tmp/imgstore-link-XXXXXX";
static int top = -1;

static void set_up(void)
{
    cr_assert(mkdtemp(dir));
    top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd CLEANUP_CLOSE = openat(top, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(io_pwrite(fd, "begin", 5, 0), 0);
    cr_assert_eq(io_pwrite(fd, "end", 3, 1 << 20), 0); /* a hole between */
    cr_assert_eq(fsetxattr(fd, "user.empty", "", 0, 0), 0);
    cr_assert_eq(fsetxattr(fd, "user.x", "value", 5, 0), 0);
    cr_assert_eq(fchmod(fd, 0444), 0);
    cr_assert_eq(futimens(fd, (struct timespec[]){{1, 2}, {1000000000, 5}}), 0);
}

static void tear_down(void)
{
    io_remove_tree(AT_FDCWD, dir);
}

TestSuite(link_copy, .init = set_up, .fini = tear_down, .timeout = 20);

Test(link_copy, a_file_is_another_that_is_the_same)
{
    struct stat a, b;
    char bytes[8], value[8];
    int64_t left = (1 << 20) + 3;
    cr_assert_eq(link_copy(top, "a", top, "b", &left, -1), 0);
    cr_assert_eq(left, 0);
    cr_assert_eq(fstatat(top, "a", &a, 0), 0);
    cr_assert_eq(fstatat(top, "b", &b, 0), 0);
    cr_assert_neq(a.st_ino, b.st_ino);
    cr_assert_eq(b.st_nlink, 1);
    cr_assert_eq(b.st_mode, a.st_mode);
    cr_assert_eq(b.st_size, a.st_size);
    cr_assert_eq(b.st_mtim.tv_sec, 1000000000);
    cr_assert_eq(b.st_mtim.tv_nsec, 5);
    cr_assert_lt(b.st_blocks, 1000); /* the hole is one */
    int fd CLEANUP_CLOSE = openat(top, "b", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(io_pread(fd, bytes, 5, 0), 5);
    cr_assert_eq(memcmp(bytes, "begin", 5), 0);
    cr_assert_eq(io_pread(fd, bytes, 8, 1 << 20), 3);
    cr_assert_eq(memcmp(bytes, "end", 3), 0);
    cr_assert_eq(fgetxattr(fd, "user.x", value, sizeof value), 5);
    cr_assert_eq(fgetxattr(fd, "user.empty", value, sizeof value), 0);
}

Test(link_copy, what_is_too_much_is_not_begun)
{
    int64_t left = 1 << 20;
    cr_assert_eq(link_copy(top, "a", top, "b", &left, -1), -EFBIG);
    cr_assert_lt(faccessat(top, "b", F_OK, 0), 0);
    cr_assert_eq(left, 1 << 20);
}

Test(link_copy, what_is_no_file_is_linked)
{
    struct stat st;
    int64_t left = 0;
    cr_assert_eq(symlinkat("nowhere", top, "link"), 0);
    cr_assert_eq(link_copy(top, "link", top, "other", &left, -1), 0);
    cr_assert_eq(fstatat(top, "other", &st, AT_SYMLINK_NOFOLLOW), 0);
    cr_assert(S_ISLNK(st.st_mode));
    cr_assert_eq(st.st_nlink, 2);
    cr_assert_eq(link_copy(top, "missing", top, "third", &left, -1), -ENOENT);
    cr_assert_eq(link_copy(top, "a", top, "link", &(int64_t){INT64_MAX}, -1), -EEXIST);
}
