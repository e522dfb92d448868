#include "base/io.h"
#include "store/paths.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char tmp[] = "/tmp/imgstore-paths-XXXXXX";
static char dir[PATH_MAX];
static struct paths p;
static struct err err;

static void set_up(void)
{
    cr_assert(mkdtemp(tmp));
    snprintf(dir, sizeof dir, "%s/a/b/store", tmp);
}

static void tear_down(void)
{
    paths_close(&p);
    io_remove_tree(AT_FDCWD, tmp);
}

TestSuite(paths, .init = set_up, .fini = tear_down);

static void open_store(void)
{
    cr_assert_eq(paths_open(&p, dir, &err), 0, "%s", err.text);
}

static void touch(int at, const char *name)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

Test(paths, open_makes_the_store)
{
    open_store();
    static const char *const names[] = {"", "/blobs", "/images", "/overlays", "/active"};
    for (size_t i = 0; i < 5; i++) {
        char path[PATH_MAX + 16];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", dir, names[i]);
        cr_assert_eq(stat(path, &st), 0);
        cr_assert_eq(st.st_mode, S_IFDIR | 0700, "%s", path);
    }
    cr_assert(fcntl(p.root, F_GETFD) & FD_CLOEXEC);
    cr_assert(fcntl(p.active, F_GETFD) & FD_CLOEXEC);
}

Test(paths, open_takes_what_is_there)
{
    open_store();
    touch(p.blobs, "x");
    paths_close(&p);
    chmod(dir, 0755);
    open_store();
    cr_assert_eq(faccessat(p.blobs, "x", F_OK, 0), 0);
    struct stat st;
    fstat(p.root, &st);
    cr_assert_eq(st.st_mode & 07777, 0700);
}

Test(paths, dir_is_absolute_and_resolved)
{
    char link[PATH_MAX];
    open_store();
    paths_close(&p);
    snprintf(link, sizeof link, "%s/link", tmp);
    cr_assert_eq(symlink(dir, link), 0);
    cr_assert_eq(paths_open(&p, link, &err), 0);
    cr_assert_str_eq(p.dir, dir);
    paths_close(&p);
    cr_assert_eq(chdir(tmp), 0);
    cr_assert_eq(paths_open(&p, "a//b/./store", &err), 0);
    cr_assert_str_eq(p.dir, dir);
}

Test(paths, what_overlays_cannot_spell_is_refused)
{
    static const char *const bad[] = {"a,b", "a:b", "a\\b", "a\nb", "a\177b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", tmp, bad[i]);
        cr_assert_eq(paths_open(&p, path, &err), -EINVAL, "%s", bad[i]);
        cr_assert(strstr(err.text, "--store"), "%s", err.text);
        paths_close(&p);
    }
    snprintf(dir, sizeof dir, "%s/mit Leerzeichen und ümläut", tmp);
    open_store();
}

Test(paths, open_says_what_is_wrong)
{
    char path[PATH_MAX + 8], longer[PATH_MAX + 8];
    cr_assert_eq(paths_open(&p, "", &err), -EINVAL);
    paths_close(&p);
    snprintf(path, sizeof path, "%s/file", tmp);
    touch(AT_FDCWD, path);
    cr_assert_eq(paths_open(&p, path, &err), -ENOTDIR);
    paths_close(&p);
    strcpy(path, tmp);
    while (strlen(path) < PATHS_DIR_MAX)
        strcat(path, "/a directory of some length");
    cr_assert_eq(paths_open(&p, path, &err), -ENAMETOOLONG, "%s", err.text);
    paths_close(&p);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_assert_eq(paths_open(&p, longer, &err), -ENAMETOOLONG);
    paths_close(&p);
    cr_assert_eq(p.root, -1);
}

Test(paths, a_store_on_an_overlay_is_refused)
{
    char o[PATH_MAX], opts[3 * PATH_MAX];
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        tear_down();
        cr_skip_test("needs root and leave to mount");
    }
    open_store();
    snprintf(o, sizeof o, "%s/active", dir);
    snprintf(opts, sizeof opts, "lowerdir=%s/blobs:%s/images", dir, dir);
    if (mount("overlay", o, "overlay", 0, opts) < 0) {
        tear_down();
        cr_skip_test("needs overlay mounts");
    }
    paths_close(&p);
    strcat(dir, "/active");
    int r = paths_open(&p, dir, &err);
    umount2(o, MNT_DETACH);
    cr_assert_eq(r, -EINVAL);
    cr_assert(strstr(err.text, "volume"), "%s", err.text);
}

Test(paths, close_takes_anything)
{
    struct paths zero = {0};
    paths_close(&zero);
    cr_assert_geq(fcntl(0, F_GETFD), -1);
    open_store();
    paths_close(&p);
    paths_close(&p);
}

Test(paths, names)
{
    char out[PATHS_FILE_MAX];
    paths_blob(out, DIGEST, FORMAT_ZSTD);
    cr_assert_str_eq(out, DIGEST ".tar.zst");
    paths_part(out, DIGEST);
    cr_assert_str_eq(out, DIGEST ".part");
    paths_image(out, DIGEST, POLICY_STRICT);
    cr_assert_str_eq(out, DIGEST);
    paths_image(out, DIGEST, POLICY_FAITHFUL);
    cr_assert_str_eq(out, DIGEST ".faithful");
    paths_image_part(out, DIGEST, POLICY_STRICT);
    cr_assert_str_eq(out, DIGEST ".part");
    paths_image_part(out, DIGEST, POLICY_FAITHFUL);
    cr_assert_str_eq(out, DIGEST ".faithful.part");
}

Test(paths, finds_blobs_and_images)
{
    int64_t size = -7;
    open_store();
    cr_assert_eq(paths_find_blob(&p, DIGEST, &size), FORMAT_UNKNOWN);
    touch(p.blobs, DIGEST ".part");
    cr_assert_eq(mkdirat(p.blobs, DIGEST ".tar", 0700), 0);
    cr_assert_eq(paths_find_blob(&p, DIGEST, &size), FORMAT_UNKNOWN);
    touch(p.blobs, DIGEST ".tar.xz");
    cr_assert_eq(paths_find_blob(&p, DIGEST, &size), FORMAT_XZ);
    cr_assert_eq(size, 0);

    cr_assert_eq(mkdirat(p.images, DIGEST ".part", 0700), 0);
    cr_assert_not(paths_have_image(&p, DIGEST, POLICY_STRICT));
    cr_assert_eq(mkdirat(p.images, DIGEST, 0700), 0);
    cr_assert_not(paths_have_image(&p, DIGEST, POLICY_STRICT), "a folder is not enough");
    cr_assert_eq(mkdirat(p.images, DIGEST "/rootfs", 0700), 0);
    cr_assert(paths_have_image(&p, DIGEST, POLICY_STRICT));
    cr_assert_not(paths_have_image(&p, DIGEST, POLICY_FAITHFUL));
}

Test(paths, discarded_is_gone_at_once_and_removed_later)
{
    open_store();
    cr_assert_eq(paths_discard(p.images, "missing", &err), 0);
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(mkdirat(p.images, "same", 0700), 0);
        cr_assert_eq(mkdirat(p.images, "same/sub", 0700), 0);
        cr_assert_eq(paths_discard(p.images, "same", &err), 0);
        cr_assert_neq(faccessat(p.images, "same", F_OK, 0), 0);
    }
    touch(p.images, "kept");
    cr_assert_eq(paths_empty_trash(p.images, NULL, NULL), 0);
    cr_assert_eq(faccessat(p.images, "kept", F_OK, 0), 0);
    char path[PATH_MAX + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/images", dir);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_nlink, 2, "directories are left");
}

Test(paths, trash_is_told_from_names)
{
    cr_assert(paths_is_trash(".trash-1-0"));
    cr_assert_not(paths_is_trash("trash-1-0"));
    cr_assert_not(paths_is_trash(".trash"));
    cr_assert_not(paths_is_trash(".probe"));
}

static int try_it(void *ctx, int folder, struct err *why)
{
    cr_assert_eq(faccessat(folder, "before", F_OK, 0), -1, "not empty");
    touch(folder, "tried");
    return *(int *)ctx < 0 ? err_sys(why, -*(int *)ctx, "tried") : 0;
}

Test(paths, a_probe_has_an_empty_folder_and_leaves_nothing)
{
    open_store();
    int gives[] = {0, -EXDEV};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(mkdirat(p.images, PATHS_PROBE, 0700), 0);
        cr_assert_eq(mkdirat(p.images, PATHS_PROBE "/before", 0700), 0);
        cr_assert_eq(paths_probe(p.images, "images", try_it, &gives[i], &err), gives[i]);
        cr_assert_eq(err.num, -gives[i]);
        cr_assert_eq(unlinkat(p.images, PATHS_PROBE, AT_REMOVEDIR), -1);
        cr_assert_eq(errno, ENOENT);
    }
    paths_close(&p);
    cr_assert_eq(paths_probe(p.images, "images", try_it, &gives[0], &err), -EBADF);
    cr_assert(strstr(err.text, "images/" PATHS_PROBE), "%s", err.text);
}

Test(paths, a_folder_that_is_not_in_place_is_named)
{
    open_store();
    cr_assert_eq(paths_in_place(&p, &err), 0);
    cr_assert_eq(renameat(p.root, "blobs", p.root, "away"), 0);
    cr_assert_eq(paths_in_place(&p, &err), -ESTALE);
    cr_assert(strstr(err.text, "blobs was deleted"), "%s", err.text);
    cr_assert_eq(mkdirat(p.root, "blobs", 0700), 0);
    cr_assert_eq(paths_in_place(&p, &err), -ESTALE);
    cr_assert(strstr(err.text, "blobs was replaced"), "%s", err.text);
    cr_assert_eq(unlinkat(p.root, "blobs", AT_REMOVEDIR), 0);
    cr_assert_eq(renameat(p.root, "away", p.root, "blobs"), 0);
    cr_assert_eq(paths_in_place(&p, &err), 0);
    char away[PATH_MAX];
    snprintf(away, sizeof away, "%s/away", tmp);
    cr_assert_eq(rename(dir, away), 0);
    cr_assert_eq(paths_in_place(&p, &err), -ESTALE);
}

Test(paths, a_folder_on_another_disk_is_in_place)
{
    open_store();
    paths_close(&p);
    char blobs[PATH_MAX + 8], away[PATH_MAX];
    snprintf(blobs, sizeof blobs, "%s/blobs", dir);
    snprintf(away, sizeof away, "%s/away", tmp);
    cr_assert_eq(rename(blobs, away), 0);
    cr_assert_eq(symlink(away, blobs), 0);
    open_store();
    cr_assert_eq(paths_in_place(&p, &err), 0, "%s", err.text);
}

/* Else an unpacked image that cannot be looked at for a moment would be thrown away. */
Test(paths, what_cannot_be_told_is_not_missing)
{
    int64_t size;
    open_store();
    cr_assert_not(paths_have_image(&p, DIGEST, POLICY_STRICT));
    cr_assert_eq(errno, ENOENT);
    cr_assert_eq(paths_find_blob(&p, DIGEST, &size), FORMAT_UNKNOWN);
    cr_assert_eq(errno, ENOENT);
    int images = p.images, blobs = p.blobs;
    p.images = p.blobs = -1;
    cr_assert_not(paths_have_image(&p, DIGEST, POLICY_STRICT));
    cr_assert_eq(errno, EBADF);
    cr_assert_eq(paths_find_blob(&p, DIGEST, &size), FORMAT_UNKNOWN);
    cr_assert_eq(errno, EBADF);
    p.images = images;
    p.blobs = blobs;
}

Test(paths, what_is_kept_aside_takes_no_ones_place)
{
    char kept[PATHS_FILE_MAX];
    open_store();
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(mkdirat(p.overlays, "web", 0700), 0);
        cr_assert_eq(paths_keep_aside(p.overlays, "web", kept, &err), 0, "%s", err.text);
        cr_assert_str_eq(kept, i ? ".kept-web-2" : ".kept-web-1");
        cr_assert_eq(faccessat(p.overlays, kept, F_OK, 0), 0);
    }
    cr_assert_not(paths_is_trash(kept));
    cr_assert_eq(paths_keep_aside(-1, "web", kept, &err), -EBADF);
}
