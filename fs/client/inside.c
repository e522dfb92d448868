#include "fs/client/inside.h"

#include "base/cleanup.h"
#include "fs/client/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* A copy of the mount, over the mount: one that is ours alone, and that may be the root (of those
 * that a user namespace inherits, none may). */
static int cover(const char *rootfs, struct err *err)
{
    int root CLEANUP_CLOSE =
        open_tree(AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (root < 0 && errno == EACCES)
        return err_set(err, ERR_NONE, errno,
                       "you may not enter %s: the store is another user's; run it as that user, or "
                       "with sudo",
                       rootfs);
    if (root < 0 ||
        move_mount(root, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
        return err_set(err, ERR_NONE, errno, "cannot mount it: %s", strerror(errno));
    return steal_fd(root);
}

/* The old root, with all that was mounted on it, goes: this namespace must not hold other images.
 */
static int pivot(int root, struct err *err)
{
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return err_set(err, ERR_NONE, errno, "cannot make it the root: %s", strerror(errno));
    return 0;
}

int inside_enter(const char *rootfs, const char *name, bool mapped, struct err *err)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_set(err, ERR_NONE, errno, "cannot keep its mounts to itself: %s",
                       strerror(errno));
    int root CLEANUP_CLOSE = cover(rootfs, err);
    if (root < 0)
        return root;
    inside_furnish(root, name, mapped);
    return pivot(root, err);
}

/* The last field of root's line. A file that only looks like one must not keep us. */
static bool find_shell(char *shell, size_t max)
{
    char line[1024];
    struct stat st;
    int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    FILE *passwd CLEANUP_FCLOSE = fd < 0 ? NULL : fdopen(fd, "r");
    if (!passwd || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    while (fgets(line, sizeof line, passwd)) {
        char *last = strrchr(line, ':');
        if (strncmp(line, "root:", 5) != 0 || !last)
            continue;
        last[strcspn(last, "\r\n")] = '\0';
        snprintf(shell, max, "%s", last + 1);
        return *shell == '/' && access(shell, X_OK) == 0;
    }
    return false;
}

/* Of the terminal it is what is said of it. */
static const char *const kept[] = {"TERM", "COLORTERM", "NO_COLOR"};

static bool is_kept(const char *entry)
{
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        size_t n = strlen(kept[i]);
        if (strncmp(entry, kept[i], n) == 0 && entry[n] == '=')
            return true;
    }
    return false;
}

void inside_forget(void)
{
    for (char **entry = environ; *entry; entry++)
        if (!is_kept(*entry))
            explicit_bzero(*entry, strlen(*entry));
}

/* PATH is of the image, not of the host. */
static void set_environment(const char *name, const char *shell)
{
    char *values[ARRAY_SIZE(kept)];
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        const char *value = getenv(kept[i]);
        values[i] = value ? strdup(value) : NULL;
    }
    clearenv();
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (values[i])
            setenv(kept[i], values[i], 1);
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("USER", "root", 1);
    setenv("LOGNAME", "root", 1);
    setenv("SHELL", shell, 1);
    setenv("debian_chroot", name, 1); /* Debian's prompts begin with it */
}

_Noreturn void inside_exec(const char *name, char **argv)
{
    char shell[PATH_MAX] = "/bin/sh", *plain[] = {shell, NULL};
    if (!find_shell(shell, sizeof shell))
        strcpy(shell, "/bin/sh");
    (void)setgroups(0, NULL); /* in a user namespace nobody has others */
    umask(022);
    set_environment(name, shell);
    char **run = *argv ? argv : plain;
    execvp(run[0], run);
    int num = errno;
    fprintf(stderr, "imgstore: %s: cannot run %s: %s%s\n", name, run[0], strerror(num),
            *argv || num != ENOENT ? "" : "; it has no shell: name a command that it has");
    _exit(num == ENOENT ? SHELL_NOT_FOUND : SHELL_NOT_RUN);
}
