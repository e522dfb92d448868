#include "jail.h"

#include "base/cleanup.h"
#include "base/wire.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define NOBODY 65534

/* An empty directory, mounted nowhere. Open to all: where our id is not mapped, not even we could
 * enter another. */
static int empty_root(void)
{
    int context CLEANUP_CLOSE = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
        fsconfig(context, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
        fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return fsmount(context, FSMOUNT_CLOEXEC,
                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* Lets go of the copy of all mounts. Private before anything else: where the namespace belongs to
 * no user namespace of ours, an unmount would reach the mounts that were copied. */
static bool leave_mounts(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    int root CLEANUP_CLOSE = empty_root();
    return root >= 0 && move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
           fchdir(root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
           umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

/* A copy that cannot be let go (a root directory that is not a mount) would keep mounts in use for
 * as long as the work takes: then back to where we came from, at the same root. */
static void go_back(int ns, int root)
{
    if (setns(ns, CLONE_NEWNS) == 0 && fchdir(root) == 0)
        (void)!chroot("."); /* which it was before, if that fails: not ours to change */
}

/* With our own privileges, if there are any: what is made so belongs to no user namespace, and the
 * one that we enter later has no power over it. */
static bool own_namespaces(void)
{
    int ns CLEANUP_CLOSE = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    int root CLEANUP_CLOSE = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool others = unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0; /* that may take its time */
    if (unshare(CLONE_NEWNS) < 0)
        return others;
    if (!leave_mounts())
        go_back(ns, root);
    return true;
}

/* In a user namespace even those without privileges may have the others, unless a security module
 * says no; and whoever could not mount anything has no mounts of ours to keep in use. */
static void user_namespace(bool owns)
{
    if (unshare(CLONE_NEWUSER) == 0 && !owns && unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0 &&
        unshare(CLONE_NEWNS) == 0)
        (void)leave_mounts();
}

/* To an id that owns nothing. Ids that aren't mapped here (a user namespace) or may not be changed
 * are left: no capability remains in any case. */
static int drop_ids(struct err *err)
{
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) < 0 && errno != EPERM)
        return err_sys(err, errno, "cannot drop groups");
    if ((setresgid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL && errno != EPERM) ||
        (setresuid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL && errno != EPERM))
        return err_sys(err, errno, "cannot become nobody");
    return 0;
}

static int set_capabilities(bool keep)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};
    if (keep && syscall(SYS_capget, &head, caps) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
        caps[i] = (struct __user_cap_data_struct){.effective = caps[i].permitted,
                                                  .permitted = caps[i].permitted};
    return syscall(SYS_capset, &head, caps) < 0 ? -errno : 0;
}

static int drop_capabilities(struct err *err)
{
    /* The bounding set takes a capability to drop; without one it can give nothing back either,
     * with no_new_privs. */
    for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;)
        cap++;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot drop ambient capabilities");
    int r = set_capabilities(false);
    return r < 0 ? err_sys(err, -r, "cannot drop capabilities") : 0;
}

static int set_attributes(struct err *err)
{
    umask(0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot give up privileges");
    return 0;
}

/* Whoever is nobody may make no user namespace everywhere: capabilities outlast the change of ids
 * for as long as that takes. A new user namespace has them all again: they go last. */
int jail_privileges(struct err *err)
{
    if (prctl(PR_SET_NAME, WIRE_HELPER_NAME, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot keep capabilities");
    bool owns = own_namespaces();
    int r = drop_ids(err);
    if (r < 0)
        return r;
    (void)set_capabilities(true);
    user_namespace(owns);
    r = drop_capabilities(err);
    return r < 0 ? r : set_attributes(err);
}
