/* A layer that is in use: through this mount namespace, and through another one. */
#include "snapshot_store.h"

#include "stages/snapshot/holder.h"

#include <linux/fs.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

static struct store s;

static void set_up(void)
{
    store_up_at(&s, "store");
}

static bool set_immutable(const char *name, bool on)
{
    int flags, fd CLEANUP_CLOSE = openat(s.p.overlays, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
        return false;
    flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static void tear_down(void)
{
    set_immutable("web", false);
    store_down(&s);
}

TestSuite(snapshot_use, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *active(const char *name)
{
    return store_path("%s/active/%s", s.p.dir, name);
}

/* Refused, and everything is as it was. */
static void check_busy(const char *says)
{
    s.err = (struct err){0};
    int r = s.b->unmount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err);
    cr_assert_eq(r, -EBUSY);
    cr_assert_eq(s.err.num, EBUSY);
    cr_assert_eq(s.err.code, ERR_MOUNT_FAILED);
    cr_assert(strstr(s.err.text, says), "%s", s.err.text);
    cr_assert(s.b->mounted(&s.p, "web"));
    cr_assert(store_reads(s.p.active, "web/mine", "m\n"));
}

static void mount_web(void)
{
    int web CLEANUP_CLOSE = store_mount(&s, "web");
    store_write(web, "mine", "m\n");
}

static void unmount_web(void)
{
    store_unmount(&s, "web");
    cr_assert_not(store_has(s.p.active, "web"));
    mount_web();
}

static void sit_inside(void *ctx)
{
    if (chdir(active("web")) < 0)
        _exit(1);
}

static void write_note(void *ctx)
{
    store_write(AT_FDCWD, "note", "n\n");
}

Test(snapshot_use, by_a_current_directory)
{
    struct sitter sit;
    char who[64];
    mount_web();
    sitter_start(&sit, sit_inside, write_note, NULL);
    snprintf(who, sizeof who, "pid %d (", (int)sit.pid);
    check_busy(who);
    check_busy("current directory");
    sitter_later(&sit);
    cr_assert(store_reads(s.p.active, "web/note", "n\n"));
    sitter_end(&sit);
    unmount_web();
}

static void enter(void *ctx)
{
    if (chroot(active("web")) < 0)
        _exit(1);
}

Test(snapshot_use, by_a_chroot)
{
    struct sitter sit;
    mount_web();
    sitter_start(&sit, enter, NULL, NULL);
    check_busy("root directory");
    sitter_end(&sit);
    unmount_web();
}

Test(snapshot_use, by_an_open_file)
{
    mount_web();
    int web = store_root(&s, "web");
    check_busy("open file");
    close(web);
    unmount_web();
}

Test(snapshot_use, by_a_mount_inside)
{
    mount_web();
    cr_assert_eq(mount("none", active("web/dir"), "tmpfs", 0, NULL), 0);
    check_busy("none (tmpfs) is mounted inside, at dir");
    umount2(active("web/dir"), 0);
    unmount_web();
}

static void go_elsewhere(void *ctx)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        _exit(1);
}

static void go_elsewhere_inside(void *ctx)
{
    go_elsewhere(ctx);
    sit_inside(ctx);
}

/* As a container runtime does it: the overlay becomes the root of a namespace. */
static void pivot_elsewhere(void *ctx)
{
    go_elsewhere_inside(ctx);
    if (mount(".", ".", NULL, MS_BIND, NULL) < 0 || chdir(active("web")) < 0 ||
        mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        _exit(1);
}

static void write_note_inside(void *ctx)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/note", access("/mine", F_OK) == 0 ? "" : active("web"));
    store_write(AT_FDCWD, path, "n\n");
}

/* Both sides see what the other one writes, be it looked for before: one superblock, not two. */
static void check_one_superblock(struct sitter *sit)
{
    cr_assert_not(store_has(s.p.active, "web/note"));
    sitter_later(sit);
    cr_assert(store_reads(s.p.active, "web/note", "n\n"));
}

static dev_t device(void)
{
    struct stat st;
    cr_assert_eq(fstatat(s.p.active, "web", &st, 0), 0);
    return st.st_dev;
}

static void check_held(void (*hold)(void *ctx))
{
    struct sitter sit;
    struct statvfs st;
    char who[64];
    mount_web();
    dev_t before = device();
    sitter_start(&sit, hold, write_note_inside, NULL);
    snprintf(who, sizeof who, "pid %d (", (int)sit.pid);
    check_busy(who);
    check_busy("mount namespace");
    cr_assert_eq(device(), before);
    cr_assert_eq(statvfs(active("web"), &st), 0);
    cr_assert_eq(st.f_flag & (ST_NOSUID | ST_NODEV | ST_RDONLY), ST_NOSUID | ST_NODEV);
    check_one_superblock(&sit);
    sitter_end(&sit);
    unmount_web();
}

Test(snapshot_use, by_an_idle_namespace)
{
    check_held(go_elsewhere);
}

Test(snapshot_use, by_a_process_in_a_namespace)
{
    check_held(go_elsewhere_inside);
}

Test(snapshot_use, by_a_container)
{
    check_held(pivot_elsewhere);
}

static void go_elsewhere_read_only(void *ctx)
{
    go_elsewhere(ctx);
    if (mount(NULL, active("web"), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC, NULL) < 0)
        _exit(1);
}

/* How the holder mounted it is the holder's business. */
Test(snapshot_use, by_a_namespace_that_has_it_read_only)
{
    struct sitter sit;
    struct statvfs st;
    mount_web();
    dev_t before = device();
    sitter_start(&sit, go_elsewhere_read_only, NULL, NULL);
    check_busy("mount namespace");
    cr_assert_eq(device(), before);
    cr_assert_eq(statvfs(active("web"), &st), 0);
    cr_assert_eq(st.f_flag & (ST_NOSUID | ST_NODEV | ST_RDONLY | ST_NOEXEC), ST_NOSUID | ST_NODEV);
    sitter_end(&sit);
    unmount_web();
}

static void go_elsewhere_and_cover(void *ctx)
{
    go_elsewhere(ctx);
    if (mount("none", active("web"), "tmpfs", 0, NULL) < 0)
        _exit(1);
}

/* What lies over it there must not be taken for it. */
Test(snapshot_use, by_a_namespace_that_covered_it)
{
    struct sitter sit;
    mount_web();
    sitter_start(&sit, go_elsewhere_and_cover, NULL, NULL);
    check_busy("mount namespace");
    sitter_end(&sit);
    unmount_web();
}

Test(snapshot_use, by_another_mount_here)
{
    mount_web();
    cr_assert_eq(mkdirat(s.p.root, "elsewhere", 0700), 0);
    char to[PATH_MAX];
    snprintf(to, sizeof to, "%s/elsewhere", s.p.dir);
    cr_assert_eq(mount(active("web"), to, NULL, MS_BIND, NULL), 0);
    dev_t before = device();
    check_busy("/elsewhere");
    cr_assert_eq(device(), before);
    umount2(to, 0);
    unmount_web();
}

/* It is put back as it was there, too, and not a second superblock over the same layer. */
Test(snapshot_use, where_layers_lie_on_another_disk)
{
    char overlays[PATH_MAX], layers[PATH_MAX], to[PATH_MAX], dir[PATH_MAX];
    snprintf(overlays, sizeof overlays, "%s/overlays", s.p.dir);
    snprintf(layers, sizeof layers, "%s/layers", s.p.dir);
    snprintf(to, sizeof to, "%s/elsewhere", s.p.dir);
    strcpy(dir, s.p.dir);
    cr_assert_eq(rename(overlays, layers), 0);
    cr_assert_eq(symlink(layers, overlays), 0);
    paths_close(&s.p);
    cr_assert_eq(paths_open(&s.p, dir, &s.err), 0, "%s", s.err.text);
    mount_web();
    cr_assert_eq(mkdirat(s.p.root, "elsewhere", 0700), 0);
    cr_assert_eq(mount(active("web"), to, NULL, MS_BIND, NULL), 0);
    dev_t before = device();
    check_busy("/elsewhere");
    cr_assert_eq(device(), before);
    umount2(to, 0);
    unmount_web();
}

/* Nobody in /proc has it mounted, and still it is held: by a descriptor of a detached mount. */
Test(snapshot_use, by_nobody_who_can_be_seen)
{
    mount_web();
    int tree = open_tree(AT_FDCWD, active("web"), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    cr_assert_geq(tree, 0);
    check_busy("no process that can be seen");
    close(tree);
    unmount_web();
}

/* The kernel gives a superblock's number to the next one: another layer's must not be taken for
 * ours, else the image would show what was written to the other. */
Test(snapshot_use, not_by_who_has_its_number_now)
{
    struct holder h;
    char upper[PATH_MAX];
    mount_web();
    h = (struct holder){.dev = device()};
    snprintf(upper, sizeof upper, "%s/overlays/other/upper", s.p.dir);
    holder_find(&h, upper);
    cr_assert_eq(h.pid, 0, "%s", h.who);
    snprintf(upper, sizeof upper, "%s/overlays/web/upper", s.p.dir);
    holder_find(&h, upper);
    cr_assert_eq(h.pid, getpid());
    int tree CLEANUP_CLOSE = holder_borrow(&h, upper);
    cr_assert_geq(tree, 0);
    close(steal_fd(tree));
    snprintf(upper, sizeof upper, "%s/overlays/web", s.p.dir);
    cr_assert_eq(holder_borrow(&h, upper), -ENOENT);
    unmount_web();
}

Test(snapshot_use, elsewhere_and_not_mounted_here)
{
    struct sitter sit;
    char who[64];
    mount_web();
    sitter_start(&sit, go_elsewhere, NULL, NULL);
    cr_assert_eq(umount2(active("web"), 0), 0);
    snprintf(who, sizeof who, "pid %d (", (int)sit.pid);

    cr_assert_eq(s.b->mount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err), -EBUSY);
    cr_assert_eq(s.err.num, EBUSY);
    cr_assert(strstr(s.err.text, who), "%s", s.err.text);
    cr_assert_not(s.b->mounted(&s.p, "web"));
    s.err = (struct err){0};
    cr_assert_eq(s.b->unmount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err), -EBUSY);
    cr_assert(strstr(s.err.text, who), "%s", s.err.text);
    cr_assert_not(s.b->mounted(&s.p, "web"));

    sitter_end(&sit);
    mount_web();
    unmount_web();
}

static void follow(void *ctx)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        _exit(1);
}

static void look(void *ctx)
{
    if (!store_reads(AT_FDCWD, active("web/mine"), "m\n"))
        _exit(1);
}

/* A namespace that follows ours (a unit with PrivateTmp, say) is no holder. */
Test(snapshot_use, a_namespace_that_follows_is_no_holder)
{
    struct sitter sit;
    cr_assert_eq(mount(s.tmp, s.tmp, NULL, MS_BIND | MS_REC, NULL), 0);
    cr_assert_eq(mount(NULL, s.tmp, NULL, MS_REC | MS_SHARED, NULL), 0);
    char dir[PATH_MAX];
    strcpy(dir, s.p.dir);
    paths_close(&s.p);
    cr_assert_eq(paths_open(&s.p, dir, &s.err), 0);
    sitter_start(&sit, follow, look, NULL);
    mount_web();
    sitter_later(&sit); /* our mounts reach it */
    unmount_web();
    sitter_end(&sit);
    s.b->unmount(&s.p, "web", DIGEST, POLICY_STRICT, NULL);
    paths_close(&s.p);
    umount2(s.tmp, MNT_DETACH);
}

/* A full disk, or whatever else keeps us from writing, must not make it look free. */
Test(snapshot_use, is_seen_where_nothing_can_be_written)
{
    struct sitter sit;
    mount_web();
    if (!set_immutable("web", true)) {
        tear_down();
        cr_skip_test("needs a file system with immutable directories");
    }
    sitter_start(&sit, go_elsewhere, NULL, NULL);
    check_busy("mount namespace");
    sitter_end(&sit);
    int r = s.b->unmount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err);
    set_immutable("web", false);
    cr_assert_eq(r, 0, "%s", s.err.text);
}

static volatile bool done;

/* Children that live a while: what they got a copy of stays open as long. */
static void *fork_on(void *arg)
{
    while (!done) {
        pid_t pid = fork();
        if (pid == 0) {
            usleep(20000);
            _exit(0);
        }
        usleep(200);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    while (waitpid(-1, NULL, 0) > 0)
        ;
    return NULL;
}

Test(snapshot_use, not_by_what_is_forked_meanwhile)
{
    pthread_t t;
    cr_assert_eq(pthread_create(&t, NULL, fork_on, NULL), 0);
    int r = 0;
    for (int i = 0; i < 50 && r == 0; i++) {
        r = s.b->mount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err);
        if (r == 0)
            r = s.b->unmount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err);
    }
    done = true;
    pthread_join(t, NULL);
    cr_assert_eq(r, 0, "%s", s.err.text);
}

Test(snapshot_use, names_do_not_disturb_each_other)
{
    struct sitter sit;
    mount_web();
    close(store_mount(&s, "other"));
    sitter_start(&sit, sit_inside, NULL, NULL);
    store_unmount(&s, "other");
    close(store_mount(&s, "other"));
    store_unmount(&s, "other");
    check_busy("current directory");
    sitter_end(&sit);
}

/* Unpacking helpers, one after the other: each goes into its jail, whose mount namespace begins as
 * a copy of all mounts, and then finds an archive of nothing. */
static void *unpack_on(void *count)
{
    while (!done) {
        pid_t pid = fork();
        if (pid == 0) {
            int null = open("/dev/null", O_RDWR);
            close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
            if (dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(0, 3) == 3)
                execl(UNPACK_HELPER, UNPACK_HELPER, "1", "1", "1", NULL);
            _exit(127);
        }
        int status;
        if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1)
            ++*(int *)count;
    }
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

Test(snapshot_use, not_by_helpers_on_their_way_into_the_jail)
{
    pthread_t threads[2];
    char bystander[32];
    int helpers[2] = {0}, rounds = 0, busy = 0;
    for (int i = 0; i < 20; i++) { /* the more mounts, the longer a copy takes */
        snprintf(bystander, sizeof bystander, "bystander-%d", i);
        close(store_mount(&s, bystander));
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, unpack_on, &helpers[i]), 0);
    for (int64_t end = now_ms() + 5000; now_ms() < end; rounds++) {
        busy += s.b->mount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err) < 0;
        busy += s.b->unmount(&s.p, "web", DIGEST, POLICY_STRICT, &s.err) < 0;
    }
    done = true;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    cr_log_info("%d rounds, %d refused, during %d helpers", rounds, busy, helpers[0] + helpers[1]);
    cr_assert_eq(busy, 0, "%d of %d: %s", busy, rounds, s.err.text);
    cr_assert(rounds > 2 && helpers[0] + helpers[1] > 2);
}
