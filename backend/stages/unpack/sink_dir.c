/* The directory sink: the image is a directory tree, made file by file. */
#include "stages/unpack/sink.h"

#include "base/cleanup.h"
#include "stages/unpack/beneath.h"
#include "stages/unpack/contents.h"
#include "stages/unpack/link_copy.h"
#include "stages/unpack/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What was copied is given back in steps of this, so that disk use does not double; and what is
 * given back soon is never written to the disk. */
#define PUNCH_STEP (64 << 20)

struct sink_dir {
    struct sink_place place;
    int root; /* rootfs/ */
    bool is_root;
    int64_t copies_left;       /* bytes that may still be copied in place of hard links */
    struct beneath at, target; /* parents of what is made, and of what hard links name */
    struct spill xattrs;
    int64_t copied, punched; /* ends of ranges in the data file */
};

static int fail(struct err *err, int num, const char *what, const char *path)
{
    char shown[ENTRY_SHOWN_MAX];
    if (num == ECANCELED)
        return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
    return err_sys(err, num, "cannot %s \"%s\"", what, entry_shown(path, strlen(path), shown));
}

/* What the kernel finds invalid no store could keep: the archive is at fault. */
static int refuse(struct err *err, int num, const char *what, const char *path)
{
    char shown[ENTRY_SHOWN_MAX];
    if (num != EINVAL && num != ERANGE)
        return fail(err, num, what, path);
    return err_set(err, ERR_CORRUPT_ARCHIVE, num, "Linux takes none such: cannot %s \"%s\"", what,
                   entry_shown(path, strlen(path), shown));
}

/* What fuse-overlayfs keeps its books with, which lies on top where we are not root. By the second
 * kind an image would say whose its files are, and that they are devices or setuid. */
static const char *const books_xattrs[] = {"user.fuseoverlayfs.", "user.containers."};
#define BOOKS_NAME ".wh."

static bool is_of_books(const struct sink_dir *s, const struct entry_xattr *x)
{
    for (size_t i = 0; !s->is_root && i < ARRAY_SIZE(books_xattrs); i++)
        if (x->name_len >= strlen(books_xattrs[i]) &&
            memcmp(x->name, books_xattrs[i], strlen(books_xattrs[i])) == 0)
            return true;
    return false;
}

static int refuse_books(const struct sink_dir *s, const char *name, const char *path,
                        struct err *err)
{
    char shown[ENTRY_SHOWN_MAX];
    if (s->is_root || strncmp(name, BOOKS_NAME, strlen(BOOKS_NAME)) != 0)
        return 0;
    return err_set(err, ERR_UNSUPPORTED_FORMAT, EINVAL,
                   "\"%s\": fuse-overlayfs takes names with " BOOKS_NAME " for deletions: without "
                   "root no image can hold one",
                   entry_shown(path, strlen(path), shown));
}

static int dir_probe(struct paths *paths, char how[static SINK_HOW_MAX], struct err *err)
{
    snprintf(how, SINK_HOW_MAX, "directories%s",
             geteuid() == 0 ? "" : ", whose files are all yours: owners are root's to give");
    int fd CLEANUP_CLOSE = beneath_open(paths->images, "", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_sys(err, -fd, "the directory sink needs openat2 (Linux 5.6)");
    return 0;
}

/* The data file, and what was copied out of it before the first piece of it is given back. */
static struct space_need dir_need(int64_t bytes, int64_t entries)
{
    int64_t all, twice = bytes < PUNCH_STEP ? bytes : PUNCH_STEP;
    return (struct space_need){__builtin_add_overflow(bytes, twice, &all) ? INT64_MAX : all,
                               entries};
}

static void dir_close(void *sink)
{
    struct sink_dir *s = sink;
    if (!s)
        return;
    beneath_forget(&s->at);
    beneath_forget(&s->target);
    spill_close(&s->xattrs);
    if (s->root >= 0)
        close(s->root);
    free(s);
}

static int dir_open(const struct sink_place *place, void **sink, struct err *err)
{
    if (mkdirat(place->part, SINK_ROOTFS, 0700) < 0)
        return fail(err, errno, "make", SINK_ROOTFS);
    int root = beneath_open(place->part, SINK_ROOTFS, O_RDONLY | O_DIRECTORY, 0);
    if (root < 0)
        return fail(err, -root, "open", SINK_ROOTFS);
    struct sink_dir *s = malloc(sizeof *s);
    if (!s) {
        close(root);
        return err_sys(err, ENOMEM, "cannot begin an image");
    }
    *s = (struct sink_dir){
        .place = *place,
        .root = root,
        .is_root = geteuid() == 0,
        .copies_left = place->max_total_size,
        .at = BENEATH_INIT(root),
        .target = BENEATH_INIT(root),
        .xattrs = SPILL_INIT,
    };
    *sink = s;
    return 0;
}

/* Directories stay open to us, and to us alone, until finish. */
static int make_dir(struct sink_dir *s, const char *path, const char *xattrs, size_t xattrs_len,
                    struct err *err)
{
    const char *name;
    int at = beneath_parent(&s->at, path, &name);
    int r = refuse_books(s, name, path, err);
    if (r < 0)
        return r;
    if (at < 0 || mkdirat(at, name, 0700) < 0)
        return fail(err, at < 0 ? -at : errno, "make directory", path);
    return spill_add(&s->xattrs, s->place.part, path, xattrs, xattrs_len, err);
}

static int dir_implied(void *sink, const char *path, struct err *err)
{
    return make_dir(sink, path, NULL, 0, err);
}

static int dir_remove(void *sink, const char *path, bool dir, struct err *err)
{
    struct sink_dir *s = sink;
    const char *name;
    int at = beneath_parent(&s->at, path, &name);
    if (at < 0 || unlinkat(at, name, dir ? AT_REMOVEDIR : 0) < 0)
        return fail(err, at < 0 ? -at : errno, "replace", path);
    if (dir) {
        beneath_forget(&s->at);
        beneath_forget(&s->target);
    }
    return 0;
}

static void times_of(const struct entry_meta *meta, struct timespec times[static 2])
{
    times[0] = times[1] = (struct timespec){(time_t)meta->mtime, meta->mtime_nsec};
}

static int set_xattr(int fd, const char *path, const struct entry_xattr *x)
{
    char name[LIMIT_NAME_MAX + 1];
    memcpy(name, x->name, x->name_len);
    name[x->name_len] = '\0';
    int r = path ? lsetxattr(path, name, x->value, x->value_len, 0)
                 : fsetxattr(fd, name, x->value, x->value_len, 0);
    return r < 0 ? -errno : 0;
}

/* On the descriptor, or, where there is none to be had, on a path. */
static int set_xattrs(const struct sink_dir *s, int fd, const char *path, const char *xattrs,
                      size_t len)
{
    struct entry_xattr x;
    int r = 0;
    while (r == 0 && entry_xattr_next(&xattrs, &len, &x) > 0)
        r = is_of_books(s, &x) ? 0 : set_xattr(fd, path, &x);
    return r;
}

static int fail_xattrs(struct err *err, int num, const char *path)
{
    if (num == EOPNOTSUPP)
        return fail(err, num, "keep, as the store's file system does not hold them, xattrs of",
                    path);
    return refuse(err, num, "set xattrs of", path);
}

/* Owner first: a change of owner clears setuid and capabilities. The mode after xattrs: without
 * root, a file that is read-only takes none, and an ACL changes the mode. Times last. What a new
 * file has already is left alone: that saves a tenth of the time that a small one takes. */
static int set_meta(const struct sink_dir *s, int fd, const struct entry *e, struct err *err)
{
    struct timespec times[2];
    struct stat st;
    int r;
    if (fstat(fd, &st) < 0)
        return fail(err, errno, "stat", e->path);
    if (s->is_root && (st.st_uid != e->meta.uid || st.st_gid != e->meta.gid) &&
        fchown(fd, e->meta.uid, e->meta.gid) < 0)
        return fail(err, errno, "set the owner of", e->path);
    if ((r = set_xattrs(s, fd, NULL, e->xattrs, e->xattrs_len)) < 0)
        return fail_xattrs(err, -r, e->path);
    if (((st.st_mode & 07777) != e->meta.mode || e->xattrs_len > 0) && fchmod(fd, e->meta.mode) < 0)
        return fail(err, errno, "set the mode of", e->path);
    times_of(&e->meta, times);
    if (futimens(fd, times) < 0)
        return fail(err, errno, "set the times of", e->path);
    return 0;
}

/* As set_meta, for what cannot be opened. The mode of a symlink is no one's. */
static int set_meta_at(const struct sink_dir *s, int at, const char *name, const struct entry *e,
                       struct err *err)
{
    struct timespec times[2];
    char path[sizeof "/proc/self/fd//" + 12 + LIMIT_NAME_MAX];
    int r;
    if (s->is_root && fchownat(at, name, e->meta.uid, e->meta.gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, errno, "set the owner of", e->path);
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", at, name);
    if ((r = set_xattrs(s, -1, path, e->xattrs, e->xattrs_len)) < 0)
        return fail_xattrs(err, -r, e->path);
    if (e->type != WIRE_SYMLINK && fchmodat(at, name, e->meta.mode, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, errno, "set the mode of", e->path);
    times_of(&e->meta, times);
    if (utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, errno, "set the times of", e->path);
    return 0;
}

/* Only what lies before every range to come is given back: ranges come in order. A helper that says
 * otherwise gets zeros. */
static void give_back(struct sink_dir *s, const struct entry *e)
{
    int64_t end = (int64_t)(e->offset + e->size) / WIRE_BLOCK * WIRE_BLOCK;
    s->copied = e->offset > 0 && end > s->copied ? end : s->copied;
    if (s->copied - s->punched < PUNCH_STEP)
        return;
    /* Where it is not supported, the file is only larger. */
    (void)fallocate(s->place.data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, s->punched,
                    s->copied - s->punched);
    s->punched = s->copied;
}

static int make_file(struct sink_dir *s, int at, const char *name, const struct entry *e,
                     struct err *err)
{
    mode_t mode = (e->meta.mode & 0777) | 0600;
    int fd CLEANUP_CLOSE = beneath_open(at, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd < 0)
        return fail(err, -fd, "make file", e->path);
    int r = contents_copy(s->place.data, e->offset, e->size, fd, s->place.cancel_fd);
    if (r < 0)
        return fail(err, -r, "write file", e->path);
    give_back(s, e);
    return set_meta(s, fd, e, err);
}

static int make_link(struct sink_dir *s, int at, const char *name, const struct entry *e,
                     struct err *err)
{
    const char *target_name;
    int target = beneath_parent(&s->target, e->target, &target_name);
    int r = target;
    if (target >= 0 && s->is_root)
        r = linkat(target, target_name, at, name, 0) < 0 ? -errno : 0;
    else if (target >= 0)
        r = link_copy(target, target_name, at, name, &s->copies_left, s->place.cancel_fd);
    if (r == -EFBIG)
        return err_set(err, ERR_TOO_LARGE_TOTAL, EFBIG,
                       "without root hard links become copies: these have more than %lld bytes "
                       "together; -o max_total_size=SIZE allows more",
                       (long long)s->place.max_total_size);
    return r < 0 ? fail(err, -r, "make hard link", e->path) : 0;
}

static int make_symlink(struct sink_dir *s, int at, const char *name, const struct entry *e,
                        struct err *err)
{
    if (symlinkat(e->target, at, name) < 0)
        return fail(err, errno, "make symlink", e->path);
    return set_meta_at(s, at, name, e, err);
}

static int make_special(struct sink_dir *s, int at, const char *name, const struct entry *e,
                        mode_t type, struct err *err)
{
    if (mknodat(at, name, type | 0600, makedev(e->rdev_major, e->rdev_minor)) < 0)
        return refuse(err, errno, "make special file", e->path);
    return set_meta_at(s, at, name, e, err);
}

static int dir_entry(void *sink, const struct entry *e, const struct namespace_place *place,
                     struct err *err)
{
    struct sink_dir *s = sink;
    const char *name;
    if (place->action == NAMESPACE_UPDATE)
        return spill_add(&s->xattrs, s->place.part, e->path, e->xattrs, e->xattrs_len, err);
    if (e->type == WIRE_DIR)
        return make_dir(s, e->path, e->xattrs, e->xattrs_len, err);
    int at = beneath_parent(&s->at, e->path, &name);
    if (at < 0)
        return fail(err, -at, "reach the directory of", e->path);
    int r = refuse_books(s, name, e->path, err);
    if (r < 0)
        return r;
    switch (e->type) {
    case WIRE_FILE:
        return make_file(s, at, name, e, err);
    case WIRE_HARDLINK:
        return make_link(s, at, name, e, err);
    case WIRE_SYMLINK:
        return make_symlink(s, at, name, e, err);
    case WIRE_CHARDEV:
        return make_special(s, at, name, e, S_IFCHR, err);
    case WIRE_BLOCKDEV:
        return make_special(s, at, name, e, S_IFBLK, err);
    case WIRE_FIFO:
        return make_special(s, at, name, e, S_IFIFO, err);
    case WIRE_SOCKET:
        return make_special(s, at, name, e, S_IFSOCK, err);
    case WIRE_DIR:
        break;
    }
    return fail(err, EINVAL, "make", e->path);
}

/* A later record of a directory replaces an earlier one whole. What cannot be removed is the
 * system's own (a label), and stays. */
static void clear_xattrs(int fd)
{
    char *names CLEANUP_FREE = malloc(XATTR_LIST_MAX);
    ssize_t n = names ? flistxattr(fd, names, XATTR_LIST_MAX) : 0;
    for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
        fremovexattr(fd, p);
}

static int settle_xattrs(void *ctx, const char *path, const char *xattrs, size_t len,
                         struct err *err)
{
    struct sink_dir *s = ctx;
    int fd CLEANUP_CLOSE = beneath_open(s->root, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0; /* replaced since by what is no directory */
    if (fd < 0)
        return fail(err, -fd, "open directory", path);
    clear_xattrs(fd);
    int r = set_xattrs(s, fd, NULL, xattrs, len);
    return r < 0 ? fail_xattrs(err, -r, path) : 0;
}

static int settle_dir(void *ctx, const char *path, const struct entry_meta *meta, struct err *err)
{
    struct sink_dir *s = ctx;
    struct timespec times[2];
    int fd CLEANUP_CLOSE = beneath_open(s->root, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fail(err, -fd, "open directory", path);
    if (s->is_root && fchown(fd, meta->uid, meta->gid) < 0)
        return fail(err, errno, "set the owner of", path);
    if (fchmod(fd, meta->mode) < 0)
        return fail(err, errno, "set the mode of", path);
    times_of(meta, times);
    return futimens(fd, times) < 0 ? fail(err, errno, "set the times of", path) : 0;
}

/* It is removed in the end: better it never reaches the disk. */
static void dir_grown(void *sink)
{
}

static int dir_finish(void *sink, const struct namespace *ns, struct err *err)
{
    struct sink_dir *s = sink;
    int r = spill_each(&s->xattrs, settle_xattrs, s, err);
    if (r < 0 || (r = namespace_each_dir(ns, settle_dir, s, err)) < 0)
        return r;
    if (unlinkat(s->place.part, SINK_DATA, 0) < 0)
        return fail(err, errno, "remove", SINK_DATA);
    return 0;
}

const struct sink_kind sink_dir = {
    .name = "dir",
    .probe = dir_probe,
    .need = dir_need,
    .open = dir_open,
    .implied = dir_implied,
    .remove = dir_remove,
    .entry = dir_entry,
    .grown = dir_grown,
    .finish = dir_finish,
    .close = dir_close,
};
