#include "snapshot_store.h"

#include "stages/stage.h"

#include <linux/capability.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

static struct store s;

static void set_up(void)
{
    store_up_at(&s, "store");
}

static void tear_down(void)
{
    store_down(&s);
}

TestSuite(snapshot, .init = set_up, .fini = tear_down, .timeout = 60);

Test(snapshot, writes_stay_in_the_layer)
{
    int web CLEANUP_CLOSE = store_mount(&s, "web");
    int other CLEANUP_CLOSE = store_mount(&s, "other");
    store_write(web, "etc/hostname", "web\n");
    store_write(web, "new", "n\n");
    cr_assert_eq(unlinkat(web, "dir/sub/f", 0), 0);

    cr_assert(store_reads(web, "etc/hostname", "web\n"));
    cr_assert_not(store_has(web, "dir/sub/f"));
    cr_assert(store_reads(other, "etc/hostname", "image\n"));
    cr_assert(store_reads(other, "dir/sub/f", "f\n"));
    cr_assert_not(store_has(other, "new"));
    cr_assert(store_reads(s.p.images, DIGEST "/rootfs/etc/hostname", "image\n"));
    cr_assert(store_reads(s.p.images, DIGEST "/rootfs/dir/sub/f", "f\n"));
    cr_assert_not(store_has(s.p.images, DIGEST "/rootfs/new"));
}

Test(snapshot, the_layer_outlives_the_mount)
{
    int web = store_mount(&s, "web");
    store_write(web, "etc/hostname", "web\n");
    cr_assert_eq(renameat(web, "dir", web, "moved"), 0);
    close(web);
    store_unmount(&s, "web");
    cr_assert_not(store_has(s.p.active, "web"));
    cr_assert(store_has(s.p.overlays, "web/upper/etc/hostname"));

    int again CLEANUP_CLOSE = store_mount(&s, "web");
    cr_assert(store_reads(again, "etc/hostname", "web\n"));
    cr_assert(store_reads(again, "moved/sub/f", "f\n"));
    cr_assert_not(store_has(again, "dir"));
}

Test(snapshot, directories_of_the_image_can_be_renamed)
{
    int web CLEANUP_CLOSE = store_mount(&s, "web");
    cr_assert_eq(renameat(web, "dir/sub", web, "etc/sub"), 0, "%s", strerror(errno));
    cr_assert(store_reads(web, "etc/sub/f", "f\n"));
    cr_assert_not(store_has(web, "dir/sub"));
}

/* After `cleanup` and a retry the image is another tree of the same content. */
Test(snapshot, the_layer_outlives_the_image)
{
    int web = store_mount(&s, "web");
    store_write(web, "dir/sub/mine", "m\n");
    cr_assert_eq(renameat(web, "dir", web, "moved"), 0);
    close(web);
    for (int i = 0; i < 2; i++) {
        store_unmount(&s, "web");
        cr_assert_eq(io_remove_tree(s.p.images, DIGEST), 0);
        store_make_image(&s, DIGEST);
        int again CLEANUP_CLOSE = store_mount(&s, "web");
        cr_assert(store_reads(again, "moved/sub/mine", "m\n"));
        cr_assert(store_reads(again, "moved/sub/f", "f\n"));
        store_write(again, "etc/hostname", "web\n");
    }
}

static unsigned long flags_of(const char *name)
{
    struct statvfs st;
    int fd CLEANUP_CLOSE = store_root(&s, name);
    cr_assert_eq(fstatvfs(fd, &st), 0);
    return st.f_flag & (ST_NOSUID | ST_NODEV | ST_RDONLY | ST_NOEXEC);
}

Test(snapshot, flags_follow_the_policy)
{
    close(store_mount(&s, "strict"));
    cr_assert_eq(flags_of("strict"), ST_NOSUID | ST_NODEV);
    store_make_image(&s, FAITHFUL);
    cr_assert_eq(s.b->mount(&s.p, "faithful", FAITHFUL, POLICY_FAITHFUL, &s.err), 0);
    cr_assert_eq(flags_of("faithful"), ST_NODEV);
}

static void check_looks(mode_t mode, uid_t uid, gid_t gid, time_t sec)
{
    struct stat st;
    int web CLEANUP_CLOSE = store_root(&s, "web");
    cr_assert_eq(fstat(web, &st), 0);
    cr_assert_eq(st.st_mode & 07777, mode, "%o", st.st_mode);
    cr_assert_eq(st.st_uid, uid);
    cr_assert_eq(st.st_gid, gid);
    cr_assert_eq(st.st_mtim.tv_sec, sec, "%ld", st.st_mtim.tv_sec);
}

Test(snapshot, the_root_looks_like_the_images)
{
    int root CLEANUP_CLOSE = openat(s.p.images, DIGEST "/rootfs", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(fsetxattr(root, "user.colour", "blue", 4, 0), 0);
    cr_assert_eq(fsetxattr(root, "trusted.overlay.opaque", "y", 1, 0), 0);
    cr_assert_eq(fchown(root, 12, 34), 0);
    cr_assert_eq(fchmod(root, 03751), 0);
    cr_assert_eq(futimens(root, (struct timespec[]){{1, 0}, {1000000000, 500}}), 0);

    int web = store_mount(&s, "web");
    char value[8];
    check_looks(03751, 12, 34, 1000000000);
    cr_assert_eq(fgetxattr(web, "user.colour", value, sizeof value), 4);
    cr_assert_eq(memcmp(value, "blue", 4), 0);
    cr_assert_lt(getxattr(store_path("%s/overlays/web/upper", s.p.dir), "trusted.overlay.opaque",
                          value, sizeof value),
                 0);
    cr_assert(store_reads(web, "etc/hostname", "image\n"));
    close(web);
    store_unmount(&s, "web");

    web = store_mount(&s, "web");
    check_looks(03751, 12, 34, 1000000000);
    cr_assert_eq(fchmod(web, 0700), 0);
    close(web);
    store_unmount(&s, "web");
    close(store_mount(&s, "web"));
    check_looks(0700, 12, 34, 1000000000);
}

Test(snapshot, mounting_again_changes_nothing)
{
    struct stat before, after;
    int web CLEANUP_CLOSE = store_mount(&s, "web");
    cr_assert_eq(fstat(web, &before), 0);
    int again CLEANUP_CLOSE = store_mount(&s, "web");
    cr_assert_eq(fstat(again, &after), 0);
    cr_assert_eq(before.st_dev, after.st_dev);
    close(steal_fd(web));
    close(steal_fd(again));
    store_unmount(&s, "web"); /* one mount was there, not two */
}

Test(snapshot, half_made_layers_are_completed)
{
    cr_assert_eq(fchmodat(s.p.images, DIGEST "/rootfs", 0751, 0), 0);
    cr_assert_eq(mkdirat(s.p.overlays, "a", 0700), 0);
    close(store_mount(&s, "a"));
    cr_assert_eq(mkdirat(s.p.overlays, "web", 0700), 0);
    cr_assert_eq(mkdirat(s.p.overlays, "web/upper.new", 0700), 0);
    cr_assert_eq(mkdirat(s.p.active, "web", 0700), 0);
    int web = store_mount(&s, "web");
    struct stat st;
    cr_assert_eq(fstat(web, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0751);
    store_write(web, "f", "f\n");
    close(web);
    store_unmount(&s, "web");
    cr_assert_eq(io_remove_tree(s.p.overlays, "web/work"), 0);
    web = store_mount(&s, "web");
    cr_assert(store_reads(web, "f", "f\n"));
    close(web);
}

Test(snapshot, what_is_not_mounted_unmounts)
{
    store_unmount(&s, "never");
    cr_assert_not(store_has(s.p.active, "never"));
    cr_assert_not(store_has(s.p.overlays, "never"));
    close(store_mount(&s, "web"));
    umount2(store_path("%s/active/%s", s.p.dir, "web"), 0);
    store_unmount(&s, "web");
    store_unmount(&s, "web");
    cr_assert_not(store_has(s.p.active, "web"));
    cr_assert(store_has(s.p.overlays, "web/upper"));
    cr_assert_not(store_has(s.p.overlays, "web/probe"));
}

Test(snapshot, a_plain_directory_is_not_mounted)
{
    cr_assert_not(s.b->mounted(&s.p, "web"));
    cr_assert_eq(mkdirat(s.p.active, "web", 0700), 0);
    cr_assert_not(s.b->mounted(&s.p, "web"));
    cr_assert_eq(mount("none", store_path("%s/active/%s", s.p.dir, "web"), "tmpfs", 0, NULL), 0);
    cr_assert_not(s.b->mounted(&s.p, "web"));
    umount2(store_path("%s/active/%s", s.p.dir, "web"), 0);
    close(store_mount(&s, "web"));
    cr_assert(s.b->mounted(&s.p, "web"));
}

/* What a daemon does that starts after another was killed. */
Test(snapshot, another_process_adopts_the_mount)
{
    int web = store_mount(&s, "web");
    store_write(web, "f", "f\n");
    close(web);
    pid_t pid = fork();
    if (pid == 0) {
        struct paths p;
        struct err err = {0};
        bool ok = paths_open(&p, s.p.dir, &err) == 0 && snapshot_choose(&p, &err) == s.b &&
                  s.b->mounted(&p, "web") &&
                  s.b->mount(&p, "web", DIGEST, POLICY_STRICT, &err) == 0 &&
                  store_reads(p.active, "web/f", "f\n") &&
                  s.b->unmount(&p, "web", DIGEST, POLICY_STRICT, &err) == 0;
        _exit(!ok);
    }
    int status;
    waitpid(pid, &status, 0);
    cr_assert_eq(status, 0);
    cr_assert_not(s.b->mounted(&s.p, "web"));
}

Test(snapshot, a_missing_image_is_named)
{
    int r = s.b->mount(&s.p, "web", FAITHFUL, POLICY_FAITHFUL, &s.err);
    cr_assert_eq(r, -ENOENT);
    cr_assert_eq(s.err.num, ENOENT);
    cr_assert_eq(s.err.code, ERR_MOUNT_FAILED);
    cr_assert(strstr(s.err.text, FAITHFUL), "%s", s.err.text);
    cr_assert_not(store_has(s.p.active, "web"));
    cr_assert_not(store_has(s.p.overlays, "web"));
}

Test(snapshot, discard_leaves_trash_alone)
{
    close(store_mount(&s, "web"));
    cr_assert_eq(snapshot_discard(&s.p, "web", &s.err), -EBUSY);
    cr_assert(s.b->mounted(&s.p, "web"));
    cr_assert(store_has(s.p.overlays, "web/upper"));

    store_unmount(&s, "web");
    cr_assert_eq(mkdirat(s.p.active, "web", 0700), 0);
    cr_assert_eq(mkdirat(s.p.active, "web/stray", 0700), 0);
    cr_assert_eq(snapshot_discard(&s.p, "web", &s.err), 0, "%s", s.err.text);
    cr_assert_not(store_has(s.p.active, "web"));
    cr_assert_not(store_has(s.p.overlays, "web"));
    cr_assert_eq(snapshot_discard(&s.p, "web", &s.err), 0);
    cr_assert_eq(paths_empty_trash(s.p.overlays, NULL, NULL), 0);
    cr_assert_eq(paths_empty_trash(s.p.active, NULL, NULL), 0);

    int web CLEANUP_CLOSE = store_mount(&s, "web");
    cr_assert(store_reads(web, "etc/hostname", "image\n"));
}

static void collect(void *ctx, const char *name)
{
    strcat(ctx, name);
    strcat(ctx, " ");
}

Test(snapshot, each_mount_tells_names)
{
    char names[256] = "";
    close(store_mount(&s, "web"));
    close(store_mount(&s, "db.2"));
    cr_assert_eq(mkdirat(s.p.active, "plain", 0700), 0);
    cr_assert_eq(mount("none", store_path("%s/active/%s", s.p.dir, "web/dir"), "tmpfs", 0, NULL),
                 0);
    cr_assert_eq(snapshot_each_mount(&s.p, collect, names, &s.err), 0);
    cr_assert_str_eq(names, "web db.2 ");
    umount2(store_path("%s/active/%s", s.p.dir, "web/dir"), 0);
}

static void check_a_store_at(const char *where)
{
    char names[64] = "";
    store_down(&s);
    store_up_at(&s, where);
    int web = store_mount(&s, "web");
    store_write(web, "etc/hostname", "web\n");
    cr_assert_eq(renameat(web, "dir", web, "moved"), 0);
    cr_assert(store_reads(s.p.overlays, "web/upper/etc/hostname", "web\n"));
    cr_assert(s.b->mounted(&s.p, "web"));
    cr_assert_eq(snapshot_each_mount(&s.p, collect, names, &s.err), 0);
    cr_assert_str_eq(names, "web ");
    cr_assert_eq(s.b->unmount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err), -EBUSY);
    close(web);
    store_unmount(&s, "web");
    close(store_mount(&s, "web"));
}

Test(snapshot, store_paths_may_hold_spaces_and_unicode)
{
    check_a_store_at("mein Lager 貯蔵 (#1) 'x' é");
}

Test(snapshot, store_paths_may_be_long)
{
    char where[800] = "";
    for (int i = 0; i < 30; i++)
        strcat(where, "a long way down/0123456");
    check_a_store_at(where);
}

Test(snapshot, the_probe_leaves_nothing)
{
    cr_assert_eq(mkdirat(s.p.overlays, ".probe", 0700), 0);
    cr_assert_eq(mkdirat(s.p.overlays, ".probe/lower", 0700), 0);
    cr_assert_eq(s.b->probe(&s.p, &s.err), 0, "%s", s.err.text);
    cr_assert_eq(snapshot_choose(&s.p, &s.err), &snapshot_overlay);
    cr_assert_not(store_has(s.p.overlays, ".probe"));
    cr_assert_eq(unlinkat(s.p.overlays, ".snap", AT_REMOVEDIR), 0, "not empty");
    cr_assert_eq(unlinkat(s.p.root, "overlays", AT_REMOVEDIR), 0, "not empty");
}

Test(snapshot, the_probe_says_what_is_missing)
{
    char ram[PATH_MAX];
    struct paths p;
    snprintf(ram, sizeof ram, "%s/ram", s.tmp);
    cr_assert_eq(mkdir(ram, 0700), 0);
    cr_assert_eq(mount("none", ram, "ramfs", 0, NULL), 0); /* no extended attributes */
    cr_assert_eq(paths_open(&p, ram, &s.err), 0);
    cr_assert_null(snapshot_choose(&p, &s.err));
    cr_assert_eq(s.err.code, ERR_MOUNT_FAILED);
    cr_assert(strstr(s.err.text, "overlay: cannot rename") && strstr(s.err.text, "ext4"), "%s",
              s.err.text);
    cr_assert_not(store_has(p.overlays, ".probe"));
    paths_close(&p);
    umount2(ram, MNT_DETACH);
}

Test(snapshot, the_probe_asks_for_the_capability)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2], less[2];
    cr_assert_eq(syscall(SYS_capget, &h, caps), 0);
    memcpy(less, caps, sizeof less);
    less[0].effective &= ~(1U << CAP_SYS_ADMIN);
    cr_assert_eq(syscall(SYS_capset, &h, less), 0);
    int r = s.b->probe(&s.p, &s.err);
    cr_assert_eq(syscall(SYS_capset, &h, caps), 0);
    cr_assert_eq(r, -EPERM);
    cr_assert(strstr(s.err.text, "CAP_SYS_ADMIN"), "%s", s.err.text);
}

Test(snapshot, activate_mounts_and_may_be_repeated)
{
    struct stage_settings settings = {.snapshot = s.b};
    struct stage_job job = {.name = "web", .sha256 = DIGEST, .paths = &s.p, .settings = &settings};
    struct stage_result result = {0};
    for (int i = 0; i < 2; i++)
        cr_assert_eq(activate_run(&job, &result, &s.err), 0, "%s", s.err.text);
    cr_assert(store_reads(s.p.active, "web/etc/hostname", "image\n"));
    job.policy = POLICY_FAITHFUL;
    job.name = "other";
    cr_assert_eq(activate_run(&job, &result, &s.err), -ENOENT);
    cr_assert_eq(s.err.code, ERR_MOUNT_FAILED);
    cr_assert(strstr(s.err.text, FAITHFUL), "%s", s.err.text);
    cr_assert_eq(result.retry, RETRY_NEVER);
    cr_assert_eq(activate_run(&job, &result, NULL), -ENOENT);
}
