#include "store/paths.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define TRASH  ".trash-"
#define IMPORT ".import-"
#define KEPT   ".kept-"

static int open_dir(int at, const char *name, const char *what, struct err *err)
{
    struct stat st;
    if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make %s", what);
    int fd CLEANUP_CLOSE = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot open %s", what);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_IO, EPERM,
                       "%s belongs to user %lld, who could change what is mounted from it: give it "
                       "to user %lld (chown), or choose another with --store",
                       what, (long long)st.st_uid, (long long)geteuid());
    return steal_fd(fd);
}

static int make_parents(const char *dir, struct err *err)
{
    char path[PATH_MAX];
    if (!*dir)
        return err_set(err, ERR_IO, EINVAL, "the store's path is empty");
    if ((size_t)snprintf(path, sizeof path, "%s", dir) >= sizeof path)
        return err_set(err, ERR_IO, ENAMETOOLONG, "store path is longer than %d bytes", PATH_MAX);
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return err_sys(err, errno, "cannot make %s", path);
        *p = '/';
    }
    return 0;
}

static int check_spelling(const char *dir, struct err *err)
{
    if (strlen(dir) >= PATHS_DIR_MAX)
        return err_set(err, ERR_IO, ENAMETOOLONG, "store path %.64s… is longer than %d bytes", dir,
                       PATHS_DIR_MAX - 1);
    for (const char *p = dir; *p; p++)
        if (strchr(",:\\", *p) || (unsigned char)*p < 0x20 || *p == 0x7f)
            return err_set(err, ERR_IO, EINVAL,
                           "store path %s holds a character that overlay mounts cannot spell "
                           "(',' ':' '\\' or a control character); choose another with --store",
                           dir);
    return 0;
}

static int check_file_system(const struct paths *p, struct err *err)
{
    struct statfs fs;
    if (fstatfs(p->root, &fs) < 0)
        return err_sys(err, errno, "cannot stat the file system of %s", p->dir);
    if (fs.f_type == OVERLAYFS_SUPER_MAGIC)
        return err_set(err, ERR_IO, EINVAL,
                       "store %s lies on an overlay, which cannot hold writable layers; put it on "
                       "a volume or a disk of its own with --store",
                       p->dir);
    return 0;
}

static int make_private(const struct paths *p, int fd, struct err *err)
{
    return fchmod(fd, 0700) < 0 ? err_sys(err, errno, "cannot make %s private", p->dir) : 0;
}

/* No link to elsewhere: the mount table would call what lies there otherwise than we do. */
static int open_snap(const struct paths *p, int at, const char *what, struct err *err)
{
    if (mkdirat(at, PATHS_SNAP, 0700) == 0) {
        if (fsync(at) < 0)
            return err_sys(err, errno, "cannot sync %s", what);
    } else if (errno != EEXIST) {
        return err_sys(err, errno, "cannot make %s", what);
    }
    int fd CLEANUP_CLOSE = openat(at, PATHS_SNAP, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", what);
    int r = make_private(p, fd, err);
    return r < 0 ? r : steal_fd(fd);
}

static int open_snaps(struct paths *p, struct err *err)
{
    int r = p->snap_layers = open_snap(p, p->overlays, "overlays/" PATHS_SNAP, err);
    if (r >= 0)
        r = p->snap_mounts = open_snap(p, p->active, "active/" PATHS_SNAP, err);
    return r < 0 ? r : 0;
}

int paths_open(struct paths *p, const char *dir, struct err *err)
{
    *p = PATHS_NONE;
    int r = make_parents(dir, err);
    if (r < 0)
        return r;
    if ((r = p->root = open_dir(AT_FDCWD, dir, dir, err)) < 0)
        return r;
    if (!realpath(dir, p->dir))
        return err_sys(err, errno, "cannot resolve %s", dir);
    if ((r = check_spelling(p->dir, err)) < 0 || (r = check_file_system(p, err)) < 0)
        return r;
    if ((r = make_private(p, p->root, err)) < 0)
        return r;
    struct {
        const char *name;
        int *fd;
    } dirs[] = {{"blobs", &p->blobs},
                {"images", &p->images},
                {"overlays", &p->overlays},
                {"active", &p->active}};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if ((r = *dirs[i].fd = open_dir(p->root, dirs[i].name, dirs[i].name, err)) < 0 ||
            (r = make_private(p, *dirs[i].fd, err)) < 0)
            return r;
    if (fsync(p->root) < 0)
        return err_sys(err, errno, "cannot sync %s", p->dir);
    return open_snaps(p, err);
}

static int is_in_place(int at, const char *name, int fd, const char *what, struct err *err)
{
    struct stat open, there;
    int r = fstatat(at, name, &there, 0); /* a folder may be a link to another disk */
    if (fstat(fd, &open) < 0 ||
        (r == 0 && there.st_dev == open.st_dev && there.st_ino == open.st_ino))
        return 0;
    return err_set(err, ERR_IO, ESTALE, "store: %s was %s while it is in use: restart the daemon",
                   what, r < 0 ? "deleted" : "replaced");
}

int paths_in_place(const struct paths *p, struct err *err)
{
    const struct {
        const char *name;
        int fd;
    } dirs[] = {{"blobs", p->blobs},
                {"images", p->images},
                {"overlays", p->overlays},
                {"active", p->active}};
    int r = is_in_place(AT_FDCWD, p->dir, p->root, p->dir, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++)
        r = is_in_place(p->root, dirs[i].name, dirs[i].fd, dirs[i].name, err);
    if (r == 0)
        r = is_in_place(p->overlays, PATHS_SNAP, p->snap_layers, "overlays/" PATHS_SNAP, err);
    if (r == 0)
        r = is_in_place(p->active, PATHS_SNAP, p->snap_mounts, "active/" PATHS_SNAP, err);
    return r;
}

void paths_close(struct paths *p)
{
    int *fds[] = {&p->root,   &p->blobs,       &p->images,     &p->overlays,
                  &p->active, &p->snap_layers, &p->snap_mounts};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (*fds[i] > 0)
            close(steal_fd(*fds[i]));
}

int paths_write_file(const struct paths *p, const char *file, const void *bytes, size_t n,
                     struct err *err)
{
    char part[PATHS_FILE_MAX];
    snprintf(part, sizeof part, "%s.new", file);
    int fd CLEANUP_CLOSE =
        openat(p->root, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : io_write(fd, bytes, n);
    if (r == 0 && (fchmod(fd, 0600) < 0 || fsync(fd) < 0 ||
                   renameat(p->root, part, p->root, file) < 0 || fsync(p->root) < 0))
        r = -errno;
    return r < 0 ? err_sys(err, -r, "cannot write %s/%s", p->dir, file) : 0;
}

ssize_t paths_read_file(const struct paths *p, const char *file, void *bytes, size_t size)
{
    int fd CLEANUP_CLOSE = openat(p->root, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 || fchmod(fd, 0600) < 0 ? -errno : io_read(fd, bytes, size);
}

bool paths_name_valid(const char *name, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (len < 1 || len > PATHS_NAME_MAX || !memchr(letters, name[0], sizeof letters - 1))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!memchr(all, name[i], sizeof all - 1))
            return false;
    return true;
}

void paths_blob(char out[static PATHS_FILE_MAX], const char *sha256, enum format format)
{
    snprintf(out, PATHS_FILE_MAX, "%s.%s", sha256, format_name(format));
}

void paths_part(char out[static PATHS_FILE_MAX], const char *sha256)
{
    snprintf(out, PATHS_FILE_MAX, "%s.part", sha256);
}

void paths_import(char out[static PATHS_FILE_MAX], uint64_t n)
{
    snprintf(out, PATHS_FILE_MAX, IMPORT "%llu", (unsigned long long)n);
}

bool paths_is_import(const char *name)
{
    return strncmp(name, IMPORT, strlen(IMPORT)) == 0;
}

void paths_image(char out[static PATHS_FILE_MAX], const char *sha256, enum policy policy)
{
    snprintf(out, PATHS_FILE_MAX, "%s%s", sha256, policy == POLICY_FAITHFUL ? ".faithful" : "");
}

void paths_image_part(char out[static PATHS_FILE_MAX], const char *sha256, enum policy policy)
{
    char key[PATHS_FILE_MAX];
    paths_image(key, sha256, policy);
    snprintf(out, PATHS_FILE_MAX, "%.*s.part", PATHS_KEY_MAX, key);
}

enum format paths_find_blob(const struct paths *p, const char *sha256, int64_t *size)
{
    int why = ENOENT;
    for (enum format f = FORMAT_TAR; f < FORMATS; f++) {
        char name[PATHS_FILE_MAX];
        struct stat st;
        paths_blob(name, sha256, f);
        int r = fstatat(p->blobs, name, &st, AT_SYMLINK_NOFOLLOW);
        if (r == 0 && S_ISREG(st.st_mode)) {
            *size = st.st_size;
            return f;
        }
        if (r < 0 && errno != ENOENT)
            why = errno;
    }
    errno = why;
    return FORMAT_UNKNOWN;
}

bool paths_have_image(const struct paths *p, const char *sha256, enum policy policy)
{
    char name[PATHS_FILE_MAX];
    paths_image(name, sha256, policy);
    size_t len = strlen(name);
    snprintf(name + len, sizeof name - len, "/rootfs");
    if (faccessat(p->images, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (errno == ENOTDIR) /* something else has its place */
        errno = ENOENT;
    return false;
}

void paths_snapshot(char out[static PATHS_PLACE_MAX], uint64_t number)
{
    snprintf(out, PATHS_PLACE_MAX, PATHS_SNAP "/%llu", (unsigned long long)number);
}

uint64_t paths_snapshot_number(const char *place)
{
    static const char folder[] = PATHS_SNAP "/";
    const char *digits = place + sizeof folder - 1;
    if (strncmp(place, folder, sizeof folder - 1) != 0)
        return 0;
    size_t n = strspn(digits, "0123456789");
    return n > 0 && n < 19 && digits[0] != '0' && !digits[n] ? strtoull(digits, NULL, 10) : 0;
}

int paths_layers(const struct paths *p, const char *name)
{
    return strchr(name, '/') ? p->snap_layers : p->overlays;
}

int paths_discard(int dirfd, const char *name, struct err *err)
{
    static atomic_uint serial;
    char trash[PATHS_FILE_MAX];
    const char *slash = strrchr(name, '/');
    int folder = slash ? (int)(slash + 1 - name) : 0;
    do { /* a clock that was set back may lead to a name from before */
        snprintf(trash, sizeof trash, "%.*s" TRASH "%llx-%x", folder, name,
                 (unsigned long long)text_now_ms(), atomic_fetch_add(&serial, 1));
        if (renameat2(dirfd, name, dirfd, trash, RENAME_NOREPLACE) == 0 || errno == ENOENT)
            return 0;
    } while (errno == EEXIST);
    return err_sys(err, errno, "cannot move %s out of the way", name);
}

int paths_keep_aside(int dirfd, const char *name, char kept[static PATHS_FILE_MAX], struct err *err)
{
    unsigned serial = 0;
    do
        snprintf(kept, PATHS_FILE_MAX, KEPT "%.*s-%u", PATHS_NAME_MAX, name, ++serial);
    while (renameat2(dirfd, name, dirfd, kept, RENAME_NOREPLACE) < 0 && errno == EEXIST);
    if (faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT ||
        fsync(dirfd) < 0)
        return err_sys(err, errno, "cannot move %s aside", name);
    return 0;
}

bool paths_is_kept(const char *name)
{
    return strncmp(name, KEPT, sizeof KEPT - 1) == 0;
}

bool paths_is_trash(const char *name)
{
    return strncmp(name, TRASH, sizeof TRASH - 1) == 0;
}

/* What is being taken apart must not come back under its own name with the power. */
static int empty_one(int dirfd, const char *name, bool *synced)
{
    if (!*synced && fsync(dirfd) < 0)
        return -errno;
    *synced = true;
    return io_remove_tree(dirfd, name);
}

int paths_empty_trash(int dirfd, int (*ready)(void *ctx, const char *name), void *ctx)
{
    DIR *dir CLEANUP_CLOSEDIR = io_list(dirfd);
    if (!dir)
        return -errno;
    int result = 0;
    bool synced = false;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!paths_is_trash(e->d_name))
            continue;
        int r = ready ? ready(ctx, e->d_name) : 0;
        if (r == 0)
            r = empty_one(dirfd, e->d_name, &synced);
        if (r < 0)
            result = r;
    }
    return result;
}

static int probe_in(int dirfd, const char *dir, int (*try)(void *ctx, int folder, struct err *err),
                    void *ctx, struct err *err)
{
    if (mkdirat(dirfd, PATHS_PROBE, 0700) < 0)
        return err_sys(err, errno, "cannot make %s/" PATHS_PROBE, dir);
    int folder CLEANUP_CLOSE = openat(dirfd, PATHS_PROBE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_sys(err, errno, "cannot open %s/" PATHS_PROBE, dir);
    return try(ctx, folder, err);
}

int paths_probe(int dirfd, const char *dir, int (*try)(void *ctx, int folder, struct err *err),
                void *ctx, struct err *err)
{
    int r = io_remove_tree(dirfd, PATHS_PROBE);
    if (r < 0)
        return err_sys(err, -r, "cannot remove %s/" PATHS_PROBE, dir);
    r = probe_in(dirfd, dir, try, ctx, err);
    io_remove_tree(dirfd, PATHS_PROBE);
    return r;
}
