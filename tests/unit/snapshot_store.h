/* A throwaway store with one image, in a mount namespace of the test's own: what it mounts is seen
 * by nobody else and ends with it. Shared by the tests of the snapshot stage. */
#ifndef TESTS_SNAPSHOT_STORE_H
#define TESTS_SNAPSHOT_STORE_H

#include "base/cleanup.h"
#include "base/io.h"
#include "stages/snapshot/snapshot.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DIGEST   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FAITHFUL DIGEST ".faithful"

struct store {
    char tmp[64];
    struct paths p;
    struct err err;
    const struct snapshot_backend *b;
};

/* Good until the call after the next. */
static inline const char *__attribute__((format(printf, 1, 2))) store_path(const char *fmt, ...)
{
    static char out[2][PATH_MAX];
    static int turn;
    va_list ap;
    turn = !turn;
    va_start(ap, fmt);
    vsnprintf(out[turn], PATH_MAX, fmt, ap);
    va_end(ap);
    return out[turn];
}

static inline void store_write(int at, const char *name, const char *text)
{
    int fd CLEANUP_CLOSE = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0, "%s: %s", name, strerror(errno));
    cr_assert_eq(io_write(fd, text, strlen(text)), 0);
}

static inline bool store_reads(int at, const char *name, const char *text)
{
    char got[256] = "";
    int fd CLEANUP_CLOSE = openat(at, name, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && io_read(fd, got, sizeof got - 1) >= 0 && strcmp(got, text) == 0;
}

static inline bool store_has(int at, const char *name)
{
    return faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void store_make_image(struct store *s, const char *key)
{
    static const char *const dirs[] = {"", "/rootfs", "/rootfs/etc", "/rootfs/dir",
                                       "/rootfs/dir/sub"};
    char name[PATHS_FILE_MAX + 64];
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        snprintf(name, sizeof name, "%s%s", key, dirs[i]);
        cr_assert_eq(mkdirat(s->p.images, name, 0755), 0);
    }
    snprintf(name, sizeof name, "%s/rootfs/etc/hostname", key);
    store_write(s->p.images, name, "image\n");
    snprintf(name, sizeof name, "%s/rootfs/dir/sub/f", key);
    store_write(s->p.images, name, "f\n");
}

static inline void store_open(struct store *s, const char *where)
{
    s->err = (struct err){0};
    cr_assert_eq(paths_open(&s->p, store_path("%s/%s", s->tmp, where), &s->err), 0, "%s",
                 s->err.text);
}

static inline void store_unmount_all(void *ctx, const char *name)
{
    struct store *s = ctx;
    umount2(store_path("%s/active/%s", s->p.dir, name), MNT_DETACH);
}

static inline void store_down(struct store *s)
{
    if (!s->tmp[0])
        return;
    if (s->p.root > 0)
        snapshot_each_mount(&s->p, store_unmount_all, s, NULL);
    paths_close(&s->p);
    umount2(store_path("%s/disk", s->tmp), MNT_DETACH);
    io_remove_tree(AT_FDCWD, s->tmp);
}

/* Where the temporary directory cannot hold layers (a container's own root) a disk image can. */
static inline void store_mount_disk(struct store *s)
{
    char cmd[512];
    snprintf(cmd, sizeof cmd,
             "cd %s && mkdir disk && truncate -s 64M img && mkfs.ext4 -q -m0 img >&2 && "
             "mount -o loop img disk",
             s->tmp);
    if (system(cmd) != 0) {
        store_down(s);
        cr_skip_test("needs a file system that can hold writable layers, or loop devices");
    }
}

static inline void store_up_at(struct store *s, const char *where)
{
    strcpy(s->tmp, "/tmp/imgstore-snap-XXXXXX");
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        cr_skip_test("needs root and leave to mount");
    cr_assert(mkdtemp(s->tmp));
    bool plain = !getenv("IMGSTORE_TEST_LOOP") &&
                 paths_open(&s->p, store_path("%s/%s", s->tmp, where), &s->err) == 0;
    s->b = plain ? snapshot_choose(&s->p, &s->err) : NULL;
    if (!s->b) {
        char inner[PATH_MAX];
        paths_close(&s->p);
        store_mount_disk(s);
        snprintf(inner, sizeof inner, "disk/%s", where);
        store_open(s, inner);
        s->b = snapshot_choose(&s->p, &s->err);
    }
    if (!s->b)
        store_down(s);
    if (!s->b && (s->err.num == EPERM || s->err.num == ENODEV || s->err.num == ENOSYS))
        cr_skip_test("%s", s->err.text);
    cr_assert(s->b, "%s", s->err.text);
    store_make_image(s, DIGEST);
}

/* active/<name>, as a descriptor that the caller closes before unmounting. */
static inline int store_root(struct store *s, const char *name)
{
    int fd = openat(s->p.active, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

static inline int store_mount(struct store *s, const char *name)
{
    int r = s->b->mount(&s->p, name, DIGEST, POLICY_STRICT, &s->err);
    cr_assert_eq(r, 0, "%s", s->err.text);
    return store_root(s, name);
}

static inline void store_unmount(struct store *s, const char *name)
{
    int r = s->b->unmount(&s->p, name, DIGEST, POLICY_STRICT, &s->err);
    cr_assert_eq(r, 0, "%s", s->err.text);
    cr_assert_not(s->b->mounted(&s->p, name));
}

/* A process that does `before` and then sits there until it is told to do `later` and ends. */
struct sitter {
    pid_t pid;
    int in, out;
};

static inline void sitter_start(struct sitter *sit, void (*before)(void *), void (*later)(void *),
                                void *ctx)
{
    int in[2], out[2];
    cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    sit->pid = fork();
    cr_assert_geq(sit->pid, 0);
    if (sit->pid == 0) {
        char c;
        close(in[1]);
        before(ctx);
        if (write(out[1], "r", 1) != 1)
            _exit(1);
        while (read(in[0], &c, 1) == 1) {
            if (later)
                later(ctx);
            if (write(out[1], "d", 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(in[0]);
    close(out[1]);
    sit->in = in[1];
    sit->out = out[0];
    char c;
    cr_assert_eq(read(sit->out, &c, 1), 1);
}

static inline void sitter_later(struct sitter *sit)
{
    char c;
    cr_assert_eq(write(sit->in, "x", 1), 1);
    cr_assert_eq(read(sit->out, &c, 1), 1);
}

static inline void sitter_end(struct sitter *sit)
{
    close(sit->in);
    close(sit->out);
    int status;
    cr_assert_eq(waitpid(sit->pid, &status, 0), sit->pid);
}

#endif
