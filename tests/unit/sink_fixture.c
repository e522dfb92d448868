#include "sink_fixture.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "stages/snapshot/lower.h"
#include "store/paths.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

void fixture_needs_root(void)
{
    if (geteuid() != 0)
        cr_skip_test("needs root: owners, mounts and device nodes");
}

void fixture_own_mounts(void)
{
    cr_assert_eq(unshare(CLONE_NEWNS), 0);
    cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

static struct fixture fixture_of(const struct sink_kind *kind, const char *parent)
{
    struct fixture f = {.kind = kind, .root = -1};
    snprintf(f.dir, sizeof f.dir, "%s/sink.XXXXXX", parent);
    cr_assert(mkdtemp(f.dir));
    f.part = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f.data = openat(f.part, SINK_DATA, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    f.end = WIRE_BLOCK;
    f.ns = namespace_new();
    struct sink_place place = {f.part, f.data, -1, .max_total_size = INT64_MAX};
    cr_assert_eq(kind->open(&place, &f.sink, &f.err), 0, "%s", f.err.text);
    if (kind == &sink_dir)
        f.root = openat(f.part, SINK_ROOTFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f;
}

struct fixture fixture_in(const char *parent)
{
    return fixture_of(&sink_dir, parent);
}

struct fixture fixture_erofs(void)
{
    struct paths paths;
    struct err err;
    char how[SINK_HOW_MAX], dir[] = "/var/tmp/sink.XXXXXX";
    fixture_needs_root();
    fixture_own_mounts();
    cr_assert(mkdtemp(dir));
    cr_assert_eq(paths_open(&paths, dir, &err), 0, "%s", err.text);
    int r = sink_erofs.probe(&paths, how, &err);
    paths_close(&paths);
    io_remove_tree(AT_FDCWD, dir);
    if (r < 0)
        cr_skip_test("needs erofs: %s", err.text);
    return fixture_of(&sink_erofs, "/var/tmp");
}

struct fixture fixture_new(void)
{
    return fixture_in("/tmp");
}

void fixture_done(struct fixture *f)
{
    f->kind->close(f->sink);
    namespace_free(f->ns);
    close(f->data);
    if (f->root >= 0)
        close(f->root);
    close(f->part);
    if (geteuid() != 0) { /* whom the modes of folders keep out */
        char open_all[PATH_MAX + 32];
        snprintf(open_all, sizeof open_all, "chmod -R u+rwX '%s'", f->dir);
        cr_assert_eq(system(open_all), 0);
    }
    char *name = strrchr(f->dir, '/');
    *name++ = '\0';
    int parent CLEANUP_CLOSE = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(io_remove_tree(parent, name), 0);
}

/* As the stage does it. */
int fixture_add(struct fixture *f, struct entry e)
{
    struct namespace_place p;
    e.target = e.target ? e.target : "";
    f->err = (struct err){0};
    cr_assert_eq(namespace_add(f->ns, &e, &p, &f->err), 0, "%s", f->err.text);
    char path[LIMIT_PATH_MAX + 1];
    const char *slash = strchr(e.path + p.existing + (p.existing > 0), '/');
    for (unsigned i = 0; i < p.implied; i++, slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof path, "%.*s", (int)(slash - e.path), e.path);
        int r = f->kind->implied(f->sink, path, &f->err);
        if (r < 0)
            return r;
    }
    int r = p.removes ? f->kind->remove(f->sink, e.path, p.removes_dir, &f->err) : 0;
    if (r < 0 || p.action == NAMESPACE_NOTHING)
        return r;
    return f->kind->entry(f->sink, &e, &p, &f->err);
}

struct entry entry_file(const char *path, unsigned mode)
{
    return (struct entry){.type = WIRE_FILE, .path = path, .meta.mode = mode};
}

struct entry entry_dir(const char *path, unsigned mode)
{
    return (struct entry){.type = WIRE_DIR, .path = path, .meta.mode = mode};
}

struct entry entry_link(enum wire_type type, const char *path, const char *target)
{
    return (struct entry){.type = type, .path = path, .target = target, .meta.mode = 0777};
}

struct entry fixture_file(struct fixture *f, const char *path, const void *bytes, size_t n)
{
    struct entry e = entry_file(path, 0644);
    e.offset = (uint64_t)f->end;
    e.size = n;
    cr_assert_eq(pwrite(f->data, bytes, n, f->end), (ssize_t)n);
    f->end = (f->end + (int64_t)n + WIRE_BLOCK - 1) / WIRE_BLOCK * WIRE_BLOCK;
    return e;
}

void fixture_must(struct fixture *f, struct entry e)
{
    cr_assert_eq(fixture_add(f, e), 0, "%s: %s", e.path, f->err.text);
}

void fixture_finish(struct fixture *f)
{
    cr_assert_eq(f->kind->finish(f->sink, f->ns, &f->err), 0, "%s", f->err.text);
    cr_assert_lt(faccessat(f->part, SINK_DATA, F_OK, 0), 0);
    if (f->kind != &sink_dir) {
        int image CLEANUP_CLOSE = openat(f->part, SINK_IMAGE, O_RDONLY | O_CLOEXEC);
        f->root = lower_mount_erofs(image, IMAGE_MOUNT_ANY, &f->err);
        cr_assert_geq(f->root, 0, "%s", f->err.text);
    }
}

struct stat fixture_status(struct fixture *f, const char *path)
{
    struct stat st;
    cr_assert_eq(fstatat(f->root, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW), 0, "%s", path);
    return st;
}

bool fixture_holds(struct fixture *f, const char *path, const char *want)
{
    char buf[256] = {0};
    int fd CLEANUP_CLOSE = openat(f->root, path, O_RDONLY | O_NOFOLLOW);
    return fd >= 0 && io_read(fd, buf, sizeof buf - 1) >= 0 && strcmp(buf, want) == 0;
}
