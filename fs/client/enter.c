#include "fs/client/enter.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "fs/client/inside.h"
#include "fs/client/shell.h"
#include "fs/client/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t clone_into(uint64_t flags)
{
    struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static int write_file(const char *path, const char *text)
{
    int fd CLEANUP_CLOSE = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : io_write(fd, text, strlen(text));
}

/* Whoever calls is root in there, and nobody else is anybody. */
static int map_to_root(uid_t uid, gid_t gid)
{
    char line[64];
    int r = write_file("/proc/self/setgroups", "deny");
    snprintf(line, sizeof line, "0 %u 1", uid);
    if (r == 0)
        r = write_file("/proc/self/uid_map", line);
    snprintf(line, sizeof line, "0 %u 1", gid);
    return r == 0 ? write_file("/proc/self/gid_map", line) : r;
}

struct entry {
    const char *rootfs, *name;
    char **argv;
    bool mapped; /* in a user namespace of its own */
    uid_t uid;
    gid_t gid;
    struct signals before;
};

/* The first process of the namespaces. Its end is the end of all others in there. */
static _Noreturn void first(const struct entry *entry)
{
    struct err err = {0};
    int r = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    inside_forget();
    if (entry->mapped && (r = map_to_root(entry->uid, entry->gid)) < 0)
        err_set(&err, ERR_NONE, -r, "cannot be root in a user namespace: %s", strerror(-r));
    if (r == 0)
        r = inside_enter(entry->rootfs, entry->name, entry->mapped, &err);
    if (r < 0) {
        fprintf(stderr, "imgstore: %s: %s\n", entry->name, err.text);
        _exit(SHELL_NOT_ENTERED);
    }
    pid_t pid = fork();
    if (pid == 0) {
        signals_put_back(&entry->before);
        inside_exec(entry->name, entry->argv);
    }
    if (pid < 0)
        fprintf(stderr, "imgstore: %s: cannot fork: %s\n", entry->name, strerror(errno));
    _exit(pid < 0 ? SHELL_NOT_ENTERED : signals_wait(pid));
}

static int cannot(int num, struct err *err)
{
    return err_set(err, ERR_NONE, num,
                   "cannot make namespaces: %s; it takes root, or a kernel that lets users have "
                   "user namespaces (sysctl user.max_user_namespaces)",
                   strerror(num));
}

/* A shell in there takes the terminal for its own group of processes, and cannot give it back: of
 * those outside it knows no numbers. */
static void take_back(pid_t group)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU); /* what the taking would earn us */
    sigprocmask(SIG_BLOCK, &stop, NULL);
    if (group > 0 && group == getpgrp())
        tcsetpgrp(STDIN_FILENO, group);
}

int enter_run(const char *rootfs, const char *name, char **argv, struct err *err)
{
    struct entry entry = {
        .rootfs = rootfs, .name = name, .argv = argv, .uid = geteuid(), .gid = getegid()};
    const uint64_t flags = CLONE_NEWNS | CLONE_NEWPID;
    pid_t foreground = tcgetpgrp(STDIN_FILENO);
    fflush(stdout); /* what is buffered is said once */
    signals_hold(&entry.before);
    pid_t pid = clone_into(flags);
    if (pid < 0 && errno == EPERM) {
        entry.mapped = true;
        pid = clone_into(flags | CLONE_NEWUSER);
    }
    if (pid == 0)
        first(&entry);
    if (pid < 0)
        return cannot(errno, err);
    int code = signals_wait(pid);
    take_back(foreground);
    return code;
}
