#include "fs/mount_help.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF       "/etc/fuse.conf"
#define MOUNTER    "fusermount3"
#define MOUNTER_MS 30000

bool mount_help_allows_others(const char *conf)
{
    static const char word[] = "user_allow_other";
    size_t n = sizeof word - 1;
    for (const char *line = conf; line; line = strchr(line, '\n')) {
        line += strspn(line, " \t\n");
        if (strncmp(line, word, n) == 0 && strspn(line + n, " \t") == strcspn(line + n, "\n#"))
            return true;
    }
    return false;
}

static bool others_allowed(void)
{
    char conf[4096];
    int fd CLEANUP_CLOSE = open(CONF, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : io_read(fd, conf, sizeof conf - 1);
    conf[n > 0 ? n : 0] = '\0';
    return mount_help_allows_others(conf);
}

static bool has_mounter(void)
{
    char said[RUN_SAID_MAX];
    char *argv[] = {(char *)MOUNTER, (char *)"-V", NULL};
    return run_program(argv, -1, MOUNTER_MS, said) >= 0;
}

/* A node alone is not enough: the module behind it may be missing, or a container's rules forbid
 * it. */
static bool has_device(void)
{
    int fd CLEANUP_CLOSE = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    return fd >= 0;
}

/* fusermount3 mounts on what is the user's own, and not in a folder that others may change. */
static bool is_own(const char *point)
{
    struct stat st;
    return stat(point, &st) < 0 || st.st_uid == geteuid();
}

const char *mount_help(const char *point, bool others)
{
    if (!has_device())
        return ": /dev/fuse is missing or closed to you; load the fuse module";
    if (geteuid() == 0)
        return "";
    if (!has_mounter())
        return ": " MOUNTER " is not in PATH, which mounts for users: apt install fuse3";
    if (others && !others_allowed())
        return ": allow_other is for root alone, unless a line user_allow_other is in " CONF;
    return is_own(point) ? ""
                         : ": the mount point is not yours; make one of your own, such as ~/images";
}

int mount_help_detach(const char *point, struct err *err)
{
    char said[RUN_SAID_MAX];
    char *argv[] = {(char *)MOUNTER, (char *)"-uz", (char *)"--", (char *)(uintptr_t)point, NULL};
    if (umount2(point, MNT_DETACH) == 0)
        return 0;
    int num = errno;
    if (num != EPERM || geteuid() == 0)
        return err_sys(err, num, "cannot detach the stale mount at %s", point);
    int r = run_program(argv, -1, MOUNTER_MS, said);
    if (r < 0)
        return err_sys(err, -r, "cannot detach the stale mount at %s: " MOUNTER, point);
    return r == 0 ? 0
                  : err_set(err, ERR_INTERNAL, EPERM, "cannot detach the stale mount at %s: %s",
                            point, said);
}
