/* SQLite's own file operations as steps: a file system of SQLite's that counts, and lets the real
 * one do the work. For power it knows what each write since the last sync has replaced. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    sqlite3_file base;
    int fd; /* ours, for power; never closed, which would let go of SQLite's locks */
    sqlite3_file *real;
};

/* What was there before a write that is not synced yet. */
struct undo {
    struct undo *before;
    int fd;
    off_t size, at; /* of the file; of what was replaced */
    ssize_t n;
    char bytes[];
};

static sqlite3_vfs *real_vfs, vfs;
static struct undo *last_undo;
static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

ssize_t __real_pread64(int fd, void *p, size_t n, off_t at);
ssize_t __real_pwrite64(int fd, const void *p, size_t n, off_t at);
int __real_ftruncate64(int fd, off_t n);
int __real_fstat64(int fd, struct stat *s);
int __real_open64(const char *path, int flags, ...);
void *__real_malloc(size_t n);

static void note(struct file *f, off_t at, size_t n)
{
    struct stat s;
    if (f->fd < 0 || __real_fstat64(f->fd, &s) < 0)
        return;
    struct undo *u = __real_malloc(sizeof *u + n);
    if (!u)
        return;
    *u = (struct undo){.fd = f->fd, .size = s.st_size, .at = at};
    u->n = n ? __real_pread64(f->fd, u->bytes, n, at) : 0;
    pthread_mutex_lock(&undo_lock);
    u->before = last_undo;
    last_undo = u;
    pthread_mutex_unlock(&undo_lock);
}

static void forget(const struct file *f)
{
    pthread_mutex_lock(&undo_lock);
    for (struct undo **p = &last_undo, *u; (u = *p);) {
        if (u->fd != f->fd) {
            p = &u->before;
            continue;
        }
        *p = u->before;
        free(u);
    }
    pthread_mutex_unlock(&undo_lock);
}

void fault_vfs_lose(void)
{
    pthread_mutex_lock(&undo_lock);
    for (const struct undo *u = last_undo; u; u = u->before) {
        if (u->n > 0)
            (void)!__real_pwrite64(u->fd, u->bytes, (size_t)u->n, u->at);
        (void)!__real_ftruncate64(u->fd, u->size);
    }
}

#define STEP(name_, num_)                                                                          \
    struct fault_step step = {FAULT_DB, name_, __builtin_return_address(0), num_, 0}

static sqlite3_file *real(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

static int file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    STEP("xWrite", EIO);
    if (fault_before(&step))
        return SQLITE_IOERR_WRITE;
    note((struct file *)f, at, (size_t)n);
    int rc = real(f)->pMethods->xWrite(real(f), p, n, at);
    fault_after(&step);
    return rc;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    STEP("xTruncate", EIO);
    struct stat s;
    if (fault_before(&step))
        return SQLITE_IOERR_TRUNCATE;
    int fd = ((struct file *)f)->fd;
    if (fd >= 0 && __real_fstat64(fd, &s) == 0 && s.st_size > size)
        note((struct file *)f, size, (size_t)(s.st_size - size));
    int rc = real(f)->pMethods->xTruncate(real(f), size);
    fault_after(&step);
    return rc;
}

static int file_sync(sqlite3_file *f, int flags)
{
    STEP("xSync", EIO);
    if (fault_before(&step))
        return SQLITE_IOERR_FSYNC;
    int rc = real(f)->pMethods->xSync(real(f), flags);
    if (rc == SQLITE_OK)
        forget((struct file *)f);
    fault_after(&step);
    return rc;
}

#define PASSES(name, parameters, arguments)                                                        \
    static int file_##name parameters                                                              \
    {                                                                                              \
        return real(f)->pMethods->name arguments;                                                  \
    }
PASSES(xClose, (sqlite3_file * f), (real(f)))
PASSES(xRead, (sqlite3_file * f, void *p, int n, sqlite3_int64 at), (real(f), p, n, at))
PASSES(xFileSize, (sqlite3_file * f, sqlite3_int64 *n), (real(f), n))
PASSES(xLock, (sqlite3_file * f, int lock), (real(f), lock))
PASSES(xUnlock, (sqlite3_file * f, int lock), (real(f), lock))
PASSES(xCheckReservedLock, (sqlite3_file * f, int *out), (real(f), out))
PASSES(xFileControl, (sqlite3_file * f, int op, void *arg), (real(f), op, arg))
PASSES(xSectorSize, (sqlite3_file * f), (real(f)))
PASSES(xDeviceCharacteristics, (sqlite3_file * f), (real(f)))
PASSES(xShmMap, (sqlite3_file * f, int page, int size, int extend, void volatile **p),
       (real(f), page, size, extend, p))
PASSES(xShmLock, (sqlite3_file * f, int at, int n, int flags), (real(f), at, n, flags))
PASSES(xShmUnmap, (sqlite3_file * f, int discard), (real(f), discard))

static void file_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_xClose,
    .xRead = file_xRead,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_xFileSize,
    .xLock = file_xLock,
    .xUnlock = file_xUnlock,
    .xCheckReservedLock = file_xCheckReservedLock,
    .xFileControl = file_xFileControl,
    .xSectorSize = file_xSectorSize,
    .xDeviceCharacteristics = file_xDeviceCharacteristics,
    .xShmMap = file_xShmMap,
    .xShmLock = file_xShmLock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_xShmUnmap,
};

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct file *f = (struct file *)file;
    STEP("xOpen", EIO);
    f->base.pMethods = NULL;
    if (flags & SQLITE_OPEN_CREATE && fault_before(&step))
        return SQLITE_CANTOPEN;
    f->real = (sqlite3_file *)(f + 1);
    int rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out);
    f->fd = name && rc == SQLITE_OK ? __real_open64(name, O_RDWR | O_CLOEXEC) : -1;
    if (f->real->pMethods)
        f->base.pMethods = &methods;
    fault_after(&step);
    return rc;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync)
{
    STEP("xDelete", EIO);
    if (fault_before(&step))
        return SQLITE_IOERR_DELETE;
    int rc = real_vfs->xDelete(real_vfs, name, sync);
    fault_after(&step);
    return rc;
}

void fault_vfs_begin(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs)
        return;
    vfs = *real_vfs;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    sqlite3_vfs_register(&vfs, 1);
}
