/* The steps of the unpacking helper, which has no environment and can open nothing: what happens is
 * in the file beside it, argv[0] with ".fault" behind, which it has mapped before main. At its
 * front, as a string, `ACTION:KIND:N[:NUM]`, with the kinds READ (of the archive), WRITE (of
 * records and contents), MALLOC and JAIL (what it gives up), and these actions:
 *
 *   count   nothing fails
 *   fail    step N fails, with errno NUM instead of the table's
 *   break   step N and all after it fail
 *   short   step N moves one byte
 *   shorts  step N and all after it move one byte each
 *   die     the helper dies at step N
 *
 * Behind it are, as in struct shared, how many steps of each kind there were, and the first that
 * was made to fail. No file: nothing happens. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum action { NOTHING, COUNT, FAIL, BREAK, SHORT, SHORTS, DIE, ACTIONS };

static const char *const actions[ACTIONS] = {"",      "count",  "fail", "break",
                                             "short", "shorts", "die"};
static const char *const kinds[FAULT_KINDS] = {[FAULT_READ] = "READ",
                                               [FAULT_WRITE] = "WRITE",
                                               [FAULT_MALLOC] = "MALLOC",
                                               [FAULT_JAIL] = "JAIL"};

struct shared {
    char what[256];
    int64_t counts[FAULT_KINDS];
    char hit[256];
};

static struct {
    enum action action;
    enum fault_kind kind;
    long number;
    int num;
    struct shared *shared;
} fault;

ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __real_pwrite64(int fd, const void *p, size_t n, off_t at);
int __real_ftruncate64(int fd, off_t n);
int __real_prctl(int what, ...);
long __real_syscall(long number, ...);

static size_t index_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (word && words[i] && strcmp(word, words[i]) == 0)
            return i;
    _exit(99);
}

static void parse(const char *what)
{
    char copy[sizeof fault.shared->what], *save, *word;
    snprintf(copy, sizeof copy, "%s", what);
    enum action action = (enum action)index_of(strtok_r(copy, ":", &save), actions, ACTIONS);
    if (action != COUNT)
        fault.kind = (enum fault_kind)index_of(strtok_r(NULL, ":", &save), kinds, FAULT_KINDS);
    if ((word = strtok_r(NULL, ":", &save)))
        fault.number = atol(word);
    if ((word = strtok_r(NULL, ":", &save)))
        fault.num = atoi(word);
    fault.action = action;
}

__attribute__((constructor)) static void begin(int argc, char **argv)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.fault", argv[0]);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof *fault.shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        _exit(99);
    fault.shared = p;
    if (!*fault.shared->what)
        return;
    parse(fault.shared->what);
}

static bool is_due(struct fault_step *s, long number)
{
    bool from = fault.action == BREAK || fault.action == SHORTS;
    if (s->kind != fault.kind || (from ? number < fault.number : number != fault.number))
        return false;
    if (!*fault.shared->hit)
        snprintf(fault.shared->hit, sizeof fault.shared->hit, "%s %s %ld %s", actions[fault.action],
                 kinds[s->kind], number, s->name);
    if (fault.action == DIE)
        __builtin_trap();
    return true;
}

static bool moves_one_byte(void)
{
    return fault.action == SHORT || fault.action == SHORTS;
}

bool fault_before(struct fault_step *s)
{
    if (fault.action == NOTHING)
        return false;
    long number = (long)++fault.shared->counts[s->kind];
    if (fault.action == COUNT || !is_due(s, number))
        return false;
    if (fault.num)
        s->num = fault.num;
    return true;
}

/* True: it fails, and errno is set. */
static bool fails(enum fault_kind kind, const char *name, int num, size_t *n)
{
    struct fault_step step = {kind, name, NULL, num, 0};
    if (!fault_before(&step))
        return false;
    if (moves_one_byte()) {
        if (n && *n > 1)
            *n = 1;
        return false;
    }
    errno = step.num;
    return true;
}

ssize_t __wrap_read(int fd, void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n)
{
    return fails(FAULT_READ, "read", EIO, &n) ? -1 : __real_read(fd, p, n);
}

ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    return fails(FAULT_WRITE, "write", EIO, &n) ? -1 : __real_write(fd, p, n);
}

ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
    return fails(FAULT_WRITE, "pwrite", ENOSPC, &n) ? -1 : __real_pwrite64(fd, p, n, at);
}

int __wrap_ftruncate64(int fd, off_t n);
int __wrap_ftruncate64(int fd, off_t n)
{
    return fails(FAULT_WRITE, "ftruncate", EIO, NULL) ? -1 : __real_ftruncate64(fd, n);
}

/* What backend/helper/memory.c calls; all that anybody allocates comes by there. */
#define ALLOCATES(name, parameters, arguments)                                                     \
    void *__real_##name parameters;                                                                \
    void *__wrap_##name parameters;                                                                \
    FAULT_EARLY void *__wrap_##name parameters                                                     \
    {                                                                                              \
        return fault.action != NOTHING && fails(FAULT_MALLOC, #name, ENOMEM, NULL)                 \
                   ? NULL                                                                          \
                   : __real_##name arguments;                                                      \
    }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
ALLOCATES(__interceptor_malloc, (size_t n), (n))
ALLOCATES(__interceptor_calloc, (size_t n, size_t m), (n, m))
ALLOCATES(__interceptor_realloc, (void *p, size_t n), (p, n))
#else
ALLOCATES(__libc_malloc, (size_t n), (n))
ALLOCATES(__libc_calloc, (size_t n, size_t m), (n, m))
ALLOCATES(__libc_realloc, (void *p, size_t n), (p, n))
#endif

/* --- the jail */

int __wrap_prctl(int what, ...);
int __wrap_prctl(int what, ...)
{
    unsigned long a[4];
    va_list ap;
    va_start(ap, what);
    for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
        a[i] = va_arg(ap, unsigned long);
    va_end(ap);
    return fails(FAULT_JAIL, "prctl", EINVAL, NULL) ? -1
                                                    : __real_prctl(what, a[0], a[1], a[2], a[3]);
}

long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list ap;
    va_start(ap, number);
    for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    const char *name = number == SYS_capset       ? "capset"
                       : number == SYS_capget     ? "capget"
                       : number == SYS_pivot_root ? "pivot_root"
                                                  : "syscall";
    return fails(FAULT_JAIL, name, EPERM, NULL)
               ? -1
               : __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define GIVES_UP(name, num, parameters, arguments)                                                 \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return fails(FAULT_JAIL, #name, num, NULL) ? -1 : __real_##name arguments;                 \
    }
GIVES_UP(unshare, EPERM, (int flags), (flags))
GIVES_UP(setns, EPERM, (int fd, int type), (fd, type))
GIVES_UP(mount, EPERM,
         (const char *from, const char *to, const char *type, unsigned long flags,
          const void *data),
         (from, to, type, flags, data))
GIVES_UP(umount2, EBUSY, (const char *path, int flags), (path, flags))
GIVES_UP(fsopen, EPERM, (const char *type, unsigned flags), (type, flags))
GIVES_UP(fsmount, EPERM, (int fd, unsigned flags, unsigned attributes), (fd, flags, attributes))
GIVES_UP(move_mount, EINVAL, (int from, const char *a, int to, const char *b, unsigned flags),
         (from, a, to, b, flags))
GIVES_UP(fchdir, EIO, (int fd), (fd))
GIVES_UP(setgroups, EPERM, (size_t n, const gid_t *ids), (n, ids))
GIVES_UP(setresgid, EPERM, (gid_t r, gid_t e, gid_t s), (r, e, s))
GIVES_UP(setresuid, EPERM, (uid_t r, uid_t e, uid_t s), (r, e, s))
GIVES_UP(close_range, EINVAL, (unsigned from, unsigned to, int flags), (from, to, flags))
GIVES_UP(getrlimit64, EINVAL, (__rlimit_resource_t what, struct rlimit *l), (what, l))
GIVES_UP(setrlimit64, EPERM, (__rlimit_resource_t what, const struct rlimit *l), (what, l))
/* Its errors are what it returns. */
int __real_seccomp_load(void *ctx);
int __wrap_seccomp_load(void *ctx);
int __wrap_seccomp_load(void *ctx)
{
    return fails(FAULT_JAIL, "seccomp_load", EACCES, NULL) ? -EACCES : __real_seccomp_load(ctx);
}
