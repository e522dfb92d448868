/* The functions of wrap.def, as the linker calls them. */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define STEP(kind_, name_, num_)                                                                   \
    struct fault_step step = {FAULT_##kind_, name_, __builtin_return_address(0), num_, 0}

#define FAIL_OR_GO_ON(failed)                                                                      \
    if (fault_before(&step)) {                                                                     \
        errno = step.num;                                                                          \
        return failed;                                                                             \
    }

#define WRAP(kind, name, type, failed, num, parameters, arguments)                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        STEP(kind, #name, num);                                                                    \
        FAIL_OR_GO_ON(failed)                                                                      \
        type result = __real_##name arguments;                                                     \
        fault_after(&step);                                                                        \
        return result;                                                                             \
    }
#define VARIADIC(kind, name)
#include "wrap.def"
#undef WRAP

/* What writes to a file whose loss can be simulated. */
#define DIRTIES(name, type, num, fd, parameters, arguments)                                        \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        STEP(WRITE, #name, num);                                                                   \
        FAIL_OR_GO_ON(-1)                                                                          \
        fault_dirty(fd);                                                                           \
        type result = __real_##name arguments;                                                     \
        fault_after(&step);                                                                        \
        return result;                                                                             \
    }
DIRTIES(write, ssize_t, ENOSPC, fd, (int fd, const void *p, size_t n), (fd, p, n))
DIRTIES(pwrite64, ssize_t, ENOSPC, fd, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
DIRTIES(copy_file_range, ssize_t, ENOSPC, out,
        (int in, off_t *at, int out, off_t *to, size_t n, unsigned flags),
        (in, at, out, to, n, flags))
DIRTIES(ftruncate64, int, EIO, fd, (int fd, off_t n), (fd, n))

/* One that replaces something cannot be taken back, and is not noted. */
int __real_faccessat(int fd, const char *path, int mode, int flags);
#define MOVES(name, parameters, arguments)                                                         \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        STEP(WRITE, #name, EIO);                                                                   \
        FAIL_OR_GO_ON(-1)                                                                          \
        bool new = __real_faccessat(to, b, F_OK, AT_SYMLINK_NOFOLLOW) < 0;                         \
        int result = __real_##name arguments;                                                      \
        int saved = errno;                                                                         \
        if (result == 0 && new)                                                                    \
            fault_moved(from, a, to, b);                                                           \
        errno = saved;                                                                             \
        fault_after(&step);                                                                        \
        return result;                                                                             \
    }
MOVES(renameat, (int from, const char *a, int to, const char *b), (from, a, to, b))
MOVES(renameat2, (int from, const char *a, int to, const char *b, unsigned flags),
      (from, a, to, b, flags))

#define SYNCS(name, synced)                                                                        \
    int __real_##name(int fd);                                                                     \
    int __wrap_##name(int fd);                                                                     \
    int __wrap_##name(int fd)                                                                      \
    {                                                                                              \
        STEP(WRITE, #name, EIO);                                                                   \
        FAIL_OR_GO_ON(-1)                                                                          \
        int result = __real_##name(fd);                                                            \
        if (result == 0)                                                                           \
            synced(fd);                                                                            \
        fault_after(&step);                                                                        \
        return result;                                                                             \
    }
SYNCS(fsync, fault_synced)
SYNCS(fdatasync, fault_synced)
SYNCS(syncfs, fault_synced_all)

#define UNPACKED(...) __VA_ARGS__
#define OPENS(name, shown, parameters, arguments)                                                  \
    int __real_##name(UNPACKED parameters, ...);                                                   \
    int __wrap_##name(UNPACKED parameters, ...);                                                   \
    int __wrap_##name(UNPACKED parameters, ...)                                                    \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;                                    \
        va_end(ap);                                                                                \
        STEP(READ, shown, EMFILE);                                                                 \
        step.kind = flags & O_CREAT ? FAULT_WRITE : FAULT_READ;                                    \
        FAIL_OR_GO_ON(-1)                                                                          \
        int result = __real_##name(UNPACKED arguments, mode);                                      \
        fault_after(&step);                                                                        \
        return result;                                                                             \
    }
OPENS(open64, "open", (const char *path, int flags), (path, flags))
OPENS(openat64, "openat", (int fd, const char *path, int flags), (fd, path, flags))

/* openat2, and what else glibc has no function for. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list ap;
    va_start(ap, number);
    for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    STEP(READ, "syscall", EIO);
    FAIL_OR_GO_ON(-1)
    long result = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    fault_after(&step);
    return result;
}
