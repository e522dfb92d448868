#include "base/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/imgstore-io-XXXXXX";
static int top = -1;

static void set_up(void)
{
    cr_assert(mkdtemp(dir));
    top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(top, 0);
}

static void tear_down(void)
{
    io_remove_tree(AT_FDCWD, dir);
}

TestSuite(io, .init = set_up, .fini = tear_down, .timeout = 60);

static bool exists(int at, const char *name)
{
    return faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void make_file(int at, const char *name, const char *text)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0, "%s", name);
    cr_assert_eq(io_write(fd, text, strlen(text)), 0);
    close(fd);
}

static void *write_much(void *arg)
{
    static char much[1 << 20];
    cr_assert_eq(io_write(*(int *)arg, much, sizeof much), 0);
    close(*(int *)arg);
    return NULL;
}

Test(io, whole_reads_and_writes_through_a_pipe)
{
    int fds[2];
    static char got[(1 << 20) + 1];
    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    pthread_t t;
    pthread_create(&t, NULL, write_much, &fds[1]);
    cr_assert_eq(io_read(fds[0], got, sizeof got), 1 << 20);
    cr_assert_eq(io_read(fds[0], got, 1), 0);
    pthread_join(t, NULL);
    close(fds[0]);
}

static void nothing(int sig)
{
    (void)sig;
}

struct late {
    int fds[2];
    pthread_t reader;
};

static void *write_late(void *arg)
{
    struct late *late = arg;
    usleep(50000);
    pthread_kill(late->reader, SIGUSR1);
    usleep(50000);
    cr_assert_eq(write(late->fds[1], "x", 1), 1);
    close(late->fds[1]);
    return NULL;
}

Test(io, interrupted_calls_are_taken_up_again)
{
    struct late late = {.reader = pthread_self()};
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = nothing}, NULL);
    cr_assert_eq(pipe2(late.fds, O_CLOEXEC), 0);
    pthread_t t;
    pthread_create(&t, NULL, write_late, &late);
    char got[2];
    cr_assert_eq(io_read(late.fds[0], got, sizeof got), 1);
    pthread_join(t, NULL);
    close(late.fds[0]);
}

Test(io, places_leave_the_position)
{
    char got[8] = "";
    int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(io_pwrite(fd, "abcdef", 6, 4), 0);
    cr_assert(io_pread(fd, got, 3, 6) == 3 && memcmp(got, "cde", 3) == 0);
    cr_assert_eq(io_pread(fd, got, sizeof got, 8), 2, "short at the end alone");
    cr_assert_eq(lseek(fd, 0, SEEK_CUR), 0);
    cr_assert_eq(io_pwrite(-1, "a", 1, 0), -EBADF);
    cr_assert_eq(io_pread(-1, got, 1, 0), -EBADF);
    close(fd);
}

Test(io, errors_are_negative_errnos)
{
    char c;
    cr_assert_eq(io_write(-1, "x", 1), -EBADF);
    cr_assert_eq(io_read(-1, &c, 1), -EBADF);
    cr_assert_eq(io_read(top, &c, 1), -EISDIR);
    cr_assert_eq(io_write(top, "", 0), 0);
}

Test(io, removes_what_is_there)
{
    cr_assert_eq(io_remove_tree(top, "missing"), 0);
    make_file(top, "f", "x");
    cr_assert_eq(io_remove_tree(top, "f"), 0);
    cr_assert_not(exists(top, "f"));
    mkdirat(top, "d", 0700);
    cr_assert_eq(io_remove_tree(top, "d"), 0);
    cr_assert_not(exists(top, "d"));
    cr_assert_eq(mkfifoat(top, "p", 0600), 0);
    cr_assert_eq(io_remove_tree(top, "p"), 0);
    cr_assert_not(exists(top, "p"));
}

static void make_chain(const char *name, int depth)
{
    int at = dup(top);
    for (int i = 0; i < depth; i++) {
        const char *n = i == 0 ? name : "d";
        cr_assert_eq(mkdirat(at, n, 0700), 0);
        int next = openat(at, n, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert_geq(next, 0);
        close(at);
        at = next;
        make_file(at, "f", "x");
    }
    close(at);
}

Test(io, depth_costs_neither_stack_nor_descriptors)
{
    make_chain("chain", 5000);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){16, 16});
    setrlimit(RLIMIT_STACK, &(struct rlimit){256 << 10, 256 << 10});
    cr_assert_eq(io_remove_tree(top, "chain"), 0);
    cr_assert_not(exists(top, "chain"));
}

Test(io, wide_and_bushy_trees)
{
    char name[64];
    cr_assert_eq(mkdirat(top, "t", 0700), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t/%d", i);
        cr_assert_eq(mkdirat(top, name, 0700), 0);
        for (int j = 0; j < 6; j++) {
            snprintf(name, sizeof name, "t/%d/%d", i, j);
            cr_assert_eq(mkdirat(top, name, 0700), 0);
            snprintf(name, sizeof name, "t/%d/%d/f", i, j);
            make_file(top, name, "");
        }
        snprintf(name, sizeof name, "t/f%d", i);
        make_file(top, name, "");
    }
    cr_assert_eq(io_remove_tree(top, "t"), 0);
    cr_assert_not(exists(top, "t"));
}

/* The removal renames directories to ".0", ".1" …: a tree that has such names must go as well. */
Test(io, names_like_its_own)
{
    char name[64];
    cr_assert_eq(mkdirat(top, "t", 0700), 0);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "t/.%d", i);
        if (i % 2) {
            make_file(top, name, "x");
            continue;
        }
        cr_assert_eq(mkdirat(top, name, 0700), 0);
        for (int j = 0; j < 20; j++) {
            snprintf(name, sizeof name, "t/.%d/.%d", i, j);
            cr_assert_eq(mkdirat(top, name, 0700), 0);
            snprintf(name, sizeof name, "t/.%d/.%d/.%d", i, j, i);
            cr_assert_eq(mkdirat(top, name, 0700), 0);
        }
    }
    cr_assert_eq(io_remove_tree(top, "t"), 0);
    cr_assert_not(exists(top, "t"));
}

Test(io, symlinks_are_removed_not_followed)
{
    cr_assert_eq(mkdirat(top, "out", 0700), 0);
    make_file(top, "out/precious", "x");
    cr_assert_eq(mkdirat(top, "t", 0700), 0);
    cr_assert_eq(mkdirat(top, "t/d", 0700), 0);
    cr_assert_eq(symlinkat("../out", top, "t/l"), 0);
    cr_assert_eq(symlinkat("../../out", top, "t/d/l"), 0);
    cr_assert_eq(symlinkat("out", top, "l"), 0);
    cr_assert_eq(io_remove_tree(top, "t"), 0);
    cr_assert_eq(io_remove_tree(top, "l"), 0);
    cr_assert_not(exists(top, "t"));
    cr_assert_not(exists(top, "l"));
    cr_assert(exists(top, "out/precious"));
}

Test(io, read_only_modes)
{
    if (geteuid() != 0) {
        tear_down();
        cr_skip_test("needs root: others may not delete from such directories");
    }
    cr_assert_eq(mkdirat(top, "t", 0700), 0);
    cr_assert_eq(mkdirat(top, "t/d", 0700), 0);
    cr_assert_eq(mkdirat(top, "t/d/e", 0700), 0);
    make_file(top, "t/d/e/f", "x");
    cr_assert_eq(fchmodat(top, "t/d/e/f", 0, 0), 0);
    cr_assert_eq(fchmodat(top, "t/d/e", 0500, 0), 0);
    cr_assert_eq(fchmodat(top, "t/d", 0, 0), 0);
    cr_assert_eq(fchmodat(top, "t", 0500, 0), 0);
    cr_assert_eq(io_remove_tree(top, "t"), 0);
    cr_assert_not(exists(top, "t"));
}

static const char *path_of(int fd)
{
    static char path[PATH_MAX];
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    cr_assert_gt(n, 0);
    path[n] = '\0';
    return path;
}

/* Mounts of these tests are seen by nobody else and end with the test's process. */
static void own_mounts(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        tear_down();
        cr_skip_test("needs root and leave to mount");
    }
    close(top); /* it leads through the mounts of where it was opened */
    top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(top, 0);
}

static void bind_out_at(const char *name)
{
    char from[256], to[256];
    snprintf(from, sizeof from, "%s/out", dir);
    snprintf(to, sizeof to, "%s/%s", dir, name);
    cr_assert_eq(mount(from, to, NULL, MS_BIND, NULL), 0);
}

/* As the user who owns it all: root is kept out of nothing. */
Test(io, directories_that_their_owner_has_closed_are_removed)
{
    const char *const dirs[] = {"t", "t/a", "t/a/b", "t/a/b/c", "t/d"};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        cr_assert_eq(mkdirat(top, dirs[i], 0700), 0);
    make_file(top, "t/a/b/c/file", "x");
    make_file(top, "t/a/file", "x");
    make_file(top, "t/d/file", "x");
    if (geteuid() == 0) {
        for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
            cr_assert_eq(fchownat(top, dirs[i], 65534, 65534, 0), 0);
        cr_assert_eq(fchown(top, 65534, 65534), 0);
        cr_assert_eq(seteuid(65534), 0);
    }
    const mode_t modes[] = {0555, 0000, 0300, 0100, 0444};
    for (size_t i = sizeof dirs / sizeof *dirs; i-- > 0;)
        cr_assert_eq(fchmodat(top, dirs[i], modes[i], 0), 0);
    cr_assert_eq(io_remove_tree(top, "t"), 0);
    cr_assert_not(exists(top, "t"));
    (void)seteuid(0);
}

/* What is another's stays closed. */
Test(io, a_directory_of_someone_else_is_not_opened)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    cr_assert_eq(mkdirat(top, "t", 0755), 0);
    make_file(top, "t/file", "x");
    cr_assert_eq(fchown(top, 65534, 65534), 0);
    cr_assert_eq(seteuid(65534), 0);
    cr_assert_eq(io_remove_tree(top, "t"), -EACCES);
    cr_assert_eq(seteuid(0), 0);
    cr_assert(exists(top, "t/file"));
}

static void check_mount_is_kept(const char *tree, const char *point)
{
    char path[256];
    bind_out_at(point);
    cr_assert_lt(io_remove_tree(top, tree), 0);
    cr_assert(exists(top, "out/precious"));
    cr_assert(exists(top, "out/sub/precious"));
    cr_assert(exists(top, tree));
    snprintf(path, sizeof path, "%s/%s", dir, point);
    umount2(path, MNT_DETACH);
}

static void make_mount_case(void)
{
    own_mounts();
    cr_assert_eq(mkdirat(top, "out", 0700), 0);
    cr_assert_eq(mkdirat(top, "out/sub", 0700), 0);
    make_file(top, "out/precious", "x");
    make_file(top, "out/sub/precious", "x");
    cr_assert_eq(mkdirat(top, "t", 0700), 0);
    cr_assert_eq(mkdirat(top, "t/a", 0700), 0);
    cr_assert_eq(mkdirat(top, "t/a/b", 0700), 0);
}

Test(io, a_mount_at_the_top_is_not_entered)
{
    make_mount_case();
    check_mount_is_kept("t", "t");
}

Test(io, a_mount_one_deep_is_not_entered)
{
    make_mount_case();
    check_mount_is_kept("t", "t/a");
    cr_assert_eq(io_remove_tree(top, "t"), 0);
}

Test(io, a_mount_two_deep_is_not_entered)
{
    make_mount_case();
    check_mount_is_kept("t", "t/a/b");
    cr_assert_eq(io_remove_tree(top, "t"), 0);
}

Test(io, a_mount_three_deep_is_not_entered)
{
    make_mount_case();
    cr_assert_eq(mkdirat(top, "t/a/b/c", 0700), 0);
    bind_out_at("t/a/b/c"); /* moves up with its parent: where it is then, nobody knows */
    int out = openat(top, "t/a/b/c", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cr_assert_lt(io_remove_tree(top, "t"), 0);
    cr_assert(exists(top, "out/precious"));
    cr_assert(exists(top, "out/sub/precious"));
    cr_assert(exists(top, "t"));
    cr_assert_eq(umount2(path_of(out), MNT_DETACH), 0);
    close(out);
    cr_assert_eq(io_remove_tree(top, "t"), 0);
}
