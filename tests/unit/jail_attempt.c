/* jail_attempt LAYERS CALL: takes on the helper's jail, by the helper's own code, and tries what it
 * must not be able to. LAYERS are letters: d descriptors, p privileges, l Landlock, r limits, c
 * calls (the filter); `all` is jail_enter. CALL `report` writes what the process can see of its
 * jail to descriptor 3 and, unless the filter is there, waits until descriptor 0 ends.
 *
 * `list` writes the names of all calls. Exits with 0 after these, ATTEMPT_REFUSED if the call
 * failed with EPERM, ATTEMPT_DONE if it came back in any other way. */
#include "jail_attempt.h"

#include "base/io.h"
#include "base/text.h"
#include "base/wire.h"
#include "jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static char space[65536];

#define DO(n, call)                                                                                \
    if (strcmp(name, "list") == 0)                                                                 \
        io_write(WIRE_RECORDS_FD, n "\n", sizeof n);                                               \
    else if (strcmp(name, n) == 0)                                                                 \
        return call;

/* Straight to the kernel: the C library has ideas of its own. */
static long attempt(const char *name)
{
    char *const none[] = {NULL};
    long at = (long)AT_FDCWD, p = (long)space;
    struct iovec iov = {space, 1};
    DO("openat", syscall(SYS_openat, at, "/", O_RDONLY))
    DO("openat2", syscall(SYS_openat2, at, "/", p, 24))
    DO("statx", syscall(SYS_statx, at, "/", 0, 0, p))
    DO("chmod", syscall(SYS_fchmod, WIRE_DATA_FD, 04777))
    DO("chown", syscall(SYS_fchown, WIRE_DATA_FD, 0, 0))
    DO("setxattr", syscall(SYS_fsetxattr, WIRE_DATA_FD, "user.x", "", 0, 0))
    DO("chdir", syscall(SYS_chdir, "/"))
    DO("fchdir", syscall(SYS_fchdir, WIRE_DATA_FD))
    DO("chroot", syscall(SYS_chroot, "/"))
    DO("mount", syscall(SYS_mount, "x", "/", "tmpfs", 0, 0))
    DO("umount", syscall(SYS_umount2, "/", 0))
    DO("pivot_root", syscall(SYS_pivot_root, ".", "."))
    DO("fsopen", syscall(SYS_fsopen, "tmpfs", 0))
    DO("open_tree", syscall(SYS_open_tree, at, "/", 0))
    DO("move_mount", syscall(SYS_move_mount, at, "/", at, "/", 0))
    DO("socket", syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))
    DO("socket_unix", syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))
    DO("socketpair", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p))
    DO("connect", syscall(SYS_connect, WIRE_DATA_FD, p, 16))
    DO("sendto", syscall(SYS_sendto, WIRE_RECORDS_FD, p, 1, 0, 0, 0))
    DO("sendmsg", syscall(SYS_sendmsg, WIRE_RECORDS_FD, p, 0))
    DO("pipe", syscall(SYS_pipe2, p, 0))
    DO("dup", syscall(SYS_dup, WIRE_DATA_FD))
    DO("fcntl", syscall(SYS_fcntl, WIRE_DATA_FD, F_DUPFD, 0))
    DO("ioctl", syscall(SYS_ioctl, WIRE_DATA_FD, TIOCSTI, p))
    DO("memfd_create", syscall(SYS_memfd_create, "x", 0))
    DO("eventfd", syscall(SYS_eventfd2, 0, 0))
    DO("epoll_create", syscall(SYS_epoll_create1, 0))
    DO("inotify", syscall(SYS_inotify_init1, 0))
    DO("fanotify", syscall(SYS_fanotify_init, 0, 0))
    DO("userfaultfd", syscall(SYS_userfaultfd, 0))
    DO("nanosleep", syscall(SYS_nanosleep, p, 0))
    DO("ptrace", syscall(SYS_ptrace, 0, 0, 0, 0))
    DO("process_vm_readv", syscall(SYS_process_vm_readv, getppid(), p, 0, p, 0, 0))
    DO("pidfd_open", syscall(SYS_pidfd_open, 1, 0))
    DO("execve", syscall(SYS_execve, "/bin/true", none, none))
    DO("execveat", syscall(SYS_execveat, WIRE_DATA_FD, "", none, none, AT_EMPTY_PATH))
    DO("kill", syscall(SYS_kill, 1, 0))
    DO("kill_all", syscall(SYS_kill, -1, SIGKILL))
    DO("tkill", syscall(SYS_tkill, 1, 0))
    DO("vfork", syscall(SYS_clone, CLONE_VFORK | CLONE_VM | SIGCHLD, space + 32768, 0, 0, 0))
    DO("clone", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
    DO("clone3", syscall(SYS_clone3, p, 64))
    DO("unshare", syscall(SYS_unshare, CLONE_NEWUSER))
    DO("setns", syscall(SYS_setns, WIRE_DATA_FD, 0))
    DO("setuid", syscall(SYS_setuid, 0))
    DO("setgroups", syscall(SYS_setgroups, 0, 0))
    DO("capset", syscall(SYS_capset, p, 0))
    DO("prctl", syscall(SYS_prctl, PR_SET_DUMPABLE, 1))
    DO("seccomp", syscall(SYS_seccomp, 0, 0, 0))
    DO("setrlimit", syscall(SYS_prlimit64, 0, RLIMIT_CPU, p, 0))
    DO("mmap_exec",
       syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    DO("mmap_file", syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, WIRE_ARCHIVE_FD, 0))
    DO("mmap_data", syscall(SYS_mmap, 0, 4096, PROT_WRITE, MAP_SHARED, WIRE_DATA_FD, 0))
    DO("mprotect_exec", syscall(SYS_mprotect, p & ~4095, 4096, PROT_READ | PROT_EXEC))
    DO("pkey_mprotect", syscall(SYS_pkey_mprotect, p & ~4095, 4096, PROT_EXEC, -1))
    DO("shmget", syscall(SYS_shmget, 1, 4096, 0600 | 01000))
    DO("msgget", syscall(SYS_msgget, 1, 0600 | 01000))
    DO("mq_open", syscall(SYS_mq_open, "x", O_CREAT, 0600, 0))
    DO("io_uring_setup", syscall(SYS_io_uring_setup, 1, p))
    DO("io_setup", syscall(SYS_io_setup, 1, p))
    DO("bpf", syscall(SYS_bpf, 0, p, 64))
    DO("perf_event_open", syscall(SYS_perf_event_open, p, 0, -1, -1, 0))
    DO("keyctl", syscall(SYS_keyctl, 0, 0, 0))
    DO("add_key", syscall(SYS_add_key, "user", "x", "x", 1, 0))
    DO("init_module", syscall(SYS_init_module, p, 0, ""))
    DO("reboot", syscall(SYS_reboot, 0, 0, 0))
    DO("sethostname", syscall(SYS_sethostname, "x", 1))
    DO("settimeofday", syscall(SYS_settimeofday, p, 0))
    DO("personality", syscall(SYS_personality, 0))
    DO("write_archive", syscall(SYS_write, WIRE_ARCHIVE_FD, "x", 1))
    DO("pwrite_archive", syscall(SYS_pwrite64, WIRE_ARCHIVE_FD, "x", 1, 0))
    DO("truncate_archive", syscall(SYS_ftruncate, WIRE_ARCHIVE_FD, 0))
    DO("read_data", syscall(SYS_read, WIRE_DATA_FD, p, 1))
    DO("pread_data", syscall(SYS_pread64, WIRE_DATA_FD, p, 1, 0))
    DO("write_data", syscall(SYS_write, WIRE_DATA_FD, "x", 1))
    DO("pwrite_records", syscall(SYS_pwrite64, WIRE_RECORDS_FD, "x", 1, 0))
    DO("read_records", syscall(SYS_read, WIRE_RECORDS_FD, p, 1))
    DO("writev", syscall(SYS_writev, WIRE_RECORDS_FD, &iov, 1))
    DO("sendfile", syscall(SYS_sendfile, WIRE_DATA_FD, WIRE_ARCHIVE_FD, 0, 1))
    DO("copy_file_range", syscall(SYS_copy_file_range, WIRE_ARCHIVE_FD, 0, WIRE_DATA_FD, 0, 1, 0))
    DO("splice", syscall(SYS_splice, WIRE_ARCHIVE_FD, 0, WIRE_RECORDS_FD, 0, 1, 0))
    DO("lseek", syscall(SYS_lseek, WIRE_ARCHIVE_FD, 0, 0))
    DO("fallocate", syscall(SYS_fallocate, WIRE_DATA_FD, 0, 0, 1))
    DO("flock", syscall(SYS_flock, WIRE_ARCHIVE_FD, 2))
    DO("sync", syscall(SYS_sync))
    DO("close", syscall(SYS_close, WIRE_DATA_FD))
    DO("unknown", syscall(100000))
    /* What newer architectures have no more, and a call of x32, another one in disguise. */
#ifdef __x86_64__
    DO("open", syscall(SYS_open, "/etc/passwd", O_RDONLY))
    DO("creat", syscall(SYS_creat, "/tmp/x", 0600))
    DO("stat", syscall(SYS_stat, "/", p))
    DO("readlink", syscall(SYS_readlink, "/", p, 100))
    DO("mkdir", syscall(SYS_mkdir, "/x", 0700))
    DO("unlink", syscall(SYS_unlink, "/x"))
    DO("rename", syscall(SYS_rename, "/x", "/y"))
    DO("symlink", syscall(SYS_symlink, "/x", "/y"))
    DO("mknod", syscall(SYS_mknod, "/x", S_IFCHR | 0600, 0))
    DO("poll", syscall(SYS_poll, p, 0, 1))
    DO("pause", syscall(SYS_pause))
    DO("fork", syscall(SYS_fork))
    DO("dup2", syscall(SYS_dup2, WIRE_DATA_FD, 9))
    DO("x32", syscall(0x40000000 + SYS_read, WIRE_ARCHIVE_FD, p, 0))
#endif
    return 99;
}

static void report_descriptors(struct text *t)
{
    text_add(t, "fds");
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            text_addf(t, " %d", fd);
}

static void report_capabilities(struct text *t)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2] = {0};
    unsigned bounding = 0;
    syscall(SYS_capget, &head, caps);
    for (int cap = 0; cap < 64; cap++)
        bounding += prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1;
    text_addf(t, "\ncaps %x %x bounding %u\nno_new_privs %d\n",
              caps[0].effective | caps[0].permitted | caps[0].inheritable,
              caps[1].effective | caps[1].permitted | caps[1].inheritable, bounding,
              prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void report_network(struct text *t)
{
    struct if_nameindex *all = if_nameindex();
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    text_add(t, "network");
    for (struct if_nameindex *i = all; i && i->if_index; i++) {
        struct ifreq r = {0};
        memcpy(r.ifr_name, i->if_name, strnlen(i->if_name, IFNAMSIZ - 1));
        int up = ioctl(s, SIOCGIFFLAGS, &r) < 0 ? -1 : (r.ifr_flags & IFF_UP) != 0;
        text_addf(t, " %s %s", i->if_name, up < 0 ? "?" : up ? "up" : "down");
    }
    text_add(t, "\n");
}

static void report_root(struct text *t)
{
    int n = 0;
    DIR *d = opendir("/");
    for (; d && readdir(d); n++)
        ;
    text_addf(t, "root %s %d\n", d ? "open" : strerrorname_np(errno), n);
}

/* One of each kind of thing that Landlock may deny. */
static void report_paths(struct text *t, const char *file, const char *dir)
{
    char made[4096];
    int fd = open(file, O_RDONLY);
    text_addf(t, "read %s\n", fd >= 0 ? "OK" : strerrorname_np(errno));
    fd = open(file, O_WRONLY);
    text_addf(t, "write %s\n", fd >= 0 ? "OK" : strerrorname_np(errno));
    fd = open(dir, O_RDONLY | O_DIRECTORY);
    text_addf(t, "list %s\n", fd >= 0 ? "OK" : strerrorname_np(errno));
    snprintf(made, sizeof made, "%s/made", dir);
    text_addf(t, "mkdir %s\n", mkdir(made, 0700) == 0 ? "OK" : strerrorname_np(errno));
    text_addf(t, "unlink %s\n", unlink(file) == 0 ? "OK" : strerrorname_np(errno));
}

static void report_limits(struct text *t)
{
    static const struct {
        const char *name;
        __rlimit_resource_t what;
    } all[] = {{"as", RLIMIT_AS},         {"cpu", RLIMIT_CPU},        {"fsize", RLIMIT_FSIZE},
               {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC},    {"core", RLIMIT_CORE},
               {"stack", RLIMIT_STACK},   {"memlock", RLIMIT_MEMLOCK}};
    text_add(t, "limits");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct rlimit r;
        getrlimit(all[i].what, &r);
        text_addf(t, " %s %lld %lld", all[i].name, (long long)r.rlim_cur, (long long)r.rlim_max);
    }
    text_add(t, "\n");
}

static void report(int argc, char **argv)
{
    struct text t = {0};
    char byte;
    report_descriptors(&t);
    report_capabilities(&t);
    report_limits(&t);
    report_network(&t);
    report_root(&t);
    if (argc > 4)
        report_paths(&t, argv[3], argv[4]);
    io_write(WIRE_RECORDS_FD, t.data, t.len);
    while (io_read(WIRE_ARCHIVE_FD, &byte, 1) > 0)
        ;
    _exit(0);
}

static int enter(const char *layers, struct err *err)
{
    const struct limits limits = {10000, 100 << 20, 10LL << 30, 10LL << 30};
    int r = strcmp(layers, "all") == 0 ? jail_descriptors(err) : 0;
    if (strcmp(layers, "all") == 0)
        return r < 0 ? r : jail_enter(&limits, 1 << 20, err);
    for (const char *l = layers; r == 0 && *l; l++)
        r = *l == 'd'   ? jail_descriptors(err)
            : *l == 'p' ? jail_privileges(err)
            : *l == 'l' ? jail_paths(err)
            : *l == 'r' ? jail_limits(&limits, 1 << 20, err)
                        : jail_calls(err);
    return r;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    if (argc < 3)
        return 2;
    /* Landlock alone wants no_new_privs, which privileges gives. */
    if (!strchr(argv[1], 'p') && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return 2;
    if (enter(argv[1], &err) < 0) {
        io_write(WIRE_RECORDS_FD, err.text, strlen(err.text));
        return 3;
    }
    if (strcmp(argv[2], "report") == 0)
        report(argc, argv);
    long r = attempt(argv[2]);
    if (strcmp(argv[2], "list") == 0)
        _exit(0);
    _exit(r == 99 ? 4 : r < 0 && errno == EPERM ? ATTEMPT_REFUSED : ATTEMPT_DONE);
}
