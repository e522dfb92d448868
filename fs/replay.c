#include "fs/replay.h"

#include "base/cleanup.h"
#include "fs/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define COMMANDS_FD STDIN_FILENO
#define COPY_FD     (STDERR_FILENO + 1)

/* --- the daemon's side */

/* The signals that the daemon's threads have blocked stay so: a terminal's Ctrl-C is the daemon's
 * to heed, whose end is this process's, too. No environment: what it says is meant for the daemon.
 */
static int spawn(int commands, int copy, char *const *argv, pid_t *pid)
{
    char *const no_environment[] = {NULL};
    posix_spawn_file_actions_t places;
    posix_spawn_file_actions_init(&places);
    posix_spawn_file_actions_adddup2(&places, commands, COMMANDS_FD);
    posix_spawn_file_actions_addopen(&places, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&places, STDOUT_FILENO, STDERR_FILENO);
    if (copy >= 0)
        posix_spawn_file_actions_adddup2(&places, copy, COPY_FD);
    posix_spawn_file_actions_addclosefrom_np(&places, copy >= 0 ? COPY_FD + 1 : COPY_FD);
    int r = posix_spawn(pid, "/proc/self/exe", &places, NULL, argv, no_environment);
    posix_spawn_file_actions_destroy(&places);
    return -r;
}

/* Our own descriptor of the copy is closed at once: it would outlive an unmount. */
int replay_start(const struct mounted *mount, pid_t *pid)
{
    char major[16], minor[16];
    int ends[2];
    snprintf(major, sizeof major, "%u", mount->major);
    snprintf(minor, sizeof minor, "%u", mount->minor);
    int copy CLEANUP_CLOSE = mounted_copy(mount);
    char *argv[] = {(char *)REPLAY_NAME, (char *)(uintptr_t)(copy < 0 ? mount->path : ""), major,
                    minor, NULL};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    int ours CLEANUP_CLOSE = ends[0], theirs CLEANUP_CLOSE = ends[1];
    int r = spawn(theirs, copy, argv, pid);
    return r < 0 ? r : steal_fd(ours);
}

/* --- the process */

/* Never onto what someone has mounted there. */
static int open_below(int dirfd, const char *name, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof how);
}

static int open_folder(int dirfd, const char *name)
{
    return open_below(dirfd, name, O_PATH | O_DIRECTORY);
}

/* By its path, at each command, for as long as that takes: who holds a folder of it keeps it from
 * being unmounted. */
static int open_root(const struct mounted *mount)
{
    int root CLEANUP_CLOSE =
        openat(*mount->path ? AT_FDCWD : COPY_FD, *mount->path ? mount->path : ".",
               O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    int r = mounted_check(mount, root);
    errno = -r;
    return r < 0 ? -1 : steal_fd(root);
}

/* What it holds is not looked at: see watch.c. */
static int modify(int folder, const char *name)
{
    int fd CLEANUP_CLOSE = open_below(folder, name, O_WRONLY);
    return fd < 0 || write(fd, "\n", 1) < 0 ? -1 : 0;
}

/* The files that change. */
static const struct {
    unsigned change;
    enum tree_node node;
} values[] = {
    {BACKEND_ERROR, TREE_ERROR}, {BACKEND_PROGRESS, TREE_PROGRESS}, {BACKEND_STATE, TREE_STATE}};

static int modify_each(int folder, unsigned files)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (files & values[i].change && modify(folder, tree_rows[values[i].node].name) < 0)
            r = -1;
    return r;
}

/* The link first, as when its going is told by itself. */
static void empty(int folder, bool rootfs)
{
    if (rootfs)
        (void)unlinkat(folder, tree_rows[TREE_ROOTFS].name, 0);
    for (enum tree_node n = TREE_NONE + 1; n < TREE_NODES; n++)
        if (tree_rows[n].parent == TREE_IMAGE && tree_rows[n].name && n != TREE_ROOTFS)
            (void)unlinkat(folder, tree_rows[n].name,
                           S_ISDIR(tree_rows[n].mode) ? AT_REMOVEDIR : 0);
}

/* The folder is let go of first, or it would not be gone when its removal is told. */
static int vanish(int images, const struct replay_command *c)
{
    int folder = open_folder(images, c->name);
    if (folder >= 0) {
        empty(folder, c->rootfs);
        close(folder);
    }
    return unlinkat(images, c->name, AT_REMOVEDIR);
}

/* For who watches such a file, or snapshots/, itself. */
static int gone(int root)
{
    int folder CLEANUP_CLOSE = open_folder(root, REPLAY_GONE_DIR);
    for (size_t i = 0; folder >= 0 && i < ARRAY_SIZE(values); i++)
        (void)unlinkat(folder, tree_rows[values[i].node].name, 0);
    if (folder >= 0)
        (void)unlinkat(folder, tree_rows[TREE_SNAPSHOTS].name, AT_REMOVEDIR);
    return folder < 0 ? -1 : 0;
}

static int in_image(int images, const struct replay_command *c)
{
    int folder CLEANUP_CLOSE = open_folder(images, c->name);
    if (folder < 0)
        return -1;
    if (c->kind == REPLAY_LINK)
        return symlinkat(".", folder, tree_rows[TREE_ROOTFS].name);
    if (c->kind == REPLAY_UNLINK)
        return unlinkat(folder, tree_rows[TREE_ROOTFS].name, 0);
    return modify_each(folder, c->files);
}

static int replay(const struct mounted *mount, const struct replay_command *c)
{
    int root CLEANUP_CLOSE = open_root(mount);
    if (root < 0)
        return -1;
    if (c->kind == REPLAY_GONE)
        return gone(root);
    int images CLEANUP_CLOSE = open_folder(root, tree_rows[TREE_IMAGES].name);
    if (images < 0)
        return -1;
    if (c->kind == REPLAY_APPEAR)
        return mkdirat(images, c->name, 0755);
    return c->kind == REPLAY_VANISH ? vanish(images, c) : in_image(images, c);
}

int replay_main(int argc, char **argv)
{
    struct replay_command c;
    if (argc != 4)
        return 2;
    struct mounted mount = {.path = argv[1],
                            .major = (unsigned)strtoul(argv[2], NULL, 10),
                            .minor = (unsigned)strtoul(argv[3], NULL, 10)};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, REPLAY_NAME); /* as far as it fits */
    if (chdir("/") < 0)
        return 1;
    while (recv(COMMANDS_FD, &c, sizeof c, 0) == (ssize_t)sizeof c) {
        c.name[sizeof c.name - 1] = '\0';
        unsigned char num = replay(&mount, &c) < 0 ? (unsigned char)errno : 0;
        if (send(COMMANDS_FD, &num, 1, MSG_NOSIGNAL) != 1)
            return 1;
    }
    return 0;
}
