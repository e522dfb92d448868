#include "fs/client/worker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMON "imgstorefs"

static int default_mount(char out[static PATH_MAX], struct err *err)
{
    const char *run = getuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (!run || (size_t)snprintf(out, PATH_MAX, "%s/imgstore", run) >= PATH_MAX)
        return err_set(err, ERR_NONE, EINVAL, "say where to mount: imgstore worker MOUNTPOINT");
    /* ENOTCONN: a daemon that was killed left its mount there; the next one clears it away. */
    if (mkdir(out, 0755) < 0 && errno != EEXIST && errno != ENOTCONN)
        return err_set(err, ERR_NONE, errno, "cannot make %s: %s", out, strerror(errno));
    return 0;
}

/* "/usr/bin/imgstorefs" for "/usr/bin/imgstore"; just the name, for PATH, if that cannot be run. */
static const char *daemon_path(char out[static PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - sizeof DAEMON);
    out[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (!slash)
        return DAEMON;
    memcpy(slash + 1, DAEMON, sizeof DAEMON);
    return access(out, X_OK) == 0 ? out : DAEMON;
}

int worker_exec(const char *mount, struct err *err)
{
    char at[PATH_MAX], path[PATH_MAX];
    if (!mount)
        mount = getenv("IMGSTORE_MOUNT");
    if (!mount || !*mount) {
        int r = default_mount(at, err);
        if (r < 0)
            return r;
        mount = at;
    }
    execlp(daemon_path(path), DAEMON, "-f", mount, (char *)NULL);
    return err_set(err, ERR_NONE, ENOTCONN, "cannot run " DAEMON ": %s", strerror(errno));
}
