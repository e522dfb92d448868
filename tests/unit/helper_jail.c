/* The helper's jail, as a whole and layer by layer: jail_attempt takes it on by the helper's own
 * code and tries to get out. */
#include "jail.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "base/wire.h"
#include "inflate.h"
#include "jail_attempt.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A run of jail_attempt. */
struct
try {
    pid_t pid;
    int archive, data, records; /* our ends */
    struct text said;
    int status;
};

static void program(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    cr_assert_gt(n, 0);
    out[n] = '\0';
    strcpy(strrchr(out, '/') + 1, "jail_attempt");
}

static _Noreturn void become(int archive, int data, int records, char *const argv[])
{
    char path[PATH_MAX];
    program(path);
    int fds[] = {fcntl(archive, F_DUPFD_CLOEXEC, 100), fcntl(data, F_DUPFD_CLOEXEC, 100),
                 fcntl(records, F_DUPFD_CLOEXEC, 100)};
    dup2(fds[0], WIRE_ARCHIVE_FD);
    dup2(fds[1], WIRE_DATA_FD);
    dup2(fds[2], WIRE_RECORDS_FD);
    dup2(fds[0], 50); /* one that got through */
    execv(path, argv);
    _exit(127);
}

/* before: what is done in the child first; may be NULL. */
static struct try begin(void (*before)(void), const char *layers, const char *call,
                        const char *file, const char *dir)
{
    char *argv[] = {(char[]){"jail_attempt"}, (char *)(uintptr_t)layers, (char *)(uintptr_t)call,
                    (char *)(uintptr_t)file,  (char *)(uintptr_t)dir,    NULL};
    int archive[2], records[2];
    struct try t = {.data = memfd_create("data", MFD_CLOEXEC)};
    cr_assert_eq(pipe2(archive, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(records, O_CLOEXEC), 0);
    t.pid = fork();
    if (t.pid == 0) {
        if (before)
            before();
        become(archive[0], t.data, records[1], argv);
    }
    close(archive[0]);
    close(records[1]);
    t.archive = archive[1];
    t.records = records[0];
    return t;
}

static void end(struct try *t)
{
    char chunk[4096];
    close(t->archive);
    for (ssize_t n; (n = read(t->records, chunk, sizeof chunk)) > 0;)
        text_addn(&t->said, chunk, (size_t)n);
    close(t->records);
    close(t->data);
    cr_assert_eq(waitpid(t->pid, &t->status, 0), t->pid);
}

/* What it saw of itself. */
static struct text report_from(void (*before)(void), const char *layers, const char *file,
                               const char *dir)
{
    struct try t = begin(before, layers, "report", file, dir);
    end(&t);
    cr_assert(WIFEXITED(t.status) && WEXITSTATUS(t.status) == 0, "%x: %s", t.status,
              t.said.data ? t.said.data : "");
    return t.said;
}

static struct text report(const char *layers)
{
    return report_from(NULL, layers, NULL, NULL);
}

static void says(const struct text *t, const char *want)
{
    cr_assert(strstr(t->data, want), "no \"%s\" in:\n%s", want, t->data);
}

/* ---- the whole ---- */

static bool allowed_to_sanitizers(const char *call)
{
    return JAIL_SANITIZED && strcmp(call, "mprotect_exec") == 0;
}

static void dies_of(const char *call)
{
    struct try t = begin(NULL, "all", call, NULL, NULL);
    end(&t);
    bool refused = WIFEXITED(t.status) && WEXITSTATUS(t.status) == ATTEMPT_REFUSED;
    bool dead = WIFSIGNALED(t.status) && WTERMSIG(t.status) == SIGSYS;
    cr_assert(dead || (JAIL_SANITIZED && refused), "%s: %x", call, (unsigned)t.status);
    text_free(&t.said);
}

Test(jail, every_call_that_is_not_for_the_work_is_death)
{
    struct try list = begin(NULL, "", "list", NULL, NULL);
    end(&list);
    int n = 0;
    for (char *call = strtok(list.said.data, "\n"); call; call = strtok(NULL, "\n"), n++)
        if (!allowed_to_sanitizers(call))
            dies_of(call);
    cr_assert_gt(n, 90);
    text_free(&list.said);
}

/* The control: without the filter the attempts do come back. */
Test(jail, without_the_filter_the_attempts_are_real)
{
    static const char *const harmless[] = {"openat", "socket", "clone",     "mmap_exec",
                                           "ioctl",  "dup",    "read_data", "pwrite_archive"};
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
        struct try t = begin(NULL, "", harmless[i], NULL, NULL);
        end(&t);
        cr_assert(WIFEXITED(t.status) && WEXITSTATUS(t.status) == ATTEMPT_DONE, "%s: %x",
                  harmless[i], t.status);
        text_free(&t.said);
    }
}

/* ---- layer by layer ---- */

Test(layers, three_descriptors)
{
    struct text t CLEANUP_TEXT = report("d");
    says(&t, JAIL_SANITIZED ? "fds 0 1 2 3\n" : "fds 0 1 3\n");
}

Test(layers, no_capability)
{
    struct text t CLEANUP_TEXT = report("p");
    says(&t, "caps 0 0 bounding ");
    says(&t, "no_new_privs 1\n");
    if (geteuid() == 0)
        says(&t, "bounding 0\n");
}

Test(layers, limits)
{
    struct text t CLEANUP_TEXT = report("r");
    char as[64];
    snprintf(as, sizeof as, "limits as %d %d ", JAIL_SANITIZED ? -1 : 512 << 20,
             JAIL_SANITIZED ? -1 : 512 << 20);
    says(&t, as);
    says(&t, " cpu 3160 3161 fsize 1048576 1048576 nofile 0 0 nproc 0 0 core 0 0 ");
    says(&t, " memlock 0 0\n");
}

static bool have_namespaces(void)
{
    pid_t pid = fork();
    int status;
    if (pid == 0)
        _exit(
            unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) < 0 &&
            (unshare(CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) < 0));
    waitpid(pid, &status, 0);
    return status == 0;
}

/* As root of a container that has a user namespace: there is one id. */
static void in_a_user_namespace(void)
{
    uid_t uid = geteuid();
    if (unshare(CLONE_NEWUSER) < 0)
        _exit(126);
    int map CLEANUP_CLOSE = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    if (map < 0 || dprintf(map, "0 %u 1", uid) < 0)
        _exit(125);
}

static void as_nobody(void)
{
    if (geteuid() == 0 &&
        (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
        _exit(126);
}

/* As in a container that lets nobody make any: in a user namespace of the test's own. */
static void without_namespaces(void)
{
    in_a_user_namespace();
    static const char *const kinds[] = {"user", "mnt", "net", "ipc"};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kinds[i]);
        int fd = open(path, O_WRONLY);
        if (fd < 0 || write(fd, "0", 1) != 1)
            _exit(124);
        close(fd);
    }
    if (unshare(CLONE_NEWUSER) == 0 || unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWNS) == 0)
        _exit(123);
}

Test(layers, a_network_of_its_own_that_is_down_and_an_empty_root)
{
    if (!have_namespaces())
        cr_skip_test("no namespaces to be had here");
    static void (*const befores[])(void) = {NULL, as_nobody, in_a_user_namespace};
    for (size_t i = 0; i < ARRAY_SIZE(befores); i++) {
        struct text t CLEANUP_TEXT = report_from(befores[i], "p", NULL, NULL);
        says(&t, "network lo down\n");
        says(&t, "root open 2\n");
        says(&t, "caps 0 0 bounding ");
    }
}

Test(layers, without_namespaces_the_rest_stands)
{
    if (!have_namespaces())
        cr_skip_test("no namespaces to be had here");
    struct text t CLEANUP_TEXT = report_from(without_namespaces, "dplr", "/etc/passwd", "/tmp");
    says(&t, JAIL_SANITIZED ? "fds 0 1 2 3\n" : "fds 0 1 3\n");
    says(&t, "caps 0 0 bounding 0\n");
    says(&t, "no_new_privs 1\n");
    says(&t, "list E"); /* by Landlock, or for want of a descriptor */
    struct try dies = begin(without_namespaces, "all", "openat", NULL, NULL);
    end(&dies);
    cr_assert(JAIL_SANITIZED ? WIFEXITED(dies.status) && WEXITSTATUS(dies.status) == ATTEMPT_REFUSED
                             : WIFSIGNALED(dies.status) && WTERMSIG(dies.status) == SIGSYS);
    text_free(&dies.said);
}

static bool same_namespace(pid_t pid, const char *kind)
{
    char theirs[64], ours[64], a[64] = {0}, b[64] = {0};
    snprintf(theirs, sizeof theirs, "/proc/%d/ns/%s", pid, kind);
    snprintf(ours, sizeof ours, "/proc/self/ns/%s", kind);
    cr_assert_gt(readlink(theirs, a, sizeof a - 1), 0);
    cr_assert_gt(readlink(ours, b, sizeof b - 1), 0);
    return strcmp(a, b) == 0;
}

/* From outside, where root can see it: four namespaces, and one mount where there were many. */
Test(layers, four_namespaces_and_no_mount_of_ours)
{
    if (geteuid() != 0 || !have_namespaces())
        cr_skip_test("needs root, to look into another process");
    static const char *const kinds[] = {"user", "mnt", "net", "ipc"};
    struct try t = begin(NULL, "all", "report", NULL, NULL);
    if (!JAIL_SANITIZED) { /* a report is more than the filter allows */
        end(&t);
        t = begin(NULL, "dplr", "report", NULL, NULL);
    }
    char byte, path[64], mounts[4096];
    cr_assert_eq(read(t.records, &byte, 1), 1);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        cr_assert_not(same_namespace(t.pid, kinds[i]), "%s", kinds[i]);
    snprintf(path, sizeof path, "/proc/%d/mountinfo", t.pid);
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = io_read(fd, mounts, sizeof mounts - 1);
    cr_assert_gt(n, 0);
    mounts[n] = '\0';
    for (char *line = strtok(mounts, "\n"); line; line = strtok(NULL, "\n"))
        cr_assert(strstr(line, " / / ro,nosuid,nodev,noexec") || strstr(line, " - rootfs "), "%s",
                  line);
    end(&t);
    text_free(&t.said);
}

/* Mounts that propagate are as they were. */
Test(layers, the_mounts_outside_stay)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
        cr_skip_test("needs root, to mount");
    char dir[] = "/tmp/helper_jail.XXXXXX", inner[64];
    cr_assert(mkdtemp(dir));
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("outer", dir, "tmpfs", 0, NULL), 0);
    snprintf(inner, sizeof inner, "%s/inner", dir);
    cr_assert_eq(mkdir(inner, 0700), 0);
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL), 0);
    cr_assert_eq(mount("inner", inner, "tmpfs", 0, NULL), 0);
    struct text before CLEANUP_TEXT = {0}, after CLEANUP_TEXT = {0};
    for (int i = 0; i < 2; i++) {
        char chunk[4096];
        int fd CLEANUP_CLOSE = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) > 0;)
            text_addn(i ? &after : &before, chunk, (size_t)n);
        if (i == 0) {
            struct text t CLEANUP_TEXT = report("p");
            says(&t, "network lo down\n");
        }
    }
    cr_assert_str_eq(before.data, after.data);
    umount2(inner, MNT_DETACH);
    umount2(dir, MNT_DETACH);
    rmdir(dir);
}

static bool have_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* Alone, so that no other layer can be what denies. */
Test(layers, landlock_denies_every_path)
{
    if (!have_landlock())
        cr_skip_test("no Landlock here");
    char dir[] = "/tmp/helper_jail.XXXXXX", file[64], made[64];
    cr_assert(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/file", dir);
    snprintf(made, sizeof made, "%s/made", dir);
    for (int locked = 0; locked < 2; locked++) {
        int fd CLEANUP_CLOSE = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        cr_assert(fd >= 0);
        struct text t CLEANUP_TEXT = report_from(NULL, locked ? "l" : "", file, dir);
        says(&t, locked ? "read EACCES\nwrite EACCES\nlist EACCES\nmkdir EACCES\nunlink EACCES\n"
                        : "read OK\nwrite OK\nlist OK\nmkdir OK\nunlink OK\n");
        cr_assert_eq(access(made, F_OK) == 0, !locked);
        rmdir(made);
    }
    unlink(file);
    rmdir(dir);
}
