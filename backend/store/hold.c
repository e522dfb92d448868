#include "store/hold.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>

int hold_take(const char *path, const char *what, struct err *err)
{
    int fd CLEANUP_CLOSE = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &lock) == 0)
        return steal_fd(fd);
    if (errno != EACCES && errno != EAGAIN)
        return err_sys(err, errno, "cannot lock %s", path);
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &holder) < 0 || holder.l_type == F_UNLCK)
        holder.l_pid = 0;
    return err_set(err, ERR_IO, EBUSY, "%s is held by process %d; stop that one, or choose another",
                   what, (int)holder.l_pid);
}
